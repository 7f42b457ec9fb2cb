package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// goProcs is how many processors Go's scheduler is to believe in: if it has a
// single one, it takes that away from a thread at every longer wait. With two,
// programs in Go are as fast or faster, ours and those of others.
const goProcs = "GOMAXPROCS=2"

// everywhere stands for all processors.
const everywhere = -1

// startOn starts a program with all its threads pinned to a processor, or where it likes.
func startOn(cpu int, cmd *exec.Cmd) error {
	if cpu == everywhere {
		return cmd.Start()
	}
	cmd.Env = append(cmd.Environ(), goProcs)
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
	return lastCPU(&set), nil
}

// otherCPU returns the last processor beside the given one.
func otherCPU(cpu int) (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, fmt.Errorf("sched_getaffinity: %w", err)
	}
	set.Clear(cpu)
	if set.Count() == 0 {
		return 0, missing("it needs two processors, and there is one to run on")
	}
	return lastCPU(&set), nil
}

func lastCPU(set *unix.CPUSet) (last int) {
	for cpu := range maxCPUs {
		if set.IsSet(cpu) {
			last = cpu
		}
	}
	return last
}
