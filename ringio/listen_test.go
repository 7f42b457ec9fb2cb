//go:build linux

package ringio

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A connection that comes as the deadline passes is accepted, now or by the next call.
func TestNoConnectionIsLostAtADeadline(t *testing.T) {
	const clients = 300
	onStacks(t, func(t *testing.T, s stack) {
		l := s.mustListen(t, "tcp").(SocketListener)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for range clients / 3 {
					c, err := net.Dial("tcp", l.Addr().String())
					require.NoError(t, err)
					c.Write([]byte("x"))
					c.(TCPConn).CloseWrite()
					io.Copy(io.Discard, c)
					c.Close()
				}
			})
		}
		for accepted := 0; accepted < clients; {
			l.SetDeadline(time.Now().Add(20 * time.Microsecond))
			c, err := l.Accept()
			if err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				continue
			}
			accepted++
			go func() {
				n, err := c.Read(make([]byte, 8))
				require.NoError(t, err)
				require.Equal(t, 1, n)
				c.Close()
			}()
		}
		within(t, all.Wait)
	})
}

// Close gives the address back at once, with an Accept that waits.
// A dial that succeeds while its context ends is returned or closed.
func TestDialsThatAreCancelled(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		l := s.mustListen(t, "tcp")
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		runtime.GC() // those whom other tests have forgotten
		runtime.GC()
		before := openDescriptors(t)
		ended, dialed := 0, 0
		most := 200 * time.Microsecond // so that some end before, some after
		for ended < 50 || dialed < 50 {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(rand.N(most), cancel)
			c, err := s.dial(new(net.Dialer), ctx, "tcp", l.Addr().String())
			cancel()
			if err != nil {
				require.ErrorContains(t, err, "operation was canceled")
				ended++
				most += most / 8
				continue
			}
			require.NoError(t, c.Close())
			dialed++
			most -= most / 16
		}
		require.Eventually(t, func() bool { return openDescriptors(t) <= before+1 }, 10*time.Second, time.Millisecond)
	})
}

func TestListenAgain(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			first := s.mustListen(t, network)
			for l := first; ; {
				done := waits(t, func() { l.Accept() })
				require.NoError(t, l.Close())
				_, err := net.Dial(network, first.Addr().String())
				require.Error(t, err)
				<-done
				next, err := s.listen(new(net.ListenConfig), network, first.Addr().String())
				require.NoError(t, err)
				if l != first {
					next.Close()
					break
				}
				l = next
			}
		}
	})
}

func TestListenersFile(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			l := s.mustListen(t, network)
			f, err := l.(SocketListener).File()
			require.NoError(t, err)
			if l, ok := l.(interface{ SetUnlinkOnClose(bool) }); ok {
				l.SetUnlinkOnClose(false)
			}
			require.NoError(t, l.Close())
			again, err := s.fileListener(f)
			require.NoError(t, err)
			f.Close()
			require.Equal(t, l.Addr(), again.Addr())
			s.mustDial(t, again.Addr())
			c, err := again.Accept()
			require.NoError(t, err)
			c.Close()
			again.Close()
			if network == "unix" {
				_, err := os.Stat(l.Addr().String())
				require.NoError(t, err, "the file was there before")
			}
		}
	})
}

func TestUnlinkOnClose(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		l := s.mustListen(t, "unix")
		l.Close()
		_, err := os.Stat(l.Addr().String())
		require.ErrorIs(t, err, os.ErrNotExist)
		l.Close()
		l, err = s.listen(new(net.ListenConfig), "unix", "@"+filepath.Base(t.TempDir())+s.name)
		require.NoError(t, err)
		c := s.mustDial(t, l.Addr())
		require.Equal(t, l.Addr().String(), c.RemoteAddr().String())
		l.Close()
	})
}

// useUpDescriptors has the process have no descriptor left until the function is called.
func useUpDescriptors(t testing.TB) (refill func()) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	next, err := os.Open(os.DevNull)
	require.NoError(t, err)
	highest := uint64(next.Fd())
	next.Close()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: highest, Max: limit.Max}))
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	return func() {
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		for _, f := range files {
			f.Close()
		}
	}
}

// A process that runs out of descriptors accepts again when it has some.
func TestAcceptWithoutDescriptors(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		l := s.mustListen(t, "tcp").(SocketListener)
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		refill := useUpDescriptors(t)
		_, err = l.Accept()
		refill()
		require.ErrorIs(t, err, syscall.EMFILE)
		var failed interface{ Temporary() bool }
		require.True(t, errors.As(err, &failed) && failed.Temporary(), "a server goes on")
		c, err := l.Accept()
		require.NoError(t, err)
		c.Close()
	})
}
