//go:build linux

package loop_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The bytes are borrowed for the callback, and the buffer goes round and round.
func TestBufGroupBorrow(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 3, 100, 0) // neither is a power of two
		a, b := ringtest.SocketPair(t)
		for i := range 20 {
			want := ringtest.Pattern(1+i*5, byte(i))
			unix.Write(a, want)
			var got []byte
			var late liburing.Completion
			n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Recv(b, nil, 0, func(c liburing.Completion) {
					got = bytes.Clone(c.Buffer())
					late = c
					cb(c)
				}).Buffers(g)
			})
			require.Equal(t, len(want), n)
			require.Equal(t, want, got)
			require.Nil(t, late.Buffer(), "borrowed for the callback only")
			require.Nil(t, late.Keep().Bytes())
		}
		ringtest.AllBack(t, g)
	})
}

func TestBufGroupKeep(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 4, 64, 0)
	a, b := ringtest.SocketPair(t)
	var kept []liburing.Borrowed
	for i := range 4 {
		unix.Write(a, []byte{byte(i), 1, 2})
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Recv(b, nil, 0, func(c liburing.Completion) { kept = append(kept, c.Keep()); cb(c) }).Buffers(g)
		})
	}
	unix.Write(a, []byte("more"))
	c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(b, nil, 0, cb).Buffers(g) })
	require.ErrorIs(t, c[0].Err(), unix.ENOBUFS)
	require.EqualValues(t, 1, l.Stats().BuffersShort)
	require.ErrorIs(t, g.Close(), liburing.ErrBufferInUse)

	for i, k := range kept {
		require.Equal(t, []byte{byte(i), 1, 2}, k.Bytes())
	}
	require.NoError(t, kept[2].Release())
	require.ErrorIs(t, kept[2].Release(), liburing.ErrReleased)
	require.Nil(t, kept[2].Bytes())
	var again liburing.Borrowed
	ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Recv(b, nil, 0, func(c liburing.Completion) { again = c.Keep(); cb(c) }).Buffers(g)
	})
	require.Equal(t, "more", string(again.Bytes()))
	require.ErrorIs(t, kept[2].Release(), liburing.ErrReleased, "the place of the lease is another's now")
	require.Equal(t, "more", string(again.Bytes()))
	for _, k := range append(slices.Delete(kept, 2, 3), again) {
		require.NoError(t, k.Release())
	}
	require.ErrorIs(t, liburing.Borrowed{}.Release(), liburing.ErrReleased)
	ringtest.AllBack(t, g)
}

// A buffer that is used up bit by bit goes back when the kernel and all that
// have borrowed a part of it are done.
func TestBufGroupIncremental(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 2, 64, liburing.PbufRingInc)
	a, b := ringtest.SocketPair(t)
	var kept []liburing.Borrowed
	for i := range 8 { // 16 bytes each: the two buffers, full
		unix.Write(a, ringtest.Pattern(16, byte(i)))
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Recv(b, nil, 0, func(c liburing.Completion) {
				require.Equal(t, ringtest.Pattern(16, byte(i)), c.Buffer())
				kept = append(kept, c.Keep())
				cb(c)
			}).Buffers(g)
		})
	}
	require.Zero(t, ringtest.InsideGroup(g).Ready)
	for i, k := range kept {
		require.Equal(t, ringtest.Pattern(16, byte(i)), k.Bytes())
	}
	for _, i := range []int{3, 0, 1} {
		require.NoError(t, kept[i].Release())
	}
	require.Zero(t, ringtest.InsideGroup(g).Ready, "a part of each is still borrowed")
	require.NoError(t, kept[2].Release())
	require.Equal(t, 1, ringtest.InsideGroup(g).Ready)
	for _, k := range kept[4:] {
		require.NoError(t, k.Release())
	}
	ringtest.AllBack(t, g)
}

