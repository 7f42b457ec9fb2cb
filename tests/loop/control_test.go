//go:build linux

package loop_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// whileRunning calls f once while the loop stands still, and once while it runs.
func whileRunning(t *testing.T, f func(t *testing.T, l *liburing.Loop)) {
	t.Run("idle", func(t *testing.T) { f(t, ringtest.NewLoop(t, 8)) })
	t.Run("running", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		stop := ringtest.Running(t, l)
		f(t, l)
		stop()
	})
}

func TestControlPanics(t *testing.T) {
	whileRunning(t, func(t *testing.T, l *liburing.Loop) {
		why := errors.New("why")
		ringtest.Within(t, func() {
			defer func() {
				p, ok := recover().(*liburing.CallbackPanic)
				require.True(t, ok)
				require.Equal(t, why, p.Value)
			}()
			l.Control(func(*liburing.Ring) error { panic(why) })
		})
		require.NoError(t, l.Control(func(*liburing.Ring) error { return nil }), "the loop has taken no harm")
	})
}

// Within a callback, too, the panic comes out as one of a callback, and Run tells of the
// panic itself, not of one around it.
func TestControlPanicsInACallback(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	why := errors.New("why")
	caught := func(f func()) (p *liburing.CallbackPanic) {
		defer func() { p, _ = recover().(*liburing.CallbackPanic) }()
		f()
		return nil
	}
	fails := func() { l.Control(func(*liburing.Ring) error { panic(why) }) }
	var inside *liburing.CallbackPanic
	l.Nop(func(liburing.Completion) { inside = caught(fails) })
	ringtest.RunIdle(t, l)
	require.NotNil(t, inside)
	require.Equal(t, why, inside.Value)
	l.Nop(func(liburing.Completion) { fails() })
	outside := caught(func() { l.RunUntilIdle(t.Context()) })
	require.NotNil(t, outside)
	require.Equal(t, why, outside.Value)
}

func TestControlGoexit(t *testing.T) {
	for range 100 { // what Control returns and the loop's end come at once
		testControlGoexit(t)
	}
}

func testControlGoexit(t *testing.T) {
	whileRunning(t, func(t *testing.T, l *liburing.Loop) {
		ringtest.Within(t, func() {
			require.ErrorIs(t, l.Control(func(*liburing.Ring) error { return liburing.ErrGoexit }), liburing.ErrGoexit, "it says so, and has not")
			err := l.Control(func(*liburing.Ring) error { runtime.Goexit(); return nil })
			require.ErrorIs(t, err, liburing.ErrGoexit)
			require.ErrorIs(t, l.Control(func(*liburing.Ring) error { return nil }), liburing.ErrClosed)
		})
	})
}

func TestNothingToCall(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	for _, err := range []error{l.Control(nil), l.Post(nil)} {
		require.ErrorContains(t, err, "no function")
	}
	ringtest.RunIdle(t, l)
}

func TestNoContext(t *testing.T) {
	var none context.Context
	l := ringtest.NewLoop(t, 8)
	done := false
	l.After(0, l.Stop)
	require.NoError(t, l.Run(none))
	require.NoError(t, l.RunUntilIdle(none))
	l.After(0, l.Stop)
	g, err := liburing.NewLoopGroup(1, 8)
	require.NoError(t, err)
	g.Stop()
	require.NoError(t, g.Run(none))
	require.NoError(t, g.Close(none))
	l.Nop(func(liburing.Completion) { done = true }).WithContext(none)
	ringtest.RunIdle(t, l)
	require.True(t, done)
	require.NoError(t, l.Close(none))
}

// Whichever of Run and Close comes first, both return.
func TestRunAndCloseAtOnce(t *testing.T) {
	for i := range 300 {
		l := ringtest.NewLoop(t, 2)
		ran := make(chan error, 1)
		go func() { ran <- l.Run(context.Background()) }()
		for range i % 50 {
			runtime.Gosched()
		}
		require.NoError(t, l.Close(context.Background()))
		ringtest.Within(t, func() {
			if err := <-ran; err != nil {
				require.ErrorIs(t, err, liburing.ErrClosed)
			}
		})
	}
}

// Close has the loop's thread between the moment that Run has asked for it and
// that it gets it.
func TestCloseBeforeRunGetsTheThread(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.Within(t, func() {
		require.ErrorIs(t, l.Run(hookedContext{t.Context(), func() { l.Close(context.Background()) }}), liburing.ErrClosed)
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
func stuckInClose(t *testing.T) (l *liburing.Loop, end func()) {
	l = ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	inside, proceed := make(chan bool), make(chan bool)
	l.Read(r, make([]byte, 1), 0, func(liburing.Completion) {
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
	ringtest.Within(t, func() { l.Stats() })
	end()
	ringtest.CloseLoop(t, l)
	require.Zero(t, l.Stats().InFlight)
	require.EqualValues(t, 1, l.Stats().Completed)
}

func TestRequestWhileClosing(t *testing.T) {
	l, end := stuckInClose(t)
	defer end()
	require.ErrorIs(t, l.Nop(nil).Err(), liburing.ErrClosed)
	require.ErrorIs(t, l.Timeout(time.Hour, 0, 0, nil).Err(), liburing.ErrClosed, "one that takes memory of the loop's")
	require.ErrorIs(t, l.Read(0, nil, 0, nil).Err(), liburing.ErrClosed, "one that may block")
}

func TestCloseAgainWithoutPatience(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.CloseLoop(t, l)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		require.NoError(t, l.Close(ended))
	}
}

// What Post has taken is called, also if Close comes right behind it.
func TestPostBeforeCloseInControl(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	called := false
	require.NoError(t, l.Control(func(*liburing.Ring) error {
		require.NoError(t, l.Post(func() { called = true }))
		return l.Close(context.Background())
	}))
	ringtest.CloseLoop(t, l)
	require.True(t, called)
}

// A loop that was set up disabled and never enabled can be closed.
func TestCloseDisabled(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	l.Nop(nil)
	runErr := l.RunUntilIdle(t.Context())
	require.Error(t, runErr)
	closing, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NotErrorIs(t, l.Close(closing), context.DeadlineExceeded)
}

// Many posts to a loop that sleeps wake it once.
func TestManyPostsOneWakeUp(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	stop := ringtest.Running(t, l)
	var before uint64
	inside, proceed := make(chan bool), make(chan bool)
	l.Post(func() {
		before = l.Stats().Enters
		close(inside)
		<-proceed
	})
	<-inside
	for range 1000 {
		l.Post(func() {})
	}
	close(proceed)
	require.Less(t, l.Stats().Enters-before, uint64(10))
	stop()
}
