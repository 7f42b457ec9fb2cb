//go:build linux

package ring_test

import (
	"os"
	"os/signal"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// signalThread sends the calling thread a signal a thousand times a second, until
// the test ends.
func signalThread(t *testing.T) {
	ringtest.LockThread(t)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGUSR1)
	stop, stopped := make(chan bool), make(chan bool)
	tick := time.NewTicker(time.Millisecond)
	pid, thread := unix.Getpid(), unix.Gettid()
	go func() {
		defer close(stopped)
		for {
			select {
			case <-tick.C:
				unix.Tgkill(pid, thread, unix.SIGUSR1)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		tick.Stop()
		close(stop)
		<-stopped
		signal.Stop(caught)
	})
}

// overSignals runs a test over all set-ups, with a signal every millisecond.
func overSignals(t *testing.T, test func(t *testing.T, r *liburing.Ring)) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		signalThread(t)
		test(t, r)
	})
}

// waits are all ways to wait for n completions for as long as it takes.
var waits = map[string]func(r *liburing.Ring, n int) error{
	"SubmitAndWait":        func(r *liburing.Ring, n int) error { _, err := r.SubmitAndWait(n); return err },
	"SubmitAndWaitTimeout": func(r *liburing.Ring, n int) error { return gotOne(r.SubmitAndWaitTimeout(n, time.Minute)) },
	"SubmitAndWaitTimeout, no limit": func(r *liburing.Ring, n int) error {
		return gotOne(r.SubmitAndWaitTimeout(n, -1))
	},
	"SubmitAndWaitMinTimeout": func(r *liburing.Ring, n int) error {
		return gotOne(r.SubmitAndWaitMinTimeout(n, time.Minute, 50*time.Second))
	},
	"WaitCQENr": func(r *liburing.Ring, n int) error {
		return submitThen(r, func() (*liburing.CQE, error) { return r.WaitCQENr(n) })
	},
	"WaitCQEs": func(r *liburing.Ring, n int) error {
		return submitThen(r, func() (*liburing.CQE, error) { return r.WaitCQEs(n, time.Minute) })
	},
	"WaitCQEs, no limit": func(r *liburing.Ring, n int) error {
		return submitThen(r, func() (*liburing.CQE, error) { return r.WaitCQEs(n, -1) })
	},
	"WaitCQEsMinTimeout": func(r *liburing.Ring, n int) error {
		return submitThen(r, func() (*liburing.CQE, error) { return r.WaitCQEsMinTimeout(n, time.Minute, 50*time.Second) })
	},
}

func gotOne(cqe *liburing.CQE, err error) error {
	if err == nil && cqe == nil {
		return unix.ENODATA
	}
	return err
}

func submitThen(r *liburing.Ring, wait func() (*liburing.CQE, error)) error {
	if _, err := r.Submit(); err != nil {
		return err
	}
	return gotOne(wait())
}

func needsMinTimeout(t *testing.T, r *liburing.Ring, wait string) {
	if r.Features()&liburing.FeatMinTimeout == 0 && (wait == "SubmitAndWaitMinTimeout" || wait == "WaitCQEsMinTimeout") {
		t.Skip("this kernel has no FeatMinTimeout")
	}
}

// etimeSuccess returns TimeoutEtimeSuccess on kernels that know it.
func etimeSuccess() liburing.TimeoutFlags {
	if ringtest.KernelBefore(5, 16) {
		return 0
	}
	return liburing.TimeoutEtimeSuccess
}

// queueTimeouts queues timeouts that end one after the other, 10 ms apart.
func queueTimeouts(t *testing.T, r *liburing.Ring, n int) {
	for i := range n {
		ts := liburing.NewTimespec(time.Duration(i) * 10 * time.Millisecond)
		ringtest.NextSQE(t, r).PrepTimeout(&ts, 0, etimeSuccess())
		keep(t, &ts)
	}
}

// keep keeps what a request names alive for as long as the test runs.
func keep(t *testing.T, x any) { t.Cleanup(func() { runtime.KeepAlive(x) }) }

func takeAll(r *liburing.Ring) (n int) {
	for range r.CQEs() {
		n++
	}
	return n
}

// A wait for several ends when all are there, whatever comes between: signals, and
// completions of timeouts, of which the kernel lets each end a wait.
func TestWaitsEndWithAll(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			overSignals(t, func(t *testing.T, r *liburing.Ring) {
				needsMinTimeout(t, r, name)
				for range 3 {
					queueTimeouts(t, r, 4)
					require.NoError(t, wait(r, 4))
					require.Equal(t, 4, takeAll(r))
				}
			})
		})
	}
}

