//go:build linux

package loop_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestLoopReadWrite(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		want := ringtest.Pattern(50_000, 1)
		got := make([]byte, len(want))
		var steps []string
		l.Write(fd, want, 0, func(c liburing.Completion) {
			n, err := c.Result()
			require.NoError(t, err)
			require.Equal(t, len(want), n)
			steps = append(steps, c.Op().String())
			l.Read(fd, got, 0, func(c liburing.Completion) {
				require.EqualValues(t, len(want), c.Res)
				require.False(t, c.More())
				steps = append(steps, c.Op().String())
			})
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"write", "read"}, steps)
		require.Equal(t, want, got)
	})
}

func TestLoopVectorsAndPaths(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		name := filepath.Join(t.TempDir(), "file")
		a, b := make([]byte, 3), make([]byte, 10)
		var st liburing.Statx
		l.Openat(unix.AT_FDCWD, name, unix.O_CREAT|unix.O_RDWR, 0o600, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			fd := int(c.Res)
			l.Writev(fd, [][]byte{[]byte("one"), []byte("two")}, 0, func(c liburing.Completion) {
				require.EqualValues(t, 6, c.Res)
				l.Statx(unix.AT_FDCWD, name, 0, unix.STATX_SIZE, &st, func(c liburing.Completion) {
					require.NoError(t, c.Err())
				})
				l.Readv(fd, [][]byte{a, b}, 0, func(c liburing.Completion) {
					require.EqualValues(t, 6, c.Res)
					l.CloseFD(fd, func(c liburing.Completion) { require.NoError(t, c.Err()) })
				})
			})
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, "one", string(a))
		require.Equal(t, "two", string(b[:3]))
		require.EqualValues(t, 6, st.Size)
	})
}

func TestLoopErrors(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var errs []error
	keep := func(c liburing.Completion) {
		_, err := c.Result()
		errs = append(errs, err)
	}
	l.Openat(unix.AT_FDCWD, filepath.Join(t.TempDir(), "none"), unix.O_RDONLY, 0, keep)
	ringtest.RunIdle(t, l)
	l.Openat(unix.AT_FDCWD, "a\x00b", unix.O_RDONLY, 0, keep)
	ringtest.RunIdle(t, l)
	l.Read(-1, make([]byte, 1), 0, keep)
	ringtest.RunIdle(t, l)
	require.Len(t, errs, 3)
	require.ErrorIs(t, errs[0], os.ErrNotExist)
	require.Contains(t, errs[0].Error(), "openat \"")
	require.Contains(t, errs[0].Error(), "\": no such file or directory")
	require.ErrorIs(t, errs[1], unix.EINVAL)
	require.Contains(t, errs[1].Error(), "NUL")
	require.ErrorIs(t, errs[2], unix.EBADF)
	var op *liburing.OpError
	require.ErrorAs(t, errs[2], &op)
	require.Equal(t, "read", op.Op)
}

// More requests than the ring has room for wait, and go in their order.
func TestLoopOrderBeyondTheQueue(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		const total = 100
		var order []int
		for i := range total {
			l.Nop(func(liburing.Completion) { order = append(order, i) })
		}
		ringtest.RunIdle(t, l)
		require.Len(t, order, total)
		for i, got := range order {
			require.Equal(t, i, got)
		}
	})
}

// A chain stays whole wherever the queue's end falls: if its head fails, the
// rest is cancelled, each with its own callback.
func TestLoopChainAcrossTheQueuesEnd(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		for before := range 12 {
			res := map[string]int32{}
			for range before {
				l.Nop(nil)
			}
			l.Read(-1, make([]byte, 1), 0, func(c liburing.Completion) { res["head"] = c.Res }).LinkNext()
			l.Nop(func(c liburing.Completion) { res["second"] = c.Res }).LinkNext()
			l.Nop(func(c liburing.Completion) { res["third"] = c.Res })
			l.Nop(func(c liburing.Completion) { res["next"] = c.Res })
			ringtest.RunIdle(t, l)
			require.Equal(t, map[string]int32{
				"head": -int32(unix.EBADF), "second": -int32(unix.ECANCELED), "third": -int32(unix.ECANCELED), "next": 0,
			}, res, "with %d before", before)
		}
	})
}

