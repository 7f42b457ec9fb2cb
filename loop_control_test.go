//go:build linux

package liburing_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// overResizable runs a test on loops of each kind whose ring can be resized.
func overResizable(t *testing.T, entries int, test func(t *testing.T, l *liburing.Loop)) {
	ringtest.NeedsKernel(t, 6, 13)
	ringtest.OverLoops(t, entries, func(t *testing.T, l *liburing.Loop) {
		if l.Ring().Flags()&liburing.SetupDeferTaskrun == 0 {
			err := l.Resize(32, 0)
			require.ErrorIs(t, err, unix.EINVAL)
			require.ErrorContains(t, err, "SetupDeferTaskrun")
			return
		}
		test(t, l)
	})
}

// Requests that are queued before and after a resize are all carried out, in order.
func TestResizeKeepsRequests(t *testing.T) {
	overResizable(t, 8, func(t *testing.T, l *liburing.Loop) {
		for _, size := range []int{8, 2, 128, 16, 1} {
			var got []int
			next := 0
			queue := func(n int) {
				for range n {
					i := next
					next++
					l.Nop(func(c liburing.Completion) {
						require.NoError(t, c.Err())
						got = append(got, i)
					})
				}
			}
			queue(40)
			require.NoError(t, l.Resize(size, 0))
			least := 2
			if l.Ring().Flags()&liburing.SetupSQEMixed != 0 {
				least = 4
			}
			require.EqualValues(t, max(size, least), l.Ring().SQEntries())
			queue(40)
			ringtest.RunIdle(t, l)
			require.Len(t, got, 80)
			require.IsIncreasing(t, got)
			require.LessOrEqual(t, l.Stats().Submitted, l.Stats().Completed+1, "the waker's read at most")
		}
	})
}

// So are those of an enter that the kernel has refused, which it has been told of, big
// ones too where the new queue would cut them in two.
func TestResizeKeepsWhatWasRefused(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	for _, s := range ringtest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8, slices.Concat(s.Opts, []liburing.Option{liburing.WithFlags(liburing.SetupRDisabled)})...)
			if l.Ring().Flags()&liburing.SetupDeferTaskrun == 0 {
				t.Skip("it can't be resized")
			}
			mixed := l.Ring().Flags()&liburing.SetupSQEMixed != 0
			var got []int
			for i := range 60 {
				cb := func(c liburing.Completion) {
					require.NoError(t, c.Err())
					got = append(got, i)
				}
				if mixed && i%3 != 0 {
					l.Nop128(cb)
				} else {
					l.Nop(cb)
				}
			}
			require.ErrorIs(t, l.RunUntilIdle(t.Context()), unix.EBADFD)
			require.NoError(t, l.Resize(4, 0))
			require.NoError(t, l.Control((*liburing.Ring).EnableRings))
			ringtest.RunIdle(t, l)
			require.Len(t, got, 60)
			require.IsIncreasing(t, got)
			require.LessOrEqual(t, l.Stats().Submitted, l.Stats().Completed+1, "the waker's read at most")
		})
	}
}

// In callbacks, from posts and from other goroutines, at random, with a chain open and
// requests in flight that have a deadline, a context or bytes on the way.
func TestResizeUnderLoad(t *testing.T) {
	overResizable(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		const n = 200
		left, order := n, 0
		buf := make([]byte, 1)
		var again liburing.Callback
		again = func(c liburing.Completion) {
			require.NoError(t, c.Err())
			if left--; left <= 0 {
				return
			}
			first := l.Write(wr, []byte("x"), 0, func(c liburing.Completion) {
				require.NoError(t, c.Err())
				require.Zero(t, order)
				order++
			})
			if rand.IntN(2) == 0 {
				resizeAtRandom(t, l)
			}
			first.LinkNext()
			if rand.IntN(2) == 0 {
				resizeAtRandom(t, l)
			}
			l.Read(rd, buf, 0, func(c liburing.Completion) {
				require.Equal(t, 1, order)
				order = 0
				again(c)
			}).Deadline(time.Minute).SkipSuccess()
			if rand.IntN(4) == 0 {
				resizeAtRandom(t, l)
			}
		}
		for range 3 {
			l.Nop(nil)
		}
		l.Nop(again)
		stop := make(chan bool)
		go func() {
			defer close(stop)
			for range 50 {
				l.Control(func(*liburing.Ring) error { resizeAtRandom(t, l); return nil })
			}
		}()
		ringtest.RunIdle(t, l)
		<-stop
		require.Zero(t, left)
	})
}

func resizeAtRandom(t *testing.T, l *liburing.Loop) {
	if err := l.Resize(1<<(2+rand.IntN(6)), 1<<(8+rand.IntN(3))); err != nil {
		require.ErrorIs(t, err, unix.EOVERFLOW)
	}
}

