package prefetch_test

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing/internal/prefetch"
	"github.com/stretchr/testify/require"
)

// Whatever the address names, nothing comes of it.
func TestAnyAddressMayBeFetched(t *testing.T) {
	memory := make([]byte, 4*prefetch.Line)
	for i := range memory {
		memory[i] = byte(i)
	}
	for _, address := range []uintptr{uintptr(unsafe.Pointer(&memory[0])), uintptr(unsafe.Pointer(&memory[5])), 0, ^uintptr(0), ^uintptr(0) / 3} {
		prefetch.Lines(address, 4)
	}
	for i := range memory {
		require.Equal(t, byte(i), memory[i])
	}
}

// A goroutine's stack is its own, and so is what the runtime knows of it.
func TestHereIsWhereTheGoroutineIs(t *testing.T) {
	var local byte
	mine, stack := prefetch.Here()
	if mine == 0 {
		require.NotContains(t, []string{"amd64", "arm64"}, runtime.GOARCH)
		return
	}
	require.InDelta(t, float64(uintptr(unsafe.Pointer(&local))), float64(stack), 4096)
	again, _ := prefetch.Here()
	require.Equal(t, mine, again)
	others := make(chan uintptr)
	go func() {
		other, _ := prefetch.Here()
		others <- other
	}()
	require.NotEqual(t, mine, <-others)
}

func TestNothingIsAllocated(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, stack := prefetch.Here()
		prefetch.Lines(stack, 1)
	}))
}
