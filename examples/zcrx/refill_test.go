package main

import (
	"os"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// The queue without a card, the test being the kernel: entries arrive whole and
// in order, also over the end, and none is written over before it was read.
func TestRefill(t *testing.T) {
	page := os.Getpagesize()
	shared, err := mapPages(page + 4*int(unsafe.Sizeof(refillEntry{})))
	require.NoError(t, err)
	reg := &liburing.ZCRXIFQReg{RqEntries: 4, Offsets: liburing.ZCRXOffsets{Head: 0, Tail: 64, Rqes: uint32(page)}}
	const token = 7 << liburing.ZCRXAreaShift
	r := newRefill(shared, reg, token)
	*r.head, *r.tail = ^uint32(1), ^uint32(1) // the counters are about to wrap around

	const otherArea = 9 << liburing.ZCRXAreaShift
	for off := range uint64(4) {
		require.True(t, r.put(otherArea|off<<12, uint32(off)+100))
	}
	require.False(t, r.put(0, 1), "there is no room")
	*r.head++
	require.True(t, r.put(4<<12, 104))
	require.False(t, r.put(0, 1))

	for n := uint64(1); n < 5; n++ {
		at := uintptr(page) + uintptr(*r.head%4)*16
		require.Equal(t, token|n<<12, *(*uint64)(unsafe.Pointer(&shared[at])))
		require.Equal(t, uint32(n)+100, *(*uint32)(unsafe.Pointer(&shared[at+8])))
		*r.head++
	}
	require.Equal(t, *r.head, *(*uint32)(unsafe.Pointer(&shared[64])))
}
