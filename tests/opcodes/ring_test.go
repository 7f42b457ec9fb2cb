//go:build linux

package opcodes_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel's flags of a no-op that liburing's header has no names for.
const (
	nopFile        liburing.NopFlags = 1 << 1
	nopFixedFile   liburing.NopFlags = 1 << 2
	nopFixedBuffer liburing.NopFlags = 1 << 3
	nopTW          liburing.NopFlags = 1 << 4
)

// nop queues a no-op with flags, and what else the entry shall have.
func nop(l *liburing.Loop, flags liburing.NopFlags, set func(*liburing.SQE), cb liburing.Callback) liburing.Request {
	r := l.Nop(cb)
	r.SQE().OpFlags = uint32(flags)
	if set != nil {
		set(r.SQE())
	}
	return r
}

func TestOpNopFlags(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpEpollWait) // no probe tells of the flags: the last but one came with Linux 6.13
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		pooled(t, l, 1, 4096)
		f := ringtest.TempFile(t, nil)
		fixedFiles(t, l, int(f.Fd()))
		inject := func(n int32) func(*liburing.SQE) { return func(s *liburing.SQE) { s.Len = uint32(n) } }
		fd := func(n int32) func(*liburing.SQE) { return func(s *liburing.SQE) { s.FD = n } }

		require.Equal(t, 1234, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return nop(l, liburing.NopInjectResult, inject(1234), cb) }))
		failure(t, l, unix.ENOTTY, func(cb liburing.Callback) liburing.Request {
			return nop(l, liburing.NopInjectResult, inject(-int32(unix.ENOTTY)), cb)
		})
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return nop(l, nopFile, fd(int32(f.Fd())), cb) }))
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return nop(l, nopFile, fd(-1), cb) })
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return nop(l, nopFile|nopFixedFile, fd(0), cb) }))
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return nop(l, nopFile|nopFixedFile, fd(1), cb) })
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return nop(l, nopFixedBuffer, nil, cb) }))
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request {
			return nop(l, nopFixedBuffer, func(s *liburing.SQE) { s.BufIndex = 1 }, cb)
		})
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return nop(l, 1<<20, nil, cb) })
	})
}

func TestOpNopTaskWork(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpPipe) // no probe tells of the flag: both came with Linux 6.16
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		require.Equal(t, 7, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return nop(l, nopTW|liburing.NopInjectResult, func(s *liburing.SQE) { s.Len = 7 }, cb)
		}))
	})
}

func TestOpNopCQE32(t *testing.T) {
	ringtest.NeedsSetup(t, liburing.SetupCQEMixed) // came with big completions of a no-op
	big := func(s *liburing.SQE) { s.Off, s.Addr = 11, 22 }
	for _, flags := range []liburing.SetupFlags{liburing.SetupCQE32, liburing.SetupCQEMixed} {
		t.Run(flags.String(), func(t *testing.T) {
			l := ringtest.NewLoop(t, 8, liburing.WithFlags(flags))
			for range 40 { // more than once round the queue
				var got [2]uint64
				c := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request {
					return nop(l, liburing.NopCQE32, big, func(c liburing.Completion) { got = c.BigCQE(); cb(c) })
				})
				require.NoError(t, c.Err())
				require.Equal(t, [2]uint64{11, 22}, got)
				require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb) }))
			}
		})
	}
	l := ringtest.NewLoop(t, 8)
	failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return nop(l, liburing.NopCQE32, big, cb) })
}

// Entries of both sizes in one queue, where the kernel knows them.
func TestOpMixedSizes(t *testing.T) {
	ringtest.LockThread(t)
	r, err := liburing.New(8, liburing.WithFlags(liburing.SetupSQEMixed))
	if errors.Is(err, unix.EINVAL) {
		p, err := liburing.GetProbe()
		require.NoError(t, err)
		require.False(t, p.OpcodeSupported(liburing.OpNop128), "a kernel with big operations and without the rings for them")
		t.Skipf("this kernel does not know %v, nor the operations for it", liburing.SetupSQEMixed)
	}
	require.NoError(t, err)
	defer r.Close()
	rd, _ := ringtest.Pipe(t)
	for i := range uint64(30) {
		small := ringtest.NextSQE(t, r)
		small.PrepNop()
		small.SetData64(i)
		large := r.GetSQE128()
		require.NotNil(t, large)
		large.PrepNop128()
		large.SetData64(i + 1000)
		cmd := r.GetSQE128()
		require.NotNil(t, cmd)
		cmd.PrepURingCmd128(1, rd)
		cmd.SetData64(i + 2000)
		_, err := r.SubmitAndWait(3)
		require.NoError(t, err)
		res := map[uint64]int32{}
		for cqe := range r.CQEs() {
			res[cqe.UserData] = cqe.Res
		}
		require.Equal(t, map[uint64]int32{i: 0, i + 1000: 0, i + 2000: -int32(unix.EOPNOTSUPP)}, res)
	}
}

