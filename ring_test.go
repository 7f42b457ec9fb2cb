//go:build linux && cgo

package liburing

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// nextSQE returns a free entry. With SQPOLL the kernel's thread may complete a
// request before it has given its entry back.
func nextSQE(t *testing.T, r *Ring) *SQE {
	t.Helper()
	for range 1000 {
		sqe, err := r.SubmitGetSQE()
		if !errors.Is(err, unix.EAGAIN) {
			require.NoError(t, err)
			return sqe
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the queue stays full")
	return nil
}

// submitOne submits one prepared request and returns its completion.
func submitOne(t *testing.T, r *Ring, prep func(*SQE)) CQE {
	t.Helper()
	sqe := nextSQE(t, r)
	prep(sqe)
	sqe.SetData64(77)
	_, err := r.SubmitAndWait(1)
	require.NoError(t, err)
	cqe, err := r.PeekCQE()
	require.NoError(t, err)
	require.EqualValues(t, 77, cqe.GetData64())
	got := *cqe
	r.CQESeen(cqe)
	return got
}

func TestRingNops(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		// Many times round both rings, in batches that don't divide them.
		next := uint64(0)
		for batch := range 100 {
			for i := range 5 {
				sqe := nextSQE(t, r)
				sqe.PrepNop()
				sqe.SetData64(uint64(batch*5 + i))
			}
			_, err := r.SubmitAndWait(5)
			require.NoError(t, err)
			for cqe := range r.CQEs() {
				require.Equal(t, next, cqe.UserData)
				require.Zero(t, cqe.Res)
				next++
			}
		}
		require.EqualValues(t, 500, next)
	})
}

func TestRingReadWrite(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		f := tempFile(t, nil)
		fd := int(f.Fd())
		want := pattern(100_000, 1)
		c := submitOne(t, r, func(s *SQE) { s.PrepWrite(fd, want, 10) })
		require.EqualValues(t, len(want), c.Res)
		c = submitOne(t, r, func(s *SQE) { s.PrepFsync(fd, FsyncDatasync) })
		require.NoError(t, c.Err())
		got := make([]byte, len(want))
		c = submitOne(t, r, func(s *SQE) { s.PrepRead(fd, got, 10) })
		require.EqualValues(t, len(want), c.Res)
		require.Equal(t, want, got)
		c = submitOne(t, r, func(s *SQE) { s.PrepRead(fd, got, 10+uint64(len(want))) })
		require.Zero(t, c.Res, "at the end of the file")
	})
}

func TestRingVectors(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		f := tempFile(t, nil)
		fd := int(f.Fd())
		a, b := pattern(1000, 1), pattern(3000, 2)
		out := appendIovecs(nil, [][]byte{a, b})
		c := submitOne(t, r, func(s *SQE) { s.PrepWritev(fd, out, 0) })
		require.EqualValues(t, 4000, c.Res)
		x, y := make([]byte, 2500), make([]byte, 1500)
		in := appendIovecs(nil, [][]byte{x, y})
		c = submitOne(t, r, func(s *SQE) { s.PrepReadv(fd, in, 0) })
		require.EqualValues(t, 4000, c.Res)
		require.Equal(t, append(append([]byte(nil), a...), b...), append(append([]byte(nil), x...), y...))
	})
}

func TestRingFixedBuffers(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		pool, err := NewBufferPool(2, 8192)
		require.NoError(t, err)
		require.NoError(t, r.RegisterBuffers(pool.Buffers()))
		defer func() {
			require.NoError(t, r.UnregisterBuffers())
			require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO)
			require.NoError(t, pool.Close())
		}()
		require.ErrorIs(t, r.RegisterBuffers(pool.Buffers()), unix.EBUSY)

		f := tempFile(t, pattern(8192, 3))
		fd := int(f.Fd())
		b, ok := pool.Get()
		require.True(t, ok)
		c := submitOne(t, r, func(s *SQE) { s.PrepReadFixed(fd, b.Bytes, 0, b.Index) })
		require.EqualValues(t, 8192, c.Res)
		require.Equal(t, pattern(8192, 3), b.Bytes)
		c = submitOne(t, r, func(s *SQE) { s.PrepWriteFixed(fd, b.Bytes[100:200], 0, b.Index) })
		require.EqualValues(t, 100, c.Res)
		c = submitOne(t, r, func(s *SQE) { s.PrepReadFixed(fd, make([]byte, 10), 0, b.Index) })
		require.ErrorIs(t, c.Err(), unix.EFAULT, "memory that is not in the registered buffer")
		c = submitOne(t, r, func(s *SQE) { s.PrepReadFixed(fd, b.Bytes, 0, 9) })
		require.ErrorIs(t, c.Err(), unix.EFAULT, "a buffer that there is none of")
		require.NoError(t, pool.Put(b))
	})
}

