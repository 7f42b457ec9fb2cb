//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { programs["inherited"] = tellInherited }

// tellInherited is the child: it prints which descriptors and mappings it has that are
// of a ring, or of a file whose name has the first argument in it.
func tellInherited() int {
	for fd, target := range ringtest.OpenFDs() {
		if strings.Contains(target, "io_uring") || strings.Contains(target, os.Args[1]) {
			fmt.Println("descriptor", fd, target)
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "io_uring") || strings.Contains(line, os.Args[1]) {
			fmt.Print("mapping ", line)
		}
	}
	fmt.Println("looked")
	return 0
}

// inheritsNothing starts children, several at once, while f goes on.
func inheritsNothing(t *testing.T, name string) {
	t.Helper()
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		out, err := program(ctx, "inherited", name).CombinedOutput()
		cancel()
		require.NoError(t, err, "%s", out)
		require.Equal(t, "looked\n", string(out))
	}
}

const forkReads = 64

// forkFile is a file whose name tells it from others, and registered buffers beside.
func forkFile(t *testing.T) (f *os.File, content []byte) {
	content = ringtest.Pattern(forkReads*4096, 3)
	name := filepath.Join(t.TempDir(), "inherited-by-none")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, content
}

// Fixed reads of a pipe wait in the kernel while children are made, and reads of a file
// go on all the time. Each byte arrives where it is to.
func TestChildrenOfARing(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 2*forkReads, s.Opts...)
			f, content := forkFile(t)
			pool, err := liburing.NewBufferPool(2*forkReads, 4096)
			require.NoError(t, err)
			r, w := ringtest.Pipe(t)
			require.NoError(t, l.Control(func(ring *liburing.Ring) error {
				if err := ring.RegisterBuffers(pool.Buffers()); err != nil {
					return err
				}
				return ring.RegisterFiles([]int{int(f.Fd()), r})
			}))
			g := ringtest.NewGroup(t, l, 8, 256, 0) // a ring of buffers, for its mapping
			late, reads := newFixedReads(pool, forkReads), newFixedReads(pool, forkReads)
			stop := ringtest.Running(t, l)
			require.NoError(t, l.Post(func() {
				for i := range forkReads {
					late.read(l, 1, i, nil)
					var again func()
					again = func() { reads.read(l, 0, i, again) }
					again()
				}
			}))
			inheritsNothing(t, filepath.Base(f.Name()))
			defer forked(t)() // shares all memory, until one of the two writes to it
			require.NoError(t, l.Post(func() { reads.over = true }))
			n, err := unix.Write(w, bytes.Repeat([]byte("p"), forkReads))
			require.NoError(t, err)
			require.Equal(t, forkReads, n)
			stop()
			ringtest.RunIdle(t, l)
			require.Empty(t, reads.failed)
			require.Empty(t, late.failed)
			require.Greater(t, reads.done, forkReads)
			require.Equal(t, forkReads, late.done)
			for i, b := range reads.bufs {
				require.Equal(t, content[i*4096:(i+1)*4096], b.Bytes, "buffer %d", i)
			}
			for i, b := range late.bufs {
				require.Equal(t, byte('p'), b.Bytes[0], "late buffer %d", i)
			}
			require.NoError(t, l.Control(func(ring *liburing.Ring) error { return ring.UnregisterBuffers() }))
			for _, b := range append(late.bufs, reads.bufs...) {
				require.NoError(t, pool.Put(b))
			}
			require.NoError(t, pool.Close())
			ringtest.AllBack(t, g)
		})
	}
}

// fixedReads are reads into registered buffers of registered files.
type fixedReads struct {
	bufs   []liburing.Buffer
	done   int
	over   bool
	failed []string
}

func newFixedReads(pool *liburing.BufferPool, n int) *fixedReads {
	r := new(fixedReads)
	for range n {
		b, _ := pool.Get()
		b.Bytes = b.Bytes[:4096] // a page may be larger
		r.bufs = append(r.bufs, b)
	}
	return r
}

// read reads into a buffer from its own place in the file, and calls then unless it is
// over.
func (r *fixedReads) read(l *liburing.Loop, file liburing.Fixed, i int, then func()) {
	b, want, off := r.bufs[i], 4096, uint64(i*4096)
	if file == 1 {
		want, off = 1, 0
	}
	clear(b.Bytes[:want])
	l.ReadFixed(file.FD(), b.Bytes[:want], off, b.Index, func(c liburing.Completion) {
		if c.Res == -int32(unix.ECANCELED) && ringtest.KernelBefore(6, 19) { // signals kept the kernel from making a worker
			r.read(l, file, i, then)
			return
		}
		r.done++
		if int(c.Res) != want {
			r.failed = append(r.failed, fmt.Sprintf("read %d: %d %v", i, c.Res, c.Err()))
		}
		if then != nil && !r.over && len(r.failed) == 0 {
			then()
		}
	})
}

func TestChildrenOfAnEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	e, err := ringio.New(ringio.Options{FixedBuffers: forkReads, FixedBufferSize: 4096})
	require.NoError(t, err)
	f, content := forkFile(t)
	file, err := e.Open(f.Name())
	require.NoError(t, err)
	listener, err := e.Listen("unix", filepath.Join(t.TempDir(), "inherited-by-none"))
	require.NoError(t, err)
	ended := make(chan error, forkReads)
	stop := make(chan struct{})
	for i := range forkReads {
		go func() { ended <- readOn(e, file, content[i*4096:(i+1)*4096], int64(i*4096), stop) }()
	}
	inheritsNothing(t, "inherited-by-none")
	close(stop)
	for range forkReads {
		require.NoError(t, within(ended))
	}
	require.NoError(t, listener.Close())
	require.NoError(t, file.Close())
	require.NoError(t, e.Shutdown(context.Background()))
}

func readOn(e *ringio.Engine, f *ringio.File, want []byte, off int64, stop <-chan struct{}) error {
	b, ok := e.Buffers().Get()
	if !ok {
		return fmt.Errorf("there is no buffer")
	}
	defer e.Buffers().Put(b)
	b.Bytes = b.Bytes[:len(want)] // a page may be larger
	for {
		clear(b.Bytes)
		if _, err := f.ReadAt(b.Bytes, off); err != nil || !bytes.Equal(b.Bytes, want) {
			return fmt.Errorf("something else was read at %d: %w", off, err)
		}
		select {
		case <-stop:
			return nil
		default:
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// forked forks a child without exec, as C programs do, which does nothing at all. end
// ends it.
func forked(t *testing.T) (end func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	require.NoError(t, unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before))
	pid, errno := forkIdle()
	require.NoError(t, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil))
	require.Zero(t, errno)
	return func() {
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
		for _, err := unix.Wait4(pid, nil, unix.WALL, nil); err == unix.EINTR; {
			_, err = unix.Wait4(pid, nil, unix.WALL, nil)
		}
	}
}

// forkIdle forks, and returns in the parent. In the child the runtime is not to be relied
// on: it makes system calls alone.
//
//go:norace
//go:nosplit
func forkIdle() (pid int, errno syscall.Errno) {
	child, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, 0, 0, 0, 0, 0, 0)
	if errno != 0 || child != 0 {
		return int(child), errno
	}
	for {
		syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}
