//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tmpfs mounts a small file system of its own.
func tmpfs(t *testing.T, size string) (dir string) {
	dir = t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("it needs a file system of its own: ", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// loopDevice makes a block device of a file.
func loopDevice(t *testing.T, file string) (device string) {
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	require.NoError(t, err)
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no loop devices: ", err)
	}
	defer control.Close()
	for range 10 { // somebody else may be quicker
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Skip("there is no free loop device: ", err)
		}
		device = fmt.Sprintf("/dev/loop%d", n)
		disk, err := os.OpenFile(device, os.O_RDWR, 0)
		require.NoError(t, err)
		defer disk.Close()
		if err = unix.IoctlSetInt(int(disk.Fd()), unix.LOOP_SET_FD, int(backing.Fd())); err == nil {
			t.Cleanup(func() {
				disk, err := os.OpenFile(device, os.O_RDONLY, 0)
				require.NoError(t, err)
				require.NoError(t, unix.IoctlSetInt(int(disk.Fd()), unix.LOOP_CLR_FD, 0))
				disk.Close()
			})
			return device
		}
		if !errors.Is(err, unix.EBUSY) {
			t.Skip("no loop device can be had: ", err)
		}
	}
	t.Skip("all loop devices are busy")
	return ""
}

const chunk = 64 << 10

// Many writes are in flight when the disk becomes full: those that succeed are there,
// the others say why not.
func TestDiskFull(t *testing.T) {
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			name := filepath.Join(tmpfs(t, "1m"), "file")
			f, err := os.Create(name)
			require.NoError(t, err)
			defer f.Close()
			l := ringtest.NewLoop(t, 64, s.Opts...)
			const writes = 32
			want := ringtest.Pattern(writes*chunk, 1)
			results := make([]int, writes)
			for i := range writes {
				l.Write(int(f.Fd()), want[i*chunk:(i+1)*chunk], uint64(i*chunk), func(c liburing.Completion) { results[i] = int(c.Res) })
			}
			synced := 1
			ringtest.RunIdle(t, l)
			l.Fsync(int(f.Fd()), 0, func(c liburing.Completion) { synced = int(c.Res) })
			ringtest.RunIdle(t, l)
			require.Zero(t, synced)
			full := 0
			got := make([]byte, chunk)
			for i, n := range results {
				if n == -int(unix.ENOSPC) {
					full++
					continue
				}
				require.Positive(t, n, "write %d", i)
				_, err := f.ReadAt(got[:n], int64(i*chunk))
				require.NoError(t, err)
				requireSame(t, want[i*chunk:i*chunk+n], got[:n])
			}
			require.GreaterOrEqual(t, full, writes/2)
			failed := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Fallocate(int(f.Fd()), 0, 2<<20, 1<<20, cb)
			})
			require.ErrorIs(t, failed.Err(), unix.ENOSPC)
			// With room again all is well.
			require.NoError(t, f.Truncate(0))
			require.Equal(t, chunk, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Write(int(f.Fd()), want[:chunk], 0, cb)
			}))
		})
	}
}

// brokenDisk returns a disk on which writes fail from its second MiB on, when they come
// to it: what holds it is full.
func brokenDisk(t *testing.T) (device string) {
	if os.Getuid() != 0 {
		t.Skip("only root makes disks")
	}
	dir := tmpfs(t, "2m")
	file := filepath.Join(dir, "disk")
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o600))
	require.NoError(t, os.Truncate(file, 64<<20))
	device = loopDevice(t, file)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	return device
}

const bad = 8 << 20 // an offset that can't be written

