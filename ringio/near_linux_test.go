//go:build linux

package ringio

import (
	"math/bits"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/prefetch"
	"github.com/stretchr/testify/require"
)

// A reader is not to wait for one line more because a field has come or gone.
func TestStreamIsOfWholeLines(t *testing.T) {
	if bits.UintSize == 32 {
		return // nothing is laid out for it
	}
	var r stream
	require.Zero(t, unsafe.Offsetof(r.near)%prefetch.Line)
	require.EqualValues(t, streamLines*prefetch.Line, unsafe.Sizeof(r))
}

// What the ring remembers of those it has told something keeps no stream that has ended.
func TestStreamsThatHaveEndedAreGone(t *testing.T) {
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	var streams []weak.Pointer[stream]
	func() {
		_, ours, theirs := pairOf(t, e)
		warmUp(t, ours, theirs)
		if ours.(*tcpConn).s.stream.Load() == nil {
			t.Skip("this kernel receives nothing in advance")
		}
		for _, c := range []net.Conn{ours, theirs} {
			streams = append(streams, weak.Make(c.(*tcpConn).s.stream.Load()))
		}
		o := ring.acquire()
		defer ring.release(o)
		ring.mu.Lock()
		defer ring.unlock()
		o.keep, o.flying = ours.(*tcpConn).s.stream.Load(), true
		defer func() { o.flying = false }()
		for i := range ring.reaped.cqes { // as if it were told so much at once
			ring.reaped.cqes[i] = &liburing.CQE{UserData: o.token()}
		}
		ring.reaped.fetch(ring)
		go theirs.Close()
		go ours.Close()
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		return streams[0].Value() == nil && streams[1].Value() == nil
	}, 10*time.Second, time.Millisecond)
}
