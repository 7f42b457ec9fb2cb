//go:build linux

package ringtest

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TempFile returns an open file with the given content.
func TempFile(t testing.TB, content []byte) *os.File {
	t.Helper()
	watched.test(t)
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// Pattern returns n bytes that are different at every place and for every seed.
func Pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// SocketPair returns two connected stream sockets.
func SocketPair(t testing.TB) (a, b int) {
	t.Helper()
	watched.test(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// Pipe returns the two ends of a pipe.
func Pipe(t testing.TB) (r, w int) {
	t.Helper()
	watched.test(t)
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// Memory returns page-aligned memory outside of the Go heap.
func Memory(t testing.TB, size int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Munmap(mem) })
	return mem
}

// GrowStack has the goroutine's stack grow by depth KiB, and so move.
//
//go:noinline
func GrowStack(depth int) byte {
	var frame [1024]byte
	if depth > 0 {
		frame[depth] = GrowStack(depth - 1)
	}
	return frame[depth]
}

// Mallocs returns how many objects f allocates, on whatever goroutine.
func Mallocs(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.Mallocs - before.Mallocs)
}

// Listener returns a TCP listener on loopback and its address.
func Listener(t testing.TB) (fd int, addr *liburing.Sockaddr) {
	t.Helper()
	watched.test(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback.As4()}))
	require.NoError(t, unix.Listen(fd, 64))
	at, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, liburing.SockaddrFrom(netip.AddrPortFrom(loopback, uint16(at.(*unix.SockaddrInet4).Port)))
}

// Wide returns a number that takes more than 32 bits, and skips a test where an int has
// no more.
func Wide(t testing.TB, n int64) int {
	t.Helper()
	if strconv.IntSize == 32 {
		t.Skip("an int has 32 bits here")
	}
	return int(n)
}
