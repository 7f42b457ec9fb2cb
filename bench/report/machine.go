package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// fact is something that figures depend on.
type fact struct{ What, Value string }

// thisMachine returns the facts of the machine that the report is made on, and
// of the project's folder.
func thisMachine(root string) []fact {
	facts := []fact{
		{"Processor", fmt.Sprintf("%s, %d to run on", processor(), runtime.NumCPU())},
		{"Memory", memory()},
		{"Kernel", "Linux " + found(`^([\d.]+)`, contents("/proc/sys/kernel/osrelease"))},
		{"Go", strings.TrimPrefix(runtime.Version(), "go")},
		{"liburing", liburing(root)},
		{"C compiler", compiler()},
	}
	return append(facts, peers(filepath.Join(root, "bench", "peers", "go.mod"))...)
}

// unknown stands for facts that the machine does not tell.
const unknown = "unknown"

func contents(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(text))
}

// found returns what the first group of a pattern matches.
func found(pattern, text string) string {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return unknown
	}
	return strings.TrimSpace(m[1])
}

func processor() string { return found(`(?m)^model name\s*:(.*)$`, contents("/proc/cpuinfo")) }

func memory() string {
	kib, err := strconv.ParseFloat(found(`(?m)^MemTotal:\s*(\d+) kB$`, contents("/proc/meminfo")), 64)
	if err != nil {
		return unknown
	}
	return fmt.Sprintf("%.1f GiB", kib/(1<<20))
}

// liburing returns the version that the library is linked to: the vendored one
// if it is there, the system's otherwise.
func liburing(root string) string {
	third := filepath.Join(root, "third_party")
	if _, err := os.Stat(filepath.Join(third, "liburing")); err == nil {
		return found(`(?m)^pin\s+(\S+)`, contents(filepath.Join(third, "liburing.lock"))) + ", vendored"
	}
	return said("pkg-config", "--modversion", "liburing") + ", the system's"
}

func compiler() string {
	cc := strings.Fields(os.Getenv("CC"))
	if len(cc) == 0 {
		cc = []string{"gcc"}
	}
	line, _, _ := strings.Cut(said(cc[0], append(cc[1:], "--version")...), "\n")
	return line
}

// said returns what a program prints.
func said(program string, args ...string) string {
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(out))
}

// peers returns the versions of the libraries that are measured beside.
func peers(gomod string) []fact {
	text, err := os.ReadFile(gomod)
	if err != nil {
		return nil
	}
	var facts []fact
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+) (v\S+)$`).FindAllStringSubmatch(string(text), -1) {
		facts = append(facts, fact{m[1], m[2]})
	}
	return facts
}
