package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpContests has examples/cp against liburing's io_uring-cp, and beside them
// copies within the kernel: processes, timed from their start to their end.
func cpContests(ctx context.Context, t *tools) ([]contest, error) {
	sides, err := t.buildCopiers(ctx)
	if err != nil {
		return nil, err
	}
	if memoryIsTaken(reportedOrder) {
		t.say("the host takes back free memory, which some copies pay for: echo 11 >" + reportedOrder + " (as root) ends that")
	}
	copied := t.path("bench/tmp/cp.copy")
	from, err := t.dataFile(ctx, "cp.data", t.copySize, t.copySize)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, state := range []struct {
		name    string
		prepare func(path string) error
	}{{"warm", warm}, {"cold", evict}} {
		c := contest{title: fmt.Sprintf("copy of %d MiB, %s", t.copySize>>20, state.name)}
		for _, s := range sides {
			s.cpu, s.from, s.to, s.prepare = t.cpu, from, copied, state.prepare
			c.programs = append(c.programs, program{name: s.name, takes: s.takes(t.copySize), run: s.run, peer: s.peer})
		}
		c.figures = []figure{{
			name:    "cp/loop/" + state.name,
			unit:    "ms",
			reading: "ms",
			ours:    "Go",
			c:       "C",
			peers:   c.peerNames(),
		}}
		contests = append(contests, c)
	}
	return contests, nil
}

func (t *tools) buildCopiers(ctx context.Context) ([]copying, error) {
	c, err := t.buildExample(ctx, "io_uring-cp", "io_uring-cp.c")
	if err != nil {
		return nil, err
	}
	ours, err := t.buildGo(ctx, "examples/cp")
	if err != nil {
		return nil, err
	}
	ioCopy, err := t.buildGo(ctx, "bench/iocopy")
	if err != nil {
		return nil, err
	}
	return []copying{
		{name: "C", command: []string{c}},
		{name: "Go", command: []string{ours}},
		{name: "io.Copy", command: []string{ioCopy}, peer: true},
		{name: "cp", command: []string{"cp"}, peer: true}, // as people run it: the kernel copies
	}, nil
}

// copying is a program that is to copy a file.
type copying struct {
	name     string
	command  []string // without the names of the files
	peer     bool
	cpu      int // or everywhere
	from, to string
	image    string                  // of a file system that from is on, to be mounted for each run; "": none
	prepare  func(path string) error // brings from into the state to begin with
}

// takes returns what a run is expected to take.
func (c copying) takes(size int64) time.Duration {
	const perSecond = 1 << 30 // bytes, what comes before and after it included
	return time.Duration(float64(size) / perSecond * float64(time.Second))
}

// run copies the file. Each run finds no copy, and nothing that waits to be
// written to the disk; the copy is taken away at once, so most of it never is.
func (c copying) run(ctx context.Context) (reading, error) {
	if err := os.RemoveAll(c.to); err != nil {
		return nil, err
	}
	defer os.RemoveAll(c.to)
	unix.Sync()
	if err := c.prepare(c.from); err != nil {
		return nil, err
	}
	if err := haveMemory(c.from); err != nil {
		return nil, err
	}

	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, c.command[0], append(c.command[1:len(c.command):len(c.command)], c.from, c.to)...)
	cmd.Stderr = &complaint
	start := time.Now()
	if err := startOn(c.cpu, cmd); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	took := time.Since(start)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	busy := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return reading{"ms": took.Seconds() * 1000, cpuReading: busy.Seconds() * 1e6}, nil
}

// check sees to it that there is a copy.
func (c copying) check() error {
	from, err := sizeOf(c.from)
	if err != nil {
		return err
	}
	to, err := sizeOf(c.to)
	if err != nil {
		return err
	}
	if from != to {
		return fmt.Errorf("the copy has %d bytes of %d", to, from)
	}
	return nil
}

// sizeOf returns how many bytes a file has, or all files of a folder.
func sizeOf(path string) (size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