// Entries of 64 bytes only: a ring that has no room for the big operations
// refuses them, whether its kernel knows them or not.
func TestOpBigOnSmallEntries(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Nop128(cb) })
	failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.URingCmd128(1, -1, cb) })
	require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb) }))
}

// A kernel that does not know an opcode says EINVAL and does the rest.
func TestOpUnknownOpcodes(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		p, err := r.GetProbe()
		require.NoError(t, err)
		for op := int(p.LastOp()) + 1; op < 256; op++ {
			require.False(t, p.OpcodeSupported(liburing.Op(op)))
			cqe := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRW(liburing.Op(op), 0, 0, 0, 0) })
			require.ErrorIs(t, cqe.Err(), unix.EINVAL, "%v", liburing.Op(op))
			require.Zero(t, ringtest.SubmitOne(t, r, (*liburing.SQE).PrepNop).Res)
		}
	})
}

// provide hands count buffers of size bytes to the group.
func provide(t testing.TB, l *liburing.Loop, count, size int, group, first uint16) (bufs []byte) {
	t.Helper()
	bufs = make([]byte, count*size)
	require.GreaterOrEqual(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		return l.ProvideBuffers(bufs, size, count, group, first, cb)
	}), 0)
	return bufs
}

func TestOpProvideBuffers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const size, group, first = 64, 5, 10
		bufs := provide(t, l, 4, size, group, first)
		f := ringtest.TempFile(t, []byte("hello"))
		seen := map[uint16]bool{}
		selected := func(cb liburing.Callback) liburing.Request {
			r := l.Read(int(f.Fd()), nil, 0, cb).Flags(liburing.SQEBufferSelect)
			r.SQE().SetBufGroup(group)
			r.SQE().Len = size
			return r
		}
		for range 2 {
			c := ringtest.Finish(t, l, selected)
			require.EqualValues(t, 5, c.Res)
			id, ok := c.BufferID()
			require.True(t, ok)
			require.Equal(t, "hello", string(bufs[(int(id)-first)*size:][:5]))
			seen[id] = true
		}
		require.Len(t, seen, 2, "each buffer is used once")
		require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.RemoveBuffers(100, group, cb) }))
		failure(t, l, unix.ENOBUFS, selected)
		failure(t, l, unix.ENOENT, func(cb liburing.Callback) liburing.Request { return l.RemoveBuffers(1, 99, cb) })
		failure(t, l, unix.E2BIG, func(cb liburing.Callback) liburing.Request { return l.ProvideBuffers(bufs, 1, 70000, group, 0, cb) })
	})
}

func TestOpReadMultishot(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpReadMultishot)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const size, group = 64, 3
		bufs := provide(t, l, 3, size, group, 0)
		rd, wr := ringtest.Pipe(t)
		send := func(s string) {
			_, err := unix.Write(wr, []byte(s))
			require.NoError(t, err)
		}
		var got []string
		var last liburing.Completion
		send("one")
		l.ReadMultishot(rd, 0, 0, group, func(c liburing.Completion) {
			last = c
			if id, ok := c.BufferID(); ok {
				got = append(got, string(bufs[int(id)*size:][:c.Res]))
			}
			if len(got) < 4 && c.More() {
				send(fmt.Sprint("more", len(got)))
			}
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"one", "more1", "more2"}, got)
		require.ErrorIs(t, last.Err(), unix.ENOBUFS, "it ends when the buffers do")
		require.False(t, last.More())

		f := ringtest.TempFile(t, []byte("x"))
		failure(t, l, unix.EBADFD, func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(int(f.Fd()), 0, 0, group, cb) })
	})
}

// receiver returns a ring to send messages to.
func receiver(t testing.TB) *liburing.Ring { return ringtest.NewRing(t, 8) }

