//go:build linux

package liburing_test

import (
	"cmp"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRingNops(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		// Many times round both rings, in batches that don't divide them.
		next := uint64(0)
		for batch := range 100 {
			for i := range 5 {
				sqe := ringtest.NextSQE(t, r)
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

// What a raw system call submits goes as it does through liburing: the same counts and
// errors, the same left in the queue, the same completions.
func TestQuickSubmissions(t *testing.T) {
	const deferred = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun
	for _, flags := range []liburing.SetupFlags{0, liburing.SetupSubmitAll, deferred, deferred | liburing.SetupSubmitAll,
		liburing.SetupCoopTaskrun | liburing.SetupTaskrunFlag, liburing.SetupRDisabled, liburing.SetupCQE32} {
		t.Run(flags.String(), func(t *testing.T) {
			compareQuickSubmissions(t, 8, flags, 1000)
			compareQuickSubmissions(t, 128, flags, 100) // more than go at once
		})
	}
}

// What is submitted by a raw system call, which a stop of the world has to wait for, has
// little to copy.
func TestQuickSubmissionsCopyLittle(t *testing.T) {
	r := ringtest.NewRing(t, 128)
	if !r.SetRaw(true) {
		t.Skip("no raw system calls")
	}
	const much = 256 << 10
	buf := make([]byte, much)
	quick := func(prepare ...func(sqe *liburing.SQE)) bool {
		for _, p := range prepare {
			p(r.GetSQE())
		}
		defer r.Submit()
		return r.IsQuick()
	}
	send := func(n int) func(sqe *liburing.SQE) {
		return func(sqe *liburing.SQE) { sqe.PrepSend(-1, buf[:n], 0) }
	}
	recv := func(n int) func(sqe *liburing.SQE) {
		return func(sqe *liburing.SQE) { sqe.PrepRecv(-1, buf[:n], 0) }
	}
	backlog := func(sqe *liburing.SQE) { sqe.PrepListen(-1, much+1) }
	require.True(t, quick(send(much)))
	require.True(t, quick(send(much/2), (*liburing.SQE).PrepNop, recv(much/2)))
	require.False(t, quick(send(much/2), (*liburing.SQE).PrepNop, recv(much/2), send(1)))
	require.False(t, quick(slices.Repeat([]func(*liburing.SQE){recv(much / 32)}, 33)...))
	require.True(t, quick(slices.Repeat([]func(*liburing.SQE){recv(much / 64)}, 64)...))
	require.True(t, quick(backlog), "a length of another kind")
	require.True(t, quick(send(much)), "what was submitted does not count")
}

// SubmitRaw leaves what can be long, and rings that are submitted otherwise, to liburing.
func TestSubmitRawIsShort(t *testing.T) {
	r := ringtest.NewRing(t, 128)
	if !r.SetRaw(true) {
		t.Skip("a liburing with sanitizers submits all by itself")
	}
	queue := func(n int) {
		for range n {
			r.GetSQE().PrepFsync(-1, 0)
		}
	}
	require.False(t, r.IsShort(), "nothing")
	queue(64)
	require.True(t, r.IsShort())
	require.False(t, r.IsQuick())
	queue(1)
	require.False(t, r.IsShort())
	n, err := r.SubmitRaw()
	require.NoError(t, err)
	require.Positive(t, n)
	polled := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupSQPoll))
	polled.GetSQE().PrepNop()
	require.False(t, polled.IsShort())
	_, err = polled.SubmitRaw()
	require.NoError(t, err)
	_, err = polled.WaitCQE()
	require.NoError(t, err)
}

func compareQuickSubmissions(t *testing.T, entries int, flags liburing.SetupFlags, steps uint64) {
	ringtest.LockThread(t)
	raw := ringtest.NewRing(t, entries, liburing.WithFlags(flags))
	plain := ringtest.NewRing(t, entries, liburing.WithFlags(flags))
	all := ringtest.NewRing(t, entries, liburing.WithFlags(flags))
	if !plain.SetRaw(false) {
		t.Skip("a liburing with sanitizers submits all by itself")
	}
	ready, w := ringtest.Pipe(t)
	_, err := unix.Write(w, []byte{1})
	require.NoError(t, err)
	for step := range steps {
		if flags&liburing.SetupRDisabled != 0 && step == 20 {
			require.NoError(t, raw.EnableRings())
			require.NoError(t, plain.EnableRings())
			require.NoError(t, all.EnableRings())
		}
		random := func() *rand.Rand { return rand.New(rand.NewPCG(step, uint64(flags))) }
		want := submitAtRandom(t, plain, plain.Submit, random(), ready)
		require.Equal(t, want, submitAtRandom(t, raw, raw.Submit, random(), ready), "step %d", step)
		require.Equal(t, want, submitAtRandom(t, all, all.SubmitRaw, random(), ready), "step %d", step)
	}
}

// submitAtRandom queues some requests, good ones and such as the kernel refuses, and
// submits until no more are taken, more than the completion queue holds now and then. It
// returns what could be seen of it; the order of completions is the kernel's business.
func submitAtRandom(t *testing.T, r *liburing.Ring, submit func() (int, error), random *rand.Rand, ready int) (seen []any) {
	inFlight := 0
	for range 1 + random.IntN(5) {
		for range random.IntN(r.SQEntries() + 1) {
			if sqe := r.GetSQE(); sqe != nil {
				prepareAtRandom(sqe, random, ready)
			}
		}
		waits := min(random.IntN(3), r.SQReady())
		if random.IntN(2) == 0 {
			waits = 0
		}
		taken, err := 0, error(nil)
		if waits == 0 {
			taken, err = submit()
		} else {
			taken, err = r.SubmitAndWait(waits)
		}
		inFlight += taken
		seen = append(seen, taken, err, r.SQReady())
	}
	var completed []liburing.CQE
	for len(completed) < inFlight {
		_, err := r.WaitCQETimeout(10 * time.Second)
		require.NoError(t, err)
		for cqe := range r.CQEs() {
			completed = append(completed, *cqe)
		}
	}
	slices.SortFunc(completed, func(a, b liburing.CQE) int { return cmp.Compare(a.UserData, b.UserData) })
	return append(seen, completed)
}

func prepareAtRandom(sqe *liburing.SQE, random *rand.Rand, ready int) {
	sqe.PrepNop()
	switch random.IntN(8) {
	case 0:
		sqe.PrepPollAdd(ready, unix.POLLIN)
	case 1:
		sqe.OpFlags = 1 << 31 // which the kernel does not know
	}
	if random.IntN(4) == 0 {
		sqe.SetFlags(liburing.SQEIOLink)
	}
	sqe.SetData64(random.Uint64() >> 1)
}

func TestRingReadWrite(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		want := ringtest.Pattern(100_000, 1)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepWrite(fd, want, 10) })
		require.EqualValues(t, len(want), c.Res)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepFsync(fd, liburing.FsyncDatasync) })
		require.NoError(t, c.Err())
		got := make([]byte, len(want))
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(fd, got, 10) })
		require.EqualValues(t, len(want), c.Res)
		require.Equal(t, want, got)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(fd, got, 10+uint64(len(want))) })
		require.Zero(t, c.Res, "at the end of the file")
	})
}

