//go:build linux

package liburing_test

import (
	"errors"
	"os"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A call that is refused for how the ring was used says how.
func TestWordsOfCalls(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(event)
	file := []int{int(ringtest.TempFile(t, nil).Fd())}
	buffer := [][]byte{make([]byte, os.Getpagesize())}
	update := func() error { _, err := r.RegisterFilesUpdate(0, file); return err }
	for _, c := range []struct {
		name  string
		errno unix.Errno
		says  string
		err   error
	}{
		{"no files", unix.ENXIO, "no files are registered", r.UnregisterFiles()},
		{"nor any to replace", unix.ENXIO, "no files are registered: make a table", update()},
		{"no buffers", unix.ENXIO, "no buffers are registered", r.UnregisterBuffers()},
		{"no eventfd", unix.ENXIO, "no eventfd is registered", r.UnregisterEventfd()},
		{"an empty list of files", unix.EINVAL, "the list is empty", r.RegisterFiles(nil)},
		{"of files with tags", unix.EINVAL, "the list is empty", r.RegisterFilesTags(nil, nil)},
		{"a table without a place", unix.EINVAL, "one place at least", r.RegisterFilesSparse(0)},
		{"of buffers, too", unix.EINVAL, "one place at least", r.RegisterBuffersSparse(0)},
		{"places of no table", unix.EINVAL, "does not reach so far", r.RegisterFileAllocRange(1, 1)},
		{"of buffers", unix.EINVAL, "the list is empty", r.RegisterBuffers(nil)},
		{"a closed file", unix.EBADF, "is not open", r.RegisterFiles([]int{1 << 20})},
		{"a closed eventfd", unix.EBADF, "is not open", r.RegisterEventfd(1 << 20)},
		{"a file for an eventfd", unix.EINVAL, "is not an eventfd's", r.RegisterEventfd(file[0])},
		{"no personality", unix.EINVAL, "no credentials of this number", r.UnregisterPersonality(7)},
		{"files", 0, "", r.RegisterFiles(file)},
		{"files again", unix.EBUSY, "UnregisterFiles first", r.RegisterFiles(file)},
		{"buffers", 0, "", r.RegisterBuffers(buffer)},
		{"buffers again", unix.EBUSY, "UnregisterBuffers first", r.RegisterBuffers(buffer)},
		{"an eventfd", 0, "", r.RegisterEventfd(event)},
		{"an eventfd again", unix.EBUSY, "UnregisterEventfd first", r.RegisterEventfd(event)},
		{"enabled", unix.EBADFD, "the ring is enabled", r.EnableRings()},
		{"restricted too late", unix.EBADFD, "set it up with SetupRDisabled", r.RegisterRestrictions(liburing.AllowOnly(nil, nil))},
	} {
		if c.errno == 0 {
			require.NoError(t, c.err, c.name)
			continue
		}
		require.ErrorIs(t, c.err, c.errno, c.name)
		require.ErrorContains(t, c.err, c.says, c.name)
	}
}

// Of a ring without registered buffers nothing can be cloned.
func TestWordsOfCloning(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	err := ringtest.NewRing(t, 8).CloneBuffers(ringtest.NewRing(t, 8))
	require.ErrorIs(t, err, unix.ENXIO)
	require.ErrorContains(t, err, "the other ring has no registered buffers")
}

// A ring of buffers has a power of two of entries, and a group is made once.
func TestWordsOfBufRings(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	for _, n := range []int{0, 3, 1 << 16} {
		_, err := r.SetupBufRing(n, 1, 0)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "a power of two up to 32768")
		require.ErrorContains(t, r.RegisterBufRing(liburing.BufReg{RingEntries: uint32(n), Flags: liburing.PbufRingMmap}, 0), "a power of two up to 32768")
	}
	ringtest.NeedsOps(t, liburing.OpSocket) // came with rings of buffers, in Linux 5.19
	group, err := r.SetupBufRing(4, 1, 0)
	require.NoError(t, err)
	_, err = r.SetupBufRing(4, 1, 0)
	require.ErrorIs(t, err, unix.EEXIST)
	require.ErrorContains(t, err, "the group exists already")
	require.NoError(t, group.Free())
	if !ringtest.KernelBefore(6, 9) {
		require.ErrorContains(t, r.UnregisterBufRing(1), "there is no such group")
	}
}

// A ring that is not enabled says what it waits for.
func TestWordsOfDisabledRing(t *testing.T) {
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	for name, submit := range submissions(r) {
		r.GetSQE().PrepNop()
		require.ErrorContains(t, submit(), "call EnableRings first", name)
	}
	_, err := liburing.Enter(r.FD(), 1, 0, 0)
	require.ErrorContains(t, err, "call EnableRings first")
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
	file := ringtest.TempFile(t, nil)
	_, err := liburing.QueueInitParams(8, &liburing.Params{Flags: liburing.SetupAttachWQ, WQFD: uint32(file.Fd())})
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