// receive returns the ring's one message.
func receive(t testing.TB, r *liburing.Ring) liburing.CQE {
	t.Helper()
	cqe, err := r.WaitCQETimeout(5 * time.Second)
	require.NoError(t, err)
	got := *cqe
	r.CQESeen(cqe)
	require.Zero(t, r.CQReady())
	return got
}

func TestOpMsgRingData(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpReadMultishot) // flags for the other ring came with Linux 6.3, between SendmsgZC and this
	ringtest.LockThread(t)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		to := receiver(t)
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.MsgRing(to.FD(), 17, 1<<40+5, 0, cb) }))
		require.Equal(t, liburing.CQE{UserData: 1<<40 + 5, Res: 17}, receive(t, to))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.MsgRingCQEFlags(to.FD(), 18, 6, 0, 0x5a0000, cb)
		}))
		require.Equal(t, liburing.CQE{UserData: 6, Res: 18, Flags: 0x5a0000}, receive(t, to))

		rd, _ := ringtest.Pipe(t)
		failure(t, l, unix.EBADFD, func(cb liburing.Callback) liburing.Request { return l.MsgRing(rd, 0, 0, 0, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.MsgRing(to.FD(), 0, 0, 1<<9, cb) })
	})
}

func TestOpMsgRingFD(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC) // came with the allocation of the other ring's file indexes, in Linux 6.0
	ringtest.LockThread(t)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		to := receiver(t)
		require.NoError(t, to.RegisterFiles([]int{-1, -1, -1}))
		a, b := ringtest.TempFile(t, []byte("a")), ringtest.TempFile(t, []byte("b"))
		fixedFiles(t, l, int(a.Fd()), int(b.Fd()))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.MsgRingFD(to.FD(), 0, 2, 5, 0, cb) }))
		require.Equal(t, liburing.CQE{UserData: 5}, receive(t, to))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.MsgRingFDAlloc(to.FD(), 1, 6, 0, cb) }))
		require.EqualValues(t, 6, receive(t, to).UserData)
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.MsgRingFD(to.FD(), 1, 1, 7, liburing.MsgRingCQESkip, cb)
		}))
		require.Zero(t, to.CQReady(), "MsgRingCQESkip says nothing to the other ring")

		for i, want := range []string{"b", "b", "a"} {
			buf := make([]byte, 1)
			cqe := ringtest.SubmitOne(t, to, func(s *liburing.SQE) {
				s.PrepRead(i, buf, 0)
				s.SetFlags(liburing.SQEFixedFile)
			})
			require.EqualValues(t, 1, cqe.Res)
			require.Equal(t, want, string(buf), "place %d", i)
		}
		failure(t, l, unix.ENFILE, func(cb liburing.Callback) liburing.Request { return l.MsgRingFDAlloc(to.FD(), 1, 8, 0, cb) })
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.MsgRingFD(to.FD(), 9, 0, 9, 0, cb) })
	})
}

func TestOpFixedFDInstall(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpFixedFDInstall)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, []byte("fixed"))
		fixedFiles(t, l, -1, int(f.Fd()))
		for flags, cloexec := range map[liburing.FixedFDInstallFlags]int{0: unix.FD_CLOEXEC, liburing.FixedFDNoCloexec: 0} {
			fd := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.FixedFDInstall(1, flags, cb) })
			require.Equal(t, "fixed", readBack(t, l, fd, 0))
			has, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			require.NoError(t, err)
			require.Equal(t, cloexec, has)
			require.NoError(t, unix.Close(fd))
		}
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.FixedFDInstall(0, 0, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.FixedFDInstall(1, 1<<7, cb) })
	})
}

func TestOpPipe(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpPipe)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var fds [2]int
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Pipe(&fds, unix.O_CLOEXEC|unix.O_NONBLOCK, cb) }))
		rd, wr := fds[0], fds[1]
		defer unix.Close(rd)
		defer unix.Close(wr)
		_, err := unix.Write(wr, []byte("through"))
		require.NoError(t, err)
		require.Equal(t, "through", readBack(t, l, rd, 0))
		_, err = unix.Read(rd, make([]byte, 1))
		require.ErrorIs(t, err, unix.EAGAIN, "O_NONBLOCK")
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Pipe(&fds, unix.O_CREAT, cb) })
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.Pipe(nil, 0, cb) })
	})
}

