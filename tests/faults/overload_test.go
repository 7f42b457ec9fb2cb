//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pending is how many completions there are at once, far more than places for them.
const pending = 100_000

// pendingWith is less of it where a kernel's thread needs a processor that there may not be.
func pendingWith(setup string) int {
	if setup == "sqpoll" && !long {
		return pending / 10
	}
	return pending
}

// needsNodrop skips where the kernel drops completions that find no place.
func needsNodrop(t *testing.T, r *liburing.Ring) {
	if r.Features()&liburing.FeatNodrop == 0 {
		t.Skip("this kernel drops completions that find no place")
	}
}

func TestOverflownRing(t *testing.T) {
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 64, s.Opts...)
			needsNodrop(t, r)
			pending := pendingWith(s.Name)
			for i := range pending {
				sqe := ringtest.NextSQE(t, r)
				sqe.PrepNop()
				sqe.SetData64(uint64(i) + 1)
			}
			_, err := r.Submit()
			require.NoError(t, err)
			seen := make([]bool, pending+1)
			for range pending {
				cqe, err := r.WaitCQE()
				require.NoError(t, err)
				at := cqe.GetData64()
				if cqe.Res != 0 || at == 0 || seen[at] {
					require.FailNow(t, "a completion came twice, or another one", "%+v", *cqe)
				}
				seen[at] = true
				r.CQESeen(cqe)
			}
			require.Zero(t, r.CQReady())
			require.False(t, r.CQHasOverflow())
		})
	}
}

// A single event ends all requests at once.
func TestOverflownLoop(t *testing.T) {
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 256, append([]liburing.Option{liburing.WithCQEntries(256)}, s.Opts...)...)
			r, w := ringtest.Pipe(t)
			pending := pendingWith(s.Name)
			calls := make([]uint8, pending)
			failed, left := 0, pending
			for i := range pending {
				l.PollAdd(r, unix.POLLIN, func(c liburing.Completion) {
					calls[i]++
					left--
					if c.Res != unix.POLLIN {
						failed++
					}
				})
			}
			ringtest.RunUntil(t, l, time.Millisecond, func() bool { return l.Stats().Submitted >= uint64(pending) })
			require.Equal(t, pending, left, "nothing has completed yet")
			_, err := unix.Write(w, []byte{1})
			require.NoError(t, err)
			ringtest.RunIdle(t, l)
			require.Zero(t, left)
			require.Zero(t, failed)
			for i, n := range calls {
				if n != 1 {
					require.EqualValues(t, 1, n, "calls of callback %d", i)
				}
			}
			if s.Name == "coop_taskrun" { // with deferred work the kernel tells a few at a time
				require.NotZero(t, l.Stats().Overflows)
			}
		})
	}
}

func TestOverflownEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	e, err := ringio.New(ringio.Options{Entries: 8})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Shutdown(context.Background())) }()
	content := ringtest.Pattern(1<<16, 9)
	name := ringtest.TempFile(t, content).Name()
	f, err := e.Open(name)
	require.NoError(t, err)
	defer f.Close()
	reads := make([]ringio.ReadRequest, pending)
	bufs := make([]byte, 8*pending)
	for i := range reads {
		reads[i] = ringio.ReadRequest{File: f, Buf: bufs[8*i : 8*i+8], Off: int64(i*7) % (1<<16 - 8)}
	}
	require.NoError(t, ringio.ReadBatch(reads))
	for i, r := range reads {
		if r.N != 8 || string(r.Buf) != string(content[r.Off:r.Off+8]) {
			require.FailNow(t, "something else was read", "read %d: %d bytes", i, r.N)
		}
	}
}

// Storms of ENOBUFS: far more comes than there are buffers for.

const stormBytes = 4 << 20

// flood writes a pattern to a socket, and returns what ended it.
func flood(fd int, data []byte) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for len(data) > 0 {
			n, err := unix.Write(fd, data)
			if err != nil && err != unix.EINTR {
				ended <- err
				return
			}
			data = data[max(n, 0):]
		}
		ended <- unix.Shutdown(fd, unix.SHUT_WR)
	}()
	return ended
}