func TestRingFixedFiles(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		f := tempFile(t, []byte("registered"))
		require.NoError(t, r.RegisterFiles([]int{-1, int(f.Fd())}))
		buf := make([]byte, 20)
		c := submitOne(t, r, func(s *SQE) {
			s.PrepRead(1, buf, 0)
			s.SetFlags(SQEFixedFile)
		})
		require.EqualValues(t, 10, c.Res)
		require.Equal(t, "registered", string(buf[:10]))
		c = submitOne(t, r, func(s *SQE) {
			s.PrepRead(0, buf, 0)
			s.SetFlags(SQEFixedFile)
		})
		require.ErrorIs(t, c.Err(), unix.EBADF)
		require.NoError(t, r.UnregisterFiles())
		require.ErrorIs(t, r.UnregisterFiles(), unix.ENXIO)
	})
}

func TestRingFiles(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		dir := t.TempDir()
		path := &append([]byte(dir+"/new"), 0)[0]
		c := submitOne(t, r, func(s *SQE) { s.PrepOpenat(unix.AT_FDCWD, path, unix.O_CREAT|unix.O_RDWR, 0o640) })
		require.NoError(t, c.Err())
		fd := int(c.Res)
		c = submitOne(t, r, func(s *SQE) { s.PrepWrite(fd, []byte("12345"), 0) })
		require.EqualValues(t, 5, c.Res)
		var st Statx
		c = submitOne(t, r, func(s *SQE) { s.PrepStatx(unix.AT_FDCWD, path, 0, unix.STATX_SIZE|unix.STATX_MODE, &st) })
		require.NoError(t, c.Err())
		require.EqualValues(t, 5, st.Size)
		require.EqualValues(t, 0o640, st.Mode&0o777)
		c = submitOne(t, r, func(s *SQE) { s.PrepClose(fd) })
		require.NoError(t, c.Err())
		c = submitOne(t, r, func(s *SQE) { s.PrepRead(fd, make([]byte, 1), 0) })
		require.ErrorIs(t, c.Err(), unix.EBADF, "a closed descriptor")
		none := &append([]byte(dir+"/none"), 0)[0]
		c = submitOne(t, r, func(s *SQE) { s.PrepOpenat(unix.AT_FDCWD, none, unix.O_RDONLY, 0) })
		require.ErrorIs(t, c.Err(), os.ErrNotExist)
	})
}

func TestRingSockets(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		a, b := socketPair(t)
		c := submitOne(t, r, func(s *SQE) { s.PrepSend(a, []byte("ping"), unix.MSG_NOSIGNAL) })
		require.EqualValues(t, 4, c.Res)
		c = submitOne(t, r, func(s *SQE) { s.PrepPollAdd(b, unix.POLLIN) })
		require.NotZero(t, c.Res&unix.POLLIN)
		buf := make([]byte, 10)
		c = submitOne(t, r, func(s *SQE) { s.PrepRecv(b, buf, 0) })
		require.EqualValues(t, 4, c.Res)
		require.Equal(t, "ping", string(buf[:4]))
	})
}

func TestRingCancel(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		rd, _ := pipe(t)
		buf := make([]byte, 1)
		sqe := r.GetSQE()
		sqe.PrepRead(rd, buf, 0)
		sqe.SetData64(1)
		_, err := r.Submit()
		require.NoError(t, err)
		sqe = r.GetSQE()
		sqe.PrepCancel64(1, 0)
		sqe.SetData64(2)
		_, err = r.SubmitAndWait(2)
		require.NoError(t, err)
		res := map[uint64]error{}
		for len(res) < 2 {
			cqe, err := r.WaitCQE()
			require.NoError(t, err)
			res[cqe.UserData] = cqe.Err()
			r.CQESeen(cqe)
		}
		require.ErrorIs(t, res[1], unix.ECANCELED)
		require.NoError(t, res[2])
	})
}

