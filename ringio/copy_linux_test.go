//go:build linux

package ringio

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A pipe that the pool has dropped is closed, whatever small values the program has made
// at the same time and keeps: Go puts those without pointers in blocks together.
func TestDroppedPipesAreClosed(t *testing.T) {
	const n = 64
	kept := make([]*byte, n)
	isOpen := func(fd int) bool {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err == nil
	}
	fds := make([]int, n)
	for i := range n {
		p := newPipe()
		require.NotNil(t, p)
		kept[i] = new(byte)
		*kept[i] = byte(i)
		fds[i] = p.r
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		for _, fd := range fds {
			if isOpen(fd) {
				return false
			}
		}
		return true
	}, 10*time.Second, time.Millisecond)
	runtime.KeepAlive(kept)
}