// With more than it holds a wait is for what the queue holds.
func TestWaitsAreForWhatTheQueueHolds(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			overSignals(t, func(t *testing.T, r *liburing.Ring) {
				needsMinTimeout(t, r, name)
				if r.Flags()&liburing.SetupCQEMixed != 0 && ringtest.KernelBefore(7, 3) {
					t.Skip("kernels before 7.3 lose completions of such a queue when it is full")
				}
				for range r.CQEntries() + 2 {
					ringtest.NextSQE(t, r).PrepNop()
				}
				require.NoError(t, wait(r, 1000))
				require.GreaterOrEqual(t, r.CQReady(), r.CQEntries()-1)
				for n := 0; n < r.CQEntries()+2; {
					_, err := r.WaitCQE()
					require.NoError(t, err)
					n += takeAll(r)
				}
			})
		})
	}
}

// timedWaits are the ways to wait for n completions no longer than d.
var timedWaits = map[string]func(r *liburing.Ring, n int, d time.Duration) (*liburing.CQE, error){
	"SubmitAndWaitTimeout": func(r *liburing.Ring, n int, d time.Duration) (*liburing.CQE, error) {
		return r.SubmitAndWaitTimeout(n, d)
	},
	"SubmitAndWaitMinTimeout": func(r *liburing.Ring, n int, d time.Duration) (*liburing.CQE, error) {
		return r.SubmitAndWaitMinTimeout(n, d, d/2)
	},
	"WaitCQEs": func(r *liburing.Ring, n int, d time.Duration) (*liburing.CQE, error) {
		r.Submit()
		return r.WaitCQEs(n, d)
	},
	"WaitCQEsMinTimeout": func(r *liburing.Ring, n int, d time.Duration) (*liburing.CQE, error) {
		r.Submit()
		return r.WaitCQEsMinTimeout(n, d, d/2)
	},
}

// The time is all of it, in spite of signals, and ETIME says that it is up, also where
// there was something to submit.
func TestWaitsEndInTime(t *testing.T) {
	const d = 40 * time.Millisecond
	for name, wait := range timedWaits {
		t.Run(name, func(t *testing.T) {
			overSignals(t, func(t *testing.T, r *liburing.Ring) {
				needsMinTimeout(t, r, name)
				read, write := ringtest.Pipe(t)
				buf := make([]byte, 1)
				for _, queued := range []bool{false, true} {
					if queued {
						ringtest.NextSQE(t, r).PrepRead(read, buf, 0)
					}
					start := time.Now()
					cqe, err := wait(r, 2, d)
					require.ErrorIs(t, err, unix.ETIME, "something to submit: %v", queued)
					require.Nil(t, cqe)
					require.GreaterOrEqual(t, time.Since(start), d)
				}
				require.Eventually(t, func() bool { return r.SQReady() == 0 }, 20*time.Second, time.Millisecond)
				// One of two, and no more when the time is up; with a least time when that is.
				_, err := unix.Write(write, []byte{1})
				require.NoError(t, err)
				require.NoError(t, gotOne(r.WaitCQE()))
				start := time.Now()
				cqe, err := wait(r, 2, d)
				require.NoError(t, err)
				require.NotNil(t, cqe)
				require.GreaterOrEqual(t, time.Since(start), d/2)
				require.Less(t, time.Since(start), 20*time.Second)
				require.Equal(t, 1, takeAll(r))
			})
		})
	}
}

// After the least time one is enough, the first that comes.
func TestMinTimeoutsUnderSignals(t *testing.T) {
	for name, wait := range map[string]func(r *liburing.Ring) (*liburing.CQE, error){
		"SubmitAndWaitMinTimeout": func(r *liburing.Ring) (*liburing.CQE, error) {
			return r.SubmitAndWaitMinTimeout(2, time.Minute, 10*time.Millisecond)
		},
		"WaitCQEsMinTimeout": func(r *liburing.Ring) (*liburing.CQE, error) {
			r.Submit()
			return r.WaitCQEsMinTimeout(2, time.Minute, 10*time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			overSignals(t, func(t *testing.T, r *liburing.Ring) {
				needsMinTimeout(t, r, name)
				ts := liburing.NewTimespec(30 * time.Millisecond)
				ringtest.NextSQE(t, r).PrepTimeout(&ts, 0, etimeSuccess())
				start := time.Now()
				_, err := wait(r)
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
				require.Less(t, time.Since(start), 20*time.Second)
				require.Equal(t, 1, takeAll(r))
			})
		})
	}
}

