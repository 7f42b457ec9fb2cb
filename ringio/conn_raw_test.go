//go:build linux

package ringio

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func waitReadable(t testing.TB, c net.Conn) {
	rawControl(t, c, func(fd int) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for range 100 {
			if n, err := unix.Poll(p, 100); n > 0 || err != unix.EINTR && err != nil {
				return
			}
		}
	})
}

// alive is what pools of connections ask before they use one again.
func alive(t testing.TB, c net.Conn) (n int, err error) {
	raw, rawErr := c.(syscall.Conn).SyscallConn()
	require.NoError(t, rawErr)
	rawErr = raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), make([]byte, 1))
		return true
	})
	require.NoError(t, rawErr)
	return n, err
}

func TestPeekForLife(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			ours, theirs := s.pair(t, network)
			for range 3 { // a pool's use
				ours.Write([]byte("ask"))
				theirs.Read(make([]byte, 8))
				theirs.Write([]byte("answer"))
				n, err := ours.Read(make([]byte, 8))
				require.NoError(t, err)
				require.Equal(t, 6, n)
				_, err = alive(t, ours)
				require.ErrorIs(t, err, syscall.EAGAIN)
			}
			theirs.Write([]byte("stale"))
			waitReadable(t, ours)
			n, err := alive(t, ours)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			ours.Read(make([]byte, 8))
			theirs.Close()
			waitReadable(t, ours)
			n, err = alive(t, ours)
			require.NoError(t, err)
			require.Zero(t, n)
		}
	})
}

// A raw reader waits in the ring, too.
func TestRawReadAndWrite(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		raw, err := ours.(syscall.Conn).SyscallConn()
		require.NoError(t, err)
		calls, asked, done := 0, make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			err := raw.Read(func(fd uintptr) bool {
				_, err := unix.Read(int(fd), make([]byte, 8))
				if calls++; calls == 1 {
					close(asked)
				}
				return err != unix.EAGAIN
			})
			require.NoError(t, err)
		}()
		<-asked
		theirs.Write([]byte("x"))
		<-done
		require.GreaterOrEqual(t, calls, 2)
		go io.Copy(io.Discard, theirs)
		sent := 0
		for sent < 10<<20 {
			require.NoError(t, raw.Write(func(fd uintptr) bool {
				n, err := unix.Write(int(fd), make([]byte, 1<<20))
				sent += max(n, 0)
				return err != unix.EAGAIN
			}))
		}
	})
}

// peeks returns a raw reader's function that is content when so many bytes are there.
func peeks(want int, calls *int) func(fd uintptr) bool {
	return func(fd uintptr) bool {
		*calls++
		n, _, err := unix.Recvfrom(int(fd), make([]byte, want), unix.MSG_PEEK)
		return n == want || err != nil && err != unix.EAGAIN
	}
}

// Who wants more than there is is called when there is more, and not all the time.
func TestRawCallsThatWantMore(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 13)
	const some, more, few = "abc", 9000, 10
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			ours, theirs := s.pair(t, network)
			raw, err := ours.(syscall.Conn).SyscallConn()
			require.NoError(t, err)
			theirs.Write([]byte(some))
			waitReadable(t, ours)

			calls := 0
			require.NoError(t, ours.SetDeadline(time.Now().Add(50*time.Millisecond)))
			require.ErrorIs(t, raw.Read(peeks(more, &calls)), os.ErrDeadlineExceeded)
			require.Less(t, calls, few)
			calls = 0
			require.ErrorIs(t, raw.Write(func(uintptr) bool { calls++; return false }), os.ErrDeadlineExceeded)
			require.Less(t, calls, few)

			require.NoError(t, ours.SetDeadline(time.Time{}))
			calls = 0
			read := waits(t, func() { require.NoError(t, raw.Read(peeks(more, &calls))) })
			for range 2 { // in two parts, the first of which is not enough
				theirs.Write(make([]byte, (more-len(some))/2))
				time.Sleep(time.Millisecond)
			}
			theirs.Write([]byte("x"))
			within(t, func() { <-read })

			require.NoError(t, theirs.(halfCloser).CloseWrite())
			calls = 0
			read = waits(t, func() { require.ErrorIs(t, raw.Read(peeks(2*more, &calls)), net.ErrClosed) })
			require.NoError(t, ours.Close())
			within(t, func() { <-read })
			require.Less(t, calls, few, "the end is there, and nothing more comes")
		}
	})
}

