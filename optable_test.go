//go:build linux

package liburing_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/optable"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The table has a row for each operation of the header, and what reads its text
// finds them all.
func TestEveryOperationHasARow(t *testing.T) {
	for op := range liburing.OpLast {
		require.NotEmpty(t, op.Kernel(), "optable.go has no row for %v", op)
	}
	rows, err := optable.Read(".")
	require.NoError(t, err)
	require.Len(t, rows, int(liburing.OpLast))
	require.Equal(t, optable.Row{Kernel: "5.11", Quick: true, Worker: true, Fixed: "fixedByFlag"}, rows["OpShutdown"])
	require.Empty(t, liburing.OpBad.Kernel())
}

// The kernel takes buffers of a group for those operations alone that the table
// names.
func TestOperationsThatTakeBuffers(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 18) // earlier ones do for fewer
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupSQE128))
	for op := range liburing.OpLast {
		if !ringtest.Knows(t, op) {
			continue
		}
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRW(op, -1, 0, 0, 0)
			s.Flags = liburing.SQEBufferSelect
			s.SetBufGroup(77)
		})
		require.Equal(t, !op.TakesBuffers(), c.Res == -int32(unix.EOPNOTSUPP), "%v: %v", op, c.Err())
	}
}

// What the table says always takes a worker thread does, and what most programs
// do most does not.
func TestOperationsThatTakeAWorker(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMkdirat) // before Linux 5.12 workers were no threads of the process
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	f := ringtest.TempFile(t, make([]byte, 1<<16))
	fd := int(f.Fd())
	require.NoError(t, os.WriteFile(path("a"), []byte("a"), 0o600))
	rd, wr := ringtest.Pipe(t)
	_, wr2 := ringtest.Pipe(t)
	a, b := ringtest.SocketPair(t)
	mem, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer unix.Munmap(mem)
	value := []byte("value")
	run := map[liburing.Op]func(l *liburing.Loop, cb liburing.Callback) liburing.Request{
		liburing.OpNop:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Nop(cb) },
		liburing.OpWrite: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Write(a, value, 0, cb) }, // pipes take one before 6.4
		liburing.OpSend:  func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Send(a, value, 0, cb) },
		liburing.OpRecv: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Recv(b, make([]byte, 9), 0, cb)
		},
		liburing.OpPollAdd: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.PollAdd(wr, unix.POLLOUT, cb) },
		liburing.OpTimeout: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Timeout(0, 0, 0, cb) },
		liburing.OpFsync:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fsync(fd, 0, cb) },
		liburing.OpSyncFileRange: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.SyncFileRange(fd, 10, 0, 0, cb)
		},
		liburing.OpFallocate: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fallocate(fd, 0, 0, 10, cb) },
		liburing.OpFtruncate: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, 1<<16, cb) },
		liburing.OpMadvise: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Madvise(mem, unix.MADV_NORMAL, cb)
		},
		liburing.OpStatx: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, path("a"), 0, 0, new(liburing.Statx), cb)
		},
		liburing.OpMkdirat:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Mkdir(path("d"), 0o700, cb) },
		liburing.OpSymlinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Symlink("a", path("s"), cb) },
		liburing.OpLinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Link(path("a"), path("l"), 0, cb)
		},
		liburing.OpRenameat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Rename(path("none"), path("b"), cb)
		},
		liburing.OpUnlinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Unlink(path("none"), 0, cb) },
		liburing.OpGetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Getxattr("user.a", mem, path("a"), cb)
		},
		liburing.OpSetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Setxattr("user.a", value, path("a"), 0, cb)
		},
		liburing.OpFgetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Fgetxattr(fd, "user.a", mem, cb)
		},
		liburing.OpFsetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Fsetxattr(fd, "user.a", value, 0, cb)
		},
		liburing.OpSplice: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Splice(fd, 0, wr, -1, 5, 0, cb)
		},
		liburing.OpTee:      func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Tee(rd, wr2, 2, 0, cb) },
		liburing.OpShutdown: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Shutdown(a, unix.SHUT_RD, cb) },
	}
	_, err = unix.Write(wr, value) // for the tee
	require.NoError(t, err)
	for op := range liburing.OpLast {
		f := run[op]
		require.True(t, f != nil || !op.TakesWorker(), "there is no request that shows %v to take a worker", op)
		if f == nil || !ringtest.Knows(t, op) {
			continue
		}
		l := ringtest.NewLoop(t, 8)
		ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return f(l, cb) })
		require.Equal(t, op.TakesWorker(), hasWorker(t, l), "%v", op)
	}
}

// hasWorker reports whether the kernel has a worker thread for a loop.
func hasWorker(t testing.TB, l *liburing.Loop) bool {
	t.Helper()
	thread := 0
	require.NoError(t, l.Control(func(*liburing.Ring) error { thread = unix.Gettid(); return nil }))
	for task := range ringtest.Workers(t) {
		comm, _ := os.ReadFile(task + "/comm")
		if strings.TrimSpace(string(comm)) == fmt.Sprintf("iou-wrk-%d", thread) {
			return true
		}
	}
	return false
}
