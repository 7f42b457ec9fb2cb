package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The database of pebbleContests: some 800 MiB, of which the page cache may hold an
// eighth.
const (
	pebbleKeys   = 2_000_000
	pebbleMemory = 128 << 20
)

// pebbleContests has a storage engine work on its own file system and on one of
// package ringio.
func pebbleContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(5)
	small, err := newMemoryGroup(pebbleMemory)
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(t.bin, "pebble")
	if err := t.build(ctx, "go", "build", "-C", "bench/pebble", "-o", bin, "."); err != nil {
		return nil, missing(fmt.Sprintf("it needs the module of pebble: %v", err))
	}
	p := pebbleBench{t, bin, t.path("bench/tmp/pebble"), small}
	if err := p.fill(ctx); err != nil {
		return nil, err
	}
	var contests []contest
	for _, work := range []struct {
		name       string
		goroutines int
	}{{"read", 64}, {"read", 256}, {"scan", 64}, {"write", 64}} {
		c := contest{title: fmt.Sprintf("pebble, %s by %d goroutines", work.name, work.goroutines)}
		for _, on := range []string{ringioName, "os"} {
			c.programs = append(c.programs, p.side(on, work.name, work.goroutines))
		}
		c.programs[1] = c.programs[1].asPeer()
		c.figures = []figure{c.against(fmt.Sprintf("pebble/ringio/%s/%d", work.name, work.goroutines), "1/s", "per_second")}
		contests = append(contests, c)
	}
	return contests, nil
}

// pebbleBench is the program, its database, and where it runs.
type pebbleBench struct {
	*tools
	bin, db string
	small   memoryGroup
}

// fill writes the database, once.
func (p pebbleBench) fill(ctx context.Context) error {
	if exists(p.db) {
		return nil
	}
	if err := checkRoom(filepath.Dir(p.db), 3<<30); err != nil {
		return err
	}
	p.say("writing a database of pebble to bench/tmp/pebble, once")
	tmp, err := os.MkdirTemp(filepath.Dir(p.db), "pebble.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"-on", "os", "-work", "fill", "-keys", strconv.Itoa(pebbleKeys), "-dir", tmp}
	if out, err := exec.CommandContext(ctx, p.bin, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(tmp, p.db)
}

// side runs one kind of work, on a database of which nothing is in the page cache. It
// has all processors: pebble works in the background too.
func (p pebbleBench) side(on, work string, goroutines int) program {
	const opening = time.Second
	args := []string{"-on", on, "-work", work, "-keys", strconv.Itoa(pebbleKeys), "-goroutines", strconv.Itoa(goroutines),
		"-seconds", strconv.FormatFloat(p.seconds, 'g', -1, 64), "-dir", p.db}
	return program{name: on, takes: opening + p.time(), run: func(ctx context.Context) (reading, error) {
		if err := evictAll(p.db); err != nil {
			return nil, err
		}
		out, err := p.small.run(ctx, p.bin, args...)
		if err != nil {
			return nil, err
		}
		return parseReading(out)
	}}
}

// evictAll has the page cache drop the files of a folder.
func evictAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return evict(path)
	})
}

// memoryGroup is a control group that limits memory, the page cache included.
type memoryGroup struct{ dir string }

// newMemoryGroup makes a control group, of the second version or the first.
func newMemoryGroup(limit int) (memoryGroup, error) {
	for root, file := range map[string]string{"/sys/fs/cgroup": "memory.max", "/sys/fs/cgroup/memory": "memory.limit_in_bytes"} {
		g := memoryGroup{filepath.Join(root, "liburing-bench")}
		if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			continue
		}
		if f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0); err == nil {
			_, err = f.WriteString(strconv.Itoa(limit))
			if err = errors.Join(err, f.Close()); err == nil {
				return g, nil
			}
		}
		os.Remove(g.dir)
	}
	return memoryGroup{}, missing("it needs a control group for memory, which root can make")
}

// run runs a program in the group and returns what it prints.
func (g memoryGroup) run(ctx context.Context, bin string, args ...string) ([]byte, error) {
	const enter = `echo $$ >"$0/cgroup.procs" && exec "$@"`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", enter, g.dir, bin}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd.Output()
}
