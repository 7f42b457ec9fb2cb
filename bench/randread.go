package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// randreadSize is that of the file that is read: much more than a disk's own
// cache has.
const randreadSize = 2 << 30

// randreadContests has Loop against C, both with a registered file and
// registered buffers, and beside them fio and a goroutine for each read.
func randreadContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	ours, err := t.buildGo(ctx, "bench/randread")
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "randread")
	if err != nil {
		return nil, err
	}
	file, err := t.dataFile(ctx, "randread.data", randreadSize, 0)
	if err != nil {
		return nil, err
	}
	if err := readThrough(ctx, file); err != nil {
		return nil, err
	}
	fio := findFio(t)
	var contests []contest
	for _, depth := range []int{1, 4, 16, 64, 128} {
		args := []string{"-file", file, "-depth", strconv.Itoa(depth)}
		contest := contest{
			title: fmt.Sprintf("random reads, %d at once", depth),
			programs: []program{
				t.program("C", c, args...),
				t.program("Go", ours, args...),
				t.program("os.File", ours, append(args, "-mode", "os")...).asPeer(),
			},
		}
		if fio != "" {
			contest.programs = append(contest.programs,
				t.fio(fio, "io_uring", file, depth), t.fio(fio, "libaio", file, depth))
		}
		contest.figures = []figure{{
			name:       fmt.Sprintf("randread/loop/%d", depth),
			unit:       "1/s",
			reading:    "iops",
			ours:       "Go",
			c:          "C",
			peers:      contest.peerNames(),
			moreIsGood: true,
		}}
		contests = append(contests, contest)
	}
	return append(contests, t.goroutineReads(ours, file)...), nil
}

// readThrough reads all of a file past the page cache. A disk may have a cache of its own, a
// virtual one that of its host: then it has everything, or those would be the fastest that
// read the same blocks again and again, as ours do, and fio does not.
func readThrough(ctx context.Context, file string) error {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EINVAL) {
		return missing("the file system of " + filepath.Dir(file) + " has no O_DIRECT: use a checkout on a disk")
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer unix.Close(fd)
	buf, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS) // aligned
	if err != nil {
		return err
	}
	defer unix.Munmap(buf)
	for ctx.Err() == nil {
		switch n, err := unix.Read(fd, buf); {
		case err != nil:
			return fmt.Errorf("read %s: %w", file, err)
		case n == 0:
			return nil
		}
	}
	return ctx.Err()
}