// A bundle fills several buffers at once, in the order in which the kernel got
// them, which need not be that of their numbers.
func TestBufGroupBundle(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 10)
	for name, flags := range map[string]liburing.BufRingFlags{"whole": 0, "incremental": liburing.PbufRingInc} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			const size = 64
			g := ringtest.NewGroup(t, l, 8, size, flags)
			a, b := ringtest.SocketPair(t)
			longest := 0
			// The kernel takes what it likes of what is there, in some bundles.
			receive := func(n int) (kept []liburing.Borrowed) {
				want := ringtest.Pattern(n, byte(n))
				unix.Write(a, want)
				for len(want) > 0 {
					got := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
						r := l.Recv(b, nil, 0, func(c liburing.Completion) {
							require.Equal(t, want[:c.Res], bytes.Join(slices.Collect(c.Buffers()), nil))
							require.LessOrEqual(t, len(c.Buffer()), size)
							kept = append(kept, c.Keep())
							cb(c)
						}).Buffers(g)
						return r.Bundle()
					})
					require.Equal(t, want[:got], bytes.Join(slices.Collect(kept[len(kept)-1].All()), nil))
					longest = max(longest, got)
					want = want[got:]
				}
				return kept
			}
			release := func(kept []liburing.Borrowed) {
				for _, k := range kept {
					require.NoError(t, k.Release())
				}
			}
			first := receive(2*size + 10)
			second := receive(size - 20)
			release(second) // out of turn
			third := receive(2 * size)
			release(first)
			fourth := receive(2*size + 1)
			release(fourth)
			release(third)
			for i := range 50 {
				release(receive(1 + i*7))
			}
			if !ringtest.KernelBefore(6, 17) { // which do not ask a Unix socket how much there is
				require.Greater(t, longest, size, "no bundle had more than a buffer")
			}
			ringtest.AllBack(t, g)
		})
	}
}

// Many more messages than buffers, some kept for a while: the stream waits when
// there are none and nothing is lost.
func TestRearmWaitsForBuffers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 2, 8, 0)
		a, b := ringtest.SocketPair(t)
		const messages = 100
		want, got := []byte{}, []byte{}
		for i := range messages {
			m := ringtest.Pattern(8, byte(i))
			want = append(want, m...)
			unix.Write(a, m)
		}
		unix.Shutdown(a, unix.SHUT_WR)
		var kept []liburing.Borrowed
		var last liburing.Completion
		s := l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }, func(c liburing.Completion) {
			got = append(got, c.Buffer()...)
			last = c
			if k := c.Keep(); k.Bytes() != nil {
				kept = append(kept, k)
			}
			if len(kept) == 2 { // the kernel has none
				two := kept
				kept = nil
				l.After(time.Millisecond, func() {
					require.NoError(t, two[0].Release())
					require.NoError(t, two[1].Release())
				})
			}
		})
		require.NoError(t, s.Err())
		ringtest.RunIdle(t, l)
		require.Equal(t, want, got)
		require.Zero(t, last.Res)
		require.False(t, last.More())
		require.NotZero(t, l.Stats().BuffersShort)
		for _, k := range kept {
			require.NoError(t, k.Release())
		}
		ringtest.AllBack(t, g)
	})
}

func TestRearmStop(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	a, b := ringtest.SocketPair(t)
	arm := func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }
	var ends []error
	note := func(c liburing.Completion) {
		if !c.More() {
			ends = append(ends, c.Err())
		}
	}

	s := l.Rearm(arm, note) // while the kernel waits for data
	l.After(time.Millisecond, s.Stop)
	ringtest.RunIdle(t, l)
	require.Len(t, ends, 1)
	require.ErrorIs(t, ends[0], unix.ECANCELED)
	s.Stop()
	ringtest.RunIdle(t, l)
	require.Len(t, ends, 1)

	var kept liburing.Borrowed // while the stream waits for a buffer
	s = l.Rearm(arm, func(c liburing.Completion) {
		if k := c.Keep(); k.Bytes() != nil {
			kept = k
		}
		note(c)
	})
	unix.Write(a, ringtest.Pattern(12, 1))
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, ringtest.InsideGroup(g).Waiting)
	require.ErrorIs(t, g.Close(), liburing.ErrBufferInUse)
	s.Stop()
	ringtest.RunIdle(t, l)
	require.Len(t, ends, 2)
	require.ErrorIs(t, ends[1], unix.ECANCELED)
	require.NoError(t, kept.Release())
	unix.Read(b, make([]byte, 8))

	s = l.Rearm(arm, func(c liburing.Completion) { // in the callback
		note(c)
		if c.More() {
			s.Stop()
		}
	})
	unix.Write(a, []byte("x"))
	ringtest.RunIdle(t, l)
	require.Len(t, ends, 3)
	if !errors.Is(ends[2], unix.ENOBUFS) { // older kernels ask for the next buffer at once
		require.ErrorIs(t, ends[2], unix.ECANCELED)
	}
	ringtest.AllBack(t, g)
}

