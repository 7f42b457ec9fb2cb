//go:build linux

package ringio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// waitingOpen has a ring open a FIFO, whose other end nobody has, until the context ends.
func waitingOpen(t *testing.T, ring *engine, ctx context.Context, name string, flag int) (ended chan error) {
	require.NoError(t, makeFIFO(name))
	found, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	ended = make(chan error, 1)
	go func() {
		defer unix.Close(found)
		fd, err := ring.open(ctx, fdPath(found), flag, 0) // by its name the ring would not wait
		if err == nil {
			unix.Close(fd)
		}
		ended <- err
	}()
	return ended
}

// requireEnded wants a waiting open to end. If it does not, the other end is opened: else the
// process could not end either.
func requireEnded(t *testing.T, name string, ended chan error) {
	t.Helper()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(5 * time.Second):
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		<-ended
		t.Error("the open goes on")
	}
}

// What a thread that ends has given its workers to do, the kernel has them do yet, and can't end:
// such a thread must not have submitted opens that wait.
func TestFIFOOpensOutliveThreads(t *testing.T) {
	for name, flag := range map[string]int{"read": os.O_RDONLY, "write": os.O_WRONLY} {
		t.Run(name, func(t *testing.T) {
			ring := testEngine(t, Options{Workers: 1})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			names, opens := manyWaiting(t, ring, ctx, flag, func() {
				go func() {
					runtime.LockOSThread() // the thread ends with the goroutine
					ring.mu.Unlock()
					ring.drive()
					time.Sleep(5 * time.Millisecond) // until there is a worker
				}()
			})
			time.Sleep(20 * time.Millisecond)
			cancel()
			for i := range opens {
				requireEnded(t, names[i], opens[i])
			}
		})
	}
}

// manyWaiting has a ring open several FIFOs, once submit has unlocked it.
func manyWaiting(t *testing.T, ring *engine, ctx context.Context, flag int, submit func()) (names []string, opens []chan error) {
	ring.mu.Lock()
	dir := t.TempDir()
	for i := range 4 {
		names = append(names, filepath.Join(dir, fmt.Sprint(i)))
		opens = append(opens, waitingOpen(t, ring, ctx, names[i], flag))
	}
	time.Sleep(20 * time.Millisecond)
	submit()
	require.Eventually(t, func() bool { return ring.snapshot().inFlight == len(opens) }, 10*time.Second, time.Millisecond)
	return names, opens
}

// Each open that waits keeps one of the kernel's workers, of which a thread has few: none waits
// for another one.
func TestFIFOOpensDoNotWaitForEachOther(t *testing.T) {
	ring := testEngine(t, Options{Workers: 1})
	names, opens := manyWaiting(t, ring, t.Context(), os.O_RDONLY, func() {
		ring.mu.Unlock()
		ring.drive()
	})
	requireMeet(t, names, opens)
}

// requireMeet wants each open, the last one first, to end when its FIFO's other end is opened.
func requireMeet(t *testing.T, names []string, opens []chan error) {
	for i, ended := range slices.Backward(opens) {
		fd, err := unix.Open(names[i], unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(5 * time.Second):
			t.Errorf("open %d does not see its writer", i)
		}
	}
}

// The kernel's thread has few workers for all.
func TestFIFOOpensWithSQPoll(t *testing.T) {
	e := ownEngine(t, Options{Workers: 1, SQPoll: 10 * time.Millisecond})
	dir := t.TempDir()
	var names []string
	var opens []chan error
	for i := range 4 {
		name, ended := filepath.Join(dir, fmt.Sprint(i)), make(chan error, 1)
		require.NoError(t, makeFIFO(name))
		go func() {
			f, err := e.OpenFileContext(t.Context(), name, os.O_RDONLY, 0)
			if err == nil {
				f.Close()
			}
			ended <- err
		}()
		names, opens = append(names, name), append(opens, ended)
	}
	time.Sleep(20 * time.Millisecond)
	requireMeet(t, names, opens)
}