func TestOpPipeDirect(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpPipe)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fixedFiles(t, l, -1, -1, -1, -1)
		through := func(rd, wr int) {
			require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Write(wr, []byte("hi"), 0, cb).FixedFile() }))
			require.Equal(t, "hi", readBack(t, l, rd, liburing.SQEFixedFile))
		}
		var fds [2]int
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.PipeDirect(&fds, 0, 1, cb) }))
		through(1, 2)
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.PipeDirect(&fds, 0, liburing.FileIndexAlloc, cb) }))
		require.ElementsMatch(t, []int{0, 3}, fds[:])
		through(fds[0], fds[1])
		failure(t, l, unix.ENFILE, func(cb liburing.Callback) liburing.Request { return l.PipeDirect(&fds, 0, liburing.FileIndexAlloc, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.PipeDirect(&fds, unix.O_CLOEXEC, 0, cb) })
	})
}

// Files without commands of their own refuse them.
func TestOpURingCmdRefused(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpURingCmd)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fd := int(ringtest.TempFile(t, ringtest.Pattern(4096, 1)).Fd())
		failure(t, l, unix.EOPNOTSUPP, func(cb liburing.Callback) liburing.Request { return l.URingCmd(1, fd, cb) })
		failure(t, l, unix.EOPNOTSUPP, func(cb liburing.Callback) liburing.Request { return l.CmdDiscard(fd, 0, 4096, cb) })
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.URingCmd(1, -1, cb) })
	})
}

// loopDevice returns a block device on top of a file.
func loopDevice(t testing.TB, f *os.File) int {
	t.Helper()
	ctl, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no loop devices to discard from: /dev/loop-control: %v", err)
	}
	defer unix.Close(ctl)
	n, err := unix.IoctlRetInt(ctl, unix.LOOP_CTL_GET_FREE)
	require.NoError(t, err)
	dev, err := unix.Open(fmt.Sprint("/dev/loop", n), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no loop device to discard from: %v", err)
	}
	t.Cleanup(func() { unix.Close(dev) })
	config := unix.LoopConfig{Fd: uint32(f.Fd())}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	require.NoError(t, unix.IoctlLoopConfigure(dev, &config))
	return dev
}

func TestOpCmdDiscard(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpEpollWait) // no probe tells of the command, which came with Linux 6.12
	l := ringtest.NewLoop(t, 8)
	want := ringtest.Pattern(1<<20, 1)
	f := ringtest.TempFile(t, want)
	dev := loopDevice(t, f)
	require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.CmdDiscard(dev, 65536, 8192, cb) }))
	clear(want[65536 : 65536+8192])
	require.Equal(t, string(want), content(t, f), "the discarded range is a hole of the file")
	failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.CmdDiscard(dev, 3, 8192, cb) })
}

// A chain runs in its order: each request sees what the one before has done.
func TestOpLinkedChain(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		got := make([]byte, 100)
		res := map[string]int32{}
		keep := func(name string) liburing.Callback { return func(c liburing.Completion) { res[name] = c.Res } }
		l.Write(fd, []byte("linked"), 0, keep("write")).LinkNext().Flags(liburing.SQEAsync)
		l.Fsync(fd, 0, keep("fsync")).LinkNext()
		l.Read(fd, got[:6], 0, keep("read")).LinkNext()
		l.Read(fd, got[6:20], 1, keep("short")).LinkNext()
		l.Nop(keep("behind short"))
		ringtest.RunIdle(t, l)
		require.Equal(t, "linkedinked", string(got[:11]))
		require.Equal(t, map[string]int32{"write": 6, "fsync": 0, "read": 6, "short": 5,
			"behind short": -int32(unix.ECANCELED)}, res)

		clear(res)
		rd, _ := ringtest.Pipe(t)
		l.Read(fd, got[:20], 1, keep("short")).HardLinkNext()
		l.Fsync(rd, 0, keep("failed")).HardLinkNext() // not a bad descriptor: Linux 5.10 looks at those first

		l.Write(fd, []byte("L"), 0, keep("write")).HardLinkNext()
		l.Read(fd, got[:6], 0, keep("read"))
		ringtest.RunIdle(t, l)
		require.Equal(t, map[string]int32{"short": 5, "failed": -int32(unix.EINVAL), "write": 1, "read": 6}, res)
		require.Equal(t, "Linked", string(got[:6]))
	})
}