func TestStormOnRing(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC) // came with multishot recv
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8)
	br, err := r.SetupBufRing(2, 1, 0)
	require.NoError(t, err)
	bufs := [2][]byte{make([]byte, 512), make([]byte, 512)}
	give := func(bid int) {
		require.NoError(t, br.Add(bufs[bid], uint16(bid), 0))
		br.Advance(1)
	}
	give(0)
	give(1)
	from, to := ringtest.SocketPair(t)
	want := ringtest.Pattern(stormBytes/4, 5)
	ended := flood(from, want)
	var got []byte
	dry := 0
	arm := func() {
		sqe := ringtest.NextSQE(t, r)
		sqe.PrepRecvMultishot(to, nil, 0)
		sqe.Flags |= liburing.SQEBufferSelect
		sqe.BufIndex = 1
		_, err := r.Submit()
		require.NoError(t, err)
	}
	arm()
	var lent []int
	for {
		cqe, err := r.WaitCQE()
		require.NoError(t, err)
		c := *cqe
		r.CQESeen(cqe)
		if bid, ok := c.BufferID(); ok {
			got = append(got, bufs[bid][:c.Res]...)
			lent = append(lent, int(bid))
		}
		if c.Flags&liburing.CQEFMore != 0 {
			continue
		}
		if c.Res == 0 {
			break
		}
		if c.Res < 0 {
			require.Equal(t, -int32(unix.ENOBUFS), c.Res)
			dry++
		}
		for _, bid := range lent {
			give(bid)
		}
		lent = nil
		arm()
	}
	require.NoError(t, within(ended))
	requireSame(t, want, got)
	require.Greater(t, dry, 100, "there was no storm")
	require.NoError(t, br.Free())
}

// requireSame is require.Equal without a printout of megabytes.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, len(want), len(got), "bytes")
	require.True(t, string(want) == string(got), "other bytes have come")
}

func TestStormOnLoop(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 64, s.Opts...)
			g := ringtest.NewGroup(t, l, 4, 512, 0)
			const streams = 8
			want := ringtest.Pattern(stormBytes/streams, 7)
			var got [streams][]byte
			var ended []<-chan error
			for i := range streams {
				from, to := ringtest.SocketPair(t)
				ended = append(ended, flood(from, want))
				l.Rearm(func(cb liburing.Callback) liburing.Request {
					return l.RecvMultishot(to, nil, 0, cb).Buffers(g)
				}, func(c liburing.Completion) {
					got[i] = append(got[i], c.Buffer()...)
					if c.Err() != nil {
						t.Error(c.Err())
					}
					if len(got[i])%3 == 0 && c.Res > 0 { // keep it for a turn, so that all run dry
						kept := c.Keep()
						l.Nop(func(liburing.Completion) { kept.Release() })
					}
				})
			}
			ringtest.RunIdle(t, l)
			for i := range streams {
				require.NoError(t, within(ended[i]))
				requireSame(t, want, got[i])
			}
			ringtest.AllBack(t, g)
		})
	}
}

// Connections that send far more than there is room for, to readers that come late.
func TestStormOnEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	const conns = 64
	want := ringtest.Pattern(1<<18, 11)
	ended := make(chan error, 2*conns)
	go func() {
		for range conns {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				continue
			}
			go func() {
				_, err := c.Write(want)
				c.Close()
				ended <- err
			}()
		}
	}()
	for i := range conns {
		go func() { ended <- readSlowly(e, l.Addr().String(), want, i) }()
	}
	for range 2 * conns {
		require.NoError(t, within(ended))
	}
	require.NoError(t, l.Close())
	require.NoError(t, e.Shutdown(context.Background()))
}

func readSlowly(e *ringio.Engine, address string, want []byte, seed int) error {
	c, err := e.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 100+seed*37)
	for at := 0; at < len(want); {
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		if string(b[:n]) != string(want[at:at+n]) {
			return fmt.Errorf("connection %d: other bytes at %d", seed, at)
		}
		at += n
	}
	return nil
}