func TestRingTimeouts(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		start := time.Now()
		ts := NewTimespec(20 * time.Millisecond)
		c := submitOne(t, r, func(s *SQE) { s.PrepTimeout(&ts, 0, 0) })
		require.ErrorIs(t, c.Err(), unix.ETIME)
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)

		_, err := r.WaitCQETimeout(10 * time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)
		_, err = r.SubmitAndWaitTimeout(1, 10*time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)

		r.GetSQE().PrepNop()
		cqe, err := r.SubmitAndWaitTimeout(1, time.Minute)
		require.NoError(t, err)
		require.NotNil(t, cqe)
		r.CQESeen(cqe)
		r.GetSQE().PrepNop()
		cqe, err = r.SubmitAndWaitTimeout(1, -1)
		require.NoError(t, err)
		require.NotNil(t, cqe)
		r.CQESeen(cqe)
	})
}

func TestRingPeek(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		_, err := r.PeekCQE()
		require.ErrorIs(t, err, unix.EAGAIN)
		_, err = r.WaitCQENr(0)
		require.ErrorIs(t, err, unix.EAGAIN)
		require.Zero(t, r.PeekBatchCQE(make([]*CQE, 4)))
		for i := range 6 {
			sqe := r.GetSQE()
			sqe.PrepNop()
			sqe.SetData64(uint64(i))
		}
		require.EqualValues(t, 6, r.SQReady())
		require.EqualValues(t, 2, r.SQSpaceLeft())
		_, err = r.SubmitAndWait(6)
		require.NoError(t, err)
		// With SQPOLL entries may be given back later than their completions come.
		require.Eventually(t, func() bool { return r.SQReady() == 0 }, 10*time.Second, 100*time.Microsecond)
		require.EqualValues(t, 6, r.CQReady())
		batch := make([]*CQE, 4)
		require.Equal(t, 4, r.PeekBatchCQE(batch))
		for i, cqe := range batch {
			require.EqualValues(t, i, cqe.UserData)
		}
		r.CQAdvance(4)
		for cqe := range r.CQEs() {
			require.EqualValues(t, 4, cqe.UserData)
			break // marks the first only
		}
		require.EqualValues(t, 1, r.CQReady())
		cqe, err := r.WaitCQENr(1)
		require.NoError(t, err)
		require.EqualValues(t, 5, cqe.UserData)
		r.CQESeen(cqe)
		r.CQESeen(nil)
	})
}

func TestRingFullSQ(t *testing.T) {
	overSetups(t, 4, func(t *testing.T, r *Ring) {
		for range 4 {
			r.GetSQE().PrepNop()
		}
		require.Nil(t, r.GetSQE())
		nextSQE(t, r).PrepNop()
		_, err := r.SubmitAndWait(5)
		require.NoError(t, err)
		require.EqualValues(t, 5, r.CQReady())
	})
}

// More completions than the queue holds: the kernel keeps the rest, none is
// lost, and they come in order.
func TestRingFullCQ(t *testing.T) {
	overSetups(t, 4, func(t *testing.T, r *Ring) {
		require.NotZero(t, r.Features()&FeatNodrop)
		total := uint64(3 * r.CQEntries())
		for i := range total {
			sqe := nextSQE(t, r)
			sqe.PrepNop()
			sqe.SetData64(i)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		for i := range total {
			cqe, err := r.WaitCQE()
			require.NoError(t, err)
			require.Equal(t, i, cqe.UserData)
			r.CQESeen(cqe)
		}
		require.False(t, r.CQHasOverflow())
		_, err = r.PeekCQE()
		require.ErrorIs(t, err, unix.EAGAIN)
	})
}

func TestRingBadSetup(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries int
		opts    []Option
		says    string
	}{
		{"zero", 0, nil, "at least one entry"},
		{"too many", MaxEntries + 1, nil, "32768"},
		{"small cq", 64, []Option{WithCQEntries(32)}, "smaller than the submission queue"},
		{"zero cq", 8, []Option{WithCQEntries(0)}, "needs cqentries"},
		{"no such processor", 8, []Option{WithSQPoll(time.Second), WithSQThreadCPU(-1)}, "processor -1"},
		{"alone", 8, []Option{WithFlags(SetupDeferTaskrun)}, "single_issuer"},
		{"unknown", 8, []Option{WithFlags(1 << 30)}, "0x40000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.entries, c.opts...)
			require.ErrorIs(t, err, unix.EINVAL)
			var op *OpError
			require.ErrorAs(t, err, &op)
			require.Contains(t, strings.ToLower(err.Error()), c.says)
		})
	}
	r := newRing(t, MaxEntries+1, WithFlags(SetupClamp))
	require.EqualValues(t, MaxEntries, r.SQEntries())
}

