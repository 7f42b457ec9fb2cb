//go:build linux && cgo

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What was registered is free when Close has returned, with requests in flight too.
func TestCloseLetsGoOfFiles(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 14)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		at := registerListener(t, func(fds []int) error {
			return l.Control(func(r *liburing.Ring) error { return r.RegisterFiles(fds) })
		})
		l.AcceptDirect(liburing.Fixed(0).FD(), nil, 0, liburing.FileIndexAlloc, nil)
		ringtest.RunFor(t, l, time.Millisecond)
		ringtest.CloseLoop(t, l)
		requireFree(t, at)
	})
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		at := registerListener(t, r.RegisterFiles)
		require.NoError(t, r.Close())
		requireFree(t, at)
	})
}

// registerListener returns the address of a listener that only register holds open.
func registerListener(t *testing.T, register func(fds []int) error) (at string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, register([]int{int(file.Fd())}))
	require.NoError(t, file.Close())
	return listener.Addr().String()
}

func requireFree(t *testing.T, at string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	require.NoError(t, err, "the port is taken")
	listener.Close()
}

// The memory of a ring that was closed counts for a while: the next one waits.
func TestRingAfterRingNearMemlock(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user without CAP_IPC_LOCK here")
	}
	require.Contains(t, setupUnder(t, "memlock left"), "none failed")
}

func ringsInTurn() error {
	need, err := liburing.MemorySizeParams(64, &liburing.Params{})
	if err != nil {
		need = 1 << 16
	}
	limit := uint64(need) * 3 / 2 // room for one
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	if err := syscall.Setuid(65533); err != nil { // one with no other rings
		return err
	}
	for range 5 {
		r, err := liburing.New(64)
		if err != nil {
			return err
		}
		r.Close()
	}
	fmt.Println("none failed")
	os.Exit(0)
	return nil
}

// Nothing that was queued has gone to the kernel, so there is nothing to wait for.
func TestCloseWithoutEnter(t *testing.T) {
	out := setupUnder(t, "no enter")
	const why = "operation not permitted: a seccomp filter or another sandbox may block it: allow io_uring_enter"
	require.Contains(t, out, "run: io_uring_enter: "+why)
	require.Contains(t, out, "nop: nop: operation not permitted: 2 requests never went to the kernel")
	require.Contains(t, out, "close: close: operation not permitted: 2 requests never went to the kernel; a seccomp filter")
	require.Contains(t, out, "memory kept: 0")
}

func closeWithoutEnter() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	if err := deny(unix.SYS_IO_URING_ENTER, unix.EPERM); err != nil {
		return err
	}
	l.Nop(func(c liburing.Completion) { fmt.Println("nop:", c.Err()) })
	l.After(time.Hour, func() {})
	closeAndTell(l)
	return nil
}

// closeAndTell runs and closes a loop, says how it went and ends the process.
func closeAndTell(l *liburing.Loop) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("run:", l.RunUntilIdle(ctx))
	fmt.Println("close:", l.Close(ctx))
	fmt.Println("memory kept:", liburing.GivenUp())
	os.Exit(0)
}

// Here the kernel has a request, and can't be asked for its completion any more.
func TestCloseWhenEnterIsDenied(t *testing.T) {
	out := setupUnder(t, "late enter")
	require.Contains(t, out, "read: read: operation not permitted: 1 requests can't be cancelled: the ring was given back")
	require.Contains(t, out, "memory kept: 1")
}

func closeWhenEnterIsDenied() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return err
	}
	l.Read(fds[0], make([]byte, 1), 0, func(c liburing.Completion) { fmt.Println("read:", c.Err()) })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := l.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := deny(unix.SYS_IO_URING_ENTER, unix.EPERM); err != nil {
		return err
	}
	closeAndTell(l)
	return nil
}

func TestRegisterDeniedIsExplained(t *testing.T) {
	require.Contains(t, setupUnder(t, "no register"), "io_uring_register_files: operation not permitted: a seccomp filter or another sandbox may block it: allow io_uring_register")
}

func registerDenied() error {
	r, err := liburing.New(8)
	if err != nil {
		return err
	}
	if err := deny(unix.SYS_IO_URING_REGISTER, unix.EPERM); err != nil {
		return err
	}
	fmt.Println(r.RegisterFiles([]int{0}))
	os.Exit(0)
	return nil
}

// What holds Close up is named.
func TestCloseSaysWhatItWaitsFor(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	proceed := make(chan bool)
	require.NoError(t, l.Post(func() { <-proceed }))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, l.Close(ctx), "posted function has not returned")
	close(proceed)
}
