//go:build linux

package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is to run before a submission runs once, behind the callbacks of the turn; the
// loop waits for it, and a request that it makes goes with the same submission.
func TestBeforeSubmit(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var order []string
		note := func(what string) func(liburing.Completion) {
			return func(liburing.Completion) { order = append(order, what) }
		}
		l.Nop(func(liburing.Completion) {
			l.BeforeSubmit(func() {
				order = append(order, "before")
				l.Nop(note("made before"))
				l.BeforeSubmit(func() { order = append(order, "then") })
			})
			order = append(order, "callback")
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"callback", "before", "then", "made before"}, order)

		ran := false
		l.BeforeSubmit(func() { ran = true })
		ringtest.RunIdle(t, l)
		require.True(t, ran, "also where there is nothing else to do")
		ringtest.CloseLoop(t, l)
		ran = false
		l.BeforeSubmit(func() { ran = true })
		require.True(t, ran, "at once, on a loop that has ended")
	})
}

// One that asks for itself again and again leaves the loop its turns, and lets it end.
func TestBeforeSubmitAgainAndAgain(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const most = int(2e7)
		calls, left := 0, 2
		var again func()
		again = func() {
			if calls++; calls < most {
				l.BeforeSubmit(again)
			}
		}
		again()
		come := func() {
			if left--; left == 0 {
				l.Stop()
			}
		}
		l.Nop(func(liburing.Completion) { come() })
		l.After(time.Millisecond, come)
		require.NoError(t, l.Run(t.Context()))
		ringtest.CloseLoop(t, l)
		require.Less(t, calls, most)
		calls = 0
		l.BeforeSubmit(again) // at once, and not for ever
		require.Less(t, calls, 100)
	})
}

// One that panics ends Run; those behind it run in the next, and a chain that it has
// left open ends with it.
func TestBeforeSubmitPanics(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	second, failed := false, error(nil)
	l.BeforeSubmit(func() {
		l.Read(-1, make([]byte, 1), 0, nil).LinkNext()
	})
	l.BeforeSubmit(func() { panic("no") })
	l.BeforeSubmit(func() {
		second = true
		l.Nop(func(c liburing.Completion) { failed = c.Err() })
	})
	require.Panics(t, func() { l.RunUntilIdle(t.Context()) })
	require.False(t, second)
	ringtest.RunIdle(t, l)
	require.True(t, second)
	require.NoError(t, failed, "it is not linked to the read that fails")
}

// What waits for the end is told once, and before what is in flight is cancelled.
func TestOnClose(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var order []string
		r, _ := ringtest.Pipe(t)
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { order = append(order, "read") })
		l.OnClose(func() {
			require.True(t, l.Closing())
			order = append(order, "first")
		})
		l.OnClose(func() { order = append(order, "second") })
		require.False(t, l.Closing())
		ringtest.RunFor(t, l, time.Millisecond)
		require.Empty(t, order)
		ringtest.CloseLoop(t, l)
		require.Equal(t, []string{"first", "second", "read"}, order)
		require.True(t, l.Closing())
		l.OnClose(func() { order = order[:0] })
		require.Empty(t, order, "at once")
	})
}

// What a loop keeps is made once for each key, and loops keep it apart.
func TestLocal(t *testing.T) {
	type key struct{ n int }
	a, b := ringtest.NewLoop(t, 8), ringtest.NewLoop(t, 8)
	made := 0
	value := func() any { made++; return made }
	require.Equal(t, 1, a.Local(key{1}, value))
	require.Equal(t, 2, a.Local(key{2}, value))
	require.Equal(t, 1, a.Local(key{1}, value))
	require.Equal(t, 3, b.Local(key{1}, value))
}

// Revoke ends what waits behind a link too, which one Cancel does not find.
func TestRevoke(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w := ringtest.Pipe(t)
		var errs []error
		note := func(c liburing.Completion) { errs = append(errs, c.Err()) }
		l.Read(r, make([]byte, 1), 0, note).LinkNext()
		second := l.Read(r, make([]byte, 1), 0, note)
		l.Revoke(second.Token())
		ringtest.RunFor(t, l, time.Millisecond)
		_, err := unix.Write(w, []byte("x"))
		require.NoError(t, err)
		ringtest.RunIdle(t, l)
		require.Len(t, errs, 2)
		require.NoError(t, errs[0])
		ringtest.RequireCancelled(t, errs[1])
		l.Revoke(second.Token()) // it is no more
		l.Revoke(0)
		ringtest.CloseLoop(t, l)
		l.Revoke(second.Token())
	})
}

// A request to close something says whether that is open still.
func TestUnbegun(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w := ringtest.Pipe(t)
		l.Read(r, make([]byte, 1), 0, nil).WithTimeout(time.Millisecond).LinkNext()
		told := 0
		l.CloseFD(w, func(c liburing.Completion) {
			require.True(t, c.Unbegun(), "what it was linked behind has failed")
			told++
		})
		ringtest.RunIdle(t, l)
		dup, err := unix.Dup(w)
		require.NoError(t, err, "it is open")
		l.CloseFD(dup, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			require.False(t, c.Unbegun())
			told++
		})
		l.CloseFD(-1, func(c liburing.Completion) {
			require.ErrorIs(t, c.Err(), unix.EBADF)
			require.False(t, c.Unbegun())
			told++
		})
		ringtest.RunIdle(t, l)
		ringtest.CloseLoop(t, l)
		l.CloseFD(w, func(c liburing.Completion) {
			require.True(t, errors.Is(c.Err(), liburing.ErrClosed) && c.Unbegun())
			told++
		})
		require.Equal(t, 4, told)
	})
}