// A reset that comes while a raw reader waits is for who reads next.
func TestResetDuringARawRead(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		raw, err := ours.(syscall.Conn).SyscallConn()
		require.NoError(t, err)
		theirs.Write([]byte("abc"))
		waitReadable(t, ours)
		read := waits(t, func() { raw.Read(func(uintptr) bool { return false }) })
		require.NoError(t, theirs.(TCPConn).SetLinger(0))
		theirs.Close()
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(30*time.Millisecond))) // now: a busy machine may take longer to get here
		<-read
		require.NoError(t, ours.SetReadDeadline(time.Time{}))
		_, err = io.Copy(io.Discard, ours)
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
}

// A raw reader that takes all there is, again and again, misses nothing.
func TestRawReadBitByBit(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		raw, err := ours.(syscall.Conn).SyscallConn()
		require.NoError(t, err)
		want := bytes.Repeat([]byte("0123456789"), 1000)
		theirs.Write(want[:10])
		waitReadable(t, ours)
		go func() {
			for rest := want[10:]; len(rest) > 0; rest = rest[min(len(rest), 700):] {
				theirs.Write(rest[:min(len(rest), 700)])
				time.Sleep(100 * time.Microsecond)
			}
		}()
		var got []byte
		within(t, func() {
			require.NoError(t, raw.Read(func(fd uintptr) bool {
				for buf := make([]byte, 7); len(got) < len(want); {
					n, err := unix.Read(int(fd), buf)
					if err != nil {
						return err != unix.EAGAIN
					}
					got = append(got, buf[:n]...)
				}
				return true
			}))
		})
		require.Equal(t, want, got)
	})
}

func TestFile(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		theirs.Write([]byte("abcdef"))
		n, err := io.ReadFull(ours, make([]byte, 3))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		f, err := ours.(filer).File()
		require.NoError(t, err)
		rest := make([]byte, 3)
		require.NoError(t, ours.Close())
		_, err = io.ReadFull(f, rest)
		require.NoError(t, err)
		require.Equal(t, "def", string(rest))
		again, err := s.fileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		again.Write([]byte("x"))
		_, err = io.ReadFull(theirs, rest[:1])
		require.NoError(t, err)
		require.NoError(t, again.Close())
		_, err = theirs.Read(rest)
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestBuffers(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		buffers := net.Buffers{[]byte("one "), nil, []byte("two "), bytes.Repeat([]byte("three "), 100_000)}
		var want []byte
		for _, b := range buffers {
			want = append(want, b...)
		}
		go func() {
			n, err := buffers.WriteTo(ours)
			require.NoError(t, err)
			require.EqualValues(t, len(want), n)
			ours.Close()
		}()
		got, err := io.ReadAll(theirs)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// Copies go through a connection in both directions, whatever the other end is.
func TestCopies(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/f")
	require.NoError(t, err)
	defer file.Close()
	data := make([]byte, 5<<20)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	file.Write(data)
	onStacks(t, func(t *testing.T, s stack) {
		file.Seek(1000, io.SeekStart)
		a, b := s.pair(t, "tcp")
		c, d := s.pair(t, "tcp")
		go func() {
			n, err := io.Copy(a, io.LimitReader(file, 4<<20))
			require.NoError(t, err)
			require.EqualValues(t, 4<<20, n)
			a.Close()
		}()
		go func() {
			n, err := io.Copy(c, b)
			require.NoError(t, err)
			require.EqualValues(t, 4<<20, n)
			c.Close()
		}()
		var got bytes.Buffer
		_, err := io.Copy(&got, d)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[1000:1000+4<<20], got.Bytes()))
		at, _ := file.Seek(0, io.SeekCurrent)
		require.EqualValues(t, 1000+4<<20, at)
	})
}

// A process that gets a File's descriptor waits in its reads.
func TestFilesDescriptorWaits(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		l := s.mustListen(t, "unix")
		for _, c := range []any{ours, theirs, l, s.mustListenPacket(t, "udp"), s.mustListenPacket(t, "unixgram"), s.mustListen(t, "unixpacket")} {
			for range 2 {
				f, err := c.(filer).File()
				require.NoError(t, err)
				flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
				require.NoError(t, err)
				require.Zero(t, flags&unix.O_NONBLOCK)
				f.Close()
			}
		}
		echoes(t, ours, theirs)
		s.mustDial(t, l.Addr())
		c, err := l.Accept()
		require.NoError(t, err)
		c.Close()
	})
}

// What a reader who waits has no memory for is for File's descriptor.
func TestFileWhileAReaderWaits(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		warmUp(t, ours, theirs)
		first, rest := make([]byte, 5), make([]byte, 32)
		read := waits(t, func() {
			_, err := io.ReadFull(ours, first)
			require.NoError(t, err)
		})
		f, err := ours.(filer).File()
		require.NoError(t, err)
		defer f.Close()
		theirs.Write([]byte("first and the rest"))
		<-read
		require.Equal(t, "first", string(first))
		n, err := f.Read(rest)
		require.NoError(t, err)
		require.Equal(t, " and the rest", string(rest[:n]))
	})
}

