//go:build linux

package loop_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// recvmsgOutSize is what a multishot recvmsg writes before the address.
const recvmsgOutSize = 16

// taker is a way to receive into a group.
type taker struct {
	name   string
	flags  int // of the receive
	socket bool
	header int // bytes before the payload
	make   func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request
}

func (k taker) String() string { return fmt.Sprintf("%s %#x", k.name, k.flags) }

// comes reports whether all that was sent comes, and the end. Packets with
// MSG_WAITALL are waited for until the buffer is full. A worker does not tell of the
// end of a stream if it has armed a multishot receive after that.
func (k taker) comes(from source, flags liburing.SQEFlags) bool {
	if from.name == "seqpacket" && k.flags == unix.MSG_WAITALL {
		return false
	}
	return flags&liburing.SQEAsync == 0 || !strings.Contains(k.name, "multishot")
}

func takers() (all []taker) {
	msg := new(liburing.Msghdr)
	for _, flags := range []int{0, unix.MSG_TRUNC, unix.MSG_WAITALL} {
		all = append(all,
			taker{"recv", flags, true, 0, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.Recv(fd, nil, flags, cb)
			}},
			taker{"recv multishot", flags, true, 0, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.RecvMultishot(fd, nil, flags, cb)
			}},
			taker{"bundle", flags, true, 0, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.Recv(fd, nil, flags, cb).Bundle()
			}},
			taker{"bundle multishot", flags, true, 0, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.RecvMultishot(fd, nil, flags, cb).Bundle()
			}},
			taker{"recvmsg", flags, true, 0, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.Recvmsg(fd, new(liburing.Msghdr), flags, cb)
			}},
			taker{"recvmsg multishot", flags, true, recvmsgOutSize, func(l *liburing.Loop, fd, flags int, cb liburing.Callback) liburing.Request {
				return l.RecvmsgMultishot(fd, msg, flags, cb)
			}},
		)
	}
	return append(all,
		taker{"read", 0, false, 0, func(l *liburing.Loop, fd, _ int, cb liburing.Callback) liburing.Request {
			return l.Read(fd, nil, 0, cb)
		}},
		taker{"read multishot", 0, false, 0, func(l *liburing.Loop, fd, _ int, cb liburing.Callback) liburing.Request {
			return l.ReadMultishot(fd, 0, 0, 0, cb)
		}},
	)
}

// Whatever receives into a group, from whatever, with whatever flags: it gets the
// bytes that were sent, and all buffers come back, or it is refused with a reason.
func TestBuffersRightOrRefused(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	const size = 100
	for _, flags := range []liburing.BufRingFlags{0, liburing.PbufRingInc} {
		for _, async := range []liburing.SQEFlags{0, liburing.SQEAsync} {
			for _, from := range sources {
				t.Run(fmt.Sprintf("%v/%v/%s", flags, async, from.name), func(t *testing.T) {
					for _, how := range takers() {
						if how.socket && !from.socket || !how.comes(from, async) {
							continue
						}
						t.Run(how.String(), func(t *testing.T) {
							l := ringtest.NewLoop(t, 8)
							g := ringtest.NewGroup(t, l, 4, size, flags)
							r := reception{t: t, from: from, how: how, size: size}
							r.send()
							r.receive(l, g, async)
							if r.refused == nil {
								r.check()
							} else {
								require.ErrorIs(t, r.refused, unix.EINVAL)
							}
							ringtest.AllBack(t, g)
						})
					}
				})
			}
		}
	}
}

// reception is what was sent and what came.
type reception struct {
	t       *testing.T
	from    source
	how     taker
	size    int
	fd      int
	sent    [][]byte
	got     [][]byte
	results []int
	refused error
}

