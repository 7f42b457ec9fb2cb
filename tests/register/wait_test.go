//go:build linux

package register_test

import (
	"math"
	"os"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRegisteredWaits(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled|liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	waits, err := r.RegisterWaitRegion(1)
	require.NoError(t, err)
	require.Len(t, waits, os.Getpagesize()/int(unsafe.Sizeof(liburing.RegWait{})))
	require.NoError(t, r.EnableRings())
	waits[3] = liburing.RegWait{Timeout: liburing.NewTimespec(15 * time.Millisecond), Flags: liburing.RegWaitTS}
	start := time.Now()
	_, err = r.SubmitAndWaitReg(1, 3)
	require.ErrorIs(t, err, unix.ETIME)
	require.GreaterOrEqual(t, time.Since(start), 15*time.Millisecond)
	r.GetSQE().PrepNop()
	cqe, err := r.SubmitAndWaitReg(1, 3)
	require.NoError(t, err)
	require.NotNil(t, cqe)
	r.CQESeen(cqe)
	_, err = r.SubmitAndWaitReg(1, 1<<20)
	require.ErrorIs(t, err, unix.EFAULT)
	for _, index := range []int{-1, math.MaxInt32, math.MaxInt} {
		_, err = r.SubmitAndWaitReg(1, index)
		require.ErrorIs(t, err, unix.EFAULT, "%d", index)
	}
	_, err = r.RegisterWaitRegion(0)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = r.RegisterWaitRegion(1)
	require.Error(t, err, "the ring is enabled") // EINVAL, EBUSY
}

func TestMinTimeouts(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		if r.Features()&liburing.FeatMinTimeout == 0 {
			t.Skip("this kernel has no FeatMinTimeout")
		}
		// One of the two that are waited for: enough after the short time.
		r.GetSQE().PrepNop()
		start := time.Now()
		cqe, err := r.SubmitAndWaitMinTimeout(2, time.Minute, 10*time.Millisecond)
		require.NoError(t, err)
		require.NotNil(t, cqe)
		require.Less(t, time.Since(start), 10*time.Second)
		r.CQESeen(cqe)
		_, err = r.WaitCQEsMinTimeout(1, 10*time.Millisecond, time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)

		// A time below zero is no limit: the timer's completion ends the wait.
		for _, wait := range []func() (*liburing.CQE, error){
			func() (*liburing.CQE, error) { return r.SubmitAndWaitMinTimeout(2, -1, time.Millisecond) },
			func() (*liburing.CQE, error) { return r.WaitCQEsMinTimeout(2, -1, time.Millisecond) },
		} {
			ts := liburing.NewTimespec(30 * time.Millisecond)
			ringtest.NextSQE(t, r).PrepTimeout(&ts, 0, 0)
			start := time.Now()
			_, err := r.Submit()
			require.NoError(t, err)
			cqe, err := wait()
			require.NoError(t, err)
			require.NotNil(t, cqe)
			require.ErrorIs(t, cqe.Err(), unix.ETIME)
			require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
			r.CQESeen(cqe)
		}
	})
}

func TestSubmitAndGetEvents(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		r.GetSQE().PrepNop()
		_, err := r.SubmitAndGetEvents()
		require.NoError(t, err)
		_, err = r.WaitCQE()
		require.NoError(t, err)
		require.NoError(t, r.SQRingWait())
	})
}

// The wait ends when the kernel's thread has taken entries.
func TestSQRingWait(t *testing.T) {
	r := ringtest.NewRing(t, 2, liburing.WithSQPoll(time.Second))
	for range 100 {
		for r.SQSpaceLeft() == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
			require.NoError(t, r.SQRingWait())
		}
		r.GetSQE().PrepNop()
		for range r.CQEs() {
		}
	}
	_, err := r.Submit()
	require.NoError(t, err)
}

func TestRegisterClock(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	if ringtest.KernelBefore(6, 12) {
		require.ErrorIs(t, r.RegisterClock(unix.CLOCK_BOOTTIME), unix.EINVAL)
		return
	}
	require.NoError(t, r.RegisterClock(unix.CLOCK_BOOTTIME))
	start := time.Now()
	_, err := r.WaitCQETimeout(10 * time.Millisecond)
	require.ErrorIs(t, err, unix.ETIME)
	require.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
	require.NoError(t, r.RegisterClock(unix.CLOCK_MONOTONIC))
	require.ErrorIs(t, r.RegisterClock(99), unix.EINVAL)
	if beyond := int64(1<<32 | unix.CLOCK_BOOTTIME); int64(int(beyond)) == beyond { // an int has 64 bits
		require.ErrorIs(t, r.RegisterClock(int(beyond)), unix.EINVAL)
	}
}