// The kernel looks at a chain as a whole before it starts, so a request that is
// bad from the outset fails those before it too.
func TestLoopBadRequestBreaksItsChain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var res []error
	keep := func(c liburing.Completion) { res = append(res, c.Err()) }
	l.Nop(keep).LinkNext()
	l.Openat(unix.AT_FDCWD, "\x00", 0, 0, keep).LinkNext()
	l.Nop(keep)
	ringtest.RunIdle(t, l)
	require.Len(t, res, 3)
	require.ErrorIs(t, res[0], unix.ECANCELED)
	require.ErrorContains(t, res[1], "NUL")
	require.ErrorIs(t, res[2], unix.ECANCELED)
}

// Reads and writes of fresh buffers while the collector runs and stacks grow:
// the loop alone keeps the memory alive.
func TestLoopMemoryUnderGC(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		stop := make(chan struct{})
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			for {
				select {
				case <-stop:
					return
				default:
					runtime.GC()
				}
			}
		}()
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		const chunk = 5000
		done := 0
		for i := range 60 {
			off := uint64(i * chunk)
			l.Write(fd, ringtest.Pattern(chunk, byte(i)), off, func(c liburing.Completion) {
				require.EqualValues(t, chunk, c.Res)
				ringtest.GrowStack(20)
				// Nobody but the loop holds these two until the callback.
				got := make([]byte, chunk)
				l.Readv(fd, [][]byte{got[:chunk/2], got[chunk/2:]}, off, func(c liburing.Completion) {
					require.EqualValues(t, chunk, c.Res)
					require.Equal(t, ringtest.Pattern(chunk, byte(i)), got)
					done++
				})
			})
		}
		ringtest.RunIdle(t, l)
		close(stop)
		<-collected
		require.Equal(t, 60, done)
	})
}

// A buffer that is out of everyone's sight but the kernel's is not freed: its
// finalizer must not run before the completion.
func TestLoopKeepsMemoryUntilTheCompletion(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, wr := ringtest.Pipe(t)
	freed := make(chan struct{})
	func() {
		buf := new([4096]byte)
		runtime.SetFinalizer(buf, func(*[4096]byte) { close(freed) })
		l.Read(rd, buf[:], 0, func(liburing.Completion) {})
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
	for range 3 {
		runtime.GC()
	}
	select {
	case <-freed:
		t.Fatal("the buffer was freed under the kernel")
	case <-time.After(50 * time.Millisecond):
	}
	_, err := unix.Write(wr, []byte("x"))
	require.NoError(t, err)
	ringtest.RunIdle(t, l)
	for range 20 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("the buffer is kept after the completion")
}

func TestLoopStaleCompletions(t *testing.T) {
	l, err := liburing.NewLoop(8)
	require.NoError(t, err)
	called := 0
	used := l.Nop(func(liburing.Completion) { called++ }).Token()
	ringtest.RunIdle(t, l)
	// Entries with user data that names no request, and one that did before.
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		for _, data := range []uint64{0, ^uint64(0), uint64(used), 12345} {
			sqe := r.GetSQE()
			sqe.PrepNop()
			sqe.SetData64(data)
		}
		_, err := r.Submit()
		return err
	}))
	l.Nop(func(liburing.Completion) { called++ })
	ringtest.RunIdle(t, l)
	require.Equal(t, 2, called)
	require.EqualValues(t, 4, l.Stats().Stale)
	require.NoError(t, l.Close(context.Background()))
}

func TestLoopSteadyStateDoesNotAllocate(t *testing.T) {
	l := ringtest.NewLoop(t, 64)
	f := ringtest.TempFile(t, ringtest.Pattern(4096, 1))
	fd := int(f.Fd())
	buf := make([]byte, 512)
	vec := [][]byte{buf[:256], buf[256:]}
	left, pending := 0, 0
	var next liburing.Callback
	next = func(liburing.Completion) {
		// One that a worker reads for must not pile up others behind it.
		if pending--; pending > 0 {
			return
		}
		if left--; left > 0 {
			pending = 4
			l.Nop(next)
			l.Timeout(0, 0, 0, next)
			l.Readv(fd, vec, 0, next)
			l.Read(fd, buf, 0, next)
		}
	}
	round := func(n int) {
		left, pending = n, 1
		l.Nop(next)
		ringtest.RunIdle(t, l)
	}
	round(100)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	round(1000)
	runtime.ReadMemStats(&after)
	// What is left is the one call of Run.
	require.Less(t, after.Mallocs-before.Mallocs, uint64(100), "4000 requests")
}

