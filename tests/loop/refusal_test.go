//go:build linux

package loop_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What goroutines hand to a loop that is being closed comes to an end for each of
// them: the callback is called, also of a request that was refused.
func TestRefusedIsTold(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, _ := ringtest.Pipe(t)
		ran := make(chan error)
		go func() { ran <- l.Run(context.Background()) }()
		const n = 200
		told := make(chan error, n)
		posted := 0
		for i := range n {
			if i == n/2 {
				go l.Close(context.Background())
			}
			err := l.Post(func() {
				l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { told <- c.Err() })
			})
			if err == nil {
				posted++
			}
		}
		require.NoError(t, l.Close(context.Background()))
		<-ran
		require.Len(t, told, posted)
		for range posted {
			err := <-told
			require.True(t, errors.Is(err, liburing.ErrClosed) || errors.Is(err, unix.ECANCELED) || errors.Is(err, unix.EINTR), "%v", err)
		}
	})
}

// The mistake of a program that makes requests in the goroutines of its HTTP
// handlers.
func TestRequestWhileTheLoopSleeps(t *testing.T) {
	if ringtest.Race {
		t.Skip("the race detector tells of the same mistake")
	}
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		stop := ringtest.Running(t, l)
		require.PanicsWithValue(t, liburing.ErrWrongThread, func() { l.Nop(nil) })
		done := make(chan error)
		require.NoError(t, l.Post(func() { l.Nop(func(c liburing.Completion) { done <- c.Err() }) }))
		require.NoError(t, <-done, "the loop is none the worse for it")
		stop()
	})
}

func TestZeroRequest(t *testing.T) {
	var none liburing.Request
	require.Error(t, none.Err())
	require.NotErrorIs(t, none.Err(), liburing.ErrWrongThread)
	require.NotErrorIs(t, none.Err(), liburing.ErrClosed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	none.Flags(liburing.SQEIODrain).LinkNext().HardLinkNext().Deadline(time.Second).WithContext(ctx).Buffers(nil).Bundle().SkipSuccess()
	require.Nil(t, none.SQE())
}

func TestStateInWords(t *testing.T) {
	require.Equal(t, "in flight", liburing.StateInFlight.String())
	require.Equal(t, "State(3)", liburing.State(3).String())
}

// A Stop that comes before Run is not lost: Run returns at once. The next one
// does not.
func TestStopBeforeRun(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	l.Stop()
	require.NoError(t, l.Run(context.Background()))
	ran := false
	l.After(0, func() {
		ran = true
		l.Stop()
	})
	require.NoError(t, l.Run(context.Background()))
	require.True(t, ran)
}

// Neither a tag nor a message can be taken for a request.
func TestUserDataLikeATokens(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	read := l.Read(r, make([]byte, 1), 0, nil)
	tags := []uint64{uint64(read.Token())}
	buffers, fd := [][]byte{make([]byte, 4096)}, -1
	require.NoError(t, l.Control(func(ring *liburing.Ring) error {
		fd = ring.FD()
		require.ErrorIs(t, ring.RegisterFilesTags([]int{r}, tags), unix.EINVAL)
		require.ErrorIs(t, ring.RegisterBuffersTags(buffers, tags), unix.EINVAL)
		_, err := ring.RegisterFilesUpdateTag(0, []int{r}, tags)
		require.ErrorIs(t, err, unix.EINVAL)
		_, err = ring.RegisterBuffersUpdateTag(0, buffers, tags)
		require.ErrorIs(t, err, unix.EINVAL)
		return nil
	}))
	var sent error
	l.MsgRing(fd, 0, tags[0], 0, func(c liburing.Completion) { sent = c.Err() })
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return sent != nil })
	require.ErrorContains(t, sent, "highest bit")
	require.NotEqual(t, liburing.StateDone, l.State(read.Token()))
}

// Messages and tags come to OnMessage and to no request, whatever their number.
func TestOnMessage(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMsgRing)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var got []uint64
		l.OnMessage(func(userData uint64, c liburing.Completion) {
			require.EqualValues(t, 7, c.Res)
			got = append(got, userData)
		})
		p, _ := ringtest.Pipe(t)
		read := l.Read(p, make([]byte, 1), 0, nil)
		r, to := ringtest.NewRing(t, 8), -1
		require.NoError(t, l.Control(func(of *liburing.Ring) error { to = of.FD(); return nil }))
		unlucky := []uint64{0, 1, uint64(read.Token()) &^ (1 << 63), 1<<63 - 1}
		for _, userData := range unlucky {
			r.GetSQE().PrepMsgRing(to, 7, userData, 0)
			_, err := r.SubmitAndWait(1)
			require.NoError(t, err)
			r.CQAdvance(1)
		}
		ringtest.RunUntil(t, l, time.Millisecond, func() bool { return len(got) == len(unlucky) })
		require.Equal(t, unlucky, got)
		require.NotEqual(t, liburing.StateDone, l.State(read.Token()))
	})
}

// A callback that ends the loop's goroutine keeps no other refusal back.
func TestRefusedBehindGoexit(t *testing.T) {
	l, err := liburing.NewLoop(8)
	require.NoError(t, err)
	told := 0
	require.NoError(t, l.Post(func() {
		for range 5 {
			l.Nop(func(liburing.Completion) { told++; runtime.Goexit() })
		}
	}))
	l.Close(context.Background())
	require.Equal(t, 5, told)
}

// However many goroutines wait for the callbacks of requests that were refused, of
// loops that have ended: all are told.
func TestRefusedAtOnceByMany(t *testing.T) {
	l, err := liburing.NewLoop(8)
	require.NoError(t, err)
	require.NoError(t, l.Close(context.Background()))
	const n = 100
	var told atomic.Int32
	var all, in sync.WaitGroup
	in.Add(n)
	for range n {
		all.Go(func() {
			l.Nop(func(c liburing.Completion) {
				told.Add(1)
				in.Done()
				in.Wait()
			})
		})
	}
	ringtest.Within(t, all.Wait)
	require.EqualValues(t, n, told.Load())
}