// send sends pieces, some of which are longer than a buffer. A stream ends then.
func (r *reception) send() {
	w, fd := r.from.open(r.t)
	r.fd = fd
	for i, n := range []int{40, 40, 40, 150, 50, 120, 30, 100} {
		piece := ringtest.Pattern(n, byte(i))
		_, err := unix.Write(w, piece)
		require.NoError(r.t, err)
		r.sent = append(r.sent, piece)
	}
	switch {
	case !r.from.socket:
		unix.Close(w)
	case !r.from.packets:
		require.NoError(r.t, unix.Shutdown(w, unix.SHUT_WR))
	}
}

func (r *reception) receive(l *liburing.Loop, g *liburing.BufGroup, flags liburing.SQEFlags) {
	var s *liburing.Stream
	s = l.Rearm(func(cb liburing.Callback) liburing.Request {
		return r.how.make(l, r.fd, r.how.flags, cb).Flags(flags).Buffers(g)
	}, func(c liburing.Completion) {
		switch {
		case c.Err() != nil && !c.More():
			if s == nil || len(r.got) == 0 {
				r.refused = c.Err()
			}
		case c.Res > 0:
			r.got = append(r.got, bytes.Join(slices.Collect(c.Buffers()), nil))
			r.results = append(r.results, int(c.Res))
			if r.from.packets && len(r.got) == len(r.sent) {
				s.Stop()
			}
		}
	})
	ringtest.RunIdle(r.t, l)
}

// check compares what came with what was sent.
func (r *reception) check() {
	if !r.from.packets {
		require.Equal(r.t, bytes.Join(r.sent, nil), bytes.Join(r.payloads(), nil))
		return
	}
	require.Len(r.t, r.got, len(r.sent))
	for i, got := range r.payloads() {
		want := r.sent[i]
		if r.how.flags&unix.MSG_TRUNC != 0 && r.how.header == 0 {
			require.Equal(r.t, len(want), r.results[i])
		}
		require.GreaterOrEqual(r.t, len(got), min(len(want), r.size-r.how.header), "cut although there was room")
		require.Equal(r.t, want[:len(got)], got)
	}
}

func (r *reception) payloads() (all [][]byte) {
	for _, got := range r.got {
		all = append(all, got[r.how.header:])
	}
	return all
}