func openDisk(t *testing.T, device string, flags int) int {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|flags, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// A write goes to the page cache, and the fsync fails. Another descriptor's fsync does
// not take the error away, and a write that bypasses the cache gets its own.
func TestDiskErrors(t *testing.T) {
	device := brokenDisk(t)
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 16, s.Opts...)
			first, second := openDisk(t, device, 0), openDisk(t, device, 0)
			direct := openDisk(t, device, unix.O_DIRECT)
			mem := ringtest.Memory(t, 4096)
			end := func(queue func(cb liburing.Callback) liburing.Request) error {
				return ringtest.Finish(t, l, queue).Err()
			}
			write := func(fd int, at uint64) error {
				return end(func(cb liburing.Callback) liburing.Request { return l.Write(fd, mem, at, cb) })
			}
			fsync := func(fd int, flags liburing.FsyncFlags) error {
				return end(func(cb liburing.Callback) liburing.Request { return l.Fsync(fd, flags, cb) })
			}
			require.NoError(t, write(first, bad))
			require.ErrorIs(t, fsync(first, 0), unix.EIO)
			require.ErrorIs(t, fsync(second, liburing.FsyncDatasync), unix.EIO, "each descriptor is told")
			require.NoError(t, fsync(first, 0), "once, by the kernel")
			err := write(direct, bad)
			require.True(t, errors.Is(err, unix.EIO) || errors.Is(err, unix.ENOSPC), "%v", err)
			require.NoError(t, write(direct, 0), "where there is room it goes on")

			// Each request of many has its own end.
			bads, wrong := 0, 0
			for i := range 16 {
				at := uint64(4096 * i)
				if i%2 == 1 {
					at += bad
				}
				l.Write(direct, mem, at, func(c liburing.Completion) {
					switch {
					case i%2 == 1 && (c.Res == -int32(unix.EIO) || c.Res == -int32(unix.ENOSPC)):
						bads++
					case i%2 == 0 && c.Res == 4096:
					default:
						wrong++
					}
				})
			}
			ringtest.RunIdle(t, l)
			require.Equal(t, 8, bads)
			require.Zero(t, wrong)

			// In a chain what comes behind is cancelled.
			var chain []int32
			note := func(c liburing.Completion) { chain = append(chain, c.Res) }
			l.Write(first, mem, bad, note).LinkNext()
			l.Fsync(first, 0, note).LinkNext()
			l.Nop(note)
			ringtest.RunIdle(t, l)
			require.Equal(t, []int32{4096, -int32(unix.EIO)}, chain[:2])
		})
	}
}

// A Writer that has lost something says so to all who wait, and to those who come later:
// the kernel would not tell a second time.
func TestDiskErrorsOfWriter(t *testing.T) {
	device := brokenDisk(t)
	l := ringtest.NewLoop(t, 16)
	fd := openDisk(t, device, 0)
	_, err := unix.Seek(fd, bad, 0)
	require.NoError(t, err)
	var failed error
	w := loopio.NewWriter(l, fd, loopio.WriterOptions{Failed: func(err error) { failed = err }})
	_, err = w.Write(make([]byte, 8192))
	require.NoError(t, err)
	var told []error
	note := func(err error) { told = append(told, err) }
	w.Sync(note)
	w.Sync(note)
	ringtest.RunIdle(t, l)
	w.Sync(note)
	ringtest.RunIdle(t, l)
	require.Len(t, told, 3)
	for i, err := range told {
		require.ErrorIs(t, err, unix.EIO, "Sync %d", i)
	}
	require.ErrorIs(t, failed, unix.EIO)
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, unix.EIO)
	w.Close(nil)
	ringtest.RunIdle(t, l)
}

func TestDiskErrorsOfEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	device := brokenDisk(t)
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, sync := range map[string]func(*ringio.File) error{
		"Sync": (*ringio.File).Sync, "SyncData": (*ringio.File).SyncData,
		"SyncContext": func(f *ringio.File) error { return f.SyncContext(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			f, err := e.OpenFile(device, os.O_RDWR, 0)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.WriteAt(make([]byte, 4096), bad)
			require.NoError(t, err)
			require.ErrorIs(t, sync(f), unix.EIO)
		})
	}
	t.Run("many at once", func(t *testing.T) {
		f, err := e.OpenFile(device, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteAt(make([]byte, 1<<20), bad)
		require.NoError(t, err)
		var all sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			all.Go(func() { errs[i] = f.Sync() })
		}
		all.Wait()
		require.ErrorIs(t, errors.Join(errs...), unix.EIO)
		require.NoError(t, f.Sync())
	})
}

// An Appender does not go on behind what it has lost, as if it were there.
func TestDiskFullOfAppender(t *testing.T) {
	require.NoError(t, ringio.Available())
	dir := tmpfs(t, "256k")
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	f, err := e.Create(filepath.Join(dir, "file"))
	require.NoError(t, err)
	defer f.Close()
	a, err := ringio.NewAppender(f)
	require.NoError(t, err)
	want := ringtest.Pattern(chunk, 4)
	ended := make(chan error, 16)
	kept := make(chan int64, 16)
	for range 16 {
		go func() {
			off, err := a.Append(want)
			if err == nil {
				kept <- off
			}
			ended <- err
		}()
	}
	full := 0
	for range 16 {
		if err := <-ended; err != nil {
			require.ErrorIs(t, err, unix.ENOSPC)
			full++
		}
	}
	require.GreaterOrEqual(t, full, 12)
	_, err = a.Append([]byte("x"))
	require.ErrorIs(t, err, unix.ENOSPC)
	close(kept)
	got := make([]byte, chunk)
	for off := range kept {
		_, err := f.ReadAt(got, off)
		require.NoError(t, err)
		requireSame(t, want, got)
	}
}
