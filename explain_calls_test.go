//go:build linux

package liburing_test

import (
	"errors"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A ring that is not enabled says what it waits for.
func TestWordsOfDisabledRing(t *testing.T) {
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	for name, submit := range submissions(r) {
		r.GetSQE().PrepNop()
		require.ErrorContains(t, submit(), "call EnableRings first", name)
	}
}

// More registered buffers than the kernel takes are told their number.
func TestWordsOfManyBuffers(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 19)
	r := ringtest.NewRing(t, 8)
	err := r.RegisterBuffersSparse(16385)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "16385 buffers are more than the 16384 that the kernel allows")
	buffers := make([][]byte, 16385)
	for i := range buffers {
		buffers[i] = make([]byte, 1)
	}
	err = r.RegisterBuffers(buffers)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "16385 buffers are more than the 16384 that the kernel allows")
	require.NoError(t, r.RegisterBuffersSparse(16384))
}

// A ring for one thread says so to another.
func TestWordsOfAnotherThread(t *testing.T) {
	ringtest.NeedsSetup(t, liburing.SetupSingleIssuer)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupSingleIssuer))
	calls := submissions(r)
	calls["RegisterFiles"] = func() error { return r.RegisterFiles([]int{-1}) }
	errs := make(chan map[string]error)
	go func() {
		got := map[string]error{}
		for name, call := range calls {
			r.GetSQE().PrepNop()
			got[name] = call()
		}
		errs <- got
	}()
	for name, err := range <-errs {
		require.ErrorIs(t, err, unix.EEXIST, name)
		require.ErrorContains(t, err, "the ring is another thread's (SetupSingleIssuer)", name)
	}
}

func submissions(r *liburing.Ring) map[string]func() error {
	return map[string]func() error{
		"Submit":             func() error { _, err := r.Submit(); return err },
		"SubmitRaw":          func() error { _, err := r.SubmitRaw(); return err },
		"SubmitAndWait":      func() error { _, err := r.SubmitAndWait(1); return err },
		"SubmitAndGetEvents": func() error { _, err := r.SubmitAndGetEvents(); return err },
	}
}

// A ring that is to share the workers of what is no ring says what it needs.
func TestWordsOfAttaching(t *testing.T) {
	_, err := liburing.New(8, liburing.WithFlags(liburing.SetupAttachWQ)) // of the standard input
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "attach_wq needs another ring (WithAttachWQ)")
	closed := ringtest.NewRing(t, 8)
	closed.Close()
	_, err = liburing.New(8, liburing.WithAttachWQ(closed))
	require.ErrorIs(t, err, unix.ENXIO)
	require.ErrorContains(t, err, "is closed")
}

// A sandbox that forbids io_uring_enter, and not the others, is named so by all calls that enter.
func TestWordsOfForbiddenCalls(t *testing.T) {
	for op, call := range map[string]string{
		"io_uring_submit": "io_uring_enter", "io_uring_get_events": "io_uring_enter", "io_uring_peek_cqe": "io_uring_enter",
		"io_uring_sqring_wait": "io_uring_enter", "io_uring_register_files": "io_uring_register",
	} {
		var e *liburing.OpError
		require.True(t, errors.As(liburing.OpErrorOf(op, -int32(unix.EPERM)), &e))
		require.Contains(t, e.Hint, "allow "+call+",", op)
	}
}
