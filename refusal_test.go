//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What goroutines hand to a loop that is being closed comes to an end for each of
// them: the callback is called, also of a request that was refused.
func TestRefusedIsTold(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		r, _ := pipe(t)
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
				l.Read(r, make([]byte, 1), 0, func(c Completion) { told <- c.Err() })
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
			require.True(t, errors.Is(err, ErrClosed) || errors.Is(err, unix.ECANCELED) || errors.Is(err, unix.EINTR), "%v", err)
		}
	})
}

// A callback that answers each refusal with the next request does not hold Close
// up, nor does it go on for ever once the loop has ended.
func TestRefusedAgainAndAgain(t *testing.T) {
	l := newLoop(t, 8)
	refusals := 0
	var again Callback
	again = func(c Completion) {
		if errors.Is(c.Err(), ErrClosed) {
			refusals++
		}
		l.Nop(again)
	}
	l.Nop(again)
	closeLoop(t, l)
	require.NotZero(t, refusals)
	require.Less(t, refusals, 10*refusalRounds)
	refusals = 0
	l.Nop(again)
	require.Equal(t, refusalRounds, refusals)
}

// The mistake of a program that makes requests in the goroutines of its HTTP
// handlers.
func TestRequestWhileTheLoopSleeps(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		ran := make(chan error)
		go func() { ran <- l.Run(context.Background()) }()
		for end := time.Now().Add(10 * time.Second); !l.waiting.Load(); time.Sleep(time.Millisecond) {
			require.True(t, time.Now().Before(end), "it never sleeps")
		}
		require.PanicsWithValue(t, ErrWrongThread, func() { l.Nop(nil) })
		done := make(chan error)
		require.NoError(t, l.Post(func() { l.Nop(func(c Completion) { done <- c.Err() }) }))
		require.NoError(t, <-done, "the loop is none the worse for it")
		l.Stop()
		require.NoError(t, <-ran)
	})
}

func TestZeroRequest(t *testing.T) {
	var none Request
	require.Error(t, none.Err())
	require.NotErrorIs(t, none.Err(), ErrWrongThread)
	require.NotErrorIs(t, none.Err(), ErrClosed)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	none.Flags(SQEIODrain).LinkNext().HardLinkNext().Deadline(time.Second).WithContext(ctx).Buffers(nil).Bundle().SkipSuccess()
	require.Nil(t, none.SQE())
}

func TestSentinels(t *testing.T) {
	require.ErrorIs(t, ErrClosed, os.ErrClosed)
	require.ErrorIs(t, ErrNotSupported, errors.ErrUnsupported)
	for _, ret := range []int32{errNoCgo, -needsBase - 10, -int32(unix.ENOSYS)} {
		require.ErrorIs(t, opError("x", ret), ErrNotSupported)
		require.ErrorIs(t, opError("x", ret), errors.ErrUnsupported)
	}
	require.NotErrorIs(t, opError("x", -int32(unix.EINVAL)), ErrNotSupported)
	_, err := New(8, WithFlags(1<<30))
	require.ErrorIs(t, err, ErrNotSupported, "a flag that no kernel knows")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = New(0)
	require.NotErrorIs(t, err, ErrNotSupported)
}

func TestStateInWords(t *testing.T) {
	require.Equal(t, "in flight", StateInFlight.String())
	require.Equal(t, "State(3)", State(3).String())
}

// A Stop that comes before Run is not lost: Run returns at once. The next one
// does not.
func TestStopBeforeRun(t *testing.T) {
	l := newLoop(t, 8)
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
	l := newLoop(t, 8)
	r, _ := pipe(t)
	read := l.Read(r, make([]byte, 1), 0, nil)
	tags := []uint64{uint64(read.Token())}
	buffers := [][]byte{make([]byte, 4096)}
	require.NoError(t, l.Control(func(ring *Ring) error {
		require.ErrorIs(t, ring.RegisterFilesTags([]int{r}, tags), unix.EINVAL)
		require.ErrorIs(t, ring.RegisterBuffersTags(buffers, tags), unix.EINVAL)
		_, err := ring.RegisterFilesUpdateTag(0, []int{r}, tags)
		require.ErrorIs(t, err, unix.EINVAL)
		_, err = ring.RegisterBuffersUpdateTag(0, buffers, tags)
		require.ErrorIs(t, err, unix.EINVAL)
		return nil
	}))
	var sent error
	l.MsgRing(l.ring.FD(), 0, tags[0], 0, func(c Completion) { sent = c.Err() })
	runUntil(t, l, time.Millisecond, func() bool { return sent != nil })
	require.ErrorContains(t, sent, "highest bit")
	require.NotEqual(t, StateDone, l.State(read.Token()))
}

// Messages and tags come to OnMessage and to no request, whatever their number.
func TestOnMessage(t *testing.T) {
	needOps(t, OpMsgRing)
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		var got []uint64
		l.OnMessage(func(userData uint64, c Completion) {
			require.EqualValues(t, 7, c.Res)
			got = append(got, userData)
		})
		p, _ := pipe(t)
		read := l.Read(p, make([]byte, 1), 0, nil)
		r := newRing(t, 8)
		unlucky := []uint64{0, 1, uint64(read.Token()) &^ tokenBit, 1<<63 - 1}
		for _, userData := range unlucky {
			r.GetSQE().PrepMsgRing(l.ring.FD(), 7, userData, 0)
			_, err := r.SubmitAndWait(1)
			require.NoError(t, err)
			r.CQAdvance(1)
		}
		runUntil(t, l, time.Millisecond, func() bool { return len(got) == len(unlucky) })
		require.Equal(t, unlucky, got)
		require.NotEqual(t, StateDone, l.State(read.Token()))
	})
}