// What is refused says why.
func TestBuffersRefusals(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	l := ringtest.NewLoop(t, 8)
	plain, inc := ringtest.NewGroup(t, l, 2, 100, 0), ringtest.NewGroup(t, l, 2, 100, liburing.PbufRingInc)
	_, stream := ringtest.SocketPair(t)
	_, packets := socketsOf(t, unix.SOCK_DGRAM)
	iov := liburing.Iovec{}
	iov.SetLen(30)
	limited := &liburing.Msghdr{Iov: &iov}
	limited.SetIovlen(1)
	recv := func(fd, flags int) func(liburing.Callback) liburing.Request {
		return func(cb liburing.Callback) liburing.Request { return l.Recv(fd, nil, flags, cb) }
	}
	short := func(r liburing.Request) liburing.Request { r.SQE().Len = 30; return r }
	for reason, made := range map[string]struct {
		group   *liburing.BufGroup
		request func(liburing.Callback) liburing.Request
	}{
		"received into, not sent from":     {plain, func(cb liburing.Callback) liburing.Request { return l.Send(stream, nil, 0, cb) }},
		"keep what came (Completion.Keep)": {plain, func(cb liburing.Callback) liburing.Request { return l.SendBundle(stream, 0, 0, cb) }},
		"memory of its own":                {plain, func(cb liburing.Callback) liburing.Request { return l.Recv(stream, make([]byte, 1), 0, cb) }},
		"or no group":                      {plain, func(cb liburing.Callback) liburing.Request { return l.Readv(stream, [][]byte{make([]byte, 1)}, 0, cb) }},
		"how much is in the buffer":        {plain, func(cb liburing.Callback) liburing.Request { return short(recv(packets, unix.MSG_TRUNC)(cb)) }},
		"a length nothing tells":           {plain, func(cb liburing.Callback) liburing.Request { return l.Recvmsg(packets, limited, unix.MSG_TRUNC, cb) }},
		"bytes of a stream away":           {plain, recv(stream, unix.MSG_TRUNC)},
		"how many buffers it took":         {plain, func(cb liburing.Callback) liburing.Request { return recv(packets, unix.MSG_TRUNC)(cb).Bundle() }},
		"said are full":                    {plain, func(cb liburing.Callback) liburing.Request { return recv(stream, unix.MSG_WAITALL)(cb).Bundle() }},
		"that it still fills":              {inc, recv(stream, unix.MSG_WAITALL)},
		"lose its place":                   {inc, func(cb liburing.Callback) liburing.Request { return short(recv(stream, 0)(cb)) }},
		"length would have the kernel":     {inc, func(cb liburing.Callback) liburing.Request { return l.Recvmsg(stream, limited, 0, cb) }},
		"skips as much":                    {inc, recv(packets, unix.MSG_TRUNC)},
		"needs 16 bytes": {inc, func(cb liburing.Callback) liburing.Request {
			return l.RecvmsgMultishot(packets, new(liburing.Msghdr), 0, cb)
		}},
		"cut where a buffer ends":  {inc, recv(packets, 0)},
		"does not take its memory": {inc, l.Nop},
		"a datagram would be cut":  {inc, func(cb liburing.Callback) liburing.Request { return l.Read(packets, nil, 0, cb) }},
	} {
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return made.request(cb).Buffers(made.group) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL, reason)
		require.ErrorContains(t, c[0].Err(), reason)
	}
	c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
		return recv(stream, unix.MSG_WAITALL)(cb).Buffers(plain).Bundle()
	})
	require.ErrorContains(t, c[0].Err(), "said are full", "whichever is said first")
	ringtest.AllBack(t, plain)
	ringtest.AllBack(t, inc)
}

// Datagrams have room in every buffer that the kernel still uses.
func TestBufGroupMinLeft(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	for _, n := range []int{101, 1} {
		flags := liburing.PbufRingInc
		if n == 1 {
			flags = 0
		}
		_, err := l.NewBufGroup(4, 100, flags, liburing.WithMinLeft(n))
		require.ErrorContains(t, err, "needs PbufRingInc")
	}
	g, err := l.NewBufGroup(4, 200, liburing.PbufRingInc, liburing.WithMinLeft(40+recvmsgOutSize))
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "does not know WithMinLeft")
		t.Skip(err)
	}
	for _, how := range takers() {
		if how.flags != 0 {
			continue
		}
		t.Run(how.name, func(t *testing.T) {
			r := reception{t: t, from: sources[3], how: how, size: 200}
			w, fd := r.from.open(t)
			r.fd = fd
			for i := range 9 {
				r.sent = append(r.sent, ringtest.Pattern(40, byte(i)))
				unix.Write(w, r.sent[i])
			}
			r.receive(l, g, 0)
			require.NoError(t, r.refused)
			r.check()
		})
	}
	ringtest.AllBack(t, g)
}

// Requests with a deadline are told later than they complete; the bytes of others
// that come in between are behind theirs all the same.
func TestIncrementalBuffersWithDeadlines(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 2, 4096, liburing.PbufRingInc)
		left := 0
		for i := range 200 {
			w, r := ringtest.SocketPair(t)
			want := ringtest.Pattern(7, byte(i))
			left++
			request := l.Recv(r, nil, 0, func(c liburing.Completion) {
				left--
				require.NoError(t, c.Err())
				require.Equal(t, want, c.Buffer())
			}).Buffers(g)
			if i%2 == 0 {
				request.Deadline(10 * time.Second)
			}
			l.Write(w, want, 0, nil)
			if i%8 == 7 {
				ringtest.RunIdle(t, l)
			}
		}
		ringtest.RunIdle(t, l)
		require.Zero(t, left)
	})
}