func TestRegisteredWaitsUnderSignals(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	signalThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled|liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	waits, err := r.RegisterWaitRegion(1)
	require.NoError(t, err)
	require.NoError(t, r.EnableRings())
	const d = 40 * time.Millisecond
	waits[0] = liburing.RegWait{Timeout: liburing.NewTimespec(time.Minute), Flags: liburing.RegWaitTS}
	waits[1] = liburing.RegWait{Timeout: liburing.NewTimespec(d), Flags: liburing.RegWaitTS}
	waits[2] = liburing.RegWait{Timeout: liburing.NewTimespec(time.Minute), Flags: liburing.RegWaitTS, MinWaitUsec: 20_000}
	waits[3] = liburing.RegWait{}
	for _, index := range []int{0, 3} {
		queueTimeouts(t, r, 4)
		require.NoError(t, gotOne(r.SubmitAndWaitReg(4, index)))
		require.Equal(t, 4, takeAll(r))
	}
	read, write := ringtest.Pipe(t)
	buf := make([]byte, 1)
	for _, queued := range []bool{false, true} {
		if queued {
			ringtest.NextSQE(t, r).PrepRead(read, buf, 0)
		}
		start := time.Now()
		cqe, err := r.SubmitAndWaitReg(1, 1)
		require.ErrorIs(t, err, unix.ETIME)
		require.Nil(t, cqe)
		require.GreaterOrEqual(t, time.Since(start), d)
	}
	_, err = unix.Write(write, []byte{1})
	require.NoError(t, err)
	start := time.Now()
	require.NoError(t, gotOne(r.SubmitAndWaitReg(2, 2)))
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	require.Less(t, time.Since(start), 20*time.Second)
	require.Equal(t, 1, takeAll(r))
}

// The kernel's thread may be far behind: what it has not taken yet is not a reason to
// end the wait.
func TestSubmitAndWaitOnABusyQueue(t *testing.T) {
	signalThread(t)
	r := ringtest.NewRing(t, 64, liburing.WithSQPoll(time.Second))
	for range 20 {
		for range 20 {
			ringtest.NextSQE(t, r).PrepNop()
		}
		_, err := r.Submit()
		require.NoError(t, err)
		queueTimeouts(t, r, 2)
		_, err = r.SubmitAndWait(22)
		require.NoError(t, err)
		require.Equal(t, 22, takeAll(r))
	}
}

// A submission that stops at a bad request does not wait.
func TestNoWaitBehindABadRequest(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 8)
			needsMinTimeout(t, r, name)
			if name[0] == 'W' {
				return // they don't submit
			}
			for i := range 3 {
				sqe := r.GetSQE()
				sqe.PrepNop()
				if i == 1 {
					sqe.Opcode = liburing.Op(0xff) // there is none
				}
			}
			require.NoError(t, wait(r, 3))
			require.Equal(t, 1, r.SQReady())
			require.Equal(t, 2, takeAll(r))
			require.NoError(t, wait(r, 1))
			require.Equal(t, 1, takeAll(r))
		})
	}
}

// overMixed runs a test over the set-ups whose completions are of both sizes.
func overMixed(t *testing.T, test func(t *testing.T, r *liburing.Ring)) {
	overSignals(t, func(t *testing.T, r *liburing.Ring) {
		if r.Flags()&liburing.SetupCQEMixed == 0 {
			t.Skip("its completions are of one size")
		}
		test(t, r)
	})
}

// A big completion is one, though it takes two places.
func TestWaitsCountBigCompletions(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			overMixed(t, func(t *testing.T, r *liburing.Ring) {
				for range 10 { // also round the queue's end, where there are fillers
					queueBigNop(t, r)
					queueBigNop(t, r)
					ts := liburing.NewTimespec(5 * time.Millisecond)
					ringtest.NextSQE(t, r).PrepTimeout(&ts, 0, etimeSuccess())
					require.NoError(t, wait(r, 3))
					require.Equal(t, 3, takeAll(r))
				}
			})
		})
	}
}

func queueBigNop(t *testing.T, r *liburing.Ring) {
	sqe := ringtest.NextSQE(t, r)
	sqe.PrepNop()
	sqe.OpFlags = uint32(liburing.NopCQE32)
}

// With nothing but a filler in the queue a wait goes on.
func TestWaitCQEBehindAFiller(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 4, liburing.WithFlags(liburing.SetupCQEMixed), liburing.WithCQEntries(4))
	for i := range uint64(4) {
		if i == 3 {
			queueBigNop(t, r)
		} else {
			ringtest.NextSQE(t, r).PrepNop()
		}
		_, err := r.Submit()
		require.NoError(t, err)
	}
	for i := range 4 {
		cqe, err := r.WaitCQE()
		require.NoError(t, err, "the %d.", i)
		require.Equal(t, i == 3, cqe.Nr() == 2)
		r.CQESeen(cqe)
	}
	_, err := r.WaitCQETimeout(time.Millisecond)
	require.ErrorIs(t, err, unix.ETIME)
}