func TestLoopCloseCancels(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		a, _ := ringtest.SocketPair(t)
		var errs []error
		for range 20 {
			keep := func(c liburing.Completion) { errs = append(errs, c.Err()) }
			l.Read(rd, make([]byte, 1), 0, keep)
			l.Recv(a, make([]byte, 1), 0, keep)
			l.Timeout(time.Hour, 0, 0, keep)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
		ringtest.CloseLoop(t, l)
		require.Len(t, errs, 60)
		for _, err := range errs {
			require.ErrorIs(t, err, unix.ECANCELED)
		}
	})
}

func TestLoopClosed(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.CloseLoop(t, l)
	require.NoError(t, l.Close(context.Background()), "a second Close")
	var told error
	req := l.Nop(func(c liburing.Completion) { told = c.Err() })
	require.ErrorIs(t, req.Err(), liburing.ErrClosed)
	require.ErrorIs(t, told, liburing.ErrClosed)
	require.ErrorIs(t, told, os.ErrClosed)
	require.Nil(t, req.LinkNext().SQE())
	require.ErrorIs(t, l.Run(context.Background()), liburing.ErrClosed)
	require.ErrorIs(t, l.Post(func() {}), liburing.ErrClosed)
	require.ErrorIs(t, l.Control(func(*liburing.Ring) error { return nil }), liburing.ErrClosed)
	l.Stop()
}

// Close whose context ends first leaves the memory with the kernel and goes on
// in the background.
func TestLoopCloseDeadline(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	started, block := make(chan struct{}), make(chan struct{})
	l.Nop(func(liburing.Completion) {
		close(started)
		<-block // the loop can't get on with it
	})
	ran := make(chan error)
	go func() { ran <- l.Run(context.Background()) }()
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Close(ctx), context.DeadlineExceeded)
	close(block)
	require.NoError(t, <-ran)
	ringtest.CloseLoop(t, l)
}

func TestLoopPost(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error)
		go func() { ran <- l.Run(ctx) }()
		asleep := ringtest.Asleep(l)
		const posters, each = 4, 200
		got := make(chan [2]int, posters*each)
		for p := range posters {
			go func() {
				for i := range each {
					l.Post(func() { l.Nop(func(liburing.Completion) { got <- [2]int{p, i} }) })
					for i%50 == 0 && !asleep.Load() {
						runtime.Gosched()
					}
				}
			}()
		}
		next, seen, outOfOrder := [posters]int{}, map[[2]int]int{}, false
		for range posters * each {
			select {
			case g := <-got:
				seen[g]++
				require.Equal(t, 1, seen[g], g)
				outOfOrder = outOfOrder || next[g[0]] != g[1]
				next[g[0]]++
			case <-time.After(20 * time.Second):
				t.Fatal("a post was lost")
			}
		}
		cancel()
		require.ErrorIs(t, <-ran, context.Canceled)
		// Where completions have overflowed, Linux 5.10 puts later ones in front of them.
		overtaken := ringtest.KernelBefore(6, 1) && l.Stats().Overflows != 0
		require.True(t, !outOfOrder || overtaken, "posts of one goroutine keep their order")
	})
}

// A request that drains the ring waits for those before it, but not for the
// loop's own, and posts go through meanwhile.
func TestLoopDrain(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		rd, wr := ringtest.Pipe(t)
		var order []string
		l.Read(rd, make([]byte, 1), 0, func(liburing.Completion) { order = append(order, "read") })
		require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded, "it has slept")
		l.Nop(func(liburing.Completion) { order = append(order, "drain") }).Flags(liburing.SQEIODrain)
		l.Nop(func(liburing.Completion) { order = append(order, "behind") })
		go l.Post(func() {
			order = append(order, "post")
			unix.Write(wr, []byte("x"))
		})
		ringtest.RunIdle(t, l)
		if ringtest.KernelBefore(6, 16) { // which begin what is behind a drain with it
			slices.Sort(order[2:])
			require.Equal(t, []string{"post", "read", "behind", "drain"}, order)
		} else {
			require.Equal(t, []string{"post", "read", "drain", "behind"}, order)
		}
	})
}