func TestRingVectors(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		a, b := ringtest.Pattern(1000, 1), ringtest.Pattern(3000, 2)
		out := liburing.AppendIovecs(nil, [][]byte{a, b})
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepWritev(fd, out, 0) })
		require.EqualValues(t, 4000, c.Res)
		x, y := make([]byte, 2500), make([]byte, 1500)
		in := liburing.AppendIovecs(nil, [][]byte{x, y})
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadv(fd, in, 0) })
		require.EqualValues(t, 4000, c.Res)
		require.Equal(t, append(append([]byte(nil), a...), b...), append(append([]byte(nil), x...), y...))
	})
}

func TestRingFixedBuffers(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		size := 2 * os.Getpagesize() // which a pool gives no more than
		pool, err := liburing.NewBufferPool(2, size)
		require.NoError(t, err)
		require.NoError(t, r.RegisterBuffers(pool.Buffers()))
		defer func() {
			require.NoError(t, r.UnregisterBuffers())
			require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO)
			require.NoError(t, pool.Close())
		}()
		require.ErrorIs(t, r.RegisterBuffers(pool.Buffers()), unix.EBUSY)

		f := ringtest.TempFile(t, ringtest.Pattern(size, 3))
		fd := int(f.Fd())
		b, ok := pool.Get()
		require.True(t, ok)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadFixed(fd, b.Bytes, 0, b.Index) })
		require.EqualValues(t, size, c.Res)
		require.Equal(t, ringtest.Pattern(size, 3), b.Bytes)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepWriteFixed(fd, b.Bytes[100:200], 0, b.Index) })
		require.EqualValues(t, 100, c.Res)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadFixed(fd, make([]byte, 10), 0, b.Index) })
		require.ErrorIs(t, c.Err(), unix.EFAULT, "memory that is not in the registered buffer")
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadFixed(fd, b.Bytes, 0, 9) })
		require.ErrorIs(t, c.Err(), unix.EFAULT, "a buffer that does not exist")
		require.NoError(t, pool.Put(b))
	})
}

