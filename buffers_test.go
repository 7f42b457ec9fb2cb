//go:build linux

package liburing_test

import (
	"math"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestBufRing(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with rings of buffers, in Linux 5.19
	t.Run("ours", func(t *testing.T) { testBufRing(t, (*liburing.Ring).SetupBufRing) })
	t.Run("mapped", func(t *testing.T) {
		ringtest.NeedsKernel(t, 6, 4)
		testBufRing(t, mapBufRing)
	})
}

func mapBufRing(r *liburing.Ring, entries int, bgid uint16, flags liburing.BufRingFlags) (*liburing.BufRing, error) {
	return r.MapBufRing(liburing.BufReg{RingEntries: uint32(entries), Bgid: bgid, Flags: flags})
}

func testBufRing(t *testing.T, setUp func(r *liburing.Ring, entries int, bgid uint16, flags liburing.BufRingFlags) (*liburing.BufRing, error)) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		br, err := setUp(r, 4, 7, 0)
		require.NoError(t, err)
		_, err = setUp(r, 4, 7, 0)
		require.ErrorIs(t, err, unix.EEXIST)
		mem := make([]byte, 4*64)
		for i := range 4 {
			require.NoError(t, br.Add(mem[i*64:(i+1)*64], uint16(i), i))
		}
		br.Advance(4)
		ringtest.RequireAvailable(t, br, 4)
		a, b := ringtest.SocketPair(t)
		for i := range 10 { // round the ring, the tail included
			unix.Write(a, []byte{byte(i), 2, 3})
			sqe := ringtest.NextSQE(t, r)
			sqe.PrepRecv(b, nil, 0)
			sqe.SetFlags(liburing.SQEBufferSelect)
			sqe.SetBufGroup(7)
			_, err := r.SubmitAndWait(1)
			require.NoError(t, err)
			cqe, err := r.PeekCQE()
			require.NoError(t, err)
			require.EqualValues(t, 3, cqe.Res)
			bid, ok := cqe.BufferID()
			require.True(t, ok)
			require.EqualValues(t, i%4, bid)
			buf := mem[int(bid)*64:][:64]
			require.Equal(t, []byte{byte(i), 2, 3}, buf[:3])
			require.NoError(t, br.Add(buf, bid, 0))
			br.CQAdvance(1)
		}
		if head, err := br.Head(); ringtest.KernelBefore(6, 8) {
			require.ErrorIs(t, err, unix.EINVAL)
		} else {
			require.NoError(t, err)
			require.EqualValues(t, 10, head)
		}
		require.NoError(t, br.Add(mem, math.MaxUint16, 0)) // a number may be any
		require.NoError(t, br.Free())
		require.NoError(t, br.Free())
		require.ErrorIs(t, br.Add(mem, 0, 0), liburing.ErrClosed)
		require.Error(t, r.UnregisterBufRing(7)) // ENOENT, EINVAL on older kernels

		reg := liburing.BufReg{RingEntries: 4, Bgid: 9}
		require.ErrorIs(t, r.RegisterBufRing(reg, 0), unix.EINVAL)
		reg.Flags = liburing.PbufRingMmap
		if ringtest.KernelBefore(6, 4) {
			require.ErrorIs(t, r.RegisterBufRing(reg, 0), unix.EINVAL)
			return
		}
		require.NoError(t, r.RegisterBufRing(reg, 0))
		require.NoError(t, r.UnregisterBufRing(9))
	})
}

// With PbufRingInc a buffer is used up bit by bit.
func TestBufRingIncremental(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8)
	br, err := r.SetupBufRing(2, 1, liburing.PbufRingInc)
	require.NoError(t, err)
	defer br.Free()
	mem := make([]byte, 100)
	require.NoError(t, br.Add(mem, 5, 0))
	br.Advance(1)
	a, b := ringtest.SocketPair(t)
	for i := range 3 {
		unix.Write(a, []byte{byte(i), byte(i)})
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRecv(b, nil, 0)
			s.SetFlags(liburing.SQEBufferSelect)
			s.SetBufGroup(1)
		})
		require.EqualValues(t, 2, c.Res)
		bid, _ := c.BufferID()
		require.EqualValues(t, 5, bid)
		require.NotZero(t, c.Flags&liburing.CQEFBufMore, "there is more of the buffer")
	}
	require.Equal(t, []byte{0, 0, 1, 1, 2, 2}, mem[:6])
}