// A loop learns of every completion, or it would wait for ever.
func TestLoopSkipSuccess(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	called := false
	l.Nop(func(liburing.Completion) { called = true }).Flags(liburing.SQECQESkipSuccess)
	ringtest.RunIdle(t, l)
	require.True(t, called)
}

func TestLoopStopAndRunAgain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, wr := ringtest.Pipe(t)
	got := byte(0)
	buf := make([]byte, 1)
	l.Read(rd, buf, 0, func(c liburing.Completion) { got = buf[0] })
	l.Nop(func(liburing.Completion) { l.Stop() })
	require.NoError(t, l.Run(context.Background()))
	require.Zero(t, got)
	unix.Write(wr, []byte("x"))
	ringtest.RunIdle(t, l)
	require.Equal(t, byte('x'), got)
}

// What a Stop in a callback comes before is called by the next Run, in its order:
// completions, also those that the loop makes itself, and timers.
func TestStopLeavesTheRestForTheNextRun(t *testing.T) {
	const n, chain = 96, 8
	ringtest.OverLoops(t, chain, func(t *testing.T, l *liburing.Loop) {
		for name, each := range map[string]func(i int, call func()){
			"timers":      func(_ int, call func()) { l.After(0, call) },
			"completions": func(_ int, call func()) { l.Nop(func(liburing.Completion) { call() }) },
			"quiet chains": func(i int, call func()) { // they fail, and the loop tells that of what is behind their first
				fd := -1
				if i%chain > 0 {
					fd = 0
				}
				r := l.Read(fd, make([]byte, 1), 0, func(liburing.Completion) { call() })
				if i%chain < chain-1 {
					r.LinkNext()
				} else {
					r.SkipSuccess()
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				var order []int
				for i := range n {
					each(i, func() {
						order = append(order, i)
						if len(order)%10 == 4 {
							l.Stop()
						}
					})
				}
				for called := 4; called < n; called += 10 {
					require.NoError(t, l.Run(t.Context()))
					require.Len(t, order, called)
				}
				ringtest.RunIdle(t, l)
				require.Len(t, order, n)
				if name == "quiet chains" { // what fails first is told first
					slices.Sort(order)
				}
				require.IsIncreasing(t, order)
			})
		}
	})
}

// A Stop leaves nothing behind that was posted before.
func TestStopAfterPosts(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	calls := 0
	for range 10 {
		require.NoError(t, l.Post(func() { calls++; l.Stop() }))
	}
	require.NoError(t, l.Run(t.Context()))
	require.Equal(t, 10, calls)
}

// Close in a callback drops the timers, also those that are due; every request has its
// callback called.
func TestCloseDropsTimersThatAreDue(t *testing.T) {
	const n = 100
	for name, first := range map[string]func(l *liburing.Loop, f func()){
		"timer":   func(l *liburing.Loop, f func()) { l.After(0, f) },
		"request": func(l *liburing.Loop, f func()) { l.Nop(func(liburing.Completion) { f() }) },
		"post":    func(l *liburing.Loop, f func()) { l.Post(f) },
		"eve":     func(l *liburing.Loop, f func()) { l.BeforeSubmit(f) },
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 2*n)
			timers, requests, posts := 0, 0, 0
			first(l, func() { l.Close(t.Context()) })
			for range n {
				l.After(0, func() { timers++ })
				l.Nop(func(liburing.Completion) { requests++ })
				l.Post(func() { posts++ })
			}
			require.NoError(t, l.Run(t.Context()))
			ringtest.CloseLoop(t, l)
			require.Zero(t, timers)
			require.Equal(t, n, requests)
			require.Equal(t, n, posts)
		})
	}
}

func TestLoopControl(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	wrong := errors.New("wrong")
	require.ErrorIs(t, l.Control(func(*liburing.Ring) error { return wrong }), wrong)
	f := ringtest.TempFile(t, []byte("fixed"))
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{int(f.Fd())}) }))
	buf := make([]byte, 5)
	l.Read(0, buf, 0, func(c liburing.Completion) {
		require.EqualValues(t, 5, c.Res)
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.UnregisterFiles() }), "in a callback")
	}).FixedFile()
	ringtest.RunIdle(t, l)
	require.Equal(t, "fixed", string(buf))

	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- l.Run(ctx) }()
	for range 100 {
		require.ErrorIs(t, l.Control(func(*liburing.Ring) error { return wrong }), wrong, "while it runs")
	}
	cancel()
	<-ran
}