func TestRingFixedFiles(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		f := ringtest.TempFile(t, []byte("registered"))
		require.NoError(t, r.RegisterFiles([]int{-1, int(f.Fd())}))
		buf := make([]byte, 20)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRead(1, buf, 0)
			s.SetFlags(liburing.SQEFixedFile)
		})
		require.EqualValues(t, 10, c.Res)
		require.Equal(t, "registered", string(buf[:10]))
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRead(0, buf, 0)
			s.SetFlags(liburing.SQEFixedFile)
		})
		require.ErrorIs(t, c.Err(), unix.EBADF)
		require.NoError(t, r.UnregisterFiles())
		require.ErrorIs(t, r.UnregisterFiles(), unix.ENXIO)
	})
}

func TestRingFiles(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		dir := t.TempDir()
		path := &append([]byte(dir+"/new"), 0)[0]
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepOpenat(unix.AT_FDCWD, path, unix.O_CREAT|unix.O_RDWR, 0o640) })
		require.NoError(t, c.Err())
		fd := int(c.Res)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepWrite(fd, []byte("12345"), 0) })
		require.EqualValues(t, 5, c.Res)
		var st liburing.Statx
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepStatx(unix.AT_FDCWD, path, 0, unix.STATX_SIZE|unix.STATX_MODE, &st) })
		require.NoError(t, c.Err())
		require.EqualValues(t, 5, st.Size)
		require.EqualValues(t, 0o640, st.Mode&0o777)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepClose(fd) })
		require.NoError(t, c.Err())
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(fd, make([]byte, 1), 0) })
		require.ErrorIs(t, c.Err(), unix.EBADF, "a closed descriptor")
		none := &append([]byte(dir+"/none"), 0)[0]
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepOpenat(unix.AT_FDCWD, none, unix.O_RDONLY, 0) })
		require.ErrorIs(t, c.Err(), os.ErrNotExist)
	})
}

func TestRingSockets(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		a, b := ringtest.SocketPair(t)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepSend(a, []byte("ping"), unix.MSG_NOSIGNAL) })
		require.EqualValues(t, 4, c.Res)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepPollAdd(b, unix.POLLIN) })
		require.NotZero(t, c.Res&unix.POLLIN)
		buf := make([]byte, 10)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRecv(b, buf, 0) })
		require.EqualValues(t, 4, c.Res)
		require.Equal(t, "ping", string(buf[:4]))
	})
}

func TestRingCancel(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		rd, _ := ringtest.Pipe(t)
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
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		start := time.Now()
		ts := liburing.NewTimespec(20 * time.Millisecond)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepTimeout(&ts, 0, 0) })
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
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		_, err := r.PeekCQE()
		require.ErrorIs(t, err, unix.EAGAIN)
		_, err = r.WaitCQENr(0)
		require.ErrorIs(t, err, unix.EAGAIN)
		require.Zero(t, r.PeekBatchCQE(make([]*liburing.CQE, 4)))
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
		batch := make([]*liburing.CQE, 4)
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

// A loop over completions may close the ring: then it ends, and leaves alone the memory
// that went with the ring.
func TestRingCloseInALoopOverCompletions(t *testing.T) {
	for _, leave := range []bool{false, true} {
		ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
			for range 3 {
				r.GetSQE().PrepNop()
			}
			_, err := r.SubmitAndWait(3)
			require.NoError(t, err)
			seen := 0
			for range r.CQEs() {
				seen++
				require.NoError(t, r.Close())
				if leave {
					break
				}
			}
			require.Equal(t, 1, seen)
		})
	}
}

func TestRingFullSQ(t *testing.T) {
	ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
		for range 4 {
			r.GetSQE().PrepNop()
		}
		require.Nil(t, r.GetSQE())
		ringtest.NextSQE(t, r).PrepNop()
		_, err := r.SubmitAndWait(5)
		require.NoError(t, err)
		require.EqualValues(t, 5, r.CQReady())
	})
}

