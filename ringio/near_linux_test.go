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
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// A reader is not to wait for one line more because a field has come or gone.
func TestReadPollIsOfWholeLines(t *testing.T) {
	if bits.UintSize == 32 {
		return // nothing is laid out for it
	}
	var r readPoll
	require.Zero(t, unsafe.Offsetof(r.near)%prefetch.Line)
	require.EqualValues(t, readPollLines*prefetch.Line, unsafe.Sizeof(r))
}

// What each read and write needs of a socket is in the lines that are fetched.
func TestSocketsFirstLines(t *testing.T) {
	if bits.UintSize == 32 {
		return // nothing is laid out for it
	}
	var s socket
	require.Zero(t, unsafe.Sizeof(s)%prefetch.Line) // or it begins anywhere
	require.Less(t, unsafe.Offsetof(s.kind), unsafe.Offsetof(s.in))
	require.Less(t, unsafe.Offsetof(s.in), unsafe.Offsetof(s.out))
	require.LessOrEqual(t, unsafe.Offsetof(s.out)+unsafe.Offsetof(s.out.deadline)+unsafe.Offsetof(s.out.deadline.over)+unsafe.Sizeof(s.out.deadline.over), uintptr(socketLines*prefetch.Line))
}

// An op, of which the ring looks at one line with each completion, begins with one.
func TestOpsBeginWithALine(t *testing.T) {
	if bits.UintSize == 32 || raceEnabled {
		return // nothing is laid out for it
	}
	ring := ownEngine(t, Options{}).rings[0]
	for range 2 * len(piece{}.ops) {
		o := ring.acquire()
		defer ring.release(o)
		require.Zero(t, where(o)%prefetch.Line)
	}
	require.Zero(t, unsafe.Sizeof(op{})%prefetch.Line)
}

// What the ring remembers of those it has told something keeps no poll that has ended.
func TestReadPollsThatHaveEndedAreGone(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	var polls []weak.Pointer[readPoll]
	func() {
		_, ours, theirs := pairOf(t, e)
		warmUp(t, ours, theirs)
		require.NotNil(t, ours.(*tcpConn).s.readPoll.Load())
		for _, c := range []net.Conn{ours, theirs} {
			polls = append(polls, weak.Make(c.(*tcpConn).s.readPoll.Load()))
		}
		o := ring.acquire()
		defer ring.release(o)
		ring.mu.Lock()
		defer ring.unlock()
		o.keep, o.flying = ours.(*tcpConn).s.readPoll.Load(), true
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
		return polls[0].Value() == nil && polls[1].Value() == nil
	}, 10*time.Second, time.Millisecond)
}