func TestLoopRunTwice(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	l.Nop(func(liburing.Completion) {
		require.ErrorIs(t, l.Run(context.Background()), liburing.ErrRunning)
		done := make(chan error)
		go func() { done <- l.RunUntilIdle(context.Background()) }()
		require.ErrorIs(t, <-done, liburing.ErrRunning)
	})
	ringtest.RunIdle(t, l)
}

func TestLoopCallbackPanics(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	cause := errors.New("cause")
	after := false
	l.Nop(func(liburing.Completion) { panic(cause) })
	l.Nop(func(liburing.Completion) { after = true })
	var p *liburing.CallbackPanic
	func() {
		defer func() { p, _ = recover().(*liburing.CallbackPanic) }()
		l.RunUntilIdle(context.Background())
	}()
	require.NotNil(t, p)
	require.ErrorIs(t, p, cause)
	require.Contains(t, string(p.Stack), "TestLoopCallbackPanics")
	require.False(t, after)
	ringtest.RunIdle(t, l)
	require.True(t, after, "the completions behind it are not lost")
}

// A posted function that panics does not take those behind it along.
func TestLoopPostPanics(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ran := 0
	l.Post(func() { panic("one") })
	l.Post(func() { ran++ })
	require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
	require.Zero(t, ran)
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, ran)

	l, err := liburing.NewLoop(8)
	require.NoError(t, err)
	for range 3 {
		l.Post(func() { panic("two") })
		l.Post(func() { ran++ })
	}
	var p *liburing.CallbackPanic
	require.ErrorAs(t, l.Close(context.Background()), &p)
	require.Equal(t, "two", p.Value)
	require.Equal(t, 4, ran)
}

func TestLoopCallbackGoexit(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, _ := ringtest.Pipe(t)
	cancelled := false
	l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) {
		cancelled = errors.Is(c.Err(), unix.ECANCELED)
		runtime.Goexit() // this one runs in the drain
	})
	l.Nop(func(liburing.Completion) { runtime.Goexit() })
	require.ErrorContains(t, l.Run(context.Background()), "Goexit")
	ringtest.CloseLoop(t, l)
	require.True(t, cancelled)
}

func TestLoopCloseInCallback(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, _ := ringtest.Pipe(t)
	cancelled := false
	l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { cancelled = errors.Is(c.Err(), unix.ECANCELED) })
	var after error
	l.Nop(func(liburing.Completion) {
		require.NoError(t, l.Close(context.Background()))
		after = l.Nop(nil).Err()
	})
	require.NoError(t, l.Run(context.Background()))
	ringtest.CloseLoop(t, l)
	require.True(t, cancelled)
	require.ErrorIs(t, after, liburing.ErrClosed)
}

func TestLoopCancelByToken(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		var read, cancel, again error
		req := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() })
		l.Cancel(req.Token(), 0, func(c liburing.Completion) { cancel = c.Err() })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, read, unix.ECANCELED)
		require.NoError(t, cancel)
		l.Cancel(req.Token(), 0, func(c liburing.Completion) { again = c.Err() })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, again, unix.ENOENT)
	})
}

// Setters of a request that is gone change nothing.
func TestRequestAfterSubmission(t *testing.T) {
	l := ringtest.NewLoop(t, 4)
	req := l.Nop(nil)
	require.NotNil(t, req.SQE())
	ringtest.RunIdle(t, l)
	for range 4 {
		l.Nop(nil)
	}
	require.Nil(t, req.LinkNext().SQE())
	ringtest.RunIdle(t, l)
}

// A loop that waits in vain must cost nothing.
func TestLoopIdleUsesNoCPU(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, _ := ringtest.Pipe(t)
	l.Read(rd, make([]byte, 1), 0, nil)
	const idle = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), idle)
	defer cancel()
	before, enters := cpuTime(t, l), l.Stats().Enters
	require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
	require.Less(t, l.Stats().Enters-enters, uint64(10))
	require.Less(t, cpuTime(t, l)-before, idle/2, "what an emulator needs for a few turns")
}

// cpuTime returns the processor time that a loop's thread has used.
func cpuTime(t *testing.T, l *liburing.Loop) time.Duration {
	var u unix.Rusage
	require.NoError(t, l.Control(func(*liburing.Ring) error { return unix.Getrusage(unix.RUSAGE_THREAD, &u) }))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