func TestBufRingInit(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	r := ringtest.NewRing(t, 4)
	br, err := r.SetupBufRing(4, 1, 0)
	require.NoError(t, err)
	defer br.Free()
	require.NoError(t, br.Add(make([]byte, 8), 0, 0))
	br.CQAdvanceRaw(0, 1)
	ringtest.RequireAvailable(t, br, 1)
	br.Init()
	ringtest.RequireAvailable(t, br, 0)
	require.Zero(t, br.Tail())
}

// The ring's own memory is given back after the Ring has been closed, too.
func TestBufRingFreeAfterClose(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	for name, setUp := range map[string]func(*liburing.Ring, int, uint16, liburing.BufRingFlags) (*liburing.BufRing, error){
		"ours": (*liburing.Ring).SetupBufRing, "mapped": mapBufRing,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "mapped" {
				ringtest.NeedsKernel(t, 6, 4)
			}
			r, err := liburing.New(4)
			require.NoError(t, err)
			br, err := setUp(r, 4096, 1, 0)
			require.NoError(t, err)
			mem := br.Memory()
			require.NoError(t, r.Close())
			require.NoError(t, unix.Madvise(mem, unix.MADV_NORMAL))
			require.NoError(t, br.Free())
			require.ErrorIs(t, unix.Madvise(mem, unix.MADV_NORMAL), unix.ENOMEM, "it is not mapped any more")
			require.NoError(t, br.Free())
		})
	}
}

func TestBufRingBadInput(t *testing.T) {
	r := ringtest.NewRing(t, 4)
	for _, entries := range []int{0, 3, 1 << 16} {
		_, err := r.SetupBufRing(entries, 1, 0)
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
		_, err = r.MapBufRing(liburing.BufReg{RingEntries: uint32(entries), Bgid: 1})
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
	}
	_, err := r.SetupBufRing(4, 1, liburing.PbufRingMmap)
	require.ErrorContains(t, err, "MapBufRing")
	_, err = r.SetupBufRing(4, 1, 1<<15)
	require.ErrorIs(t, err, unix.EINVAL)
}

// There is room for 2048 groups in the offset that a ring is mapped by.
func TestMapBufRingGroups(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 4)
	r := ringtest.NewRing(t, 4)
	br, err := mapBufRing(r, 1, 2047, 0)
	require.NoError(t, err)
	require.NoError(t, br.Free())
	_, err = mapBufRing(r, 1, 2048, 0)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "up to 2047")
}

// A kernel that does not know MinLeft says so; one that does hands a buffer back
// that has fewer bytes left.
func TestBufRingMinLeft(t *testing.T) {
	r := ringtest.NewRing(t, 4)
	br, err := r.MapBufRing(liburing.BufReg{RingEntries: 1, Bgid: 1, Flags: liburing.PbufRingInc, MinLeft: 40})
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel has no min_left: io_uring_register_buf_ring answers EINVAL")
	}
	require.NoError(t, br.Add(make([]byte, 64), 1, 0))
	br.Advance(1)
	a, b := ringtest.SocketPair(t)
	for _, more := range []bool{true, false} {
		unix.Write(a, make([]byte, 16))
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRecv(b, nil, 0)
			s.SetFlags(liburing.SQEBufferSelect)
			s.SetBufGroup(1)
		})
		require.EqualValues(t, 16, c.Res)
		require.Equal(t, more, c.Flags&liburing.CQEFBufMore != 0)
	}
}
