//go:build linux

package ringio

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bePeer answers bytes on a connection of a process of its own, until it is told to leave
// what comes unread, and waits to be killed.
func bePeer(server string) int {
	c, err := net.Dial("tcp", server)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for b := []byte{0}; b[0] != 'q'; {
		if _, err := c.Read(b); err != nil {
			return 1
		}
		c.Write(b)
	}
	time.Sleep(time.Minute) // it is killed before; without cgo Go takes a select for a deadlock
	return 1
}

// A peer that is killed has the kernel end its connections: what it has read is followed by
// the end, what it has not by a reset. The errors are net's, and the engine goes on.
func TestPeerIsKilled(t *testing.T) {
	for unread, says := range map[int]string{0: "EOF", 100: "connection reset by peer"} {
		t.Run(fmt.Sprint(unread, " unread"), func(t *testing.T) {
			var protocols [5][]string
			warm := busyStack // without a crowd, which has a write told of an error by the next
			for i, s := range []stack{netStack, ringStack, warm, fallbackStack(t), fewStack(t)} {
				p := &protocol{t: t}
				within(t, func() { peerIsKilled(s, p, unread) })
				ours, theirs := s.pair(t, "tcp")
				echoes(t, ours, theirs)
				protocols[i] = p.lines
			}
			require.Contains(t, protocols[0][0], says)
			for _, lines := range protocols[1:] {
				require.Equal(t, protocols[0], lines)
			}
		})
	}
}

func peerIsKilled(s stack, p *protocol, unread int) {
	l := s.mustListen(p.t, "tcp")
	ctx, kill := context.WithCancel(p.t.Context())
	defer kill()
	peer := exec.CommandContext(ctx, os.Args[0])
	peer.Env, peer.Stderr = append(os.Environ(), "RINGIO_PEER="+l.Addr().String()), os.Stderr
	require.NoError(p.t, peer.Start())
	c, err := l.Accept()
	require.NoError(p.t, err)
	defer c.Close()
	b := make([]byte, 8)
	for _, text := range "abcdefq" { // often enough to be busy
		_, err := c.Write([]byte{byte(text)})
		require.NoError(p.t, err)
		n, err := c.Read(b)
		require.NoError(p.t, err)
		require.Equal(p.t, string(text), string(b[:n]))
	}
	_, err = c.Write(make([]byte, unread))
	require.NoError(p.t, err)
	done := waits(p.t, func() {
		n, err := c.Read(b)
		p.result("the read that waits", n, err)
	})
	kill()
	require.Error(p.t, peer.Wait())
	<-done
	n, err := c.Read(b)
	p.result("read again", n, err)
	c.Write(b) // which a peer that has ended in peace answers with a reset
	waitReset(p.t, c)
	for range 2 {
		n, err = c.Write(b)
		for limit := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(limit); n, err = c.Write(b) {
			time.Sleep(time.Millisecond) // a few may be a crowd by chance: the next is told then
		}
		p.result("write", n, err)
	}
}