// A request that ends without an error is made again.
func TestRearmOneShot(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	n := 0
	var s *liburing.Stream
	s = l.Rearm(l.Nop, func(c liburing.Completion) {
		if n++; n == 10 {
			s.Stop()
		}
		require.Equal(t, n <= 10, c.More())
	})
	ringtest.RunIdle(t, l)
	require.Equal(t, 11, n, "ten, and the end")
	require.ErrorIs(t, l.Rearm(nil, nil).Err(), unix.EINVAL)
}

// A stream that waits for buffers learns of the loop's end.
func TestRearmClose(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	a, b := ringtest.SocketPair(t)
	unix.Write(a, ringtest.Pattern(12, 1))
	var kept liburing.Borrowed
	ended := 0
	l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }, func(c liburing.Completion) {
		if c.More() {
			kept = c.Keep()
			return
		}
		ended++
		require.ErrorIs(t, c.Err(), unix.ECANCELED)
	})
	ringtest.RunIdle(t, l)
	bytes := kept.Bytes()
	ringtest.CloseLoop(t, l)
	require.Equal(t, 1, ended)
	require.Equal(t, ringtest.Pattern(8, 1), bytes, "what is kept stays mapped")
	require.NoError(t, kept.Release())
	require.ErrorIs(t, l.Rearm(l.Nop, nil).Err(), liburing.ErrClosed)
	require.NoError(t, g.Close())
}

// A stream that is made again and finds no data takes no buffer: the next one
// that waits must not starve for it.
func TestRearmPastIdleStreams(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 1, 8, 0)
		a, b := ringtest.SocketPair(t)
		unix.Write(a, []byte("x"))
		var kept liburing.Borrowed
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Recv(b, nil, 0, func(c liburing.Completion) { kept = c.Keep(); cb(c) }).Buffers(g)
		})
		var got string
		var streams []*liburing.Stream
		var sender int
		for range 5 { // the last of them has something to tell
			w, r := ringtest.SocketPair(t)
			sender = w
			streams = append(streams, l.Rearm(func(cb liburing.Callback) liburing.Request {
				return l.RecvMultishot(r, nil, 0, cb).Buffers(g)
			}, func(c liburing.Completion) { got += string(c.Buffer()) }))
		}
		ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return ringtest.InsideGroup(g).Waiting == 5 })
		unix.Write(sender, []byte("y"))
		require.NoError(t, kept.Release())
		ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return got != "" })
		require.Equal(t, "y", got)
		for _, s := range streams {
			s.Stop()
		}
		ringtest.RunIdle(t, l)
		ringtest.AllBack(t, g)
	})
}

// A multishot timeout can't be cancelled while it fires, which this one does half
// of the time.
func TestRearmStopFiring(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	for i := range 50 {
		var s *liburing.Stream
		calls, ended := 0, false
		s = l.Rearm(func(cb liburing.Callback) liburing.Request {
			return l.Timeout(30*ringtest.NopTime(t), 0, liburing.TimeoutMultishot, cb)
		}, func(c liburing.Completion) {
			ended = !c.More()
			if calls++; calls == i+1 {
				s.Stop()
			}
		})
		ringtest.RunIdle(t, l)
		require.True(t, ended)
	}
}

// And this one all but always.
func TestCloseFiring(t *testing.T) {
	for range 2 {
		l, err := liburing.NewLoop(8)
		require.NoError(t, err)
		ended := false
		l.Timeout(4*ringtest.NopTime(t), 0, liburing.TimeoutMultishot, func(c liburing.Completion) { ended = !c.More() })
		ringtest.RunFor(t, l, time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		require.NoError(t, l.Close(ctx))
		cancel()
		require.True(t, ended)
	}
}

// What has been kept stays readable when the loop is gone, until it is released.
func TestBorrowedOutlivesTheLoop(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 2, 8, 0)
	a, b := ringtest.SocketPair(t)
	var kept []liburing.Borrowed
	l.RecvMultishot(b, nil, 0, func(c liburing.Completion) {
		if c.Res > 0 {
			kept = append(kept, c.Keep())
		}
	}).Buffers(g)
	unix.Write(a, []byte("one"))
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return len(kept) == 1 })
	unix.Write(a, []byte("two"))
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return len(kept) == 2 })
	ringtest.CloseLoop(t, l)
	require.NoError(t, kept[0].Release())
	require.Equal(t, "two", string(kept[1].Bytes()))
	require.NoError(t, kept[1].Release())
	require.False(t, ringtest.InsideGroup(g).Mapped, "the last one frees the memory")
	require.Nil(t, kept[1].Bytes())
	require.ErrorIs(t, kept[1].Release(), liburing.ErrReleased)
}

