//go:build linux

package ring_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A message brings whatever flags its sender likes. Those that say that a completion
// is big, or a filler, mean nothing in a queue whose entries are of one size.
func TestMessagesWithFlagsOfTheQueue(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 3) // flags of messages
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		if r.Flags()&liburing.SetupCQEMixed != 0 {
			t.Skip("there they have a meaning")
		}
		sender := ringtest.NewRing(t, 8)
		take := map[string]func() (n int){
			"CQESeen": func() (n int) {
				for ; n < 3; n++ {
					cqe, err := r.WaitCQE()
					require.NoError(t, err)
					require.EqualValues(t, n, cqe.UserData)
					r.CQESeen(cqe)
				}
				return n
			},
			"CQEs": func() (n int) {
				for cqe := range r.CQEs() {
					require.EqualValues(t, n, cqe.UserData)
					n++
				}
				return n
			},
			"PeekBatchCQE": func() int {
				batch := make([]*liburing.CQE, 8)
				n := r.PeekBatchCQE(batch)
				for i, cqe := range batch[:n] {
					require.EqualValues(t, i, cqe.UserData)
				}
				r.CQAdvance(n)
				return n
			},
		}
		for name, take := range take {
			for i, flags := range []liburing.CQEFlags{liburing.CQEF32, liburing.CQEFSkip, 0} {
				c := ringtest.SubmitOne(t, sender, func(s *liburing.SQE) {
					s.PrepMsgRingCQEFlags(r.FD(), 0, uint64(i), 0, flags)
				})
				if flags == liburing.CQEF32 && c.Err() == unix.EINVAL {
					t.Skip("this kernel takes no message that says it is big")
				}
				require.NoError(t, c.Err())
			}
			_, err := r.WaitCQENr(3)
			require.NoError(t, err)
			require.Equal(t, 3, take(), name)
			require.Zero(t, r.CQReady(), name)
		}
	})
}

// What the kernel does not take of a submission stays in the queue.
func TestSubmitKeepsTheRest(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		if r.Flags()&liburing.SetupSQPoll != 0 {
			t.Skip("its thread goes on")
		}
		for name, submit := range map[string]func() (int, error){
			"Submit":             r.Submit,
			"SubmitAndWait":      func() (int, error) { return r.SubmitAndWait(3) },
			"SubmitAndGetEvents": r.SubmitAndGetEvents,
			"SubmitAndWaitTimeout": func() (int, error) {
				before := r.SQReady()
				_, err := r.SubmitAndWaitTimeout(3, time.Second)
				return before - r.SQReady(), err
			},
		} {
			queueBadInTheMiddle(t, r)
			n, err := submit()
			require.NoError(t, err, name)
			require.Equal(t, 2, n, name)
			require.Equal(t, 2, r.SQReady(), name)
			require.Equal(t, 6, r.SQSpaceLeft(), name)
			n, err = r.SubmitAndWait(4)
			require.NoError(t, err, name)
			require.Equal(t, 2, n, name)
			var seen []uint64
			for cqe := range r.CQEs() {
				seen = append(seen, cqe.UserData)
			}
			require.ElementsMatch(t, []uint64{0, 1, 2, 3}, seen, name) // Linux 5.10 tells of the refused one first
		}
	})
}

// queueBadInTheMiddle queues four requests, the second of which is refused.
func queueBadInTheMiddle(t *testing.T, r *liburing.Ring) {
	for i := range uint64(4) {
		sqe := ringtest.NextSQE(t, r)
		sqe.PrepNop()
		sqe.UserData = i
		if i == 1 {
			sqe.Opcode = liburing.Op(0xff)
		}
	}
}

