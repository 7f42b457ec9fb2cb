//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// overRings runs a test with bundles, if the kernel has them, and with links.
func overRings(t *testing.T, test func(t *testing.T, ring *liburing.Ring, bundled bool)) {
	for _, bundled := range []bool{true, false} {
		t.Run(fmt.Sprintf("bundled=%v", bundled), func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ring, err := newRing()
			require.NoError(t, err)
			defer ring.Close()
			if bundled && ring.Features()&liburing.FeatRecvSendBundle == 0 {
				t.Skip("this kernel has no bundles")
			}
			test(t, ring, bundled)
		})
	}
}

// hasher returns a socket with which a goroutine does what the kernel does with
// an AF_ALG socket: it answers size bytes with their sum.
func hasher(t *testing.T, size int64) int {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(pair[0]) })
	peer := os.NewFile(uintptr(pair[1]), "hasher")
	go func() {
		defer peer.Close()
		hash := sha256.New()
		if _, err := io.CopyN(hash, peer, size); err == nil {
			peer.Write(hash.Sum(nil))
		}
	}()
	return pair[0]
}

// file returns an open file of random bytes, and their sum. It is not in the page
// cache: its blocks come when the disk has them, not while they are asked for.
func file(t *testing.T, size int64) (*os.File, []byte) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(name)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	hash := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, hash), rand.NewChaCha8([32]byte{1}), size)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	return f, hash.Sum(nil)
}

func TestDigest(t *testing.T) {
	for _, size := range []int64{0, 1, blockSize - 1, blockSize, blockSize + 1, depth * blockSize, 3*depth*blockSize + 12345} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			overRings(t, func(t *testing.T, ring *liburing.Ring, bundled bool) {
				f, want := file(t, size)
				got, err := digest(ring, int(f.Fd()), hasher(t, size), size, bundled)
				require.NoError(t, err)
				require.Equal(t, want, got)
			})
		})
	}
}

func TestDigestOfAShrunkFile(t *testing.T) {
	f, _ := file(t, 2*blockSize)
	overRings(t, func(t *testing.T, ring *liburing.Ring, bundled bool) {
		const size = 3 * blockSize
		_, err := digest(ring, int(f.Fd()), hasher(t, size), size, bundled)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

func TestDigestOfTheUnreadable(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	overRings(t, func(t *testing.T, ring *liburing.Ring, bundled bool) {
		_, err := digest(ring, int(dir.Fd()), hasher(t, 1), 1, bundled)
		require.ErrorIs(t, err, unix.EISDIR)
	})
}

// The other side hangs up, at once or after a part: no digest is made up.
func TestDigestSendFails(t *testing.T) {
	const size = 16 * blockSize
	f, _ := file(t, size)
	for _, part := range []int64{0, 100_000} {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			overRings(t, func(t *testing.T, ring *liburing.Ring, bundled bool) {
				_, err := digest(ring, int(f.Fd()), hasher(t, part), size, bundled)
				require.ErrorContains(t, err, "send to the hash: ")
			})
		})
	}
}
