package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/go-liburing/liburing"
)

// setting is what figures depend on beside the programs.
type setting struct {
	Machine  string            `json:"machine"`
	Kernel   string            `json:"kernel"`
	Versions map[string]string `json:"versions"`
}

// setting returns that of this run.
func (t *tools) setting() setting {
	versions := map[string]string{
		"go":       strings.TrimPrefix(runtime.Version(), "go"),
		"liburing": liburing.Version(),
		"cc":       firstLine(append(compiler(), "--version")...),
		"cp":       firstLine("cp", "--version"),
		"fio":      firstLine("fio", "--version"),
	}
	for module, version := range requirements(t.path("bench/peers/go.mod")) {
		versions[module] = version
	}
	for name, version := range versions {
		if version == "" { // not there
			delete(versions, name)
		}
	}
	return setting{Machine: machine(), Kernel: kernel(), Versions: versions}
}

func machine() string {
	processor := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`(?m)^model name\s*:\s*(.*)$`).FindSubmatch(text); m != nil {
		processor = string(m[1])
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		panic(fmt.Sprint("sysinfo: ", err)) // it has no reason to fail
	}
	const gib = 1 << 30
	return fmt.Sprintf("%s, %d processors, %.1f GiB",
		processor, runtime.NumCPU(), float64(info.Totalram)*float64(info.Unit)/gib)
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		panic(fmt.Sprint("uname: ", err)) // it has no reason to fail
	}
	// What stands behind the version is the packager's.
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return unix.ByteSliceToString(u.Sysname[:]) + " " + release
}

// firstLine returns the first line that a program prints, nothing if it does not
// run.
func firstLine(command ...string) string {
	out, err := exec.Command(command[0], command[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// requirements returns the versions of the modules that a go.mod asks for, those
// aside that others ask for.
func requirements(gomod string) map[string]string {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = filepath.Dir(gomod)
	out, err := cmd.Output()
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err != nil || json.Unmarshal(out, &mod) != nil {
		return nil
	}
	versions := make(map[string]string)
	for _, r := range mod.Require {
		if !r.Indirect {
			versions[r.Path] = r.Version
		}
	}
	return versions
}