// A queue that is full, with a refused request first, has room for one more after a
// submission, and keeps the others.
func TestSubmitGetSQEKeepsTheRest(t *testing.T) {
	ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
		if r.Flags()&liburing.SetupSQPoll != 0 {
			t.Skip("its thread goes on")
		}
		for i := range uint64(4) {
			sqe := r.GetSQE()
			sqe.PrepNop()
			sqe.UserData = i
			if i == 0 {
				sqe.Opcode = liburing.Op(0xff)
			}
		}
		sqe, err := r.SubmitGetSQE()
		require.NoError(t, err)
		sqe.PrepNop()
		sqe.UserData = 4
		_, err = r.SubmitAndWait(5)
		require.NoError(t, err)
		var seen []uint64
		for cqe := range r.CQEs() {
			seen = append(seen, cqe.UserData)
		}
		require.Equal(t, []uint64{0, 1, 2, 3, 4}, seen)
	})
}

// A submission that fails as a whole loses nothing.
func TestFailedSubmitKeepsAll(t *testing.T) {
	for _, s := range ringtest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 8, append(s.Opts, liburing.WithFlags(liburing.SetupRDisabled))...)
			if r.Flags()&liburing.SetupSQPoll != 0 {
				t.Skip("its thread takes them when the ring is enabled")
			}
			for i := range uint64(3) {
				sqe := r.GetSQE()
				sqe.PrepNop()
				sqe.UserData = i
			}
			for name, submit := range map[string]func() error{
				"Submit":               func() error { _, err := r.Submit(); return err },
				"SubmitAndWait":        func() error { _, err := r.SubmitAndWait(1); return err },
				"SubmitAndWaitTimeout": func() error { _, err := r.SubmitAndWaitTimeout(1, time.Second); return err },
			} {
				require.ErrorIs(t, submit(), unix.EBADFD, name)
				require.Equal(t, 3, r.SQReady(), name)
			}
			require.NoError(t, r.EnableRings())
			n, err := r.SubmitAndWait(3)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, 3, r.CQReady())
		})
	}
}

// One thread submits, another takes the completions: each has its half of the ring.
func TestTwoThreads(t *testing.T) {
	const n, inFlight = 5000, 8
	ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
		if r.Flags()&liburing.SetupDeferTaskrun != 0 {
			t.Skip("the submitter's thread alone brings completions")
		}
		var taken atomic.Int64
		ended := make(chan error, 1)
		go func() {
			var sum uint64
			for i := range n {
				cqe, err := r.WaitCQETimeout(20 * time.Second)
				if err != nil {
					ended <- fmt.Errorf("the %d.: %w", i, err)
					return
				}
				sum += cqe.UserData
				r.CQESeen(cqe)
				taken.Add(1)
			}
			if sum != n*(n-1)/2 {
				ended <- fmt.Errorf("the sum is %d", sum)
			}
			close(ended)
		}()
		for i := range int64(n) {
			for end := time.Now().Add(20 * time.Second); i-taken.Load() >= inFlight; runtime.Gosched() {
				require.True(t, time.Now().Before(end), "nothing is taken")
			}
			sqe := ringtest.NextSQE(t, r)
			sqe.PrepNop()
			sqe.UserData = uint64(i)
			_, err := r.Submit()
			require.NoError(t, err)
		}
		require.NoError(t, <-ended)
	})
}

// An eventfd is told of completions also where the ring's descriptor is not.
func TestEventfdWithDeferTaskrun(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 4, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(event)
	require.NoError(t, r.RegisterEventfd(event))
	read, write := ringtest.Pipe(t)
	buf := make([]byte, 1)
	r.GetSQE().PrepRead(read, buf, 0)
	_, err = r.Submit()
	require.NoError(t, err)
	_, err = unix.Write(write, []byte{1})
	require.NoError(t, err)
	// It may tell of work that has not come to a completion yet: before Linux 6.4, where a
	// worker reads pipes, the first time is that of handing it over.
	for told := 0; r.CQReady() == 0; told++ {
		require.Less(t, told, 3)
		fds := []unix.PollFd{{Fd: int32(event), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 20_000)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = unix.Read(event, make([]byte, 8))
		require.NoError(t, err)
		require.NoError(t, r.GetEvents())
	}
	require.Equal(t, 1, r.CQReady())
}
