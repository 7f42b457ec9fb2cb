//go:build linux

package ringio

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// A thread is home when the pump has submitted on it for a while.
func TestHome(t *testing.T) {
	var h home
	for range homeAfter { // it comes and goes
		for thread := range int32(3) {
			h.submits(thread)
			require.False(t, h.elsewhere(0))
			require.False(t, h.elsewhere(1))
		}
	}
	for range homeAfter {
		require.False(t, h.elsewhere(0))
		h.submits(1)
	}
	require.True(t, h.elsewhere(0))
	require.False(t, h.elsewhere(1))
	h.submits(0)
	require.False(t, h.elsewhere(1))
}

// notHere is home where no thread is.
var notHere = home{thread: -1, times: homeAfter}

// A poll that another thread has submitted is made anew where the pump is now.
func TestReadPollsFollowThePump(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer theirs.Close()
	ours, err := l.Accept()
	require.NoError(t, err)
	defer ours.Close()
	go io.Copy(ours, ours)
	buf := make([]byte, 1)
	echo := func() {
		_, err := theirs.Write([]byte("x"))
		require.NoError(t, err)
		_, err = io.ReadFull(theirs, buf)
		require.NoError(t, err)
	}
	for range warmReads + 2 {
		time.Sleep(time.Millisecond) // it waits
		echo()
	}
	follows := func() bool {
		ring.mu.Lock()
		ring.home = notHere
		ring.unlock()
		echo()
		return ring.snapshot().remade > 0
	}
	require.Eventually(t, follows, 10*time.Second, time.Millisecond)
	for range 3 {
		echo()
	}
}

// unsettle has the rings of an engine believe, again and again, that the pump has moved.
func unsettle(e *Engine) (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for _, r := range e.rings {
				r.mu.Lock()
				r.home = notHere
				r.unlock()
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}
