package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tools is what groups build and run programs with.
type tools struct {
	root    string // the module's folder
	bin     string // where built programs go, until close
	seconds float64
	cpu     int
}

func newTools(seconds float64, cpu int) (*tools, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	root := filepath.Dir(strings.TrimSpace(string(gomod)))
	if err != nil || !exists(filepath.Join(root, "bench", "c")) {
		return nil, errors.New("run this in the module's folder: make bench")
	}
	if cpu, err = usableCPU(cpu); err != nil {
		return nil, err
	}
	bin, err := os.MkdirTemp("", "liburing-bench-")
	if err != nil {
		return nil, err
	}
	return &tools{root: root, bin: bin, seconds: seconds, cpu: cpu}, nil
}

func (t *tools) close() { os.RemoveAll(t.bin) }

// path returns the path of a file of the module.
func (t *tools) path(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// buildGo builds the program in bench/NAME and returns its path.
func (t *tools) buildGo(ctx context.Context, name string) (string, error) {
	bin := filepath.Join(t.bin, name)
	return bin, t.build(ctx, "go", "build", "-o", bin, "./bench/"+name)
}

// buildC builds bench/c/NAME.c with the liburing that the library is linked to,
// the vendored one if it is there, and returns the program's path.
func (t *tools) buildC(ctx context.Context, name string) (string, error) {
	bin := filepath.Join(t.bin, "c-"+name)
	args := append(compiler(), "-O2", "-o", bin, "bench/c/"+name+".c")
	if vendored := "third_party/liburing"; exists(t.path(vendored)) {
		args = append(args, "-I"+vendored+"/include", "-L"+vendored+"/lib")
	}
	return bin, t.build(ctx, append(args, "-luring")...)
}

func compiler() []string {
	if cc := strings.Fields(os.Getenv("CC")); len(cc) > 0 {
		return cc
	}
	return []string{"gcc"}
}

func (t *tools) build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = t.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out))
	}
	return nil
}

// startUp is about what a program needs beside its measuring time: to start and
// to warm up.
const startUp = 150 * time.Millisecond

// program returns a contest's side that runs a built program, which gets the
// time to measure for as -seconds.
func (t *tools) program(name, bin string, args ...string) program {
	args = append(args, "-seconds", strconv.FormatFloat(t.seconds, 'g', -1, 64))
	return program{
		name:  name,
		takes: startUp + time.Duration(t.seconds*float64(time.Second)),
		run: func(ctx context.Context) (reading, error) {
			var out, complaint bytes.Buffer
			cmd := exec.CommandContext(ctx, bin, args...)
			cmd.Stdout, cmd.Stderr = &out, &complaint
			if err := startOn(t.cpu, cmd); err != nil {
				return nil, err
			}
			if err := cmd.Wait(); err != nil {
				return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
			}
			return parseReading(out.String())
		},
	}
}

// parseReading reads a line of name=value pairs.
func parseReading(line string) (reading, error) {
	r := make(reading)
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("the program printed %q, not name=number", field)
		}
		r[name] = v
	}
	if len(r) == 0 {
		return nil, errors.New("the program printed nothing")
	}
	return r, nil
}

// startOn starts a program with all its threads pinned to a processor.
func startOn(cpu int, cmd *exec.Cmd) error {
	// A child has the processors of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &all))
}

// maxCPUs is how many processors a unix.CPUSet has room for.
const maxCPUs = 1024

// usableCPU returns the wanted processor if this process may run there, or, if
// it is -1, the last one it may run on: the first ones have most of the
// machine's interrupts.
func usableCPU(wanted int) (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, fmt.Errorf("sched_getaffinity: %w", err)
	}
	if wanted >= 0 {
		if !set.IsSet(wanted) {
			return 0, fmt.Errorf("there is no processor %d to run on", wanted)
		}
		return wanted, nil
	}
	last := 0
	for cpu := range maxCPUs {
		if set.IsSet(cpu) {
			last = cpu
		}
	}
	return last, nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
