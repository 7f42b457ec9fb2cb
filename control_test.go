//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// whileRunning calls f once while the loop stands still, and once while it runs.
func whileRunning(t *testing.T, f func(t *testing.T, l *Loop)) {
	t.Run("idle", func(t *testing.T) { f(t, newLoop(t, 8)) })
	t.Run("running", func(t *testing.T) {
		l := newLoop(t, 8)
		ran := make(chan error, 1)
		go func() { ran <- l.Run(context.Background()) }()
		require.Eventually(t, l.mail.sleeping.Load, 5*time.Second, time.Millisecond)
		f(t, l)
		l.Stop()
		within(t, func() { <-ran })
	})
}

func TestControlPanics(t *testing.T) {
	whileRunning(t, func(t *testing.T, l *Loop) {
		why := errors.New("why")
		within(t, func() {
			defer func() {
				p, ok := recover().(*CallbackPanic)
				require.True(t, ok)
				require.Equal(t, why, p.Value)
			}()
			l.Control(func(*Ring) error { panic(why) })
		})
		require.NoError(t, l.Control(func(*Ring) error { return nil }), "the loop has taken no harm")
	})
}

func TestControlGoexit(t *testing.T) {
	for range 100 { // what Control returns and the loop's end come at once
		testControlGoexit(t)
	}
}

func testControlGoexit(t *testing.T) {
	whileRunning(t, func(t *testing.T, l *Loop) {
		within(t, func() {
			require.ErrorIs(t, l.Control(func(*Ring) error { return ErrGoexit }), ErrGoexit, "it says so, and has not")
			err := l.Control(func(*Ring) error { runtime.Goexit(); return nil })
			require.ErrorIs(t, err, ErrGoexit)
			require.ErrorIs(t, l.Control(func(*Ring) error { return nil }), ErrClosed)
		})
	})
}

func TestNothingToCall(t *testing.T) {
	l := newLoop(t, 8)
	for _, err := range []error{l.Control(nil), l.Post(nil)} {
		require.ErrorContains(t, err, "no function")
	}
	run(t, l)
}

func TestNoContext(t *testing.T) {
	var none context.Context
	l := newLoop(t, 8)
	done := false
	l.After(0, l.Stop)
	require.NoError(t, l.Run(none))
	require.NoError(t, l.RunUntilIdle(none))
	l.After(0, l.Stop)
	require.NoError(t, (&LoopGroup{loops: []*Loop{l}}).Run(none))
	l.Nop(func(Completion) { done = true }).WithContext(none)
	run(t, l)
	require.True(t, done)
	require.NoError(t, l.Close(none))
}

// Whichever of Run and Close comes first, both return.
func TestRunAndCloseAtOnce(t *testing.T) {
	for i := range 300 {
		l := newLoop(t, 2)
		ran := make(chan error, 1)
		go func() { ran <- l.Run(context.Background()) }()
		for range i % 50 {
			runtime.Gosched()
		}
		require.NoError(t, l.Close(context.Background()))
		within(t, func() {
			if err := <-ran; err != nil {
				require.ErrorIs(t, err, ErrClosed)
			}
		})
	}
}

// Close has the loop's thread between the moment that Run has asked for it and
// that it gets it.
func TestCloseBeforeRunGetsTheThread(t *testing.T) {
	l := newLoop(t, 8)
	within(t, func() {
		require.ErrorIs(t, l.Run(hookedContext{t.Context(), func() { l.Close(context.Background()) }}), ErrClosed)
	})
}

// hookedContext calls a function when it is asked for its channel.
type hookedContext struct {
	context.Context
	hook func()
}

func (c hookedContext) Done() <-chan struct{} {
	c.hook()
	return c.Context.Done()
}

// stuckInClose returns a loop whose Close has run into its deadline, with a
// callback that still runs. end has it end.
func stuckInClose(t *testing.T) (l *Loop, end func()) {
	l = newLoop(t, 8)
	r, _ := pipe(t)
	inside, proceed := make(chan bool), make(chan bool)
	l.Read(r, make([]byte, 1), 0, func(Completion) {
		close(inside)
		<-proceed
	})
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no patience"))
	err := l.Close(ended)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "no patience")
	<-inside
	return l, func() { close(proceed) }
}

func TestStatsWhileClosing(t *testing.T) {
	l, end := stuckInClose(t)
	within(t, func() { l.Stats() })
	end()
	closeLoop(t, l)
	require.Zero(t, l.Stats().InFlight)
	require.EqualValues(t, 1, l.Stats().Completed)
}

func TestRequestWhileClosing(t *testing.T) {
	l, end := stuckInClose(t)
	defer end()
	require.ErrorIs(t, l.Nop(nil).Err(), ErrClosed)
	require.ErrorIs(t, l.Timeout(time.Hour, 0, 0, nil).Err(), ErrClosed, "one that takes memory of the loop's")
	require.ErrorIs(t, l.Read(0, nil, 0, nil).Err(), ErrClosed, "one that may block")
}

func TestCloseAgainWithoutPatience(t *testing.T) {
	l := newLoop(t, 8)
	closeLoop(t, l)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		require.NoError(t, l.Close(ended))
	}
}

// What Post has taken is called, also if Close comes right behind it.
func TestPostBeforeCloseInControl(t *testing.T) {
	l := newLoop(t, 8)
	called := false
	require.NoError(t, l.Control(func(*Ring) error {
		require.NoError(t, l.Post(func() { called = true }))
		return l.Close(context.Background())
	}))
	closeLoop(t, l)
	require.True(t, called)
}

// A loop that was set up disabled and never enabled can be closed.
func TestCloseDisabled(t *testing.T) {
	l := newLoop(t, 8, WithFlags(SetupRDisabled))
	l.Nop(nil)
	runErr := l.RunUntilIdle(t.Context())
	require.Error(t, runErr)
	closing, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NotErrorIs(t, l.Close(closing), context.DeadlineExceeded)
}

// Many posts to a loop that sleeps wake it once.
func TestManyPostsOneWakeUp(t *testing.T) {
	l := newLoop(t, 8)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	require.Eventually(t, l.mail.sleeping.Load, 5*time.Second, time.Millisecond)
	inside, proceed := make(chan bool), make(chan bool)
	l.Post(func() { close(inside); <-proceed })
	<-inside
	before := l.stats.Enters
	for range 1000 {
		l.Post(func() {})
	}
	close(proceed)
	require.Less(t, l.Stats().Enters-before, uint64(10))
	l.Stop()
	<-ran
}
