//go:build linux && cgo

package liburing

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestBufRing(t *testing.T) {
	needOps(t, OpSocket) // came with rings of buffers, in Linux 5.19
	t.Run("ours", func(t *testing.T) { testBufRing(t, (*Ring).SetupBufRing) })
	t.Run("mapped", func(t *testing.T) {
		needsKernel(t, 6, 4)
		testBufRing(t, mapBufRing)
	})
}

// requireAvailable asserts how many buffers the kernel has, which it tells from
// Linux 6.8 on.
func requireAvailable(t *testing.T, br *BufRing, want int) {
	t.Helper()
	n, err := br.Available()
	if kernelBefore(6, 8) {
		require.ErrorIs(t, err, unix.EINVAL)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, n)
}

func mapBufRing(r *Ring, entries int, bgid uint16, flags BufRingFlags) (*BufRing, error) {
	return r.MapBufRing(BufReg{RingEntries: uint32(entries), Bgid: bgid, Flags: flags})
}

func testBufRing(t *testing.T, setUp func(r *Ring, entries int, bgid uint16, flags BufRingFlags) (*BufRing, error)) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		br, err := setUp(r, 4, 7, 0)
		require.NoError(t, err)
		_, err = setUp(r, 4, 7, 0)
		require.ErrorIs(t, err, unix.EEXIST)
		mem := make([]byte, 4*64)
		for i := range 4 {
			require.NoError(t, br.Add(mem[i*64:(i+1)*64], uint16(i), i))
		}
		br.Advance(4)
		requireAvailable(t, br, 4)
		a, b := socketPair(t)
		for i := range 10 { // round the ring, the tail included
			unix.Write(a, []byte{byte(i), 2, 3})
			sqe := nextSQE(t, r)
			sqe.PrepRecv(b, nil, 0)
			sqe.SetFlags(SQEBufferSelect)
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
		if head, err := br.Head(); kernelBefore(6, 8) {
			require.ErrorIs(t, err, unix.EINVAL)
		} else {
			require.NoError(t, err)
			require.EqualValues(t, 10, head)
		}
		require.NoError(t, br.Free())
		require.NoError(t, br.Free())
		require.ErrorIs(t, br.Add(mem, 0, 0), ErrClosed)
		require.Error(t, r.UnregisterBufRing(7)) // ENOENT, EINVAL on older kernels

		reg := BufReg{RingEntries: 4, Bgid: 9}
		require.ErrorIs(t, r.RegisterBufRing(reg, 0), unix.EINVAL)
		reg.Flags = PbufRingMmap
		if kernelBefore(6, 4) {
			require.ErrorIs(t, r.RegisterBufRing(reg, 0), unix.EINVAL)
			return
		}
		require.NoError(t, r.RegisterBufRing(reg, 0))
		require.NoError(t, r.UnregisterBufRing(9))
	})
}

// With PbufRingInc a buffer is used up bit by bit.
func TestBufRingIncremental(t *testing.T) {
	needsKernel(t, 6, 12)
	lockThread(t)
	r := newRing(t, 8)
	br, err := r.SetupBufRing(2, 1, PbufRingInc)
	require.NoError(t, err)
	defer br.Free()
	mem := make([]byte, 100)
	require.NoError(t, br.Add(mem, 5, 0))
	br.Advance(1)
	a, b := socketPair(t)
	for i := range 3 {
		unix.Write(a, []byte{byte(i), byte(i)})
		c := submitOne(t, r, func(s *SQE) {
			s.PrepRecv(b, nil, 0)
			s.SetFlags(SQEBufferSelect)
			s.SetBufGroup(1)
		})
		require.EqualValues(t, 2, c.Res)
		bid, _ := c.Flags.bufferID()
		require.EqualValues(t, 5, bid)
		require.NotZero(t, c.Flags&CQEFBufMore, "there is more of the buffer")
	}
	require.Equal(t, []byte{0, 0, 1, 1, 2, 2}, mem[:6])
}

func TestBufRingInit(t *testing.T) {
	needOps(t, OpSocket)
	r := newRing(t, 4)
	br, err := r.SetupBufRing(4, 1, 0)
	require.NoError(t, err)
	defer br.Free()
	require.NoError(t, br.Add(make([]byte, 8), 0, 0))
	br.CQAdvanceRaw(0, 1)
	requireAvailable(t, br, 1)
	br.Init()
	requireAvailable(t, br, 0)
	require.Zero(t, br.mem.tail)
}

// The ring's own memory is given back after the Ring has been closed, too.
func TestBufRingFreeAfterClose(t *testing.T) {
	needOps(t, OpSocket)
	for name, setUp := range map[string]func(*Ring, int, uint16, BufRingFlags) (*BufRing, error){
		"ours": (*Ring).SetupBufRing, "mapped": mapBufRing,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "mapped" {
				needsKernel(t, 6, 4)
			}
			r, err := New(4)
			require.NoError(t, err)
			br, err := setUp(r, 4096, 1, 0)
			require.NoError(t, err)
			mem := unsafe.Slice((*byte)(unsafe.Pointer(br.mem)), 4096*unsafe.Sizeof(bufEntry{}))
			require.NoError(t, r.Close())
			require.NoError(t, unix.Madvise(mem, unix.MADV_NORMAL))
			require.NoError(t, br.Free())
			require.ErrorIs(t, unix.Madvise(mem, unix.MADV_NORMAL), unix.ENOMEM, "it is not mapped any more")
			require.NoError(t, br.Free())
		})
	}
}

func TestBufRingBadInput(t *testing.T) {
	r := newRing(t, 4)
	for _, entries := range []int{0, 3, 1 << 16} {
		_, err := r.SetupBufRing(entries, 1, 0)
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
		_, err = r.MapBufRing(BufReg{RingEntries: uint32(entries), Bgid: 1})
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
	}
	_, err := r.SetupBufRing(4, 1, PbufRingMmap)
	require.ErrorContains(t, err, "MapBufRing")
	_, err = r.SetupBufRing(4, 1, 1<<15)
	require.ErrorIs(t, err, unix.EINVAL)
}

// A kernel that does not know MinLeft says so; one that does hands a buffer back
// that has fewer bytes left.
func TestBufRingMinLeft(t *testing.T) {
	r := newRing(t, 4)
	br, err := r.MapBufRing(BufReg{RingEntries: 1, Bgid: 1, Flags: PbufRingInc, MinLeft: 40})
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel has no min_left: io_uring_register_buf_ring answers EINVAL")
	}
	require.NoError(t, br.Add(make([]byte, 64), 1, 0))
	br.Advance(1)
	a, b := socketPair(t)
	for _, more := range []bool{true, false} {
		unix.Write(a, make([]byte, 16))
		c := submitOne(t, r, func(s *SQE) {
			s.PrepRecv(b, nil, 0)
			s.SetFlags(SQEBufferSelect)
			s.SetBufGroup(1)
		})
		require.EqualValues(t, 16, c.Res)
		require.Equal(t, more, c.Flags&CQEFBufMore != 0)
	}
}
