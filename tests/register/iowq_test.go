//go:build linux

package register_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// workers returns the worker threads of a thread, and the processors that each
// may run on.
func threadWorkers(t *testing.T, tid int) map[string]string {
	t.Helper()
	found := map[string]string{}
	tasks, err := filepath.Glob("/proc/self/task/*")
	require.NoError(t, err)
	for _, task := range tasks {
		status, _ := os.ReadFile(task + "/status") // it may have ended
		var name, cpus string
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			switch key {
			case "Name":
				name = value
			case "Cpus_allowed_list":
				cpus = value
			}
		}
		if name == fmt.Sprintf("iou-wrk-%d", tid) {
			found[filepath.Base(task)] = cpus
		}
	}
	return found
}

// onFreshThread runs f on a thread that has no workers yet, and which ends with
// it.
func onFreshThread(t *testing.T, f func(tid int)) {
	t.Helper()
	// A worker's name has its thread's number as the whole machine sees it.
	const initialNamespace = "pid:[4026531836]"
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialNamespace {
		t.Skipf("workers can't be told by their names in a PID namespace: %s %v", ns, err)
	}
	release := make(chan struct{})
	defer close(release)
	for ran := false; !ran; {
		next := make(chan struct{})
		go func() {
			defer close(next)
			runtime.LockOSThread()
			if tid := unix.Gettid(); len(threadWorkers(t, tid)) == 0 {
				ran = true
				f(tid)
				return
			}
			go func() { next <- struct{}{} }()
			<-release
		}()
		<-next
	}
}

// blockWorkers has n workers open a FIFO that nobody writes to. (A read would
// have the kernel poll, which takes no worker.)
func blockWorkers(t *testing.T, r *liburing.Ring, n int) (finish func()) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	path := &append([]byte(name), 0)[0]
	for range n {
		sqe := ringtest.NextSQE(t, r)
		sqe.PrepOpenat(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		sqe.SetFlags(liburing.SQEAsync)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	return func() {
		w, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(w)
		for range n {
			cqe, err := r.WaitCQETimeout(5 * time.Second)
			require.NoError(t, err)
			require.NoError(t, cqe.Err())
			unix.Close(int(cqe.Res))
			r.CQESeen(cqe)
		}
	}
}

func TestRegisterIOWQMaxWorkers(t *testing.T) {
	for _, limit := range []int{1, 3} {
		onFreshThread(t, func(tid int) {
			r := ringtest.NewRing(t, 8)
			_, _, err := r.RegisterIOWQMaxWorkers(limit, 7)
			require.NoError(t, err)
			bounded, unbounded, err := r.RegisterIOWQMaxWorkers(0, 0)
			require.NoError(t, err)
			require.Equal(t, [2]int{limit, 7}, [2]int{bounded, unbounded})
			finish := blockWorkers(t, r, 3) // opening is for the bounded ones
			count := func() bool { return len(threadWorkers(t, tid)) == limit }
			require.Eventually(t, count, 5*time.Second, time.Millisecond)
			require.Never(t, func() bool { return !count() }, 50*time.Millisecond, 5*time.Millisecond)
			finish()
		})
	}
}

func TestRegisterIOWQAff(t *testing.T) {
	var all unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	if all.Count() < 2 {
		t.Skip("there is one processor only: nothing to choose from")
	}
	cpu := 0
	for !all.IsSet(cpu) {
		cpu++
	}
	onFreshThread(t, func(tid int) {
		r := ringtest.NewRing(t, 8)
		_, _, err := r.RegisterIOWQMaxWorkers(8, 0) // the thread's first ring may have had one entry
		require.NoError(t, err)
		require.NoError(t, r.RegisterIOWQAff([]int{cpu}))
		finish := blockWorkers(t, r, 1)
		require.Eventually(t, func() bool {
			for _, cpus := range threadWorkers(t, tid) {
				return cpus == strconv.Itoa(cpu)
			}
			return false
		}, 5*time.Second, time.Millisecond, "a worker on processor %d", cpu)
		require.NoError(t, r.UnregisterIOWQAff())
		finishAnother := blockWorkers(t, r, 1)
		require.Eventually(t, func() bool {
			for _, cpus := range threadWorkers(t, tid) {
				if cpus != strconv.Itoa(cpu) {
					return true
				}
			}
			return false
		}, 5*time.Second, time.Millisecond, "a worker that runs anywhere")
		finish()
		finishAnother()
		require.ErrorIs(t, r.RegisterIOWQAff([]int{-1}), unix.EINVAL)
		require.ErrorIs(t, r.RegisterIOWQAff([]int{1 << 20}), unix.EINVAL)
	})
}
