//go:build linux

package register_test

import (
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
