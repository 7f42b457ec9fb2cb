package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	walkedFiles = 100_000
	walkedSize  = 1 << 30 // bytes of the file system that they are in
)

// walkContests has programs learn the sizes of many files, whose inodes are in memory or
// are not: on one processor, which the kernel's workers share with the program, and on all.
// The file system is one of its own, so that the kernel forgets the files.
func walkContests(ctx context.Context, t *tools) ([]contest, error) {
	if err := t.mounts(ctx); err != nil {
		return nil, err
	}
	bin, err := t.buildGo(ctx, "bench/walk")
	if err != nil {
		return nil, err
	}
	w := walked{bin: bin, cpu: t.cpu, image: t.path("bench/tmp/walk.ext4"), dir: t.path("bench/tmp/walk")}
	if err := w.make(ctx, t); err != nil {
		return nil, err
	}
	contests := []contest{t.walks("warm", w), t.walks("cold", w)}
	if _, err := otherCPU(t.cpu); err != nil {
		t.say(fmt.Sprintf("walk on all processors is left out: %v", err))
		return contests, nil
	}
	w.cpu = everywhere
	return append(contests, t.walks("warm/all", w), t.walks("cold/all", w)), nil
}

// walked is a file system with many files, in a file.
type walked struct {
	bin, image, dir string
	cpu             int // or everywhere
}

// make makes the file system, unless it is there.
func (w walked) make(ctx context.Context, t *tools) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(w.image); err == nil {
		return nil
	}
	t.say("making 100,000 files in bench/tmp/walk.ext4, once")
	part := w
	part.image += ".part"
	if err := makeImage(ctx, part.image, walkedSize, "-N", strconv.Itoa(2*walkedFiles)); err != nil {
		return err
	}
	_, err := part.mounted(ctx, func() (reading, error) {
		_, err := runOn(ctx, w.cpu, w.bin, "-dir", w.tree(), "-make", strconv.Itoa(walkedFiles))
		return nil, err
	})
	if err != nil {
		return err
	}
	return os.Rename(part.image, w.image)
}

func (w walked) tree() string { return w.dir + "/tree" }

// mounted mounts the file system for a run, whose first look at each file reads the disk.
func (w walked) mounted(ctx context.Context, run func() (reading, error)) (reading, error) {
	return mountedImage(w.image, w.dir, run)
}

// walks is the contest of walks in a state: warm or cold, and with "/all" behind it if they
// have all processors.
func (t *tools) walks(state string, w walked) contest {
	warm := strings.HasPrefix(state, "warm")
	side := func(name, mode string) program {
		walk := func(ctx context.Context, mode string) (reading, error) {
			out, err := runOn(ctx, w.cpu, w.bin, "-dir", w.tree(), "-mode", mode)
			if err != nil {
				return nil, err
			}
			return parseReading(out)
		}
		return program{name: name, takes: 2 * time.Second, run: func(ctx context.Context) (reading, error) {
			return w.mounted(ctx, func() (reading, error) {
				if warm {
					if _, err := walk(ctx, "walkdir"); err != nil {
						return nil, err
					}
				}
				return walk(ctx, mode)
			})
		}}
	}
	on := "one processor"
	if w.cpu == everywhere {
		on = "all processors"
	}
	c := contest{title: fmt.Sprintf("sizes of 100,000 files, %s, %s", strings.TrimSuffix(state, "/all"), on), programs: []program{
		side("Loop", "loop"),
		side(ringioName, "ringio").asPeer(),
		side("filepath.WalkDir", "walkdir").asPeer(),
		side("WalkDir, two goroutines", "walkdir2").asPeer(),
	}}
	c.figures = []figure{{name: "walk/statx/" + state, unit: "ms", reading: "ms", ours: "Loop", peers: c.peerNames()}}
	return c
}

// command runs a command of the system and returns what it prints.
func command(ctx context.Context, name string, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, name, args...))
}

func output(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd.Args[0], err, text)
	}
	return text, nil
}