// A setter of a request that was made before works as if nothing had been.
func TestSettersAfterResize(t *testing.T) {
	overResizable(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		var first, second, behind error
		a := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { first = c.Err() })
		require.NoError(t, l.Resize(32, 0))
		a.Deadline(5 * time.Millisecond)
		b := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { second = c.Err() }).Deadline(5 * time.Millisecond)
		require.NoError(t, l.Resize(4, 0))
		b.LinkNext()
		l.Nop(func(c liburing.Completion) { behind = c.Err() })
		ringtest.RunIdle(t, l)
		ringtest.RequireCancelled(t, first)
		ringtest.RequireCancelled(t, second)
		require.ErrorIs(t, behind, unix.ECANCELED, "the chain goes on behind the deadline")
		require.Nil(t, a.SQE())

		told := 0
		l.Nop(func(liburing.Completion) { told++ }).LinkNext()
		last := l.Nop(func(liburing.Completion) { told++ })
		require.NoError(t, l.Resize(16, 0))
		last.SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Equal(t, 1, told, "the first has succeeded without a word")
	})
}

// A chain that is being made is not cut, and what does not fit any more fails.
func TestResizeInAChain(t *testing.T) {
	overResizable(t, 8, func(t *testing.T, l *liburing.Loop) {
		for _, size := range []int{32, 4} {
			var errs []error
			note := func(c liburing.Completion) { errs = append(errs, c.Err()) }
			l.Read(-1, make([]byte, 1), 0, note).LinkNext()
			require.NoError(t, l.Resize(size, 0))
			for range 6 {
				l.Nop(note).LinkNext()
			}
			l.Nop(note)
			ringtest.RunIdle(t, l)
			require.Len(t, errs, 8)
			for _, err := range errs {
				if size < len(errs) {
					require.ErrorContains(t, err, "use a loop with more")
				} else {
					require.True(t, ringtest.IsAny(err, unix.EBADF, unix.ECANCELED), "%v", err)
				}
			}
		}
	})
}

// What is not named keeps its size, and what can't be resized says why.
func TestResizeSizes(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	l := ringtest.NewLoop(t, 8, liburing.WithCQEntries(1024))
	require.NoError(t, l.Resize(32, 0))
	require.EqualValues(t, 32, l.Ring().SQEntries())
	require.EqualValues(t, 1024, l.Ring().CQEntries())
	require.NoError(t, l.Resize(0, 64))
	require.EqualValues(t, 32, l.Ring().SQEntries())
	require.EqualValues(t, 64, l.Ring().CQEntries())
	require.NoError(t, l.Resize(256, 0))
	require.EqualValues(t, 256, l.Ring().CQEntries(), "it can't be smaller")
	require.ErrorContains(t, l.Resize(0, 128), "(128) may not be smaller than the submission queue (256)")
	require.ErrorContains(t, l.Resize(512, 256), "may not be smaller")
	require.ErrorIs(t, l.Resize(-1, 0), unix.EINVAL)
	require.ErrorIs(t, l.Resize(0, 1<<20), unix.EINVAL)
	ringtest.RunIdle(t, l)

	ringtest.LockThread(t)
	mem := ringtest.Memory(t, 4*os.Getpagesize())
	r, _, err := liburing.QueueInitMem(4, &liburing.Params{Flags: liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun}, mem)
	require.NoError(t, err)
	defer r.Close()
	require.ErrorContains(t, r.ResizeRings(&liburing.Params{SQEntries: 8}), "caller's memory")
}

// An address space that is full is found before the kernel changes the ring.
func TestResizeWithoutRoom(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if (s.Key == "-race" || s.Key == "-asan") && s.Value == "true" {
			t.Skip("sanitizers need room too")
		}
	}
	require.Contains(t, setupUnder(t, "no room"), "the ring is as it was")
}

func resizeWithoutRoom() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	needNoMemory()
	err = l.Control(func(r *liburing.Ring) error {
		limit := unix.Rlimit{Cur: 1, Max: unix.RLIM_INFINITY}
		if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
			return err
		}
		defer unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit.Max, Max: limit.Max})
		return r.ResizeRings(&liburing.Params{SQEntries: 4096})
	})
	fmt.Println(err)
	l.Nop(nil)
	closeAndTell(l)
	return nil
}

// needNoMemory has Go's runtime get by for a while with the memory that it has: it has no
// garbage to collect, and threads in reserve. Without room for another it ends the process.
func needNoMemory() {
	debug.SetGCPercent(-1)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			pause := unix.NsecToTimespec(int64(50 * time.Millisecond))
			unix.Nanosleep(&pause, nil)
		})
	}
	all.Wait()
}