// More completions than the queue holds: the kernel keeps the rest, none is
// lost, and they come in order.
func TestRingFullCQ(t *testing.T) {
	ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
		require.NotZero(t, r.Features()&liburing.FeatNodrop)
		total := uint64(3 * r.CQEntries())
		for i := range total {
			sqe := ringtest.NextSQE(t, r)
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
		opts    []liburing.Option
		says    string
	}{
		{"zero", 0, nil, "at least one entry"},
		{"too many", liburing.MaxEntries + 1, nil, "32768"},
		{"small cq", 64, []liburing.Option{liburing.WithCQEntries(32)}, "smaller than the submission queue"},
		{"zero cq", 8, []liburing.Option{liburing.WithCQEntries(0)}, "needs cqentries"},
		{"no such processor", 8, []liburing.Option{liburing.WithSQPoll(time.Second), liburing.WithSQThreadCPU(-1)}, "processor -1"},
		{"alone", 8, []liburing.Option{liburing.WithFlags(liburing.SetupDeferTaskrun)}, "single_issuer"},
		{"unknown", 8, []liburing.Option{liburing.WithFlags(1 << 30)}, "0x40000000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := liburing.New(c.entries, c.opts...)
			require.ErrorIs(t, err, unix.EINVAL)
			var op *liburing.OpError
			require.ErrorAs(t, err, &op)
			require.Contains(t, strings.ToLower(err.Error()), c.says)
		})
	}
	r := ringtest.NewRing(t, liburing.MaxEntries+1, liburing.WithFlags(liburing.SetupClamp))
	require.EqualValues(t, liburing.MaxEntries, r.SQEntries())
}

func TestRingClosed(t *testing.T) {
	r, err := liburing.New(4)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.Nil(t, r.GetSQE())
	require.Equal(t, -1, r.FD())
	require.Zero(t, r.Features())
	require.Zero(t, r.Flags())
	require.Zero(t, r.SQEntries()+r.CQEntries()+r.SQReady()+r.SQSpaceLeft()+r.CQReady())
	require.False(t, r.CQHasOverflow())
	require.Zero(t, r.PeekBatchCQE(make([]*liburing.CQE, 1)))
	r.CQAdvance(1)
	r.CQESeen(&liburing.CQE{})
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
		require.ErrorIs(t, call(), liburing.ErrClosed, name)
	}
}

func TestRingNilBuffer(t *testing.T) {
	ringtest.OverSetups(t, 4, func(t *testing.T, r *liburing.Ring) {
		f := ringtest.TempFile(t, []byte("x"))
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(int(f.Fd()), nil, 0) })
		require.Zero(t, c.Res)
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadv(int(f.Fd()), nil, 0) })
		require.Zero(t, c.Res)
	})
	r := ringtest.NewRing(t, 4)
	require.ErrorIs(t, r.RegisterBuffers([][]byte{nil}), unix.EINVAL)
	require.Error(t, r.RegisterBuffers(nil))
}

func TestProbe(t *testing.T) {
	p, err := liburing.GetProbe()
	require.NoError(t, err)
	require.True(t, p.OpcodeSupported(liburing.OpNop))
	require.True(t, p.OpcodeSupported(liburing.OpRead))
	require.False(t, p.OpcodeSupported(liburing.OpBad))
	require.False(t, p.OpcodeSupported(p.LastOp()+1))
}

// The versions of the header and of the library that is linked must be one: a
// stale archive in Go's build cache shows here.
func TestLinkedVersion(t *testing.T) {
	major, minor := liburing.CVersion()
	hmajor, hminor := liburing.CHeaderVersion()
	require.Equal(t, [2]int32{hmajor, hminor}, [2]int32{major, minor})
}

// A buffer that would be on the stack must be on the heap once a request names
// it: the stack moves when it grows.
func TestBuffersLeaveTheStack(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 4)
	rd, wr := ringtest.Pipe(t)
	var small [16]byte
	r.GetSQE().PrepRead(rd, small[:], 0)
	_, err := r.Submit()
	require.NoError(t, err)
	ringtest.GrowStack(200)
	runtime.GC()
	_, err = unix.Write(wr, []byte("0123456789abcdef"))
	require.NoError(t, err)
	cqe, err := r.WaitCQE()
	require.NoError(t, err)
	require.EqualValues(t, 16, cqe.Res)
	require.Equal(t, "0123456789abcdef", string(small[:]))
}