func TestRingClosed(t *testing.T) {
	r, err := New(4)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.Nil(t, r.GetSQE())
	require.Equal(t, -1, r.FD())
	require.Zero(t, r.Features())
	require.Zero(t, r.Flags())
	require.Zero(t, r.SQEntries()+r.CQEntries()+r.SQReady()+r.SQSpaceLeft()+r.CQReady())
	require.False(t, r.CQHasOverflow())
	require.Zero(t, r.PeekBatchCQE(make([]*CQE, 1)))
	r.CQAdvance(1)
	r.CQESeen(&CQE{})
	for range r.CQEs() {
		t.Fatal("a completion of a closed ring")
	}
	for name, call := range map[string]func() error{
		"Submit":               func() error { _, err := r.Submit(); return err },
		"SubmitAndWait":        func() error { _, err := r.SubmitAndWait(1); return err },
		"SubmitAndWaitTimeout": func() error { _, err := r.SubmitAndWaitTimeout(1, 0); return err },
		"SubmitGetSQE":         func() error { _, err := r.SubmitGetSQE(); return err },
		"WaitCQE":              func() error { _, err := r.WaitCQE(); return err },
		"WaitCQETimeout":       func() error { _, err := r.WaitCQETimeout(0); return err },
		"PeekCQE":              func() error { _, err := r.PeekCQE(); return err },
		"GetEvents":            r.GetEvents,
		"RegisterBuffers":      func() error { return r.RegisterBuffers([][]byte{{1}}) },
		"UnregisterBuffers":    r.UnregisterBuffers,
		"RegisterFiles":        func() error { return r.RegisterFiles([]int{0}) },
		"UnregisterFiles":      r.UnregisterFiles,
		"GetProbe":             func() error { _, err := r.GetProbe(); return err },
	} {
		require.ErrorIs(t, call(), ErrClosed, name)
	}
}

func TestRingNilBuffer(t *testing.T) {
	overSetups(t, 4, func(t *testing.T, r *Ring) {
		f := tempFile(t, []byte("x"))
		c := submitOne(t, r, func(s *SQE) { s.PrepRead(int(f.Fd()), nil, 0) })
		require.Zero(t, c.Res)
		c = submitOne(t, r, func(s *SQE) { s.PrepReadv(int(f.Fd()), nil, 0) })
		require.Zero(t, c.Res)
	})
	r := newRing(t, 4)
	require.ErrorIs(t, r.RegisterBuffers([][]byte{nil}), unix.EINVAL)
	require.Error(t, r.RegisterBuffers(nil))
}

func TestProbe(t *testing.T) {
	p, err := GetProbe()
	require.NoError(t, err)
	require.True(t, p.OpcodeSupported(OpNop))
	require.True(t, p.OpcodeSupported(OpRead))
	require.False(t, p.OpcodeSupported(opBad))
	require.False(t, p.OpcodeSupported(p.LastOp()+1))
}

// The versions of the header and of the library that is linked must be one: a
// stale archive in Go's build cache shows here.
func TestLinkedVersion(t *testing.T) {
	major, minor := cVersion()
	hmajor, hminor := cHeaderVersion()
	require.Equal(t, [2]int32{hmajor, hminor}, [2]int32{major, minor})
}

// A buffer that would be on the stack must be on the heap once a request names
// it: the stack moves when it grows.
func TestBuffersLeaveTheStack(t *testing.T) {
	lockThread(t)
	r := newRing(t, 4)
	rd, wr := pipe(t)
	var small [16]byte
	r.GetSQE().PrepRead(rd, small[:], 0)
	_, err := r.Submit()
	require.NoError(t, err)
	growStack(200)
	runtime.GC()
	_, err = unix.Write(wr, []byte("0123456789abcdef"))
	require.NoError(t, err)
	cqe, err := r.WaitCQE()
	require.NoError(t, err)
	require.EqualValues(t, 16, cqe.Res)
	require.Equal(t, "0123456789abcdef", string(small[:]))
}

//go:noinline
func growStack(depth int) byte {
	var frame [1024]byte
	if depth > 0 {
		frame[depth] = growStack(depth - 1)
	}
	return frame[depth]
}

func TestOpErrors(t *testing.T) {
	err := opError("io_uring_submit", -int32(syscall.EAGAIN))
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Equal(t, "io_uring_submit: resource temporarily unavailable", err.Error())
	require.NoError(t, opError("x", 0))
	require.ErrorIs(t, opError("io_uring_x", -needsBase-11), ErrNotSupported)
	require.Contains(t, opError("io_uring_x", -needsBase-11).Error(), "liburing 2.11")
	require.ErrorIs(t, opError("io_uring_x", errNoCgo), ErrNotSupported)
}
