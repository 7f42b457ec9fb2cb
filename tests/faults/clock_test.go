//go:build linux

package faults_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// step sets the machine's clock forward or back for a moment; back sets it right again.
func step(t *testing.T, by time.Duration) (back func()) {
	set := func(by time.Duration) error {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
			return err
		}
		then := unix.NsecToTimespec(now.Nano() + int64(by))
		return unix.ClockSettime(unix.CLOCK_REALTIME, &then)
	}
	if err := set(by); err != nil {
		t.Skip("the clock can't be set: ", err)
	}
	return func() { require.NoError(t, set(-by)) }
}

// When the machine's clock is stepped nothing that waits for some time ends early or late;
// only what waits for a time of day does.
func TestClockStepped(t *testing.T) {
	if !long {
		t.Skip("it sets the machine's clock: only with FAULTS=long")
	}
	require.NoError(t, ringio.Available())
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	for _, by := range []time.Duration{2 * time.Second, -2 * time.Second} {
		l := ringtest.NewLoop(t, 8)
		took := map[string]time.Duration{}
		r, w, err := os.Pipe()
		require.NoError(t, err)
		f := e.Wrap(r)
		begin := time.Now()
		note := func(what string) { took[what] = time.Since(begin) }
		const d = 150 * time.Millisecond
		l.After(d, func() { note("After") })
		l.Timeout(d, 0, 0, func(liburing.Completion) { note("Timeout") })
		l.Timeout(d, 0, liburing.TimeoutBoottime, func(liburing.Completion) { note("boottime") })
		day := time.Duration(begin.Add(time.Second).UnixNano())
		l.Timeout(day, 0, liburing.TimeoutRealtime|liburing.TimeoutAbs, func(liburing.Completion) { note("a time of day") })
		deadline := make(chan error, 1)
		go func() {
			f.SetReadDeadline(begin.Add(d))
			_, err := f.Read(make([]byte, 1))
			note := time.Since(begin)
			if note < d || note > 10*d {
				err = errors.Join(err, errors.New("the deadline was early or late"))
			}
			deadline <- err
		}()
		ringtest.RunFor(t, l, time.Millisecond)
		back := step(t, by)
		ctx, cancel := context.WithTimeout(context.Background(), 2*d)
		l.Run(ctx)
		cancel()
		back()
		ringtest.RunIdle(t, l)
		err = within(deadline)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotContains(t, err.Error(), "early or late")
		for _, what := range []string{"After", "Timeout", "boottime"} {
			require.GreaterOrEqual(t, took[what], d, "%s, by %v", what, by)
			require.Less(t, took[what], 10*d, "%s, by %v", what, by)
		}
		if by > 0 {
			require.Less(t, took["a time of day"], time.Second, "it has come")
		} else {
			require.GreaterOrEqual(t, took["a time of day"], time.Second)
		}
		f.Close()
		w.Close()
	}
}