// Whatever else Control does to the ring leaves a loop that works, or is refused.
func TestControlChangesTheRing(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	for name, change := range map[string]func(r *liburing.Ring) error{
		"close": func(r *liburing.Ring) error {
			require.ErrorIs(t, r.Close(), unix.EBUSY)
			return nil
		},
		"close the descriptor": func(r *liburing.Ring) error {
			require.NoError(t, r.CloseRingFD())
			require.ErrorContains(t, r.UnregisterRingFD(), "no other descriptor")
			require.ErrorContains(t, r.ResizeRings(&liburing.Params{SQEntries: 64}), "descriptor is closed")
			return nil
		},
		"unregister the descriptor": (*liburing.Ring).UnregisterRingFD,
		"unregister an eventfd": func(r *liburing.Ring) error {
			r.UnregisterEventfd()
			return nil
		},
		"eventfd off": func(r *liburing.Ring) error { return r.CQEventfdToggle(false) },
		"an eventfd of its own": func(r *liburing.Ring) error {
			fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
			require.NoError(t, err)
			t.Cleanup(func() { unix.Close(fd) })
			return r.RegisterEventfd(fd)
		},
		"iowait": func(r *liburing.Ring) error { return r.SetIowait(true) },
	} {
		for _, drains := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				l := ringtest.NewLoop(t, 8)
				if drains { // it waits outside of the ring
					l.Nop(nil).Flags(liburing.SQEIODrain)
					ringtest.RunIdle(t, l)
				}
				require.NoError(t, l.Control(change))
				requireWorks(t, l)
			})
		}
	}
}

// requireWorks asserts that a loop is woken by posts and completions, keeps time, and
// cancels.
func requireWorks(t *testing.T, l *liburing.Loop) {
	t.Helper()
	rd, wr := ringtest.Pipe(t)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(t.Context()) }()
	read := make(chan error, 1)
	for range 3 {
		require.NoError(t, l.Post(func() {
			l.PollAdd(rd, unix.POLLIN, func(c liburing.Completion) { read <- c.Err() })
		}))
		time.Sleep(5 * time.Millisecond) // it sleeps by then
		unix.Write(wr, []byte("x"))
		ringtest.Within(t, func() { require.NoError(t, <-read) })
		unix.Read(rd, make([]byte, 1))
	}
	require.NoError(t, l.Post(func() {
		request := l.PollAdd(rd, unix.POLLIN, func(c liburing.Completion) { read <- c.Err() })
		l.After(time.Millisecond, func() { l.Revoke(request.Token()) })
	}))
	ringtest.Within(t, func() { ringtest.RequireCancelled(t, <-read) })
	l.Stop()
	ringtest.Within(t, func() { require.NoError(t, <-ran) })
}

// While a loop stands still its queue is its user's, whom a Control or a look at the
// figures by another goroutine does not disturb.
func TestControlBesideRequests(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		begun, stop, stopped := make(chan bool), make(chan bool), make(chan bool)
		go func() {
			defer close(stopped)
			l.Control(func(r *liburing.Ring) error { close(begun); return nil })
			for {
				select {
				case <-stop:
					return
				default:
					l.Control(func(r *liburing.Ring) error { return nil })
					l.Stats()
				}
			}
		}()
		ringtest.Within(t, func() { <-begun })
		done := 0
		for range 200 {
			for range 100 {
				l.Nop(func(c liburing.Completion) {
					require.NoError(t, c.Err())
					done++
				})
			}
			l.Nop(nil).LinkNext()
			l.Nop(nil)
			l.After(0, func() {})
			ringtest.RunIdle(t, l)
		}
		close(stop)
		<-stopped
		require.Equal(t, 200*100, done)
	})
}

// A loop asks for what suits a single thread.
func TestLoopSetup(t *testing.T) {
	want := liburing.LoopFlags[0]
	if liburing.UnknownFlags(want) != 0 {
		want = liburing.LoopFlags[1] &^ liburing.UnknownFlags(liburing.LoopFlags[1])
	}
	l := ringtest.NewLoop(t, 8)
	require.Equal(t, want, l.Ring().Flags()&want)
	if l.Ring().Features()&liburing.FeatRegRegRing != 0 {
		require.NotZero(t, l.Ring().EnterFlags()&liburing.EnterRegisteredRing, "the ring's descriptor is registered")
	}
}

// A loop that has nothing to do is idle, not waiting for a disk, however it enters
// the kernel.
func TestNoIowait(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		if l.Ring().Features()&liburing.FeatNoIowait == 0 {
			t.Skip("this kernel can't tell the two apart (it came with Linux 6.15)")
		}
		require.NotZero(t, l.Ring().EnterFlags()&liburing.EnterNoIowait)
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.SetIowait(true) }))
		require.Zero(t, l.Ring().EnterFlags()&liburing.EnterNoIowait)
	})
}
