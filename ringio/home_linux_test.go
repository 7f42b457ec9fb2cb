//go:build linux

package ringio

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A thread is home when the pump has submitted on it for a while.
func TestHome(t *testing.T) {
	var h home
	h.submits(1)
	require.EqualValues(t, 1, h.thread)
	for range homeAfter { // it comes and goes
		h.submits(2)
		h.submits(3)
		h.submits(1)
	}
	require.EqualValues(t, 1, h.thread)
	for range homeAfter - 1 {
		h.submits(2)
	}
	require.EqualValues(t, 1, h.thread)
	h.submits(2)
	require.EqualValues(t, 2, h.thread)
}

// A stream whose request another thread has submitted makes it anew where the pump is now.
func TestStreamsFollowThePump(t *testing.T) {
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
	ring.mu.Lock()
	ring.home = home{thread: -1}
	ring.mu.Unlock()
	follows := func() bool {
		echo()
		ring.mu.Lock()
		defer ring.unlock()
		r := ours.(*tcpConn).s.stream.Load()
		r.mu.Lock()
		defer r.mu.Unlock()
		return ring.home.thread > 0 && r.op != nil && r.op.flying && r.op.thread == ring.home.thread
	}
	require.Eventually(t, follows, 10*time.Second, time.Millisecond)
	require.Positive(t, ring.snapshot().remade)
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
				r.home = home{thread: -1}
				r.unlock()
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}