// Nor does whoever waits without memory take its descriptor for something to read.
func TestFileWhileSomebodyWaitsForBytes(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		warmUp(t, ours, theirs)
		readable := waits(t, func() { require.NoError(t, WaitReadable(ours)) })
		f, err := ours.(filer).File()
		require.NoError(t, err)
		defer f.Close()
		select {
		case <-readable:
			t.Error("there is nothing to read")
		case <-time.After(20 * time.Millisecond):
		}
		theirs.Write([]byte("x"))
		within(t, func() { <-readable })
	})
}

// What writes by the descriptor waits until what was written before has been sent.
func TestDescriptorsAreWrittenBehindTheBox(t *testing.T) {
	for name, write := range map[string]func(c net.Conn) error{
		"raw": func(c net.Conn) error {
			raw, err := c.(syscall.Conn).SyscallConn()
			require.NoError(t, err)
			return raw.Write(func(fd uintptr) bool {
				_, err := unix.Write(int(fd), []byte("behind"))
				return err != unix.EAGAIN
			})
		},
		"buffers": func(c net.Conn) error {
			_, err := WriteBuffers(c, &net.Buffers{[]byte("be"), []byte("hind")})
			return err
		},
		"file": func(c net.Conn) error {
			f, err := os.Open(ringtest.TempFile(t, []byte("behind")).Name())
			require.NoError(t, err)
			defer f.Close()
			_, err = c.(TCPConn).ReadFrom(f)
			return err
		},
		"a large write": func(c net.Conn) error {
			_, err := c.Write(append([]byte("behind"), make([]byte, mostBoxed)...))
			return err
		},
		"the end": func(c net.Conn) error { return c.(halfCloser).CloseWrite() },
	} {
		_, ours, theirs := pairOf(t, ownEngine(t, Options{}))
		s := ours.(*tcpConn).s
		b := newOutbox(s.engine, s.fd)
		s.box.Store(b)
		taken, err := b.put([]byte("before ")) // and nobody has the engine look
		require.NoError(t, err, name)
		require.True(t, taken, name)
		require.NoError(t, write(ours), name)
		require.NoError(t, ours.Close())
		got, err := io.ReadAll(theirs)
		require.NoError(t, err, name)
		if name == "the end" {
			require.Equal(t, "before ", string(got))
		} else {
			require.Equal(t, "before behind", string(got[:min(len(got), 13)]), name)
		}
	}
}

// A socket that is a blocking one by its File's Fd is waited for all the same: the raw
// functions are to read and write without waiting.
func TestRawReadAndWriteOfABlockingSocket(t *testing.T) {
	_, ours, theirs := pairOf(t, Default())
	for _, c := range []net.Conn{ours, theirs} {
		f, err := c.(filer).File()
		require.NoError(t, err)
		f.Fd()
		require.NoError(t, f.Close())
	}
	raw, err := ours.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	receive := func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 8), unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	}
	send := func(fd uintptr) bool {
		for {
			if _, err := unix.SendmsgN(int(fd), make([]byte, 64<<10), nil, nil, unix.MSG_DONTWAIT); err != nil {
				return err != unix.EAGAIN
			}
		}
	}
	ours.SetDeadline(time.Now().Add(20 * time.Millisecond))
	within(t, func() {
		require.ErrorIs(t, raw.Read(receive), os.ErrDeadlineExceeded)
		require.ErrorIs(t, raw.Write(send), os.ErrDeadlineExceeded)
	})
	ours.SetDeadline(time.Time{})
	reading, writing := waits(t, func() { require.NoError(t, raw.Read(receive)) }), make(chan error, 1)
	theirs.Write([]byte("x"))
	within(t, func() { <-reading })
	go func() { writing <- raw.Write(send) }()
	time.Sleep(10 * time.Millisecond) // it waits by now
	within(t, func() { ours.Close() })
	within(t, func() { require.ErrorIs(t, <-writing, net.ErrClosed) })
}

// A program that looks by the descriptor whether its connection is still good, as drivers of
// databases do, goes on as before.
func TestLooksByTheDescriptor(t *testing.T) {
	_, ours, theirs := readPolled(t)
	s := ours.(*tcpConn).s
	raw, err := ours.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		require.Equal(t, unix.EAGAIN, err)
		return true
	}))
	require.NotNil(t, s.readPoll.Load())
	require.False(t, s.exact.Load())
	passByte(t, theirs, ours)
}
