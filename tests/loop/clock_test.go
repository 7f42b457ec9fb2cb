//go:build linux

package loop_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// maySuspend says that nothing else runs on this machine. (That the wall clock is set has a
// test in tests/faults.)
const maySuspend = "LIBURING_TEST_MAY_SUSPEND"

// needsSuspend skips where the machine can't be suspended, or would not come back.
func needsSuspend(t *testing.T) {
	t.Helper()
	if os.Getenv(maySuspend) == "" {
		t.Skip("it would disturb others on this machine: it is tested on those of scripts/kernels.sh")
	}
	states, _ := os.ReadFile("/sys/power/state")
	if _, err := os.Stat(wakeAlarm); err != nil || runtime.GOARCH != "amd64" || !strings.Contains(string(states), "mem") {
		t.Skip("this machine can't be suspended, or would not wake up")
	}
}

const wakeAlarm = "/sys/class/rtc/rtc0/wakealarm"

// suspend suspends the machine until its alarm clock wakes it. (That of qemu rings on, so
// that the machine can be suspended once only.)
func suspend() error {
	write := func(file, text string) error { return os.WriteFile(file, []byte(text), 0) }
	return errors.Join(write(wakeAlarm, "0"), write(wakeAlarm, "+10"), write("/sys/power/state", "mem"))
}

// suspended returns how long the machine was so far.
func suspended() time.Duration { return clockOf(unix.CLOCK_BOOTTIME) - clockOf(unix.CLOCK_MONOTONIC) }

// clockOf reads a clock of the kernel's.
func clockOf(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// clocked returns a loop whose waits the kernel times as it does by itself, and one for which
// it counts the time too that the machine is suspended, where it can.
func clocked(t *testing.T) map[string]*liburing.Loop {
	loops := map[string]*liburing.Loop{"monotonic": ringtest.NewLoop(t, 8)}
	l := ringtest.NewLoop(t, 8)
	err := l.Control(func(r *liburing.Ring) error { return r.RegisterClock(unix.CLOCK_BOOTTIME) })
	if errors.Is(err, unix.EINVAL) {
		require.True(t, ringtest.KernelBefore(6, 12))
		return loops
	}
	require.NoError(t, err)
	loops["boottime"] = l
	return loops
}

// The clock of timers stops while the machine is suspended, whichever the ring's is.
func TestTimersWhileSuspended(t *testing.T) {
	needsSuspend(t)
	const d = 15 * time.Second // which it takes no machine to get to sleep
	start, before := clockOf(unix.CLOCK_MONOTONIC), suspended()
	type times struct{ awake, asleep time.Duration }
	passed := map[string]*times{}
	ran := make(chan error)
	loops := clocked(t)
	for name, l := range loops {
		at := new(times)
		passed[name] = at
		l.After(d, func() { *at = times{clockOf(unix.CLOCK_MONOTONIC) - start, suspended() - before} })
		go func() { ran <- l.RunUntilIdle(context.Background()) }()
	}
	require.NoError(t, suspend())
	for range loops {
		ringtest.Within(t, func() { require.NoError(t, <-ran) })
	}
	for name, at := range passed {
		require.Greater(t, at.asleep, time.Second, "%s: it was not suspended before: %v", name, at)
		require.GreaterOrEqual(t, at.awake, d, "%s: %v", name, at)
	}
}

// While the machine is awake the ring's clock makes no difference.
func TestTimersOfAnotherClock(t *testing.T) {
	for name, l := range clocked(t) {
		var passed time.Duration
		never := l.After(time.Hour, func() { t.Error(name, "called") })
		start, beats := time.Now(), 0
		var beat *liburing.Timer
		beat = l.Every(5*time.Millisecond, func() {
			if beats++; beats == 4 {
				passed = time.Since(start)
				beat.Stop()
				never.Stop()
			}
		})
		ringtest.RunIdle(t, l)
		require.GreaterOrEqual(t, passed, 20*time.Millisecond, name)
	}
}
