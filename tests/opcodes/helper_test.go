//go:build linux

package opcodes_test

import (
	"os"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// failure runs one request that must fail with errno.
func failure(t testing.TB, l *liburing.Loop, errno unix.Errno, queue func(liburing.Callback) liburing.Request) {
	t.Helper()
	require.ErrorIs(t, ringtest.Finish(t, l, queue).Err(), errno)
}

func content(t testing.TB, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	return string(b)
}

// fixedFiles gives the loop a table of registered files, -1 for an empty place.
func fixedFiles(t testing.TB, l *liburing.Loop, fds ...int) {
	t.Helper()
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles(fds) }))
}

// pooled registers count buffers with the loop.
func pooled(t testing.TB, l *liburing.Loop, count, size int) (bufs [][]byte) {
	t.Helper()
	pool, err := liburing.NewBufferPool(count, size)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(pool.Buffers()) }))
	return pool.Buffers()
}

// readBack reads a descriptor, or a registered file, from its start.
func readBack(t testing.TB, l *liburing.Loop, fd int, flags liburing.SQEFlags) string {
	t.Helper()
	buf := make([]byte, 100)
	n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(fd, buf, 0, cb).Flags(flags) })
	return string(buf[:n])
}