func TestOpDrain(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		rd, wr := ringtest.Pipe(t)
		buf := make([]byte, 1)
		for id, prep := range []func(*liburing.SQE){
			func(s *liburing.SQE) { s.PrepRead(rd, buf, 0) },
			(*liburing.SQE).PrepNop,
			func(s *liburing.SQE) { s.PrepNop(); s.SetFlags(liburing.SQEIODrain) },
			(*liburing.SQE).PrepNop,
		} {
			sqe := ringtest.NextSQE(t, r)
			prep(sqe)
			sqe.SetData64(uint64(id))
		}
		_, err := r.SubmitAndWait(1)
		require.NoError(t, err)
		var order []uint64
		take := func() {
			for cqe := range r.CQEs() {
				require.GreaterOrEqual(t, cqe.Res, int32(0))
				order = append(order, cqe.UserData)
			}
		}
		time.Sleep(10 * time.Millisecond)
		take()
		require.Equal(t, []uint64{1}, order, "the drain and what is behind it wait for the read")
		_, err = unix.Write(wr, buf)
		require.NoError(t, err)
		for len(order) < 4 {
			_, err = r.WaitCQE() // with a timeout it would be a request behind the drain before Linux 5.11
			require.NoError(t, err)
			take()
		}
		require.Equal(t, []uint64{1, 0}, order[:2])
		require.ElementsMatch(t, []uint64{2, 3}, order[2:], "in any order: they no longer wait")
	})
}

func TestOpAsync(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMkdirat) // before Linux 5.12 workers were no threads of the process
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, []byte("abc"))
		buf := make([]byte, 3)
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb) }))
		before := ringtest.Workers(t)
		for range 20 { // an idle worker may be gone by the time that we look
			require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Read(int(f.Fd()), buf, 0, cb).Flags(liburing.SQEAsync)
			}))
			require.Equal(t, "abc", string(buf))
			for worker, sleeps := range ringtest.Workers(t) {
				if was, old := before[worker]; !old || was != sleeps {
					return
				}
			}
		}
		t.Fatal("no worker thread has run it")
	})
}

func TestOpSkipSuccess(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		if r.Features()&liburing.FeatCQESkip == 0 {
			t.Skip("this kernel always tells of success")
		}
		f := ringtest.TempFile(t, nil)
		for id, prep := range []func(*liburing.SQE){
			func(s *liburing.SQE) { s.PrepWrite(int(f.Fd()), []byte("quiet"), 0) },
			func(s *liburing.SQE) { s.PrepRead(-1, make([]byte, 1), 0) },
		} {
			sqe := ringtest.NextSQE(t, r)
			prep(sqe)
			sqe.SetFlags(liburing.SQECQESkipSuccess)
			sqe.SetData64(uint64(id))
		}
		// Without SetupSubmitAll a bad request ends the submission: it is the last.
		_, err := r.SubmitAndWait(1)
		require.NoError(t, err)
		cqe, err := r.PeekCQE()
		require.NoError(t, err)
		require.EqualValues(t, 1, cqe.UserData, "of the two only the failure is told")
		require.ErrorIs(t, cqe.Err(), unix.EBADF)
		r.CQESeen(cqe)
		require.Eventually(t, func() bool { return content(t, f) == "quiet" }, 5*time.Second, time.Millisecond)
		_, err = r.PeekCQE()
		require.ErrorIs(t, err, unix.EAGAIN)
	})
}

// What goes into the registered files, or comes from there, takes a table.
func TestOpWithoutTable(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	l := ringtest.NewLoop(t, 8)
	for name, queue := range map[string]func(liburing.Callback) liburing.Request{
		"close": func(cb liburing.Callback) liburing.Request { return l.CloseDirect(0, cb) },
		"socket": func(cb liburing.Callback) liburing.Request {
			return l.SocketDirect(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0, 0, cb)
		},
		"open": func(cb liburing.Callback) liburing.Request { return l.OpenatDirect(unix.AT_FDCWD, ".", 0, 0, 0, cb) },
	} {
		err := ringtest.Finish(t, l, queue).Err()
		require.ErrorIs(t, err, unix.ENXIO, name)
		require.ErrorContains(t, err, "no files are registered: make a table first", name)
	}
}