func TestBufGroupBadInput(t *testing.T) {
	l, other := ringtest.NewLoop(t, 8), ringtest.NewLoop(t, 8)
	for _, bad := range [][2]int{{0, 1}, {-1, 1}, {32769, 1}, {1, 0}, {1, -1}, {1, 1<<30 + 1}} {
		_, err := l.NewBufGroup(bad[0], bad[1], 0)
		require.ErrorIs(t, err, unix.EINVAL, "%v", bad)
	}
	_, err := l.NewBufGroup(1, 1, 1<<15)
	require.ErrorIs(t, err, unix.EINVAL)
	closed := ringtest.NewGroup(t, l, 1, 1, 0)
	require.NoError(t, closed.Close())
	require.NoError(t, closed.Close())
	for name, g := range map[string]*liburing.BufGroup{"nil": nil, "closed": closed, "another loop's": ringtest.NewGroup(t, other, 1, 1, 0)} {
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(0, nil, 0, cb).Buffers(g) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL, name)
		require.ErrorContains(t, c[0].Err(), "group of buffers", name)
	}
	// A group that a program has registered itself is not in the way.
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		_, err := r.SetupBufRing(8, 0, 0)
		return err
	}))
	biggest := ringtest.NewGroup(t, l, 32768, 16, 0)
	require.NotZero(t, ringtest.InsideGroup(biggest).ID)
	ringtest.AllBack(t, biggest)
	ringtest.CloseLoop(t, l)
	_, err = l.NewBufGroup(1, 1, 0)
	require.ErrorIs(t, err, liburing.ErrClosed)
}

// A callback that panics has not kept its bytes.
func TestBufGroupPanic(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	a, b := ringtest.SocketPair(t)
	unix.Write(a, []byte("x"))
	l.Recv(b, nil, 0, func(c liburing.Completion) { panic(string(c.Buffer())) }).Buffers(g)
	require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
	ringtest.AllBack(t, g)
}

func TestBufGroupDoesNotAllocate(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 4, 64, 0)
	a, b := ringtest.SocketPair(t)
	msg := []byte("hello")
	n := 0
	var kept liburing.Borrowed
	l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g) }, func(c liburing.Completion) {
		n += len(c.Buffer())
		kept.Release()
		kept = c.Keep()
		l.Send(a, msg, 0, nil)
		if n%500 == 0 {
			l.Stop()
		}
	})
	l.Send(a, msg, 0, nil)
	require.NoError(t, l.Run(t.Context()))
	allocs := testing.AllocsPerRun(5, func() { l.Run(context.Background()) })
	require.Less(t, allocs, 30.0, "a Run's own, none for each of its hundred messages")
}

// A group of buffers is nothing for other operations, which say so.
func TestBuffersForTheWrongOperation(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 2, 16, 0)
	_, wr := ringtest.Pipe(t)
	c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Write(wr, []byte("x"), liburing.CurrentPosition, cb).Buffers(g)
	})
	require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	require.ErrorContains(t, c[0].Err(), "group of buffers")
	require.NoError(t, g.Close(), "the group is as it was")
}

// A group does not ask for all the numbers again that others have.
func TestBufGroupNumbers(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var groups []*liburing.BufGroup
	numbers := func(n int) (ids []uint16) {
		for range n {
			groups = append(groups, ringtest.NewGroup(t, l, 1, 1, 0))
			ids = append(ids, ringtest.InsideGroup(groups[len(groups)-1]).ID)
		}
		return ids
	}
	require.Equal(t, []uint16{0, 1, 2}, numbers(3))
	require.NoError(t, groups[1].Close())
	require.Equal(t, []uint16{3, 4}, numbers(2))
	*ringtest.NextGroup(l) = 1<<16 - 1
	require.Equal(t, []uint16{1<<16 - 1, 1, 5}, numbers(3), "around, past those that are taken")
}
