//go:build linux && cgo

package liburing

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// needs skips a test of a function that the linked liburing does not have,
// after seeing that it says so.
func needs(t *testing.T, err error, minor int) {
	t.Helper()
	if CheckVersion(2, minor) {
		require.ErrorIs(t, err, ErrNotSupported)
		t.Skipf("liburing %s is linked, the function came with 2.%d", Version(), minor)
	}
}

func TestRegisterEventfd(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8)
	efd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	require.NoError(t, err)
	defer unix.Close(efd)
	count := func() uint64 {
		var b [8]byte
		if _, err := unix.Read(efd, b[:]); err != nil {
			require.ErrorIs(t, err, unix.EAGAIN)
			return 0
		}
		return binary.NativeEndian.Uint64(b[:])
	}
	told := func() { // a moment after the completion, as the case may be
		t.Helper()
		require.Eventually(t, func() bool { return count() == 1 }, 5*time.Second, time.Millisecond)
	}
	nop := func() { submitOne(t, r, func(s *SQE) { s.PrepNop() }) }

	require.NoError(t, r.RegisterEventfd(efd))
	require.ErrorIs(t, r.RegisterEventfd(efd), unix.EBUSY)
	nop()
	told()
	require.True(t, r.CQEventfdEnabled())
	require.NoError(t, r.CQEventfdToggle(false))
	require.False(t, r.CQEventfdEnabled())
	nop()
	require.Zero(t, count())
	require.NoError(t, r.CQEventfdToggle(true))
	nop()
	told()
	require.NoError(t, r.UnregisterEventfd())
	require.ErrorIs(t, r.UnregisterEventfd(), unix.ENXIO)

	// Only what completes later than its submission is told.
	require.NoError(t, r.RegisterEventfdAsync(efd))
	nop()
	require.Zero(t, count())
	submitOne(t, r, func(s *SQE) {
		s.PrepNop()
		s.SetFlags(SQEAsync) // by a worker
	})
	told()
	require.NoError(t, r.UnregisterEventfd())
}

// A request with a personality has the credentials of the moment it was
// registered.
func TestRegisterPersonality(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can change its credentials")
	}
	name := filepath.Join(t.TempDir(), "root's")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	path := &append([]byte(name), 0)[0]
	r := newRing(t, 8)
	done := make(chan struct{})
	go func() { // the thread's credentials change: it is not used again
		defer close(done)
		runtime.LockOSThread()
		root, err := r.RegisterPersonality()
		require.NoError(t, err)
		_, _, errno := unix.RawSyscall(unix.SYS_SETFSUID, 65534, 0, 0)
		require.Zero(t, errno)
		open := func(personality uint16) CQE {
			return submitOne(t, r, func(s *SQE) {
				s.PrepOpenat(unix.AT_FDCWD, path, unix.O_RDONLY, 0)
				s.Personality = personality
			})
		}
		c := open(0)
		require.ErrorIs(t, c.Err(), unix.EACCES)
		c = open(root)
		require.NoError(t, c.Err())
		unix.Close(int(c.Res))
		c = open(root + 1)
		require.ErrorIs(t, c.Err(), unix.EINVAL)
		require.NoError(t, r.UnregisterPersonality(root))
		require.ErrorIs(t, r.UnregisterPersonality(root), unix.EINVAL)
	}()
	<-done
}

func TestRegisterRestrictions(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8, WithFlags(SetupRDisabled))
	r.GetSQE().PrepNop()
	_, err := r.Submit()
	require.ErrorIs(t, err, unix.EBADFD, "a ring that is not enabled")
	require.NoError(t, r.RegisterRestrictions([]Restriction{
		{Opcode: RestrictionSQEOp, Value: uint8(OpNop)},
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterProbe)},
	}))
	require.NoError(t, r.EnableRings())
	cqe, err := r.SubmitAndWaitTimeout(1, time.Second)
	require.NoError(t, err)
	require.Zero(t, cqe.Res, "what is allowed")
	r.CQESeen(cqe)
	c := submitOne(t, r, func(s *SQE) { s.PrepRead(0, make([]byte, 1), 0) })
	require.ErrorIs(t, c.Err(), unix.EACCES)
	_, err = r.GetProbe()
	require.NoError(t, err)
	require.ErrorIs(t, r.RegisterFiles([]int{0}), unix.EACCES)
	require.ErrorIs(t, newRing(t, 8).RegisterRestrictions([]Restriction{{}}), unix.EBADFD)
}

func TestRegisterWorkers(t *testing.T) {
	r := newRing(t, 8)
	_, _, err := r.RegisterIOWQMaxWorkers(3, 7)
	require.NoError(t, err)
	bounded, unbounded, err := r.RegisterIOWQMaxWorkers(0, 0)
	require.NoError(t, err)
	require.EqualValues(t, [2]uint32{3, 7}, [2]uint32{bounded, unbounded})
	require.NoError(t, r.RegisterIOWQAff([]int{0}))
	require.NoError(t, r.UnregisterIOWQAff())
	require.ErrorIs(t, r.RegisterIOWQAff([]int{-1}), unix.EINVAL)
	require.ErrorIs(t, r.RegisterIOWQAff([]int{1 << 20}), unix.EINVAL)
}

func TestRegisterRingFD(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8)
	require.NoError(t, r.RegisterRingFD())
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.NoError(t, r.UnregisterRingFD())
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.ErrorIs(t, r.CloseRingFD(), unix.EINVAL)
	require.NoError(t, r.RegisterRingFD())
	require.NoError(t, r.CloseRingFD())
	require.Equal(t, -1, r.FD())
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.NoError(t, r.Dontfork())
}

func TestRegisterFileTables(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		f := tempFile(t, []byte("one"))
		g := tempFile(t, []byte("two"))
		read := func(i int) (string, error) {
			buf := make([]byte, 3)
			c := submitOne(t, r, func(s *SQE) {
				s.PrepRead(i, buf, 0)
				s.SetFlags(SQEFixedFile)
			})
			return string(buf), c.Err()
		}
		require.NoError(t, r.RegisterFilesSparse(4))
		_, err := read(0)
		require.ErrorIs(t, err, unix.EBADF)
		n, err := r.RegisterFilesUpdate(1, []int{int(f.Fd()), int(g.Fd())})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		got, err := read(2)
		require.NoError(t, err)
		require.Equal(t, "two", got)
		require.NoError(t, r.RegisterFileAllocRange(3, 1))
		path := &append([]byte(f.Name()), 0)[0]
		c := submitOne(t, r, func(s *SQE) { s.PrepOpenatDirect(unix.AT_FDCWD, path, 0, 0, FileIndexAlloc) })
		require.EqualValues(t, 3, c.Res, "the one place of the range")
		c = submitOne(t, r, func(s *SQE) { s.PrepOpenatDirect(unix.AT_FDCWD, path, 0, 0, FileIndexAlloc) })
		require.ErrorIs(t, c.Err(), unix.ENFILE)
		require.NoError(t, r.UnregisterFiles())
	})
}

// A tag comes back when the kernel has let go of the resource.
func TestRegisterTags(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		tag := func(want uint64) {
			t.Helper()
			cqe, err := r.WaitCQETimeout(5 * time.Second)
			require.NoError(t, err)
			require.Equal(t, want, cqe.UserData)
			r.CQESeen(cqe)
		}
		f := tempFile(t, nil)
		require.NoError(t, r.RegisterFilesTags([]int{int(f.Fd())}, []uint64{11}))
		n, err := r.RegisterFilesUpdateTag(0, []int{int(f.Fd())}, []uint64{12})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		tag(11)
		require.NoError(t, r.UnregisterFiles())
		tag(12)

		a, b := make([]byte, 4096), make([]byte, 4096)
		require.NoError(t, r.RegisterBuffersTags([][]byte{a}, []uint64{21}))
		n, err = r.RegisterBuffersUpdateTag(0, [][]byte{b}, []uint64{22})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		tag(21)
		require.NoError(t, r.UnregisterBuffers())
		tag(22)

		require.ErrorIs(t, r.RegisterFilesTags([]int{0}, nil), unix.EINVAL)
		require.ErrorIs(t, r.RegisterBuffersTags([][]byte{a}, nil), unix.EINVAL)
		_, err = r.RegisterFilesUpdateTag(0, []int{0}, nil)
		require.ErrorIs(t, err, unix.EINVAL)
		_, err = r.RegisterBuffersUpdateTag(5, [][]byte{a}, nil)
		require.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestRegisterBufferTables(t *testing.T) {
	lockThread(t)
	src := newRing(t, 8)
	require.NoError(t, src.RegisterBuffersSparse(4))
	buf := make([]byte, 4096)
	n, err := src.RegisterBuffersUpdateTag(2, [][]byte{buf}, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	f := tempFile(t, pattern(4096, 5))
	read := func(r *Ring, i int) error {
		clear(buf)
		c := submitOne(t, r, func(s *SQE) { s.PrepReadFixed(int(f.Fd()), buf, 0, i) })
		if c.Err() == nil {
			require.Equal(t, pattern(4096, 5), buf)
		}
		return c.Err()
	}
	require.NoError(t, read(src, 2))
	require.ErrorIs(t, read(src, 1), unix.EFAULT)

	dst := newRing(t, 8)
	require.NoError(t, dst.CloneBuffers(src))
	require.NoError(t, read(dst, 2), "through the clone")
	require.ErrorIs(t, dst.CloneBuffers(src), unix.EBUSY)

	third := newRing(t, 8)
	err = third.CloneBuffersOffset(src, 0, 2, 1, 0)
	needs(t, err, 10)
	require.NoError(t, err)
	require.NoError(t, read(third, 0))
	require.ErrorIs(t, third.CloneBuffersOffset(src, 0, 2, 1, 0), unix.EBUSY)
	require.NoError(t, third.CloneBuffersOffset(src, 1, 2, 1, RegisterDstReplace))
	require.NoError(t, read(third, 1))
}

func TestRegisterSyncCancel(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8)
	rd, _ := pipe(t)
	sqe := r.GetSQE()
	sqe.PrepRead(rd, make([]byte, 1), 0)
	sqe.SetData64(5)
	_, err := r.Submit()
	require.NoError(t, err)
	_, err = r.RegisterSyncCancel(SyncCancelReg{Addr: 6, Timeout: NoTimeout})
	require.ErrorIs(t, err, unix.ENOENT)
	n, err := r.RegisterSyncCancel(SyncCancelReg{Addr: 5, Timeout: NoTimeout})
	require.NoError(t, err)
	require.Zero(t, n)
	cqe, err := r.WaitCQE()
	require.NoError(t, err)
	require.ErrorIs(t, cqe.Err(), unix.ECANCELED)
	r.CQESeen(cqe)
}

func TestRegisterSyncMsg(t *testing.T) {
	r := newRing(t, 8)
	var sqe SQE
	sqe.PrepMsgRing(r.FD(), 77, 88, 0)
	err := RegisterSyncMsg(&sqe)
	needs(t, err, 11)
	require.NoError(t, err)
	cqe, err := r.WaitCQETimeout(time.Second)
	require.NoError(t, err)
	require.EqualValues(t, 77, cqe.Res)
	require.EqualValues(t, 88, cqe.UserData)
	r.CQESeen(cqe)
	sqe.PrepMsgRing(0, 0, 0, 0)
	require.ErrorIs(t, RegisterSyncMsg(&sqe), unix.EBADFD, "not a ring")
}

func TestRegisterNAPI(t *testing.T) {
	r := newRing(t, 8)
	n := NAPI{BusyPollTo: 50, PreferBusyPoll: 1}
	err := r.RegisterNAPI(&n)
	if err != nil { // a kernel without CONFIG_NET_RX_BUSY_POLL
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel does not poll network devices: io_uring_register_napi answers EINVAL")
	}
	require.Zero(t, n.BusyPollTo, "what was set before")
	n = NAPI{}
	require.NoError(t, r.UnregisterNAPI(&n))
	require.EqualValues(t, 50, n.BusyPollTo)
	require.EqualValues(t, 1, n.PreferBusyPoll)
}

func TestRegisterClock(t *testing.T) {
	r := newRing(t, 8)
	require.NoError(t, r.RegisterClock(unix.CLOCK_BOOTTIME))
	start := time.Now()
	_, err := r.WaitCQETimeout(10 * time.Millisecond)
	require.ErrorIs(t, err, unix.ETIME)
	require.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
	require.NoError(t, r.RegisterClock(unix.CLOCK_MONOTONIC))
	require.ErrorIs(t, r.RegisterClock(99), unix.EINVAL)
}

// A ring that is made larger keeps what it has.
func TestResizeRings(t *testing.T) {
	lockThread(t)
	r := newRing(t, 4, WithFlags(SetupSingleIssuer|SetupDeferTaskrun))
	for i := range 3 {
		sqe := r.GetSQE()
		sqe.PrepNop()
		sqe.SetData64(uint64(i))
	}
	_, err := r.SubmitAndWait(3)
	require.NoError(t, err)
	require.NoError(t, r.ResizeRings(&Params{SQEntries: 32, CQEntries: 64, Flags: SetupCQSize}))
	require.EqualValues(t, 32, r.SQEntries())
	require.EqualValues(t, 64, r.CQEntries())
	next := uint64(0)
	for cqe := range r.CQEs() {
		require.Equal(t, next, cqe.UserData)
		next++
	}
	require.EqualValues(t, 3, next)
	for range 32 {
		require.NotNil(t, r.GetSQE())
	}
	require.ErrorIs(t, newRing(t, 4).ResizeRings(&Params{SQEntries: 8}), unix.EINVAL)
}

func TestRegisteredWaits(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8, WithFlags(SetupRDisabled|SetupSingleIssuer|SetupDeferTaskrun))
	waits, err := r.RegisterWaitRegion(1)
	require.NoError(t, err)
	require.Len(t, waits, os.Getpagesize()/int(unsafe.Sizeof(RegWait{})))
	require.NoError(t, r.EnableRings())
	waits[3] = RegWait{Timeout: NewTimespec(15 * time.Millisecond), Flags: RegWaitTS}
	start := time.Now()
	_, err = r.SubmitAndWaitReg(1, 3)
	require.ErrorIs(t, err, unix.ETIME)
	require.GreaterOrEqual(t, time.Since(start), 15*time.Millisecond)
	r.GetSQE().PrepNop()
	cqe, err := r.SubmitAndWaitReg(1, 3)
	require.NoError(t, err)
	require.NotNil(t, cqe)
	r.CQESeen(cqe)
	_, err = r.SubmitAndWaitReg(1, 1<<20)
	require.ErrorIs(t, err, unix.EFAULT)
	_, err = r.RegisterWaitRegion(0)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestMinTimeouts(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		if r.Features()&FeatMinTimeout == 0 {
			t.Skip("this kernel has no FeatMinTimeout")
		}
		// One of the two that are waited for: enough after the short time.
		r.GetSQE().PrepNop()
		start := time.Now()
		cqe, err := r.SubmitAndWaitMinTimeout(2, time.Minute, 10*time.Millisecond)
		require.NoError(t, err)
		require.NotNil(t, cqe)
		require.Less(t, time.Since(start), 10*time.Second)
		r.CQESeen(cqe)
		_, err = r.WaitCQEsMinTimeout(1, 10*time.Millisecond, time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)
	})
}

func TestSubmitAndGetEvents(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		r.GetSQE().PrepNop()
		_, err := r.SubmitAndGetEvents()
		require.NoError(t, err)
		_, err = r.WaitCQE()
		require.NoError(t, err)
		require.NoError(t, r.SQRingWait())
		err = r.SetIowait(false)
		needs(t, err, 10)
		require.NoError(t, err)
		require.NoError(t, r.SetIowait(true))
	})
}

// The wait ends when the kernel's thread has taken entries.
func TestSQRingWait(t *testing.T) {
	r := newRing(t, 2, WithSQPoll(time.Second))
	for range 100 {
		for r.SQSpaceLeft() == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
			require.NoError(t, r.SQRingWait())
		}
		r.GetSQE().PrepNop()
		for range r.CQEs() {
		}
	}
	_, err := r.Submit()
	require.NoError(t, err)
}

func TestQueueInitMem(t *testing.T) {
	lockThread(t)
	mem, err := mapMemory(4 * os.Getpagesize())
	require.NoError(t, err)
	defer unmapMemory(mem)
	_, _, err = QueueInitMem(4096, new(Params), mem)
	require.ErrorIs(t, err, unix.ENOMEM)
	_, _, err = QueueInitMem(4, new(Params), nil)
	require.ErrorIs(t, err, unix.EINVAL)
	r, used, err := QueueInitMem(4, new(Params), mem)
	require.NoError(t, err)
	require.Positive(t, used)
	require.LessOrEqual(t, used, len(mem))
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.NoError(t, r.Close())
}

func TestSizes(t *testing.T) {
	n, err := MlockSize(64, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = MemorySize(64, 0)
	needs(t, err, 11)
	require.NoError(t, err)
	require.EqualValues(t, 8192, n)
	big, err := MemorySizeParams(64, &Params{Flags: SetupSQE128})
	require.NoError(t, err)
	require.Greater(t, big, n)
	_, err = MemorySize(0, 0)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestVersions(t *testing.T) {
	require.False(t, CheckVersion(MajorVersion(), MinorVersion()))
	require.True(t, CheckVersion(MajorVersion(), MinorVersion()+1))
	require.True(t, CheckVersion(MajorVersion()+1, 0))
	require.False(t, CheckVersion(1, 99))
}

func TestQuery(t *testing.T) {
	info, err := GetQueryOpcode()
	needs(t, err, 15)
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel can't be queried")
	}
	r := newRing(t, 2)
	p, err := r.GetProbe()
	require.NoError(t, err)
	require.EqualValues(t, p.LastOp()+1, info.NrRequestOpcodes)
	require.EqualValues(t, r.Features(), info.FeatureFlags&uint64(r.Features()))
	require.NotZero(t, info.RingSetupFlags&uint64(SetupDeferTaskrun))
	for name, ask := range map[string]func() error{
		"zcrx": func() error { _, err := GetQueryZCRX(); return err },
		"scq":  func() error { _, err := GetQuerySCQ(); return err },
	} {
		if err := ask(); err != nil { // kernels that don't know the question
			require.ErrorIs(t, err, unix.EOPNOTSUPP, name)
		}
	}
}

// There is no such hardware here: the kernel says so.
func TestWithoutTheHardware(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8, WithFlags(SetupSingleIssuer|SetupDeferTaskrun|SetupCQE32))
	area, err := mapMemory(1 << 16)
	require.NoError(t, err)
	defer unmapMemory(area)
	region, err := mapMemory(1 << 16)
	require.NoError(t, err)
	defer unmapMemory(region)
	err = r.RegisterIFQ(&ZCRXIFQReg{IfIdx: 1 << 20, RqEntries: 64}, area, region)
	needs(t, err, 10)
	// EINVAL: a kernel without CONFIG_IO_URING_ZCRX.
	require.True(t, isAny(err, unix.ENODEV, unix.EINVAL, unix.EOPNOTSUPP), "%v", err)
	err = r.RegisterZCRXCtrl(&ZCRXCtrl{ZCRXID: 1})
	needs(t, err, 15)
	require.True(t, isAny(err, unix.ENXIO, unix.EINVAL, unix.EOPNOTSUPP), "%v", err)
}

func isAny(err error, all ...unix.Errno) bool {
	for _, e := range all {
		if isErrno(err, e) {
			return true
		}
	}
	return false
}

func isErrno(err error, errno unix.Errno) bool {
	op, ok := err.(*OpError)
	return ok && op.Err == error(errno)
}

// A filter that lets nothing through, on kernels that have filters.
func TestRegisterBPFFilter(t *testing.T) {
	r := newRing(t, 8)
	deny := []BPFInstruction{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	err := r.RegisterBPFFilter(&BPFFilter{Op: OpNop, Program: deny})
	needs(t, err, 15)
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		err = RegisterBPFFilterTask(&BPFFilter{Op: OpNop, Program: deny})
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel has no filters: io_uring_register_bpf_filter answers EINVAL")
	}
	c := submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.ErrorIs(t, c.Err(), unix.EACCES)
}

func TestBufRing(t *testing.T) {
	t.Run("ours", func(t *testing.T) { testBufRing(t, (*Ring).SetupBufRing) })
	t.Run("mapped", func(t *testing.T) { testBufRing(t, (*Ring).MapBufRing) })
}

func testBufRing(t *testing.T, setUp func(r *Ring, entries uint32, bgid uint16, flags BufRingFlags) (*BufRing, error)) {
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
		n, err := br.Available()
		require.NoError(t, err)
		require.Equal(t, 4, n)
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
		head, err := br.Head()
		require.NoError(t, err)
		require.EqualValues(t, 10, head)
		require.NoError(t, br.Free())
		require.NoError(t, br.Free())
		require.ErrorIs(t, br.Add(mem, 0, 0), ErrClosed)
		require.Error(t, r.UnregisterBufRing(7)) // ENOENT, EINVAL on older kernels

		reg := BufReg{RingEntries: 4, Bgid: 9}
		require.ErrorIs(t, r.RegisterBufRing(&reg, 0), unix.EINVAL)
		reg.Flags = PbufRingMmap
		require.NoError(t, r.RegisterBufRing(&reg, 0))
		require.NoError(t, r.UnregisterBufRing(9))
	})
}

// With PbufRingInc a buffer is used up bit by bit.
func TestBufRingIncremental(t *testing.T) {
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

// Setup flags that change how a ring works.
func TestSetupVariants(t *testing.T) {
	first := newRing(t, 8)
	for name, opts := range map[string][]Option{
		"attach_wq":     {WithAttachWQ(first)},
		"submit_all":    {WithFlags(SetupSubmitAll)},
		"no_sqarray":    {WithFlags(SetupNoSQArray)},
		"sqpoll on cpu": {WithSQPoll(10 * time.Millisecond), WithSQThreadCPU(0)},
		"sqe mixed":     {WithFlags(SetupSQEMixed)},
		"cqe mixed":     {WithFlags(SetupCQEMixed)},
		"sq rewind":     {WithFlags(SetupSQRewind | SetupNoSQArray)},
	} {
		t.Run(name, func(t *testing.T) {
			lockThread(t)
			r := newRing(t, 8, opts...)
			for range 20 {
				submitOne(t, r, func(s *SQE) { s.PrepNop() })
			}
		})
	}
}

// Polled I/O is for devices that can be polled; another says EOPNOTSUPP.
func TestIOPoll(t *testing.T) {
	for name, flags := range map[string]SetupFlags{"iopoll": SetupIOPoll, "hybrid": SetupIOPoll | SetupHybridIOPoll} {
		t.Run(name, func(t *testing.T) {
			lockThread(t)
			r := newRing(t, 8, WithFlags(flags))
			f := tempFile(t, pattern(8192, 1))
			fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			pool, err := NewBufferPool(1, 4096)
			require.NoError(t, err)
			defer pool.Close()
			b, _ := pool.Get()
			defer pool.Put(b)
			sqe := r.GetSQE()
			sqe.PrepRead(fd, b.Bytes, 4096)
			_, err = r.Submit()
			require.NoError(t, err)
			var cqe *CQE
			end := time.Now().Add(10 * time.Second)
			for time.Now().Before(end) { // polling is the program's business
				if cqe, err = r.PeekCQE(); err == nil {
					break
				}
				require.ErrorIs(t, err, unix.EAGAIN)
			}
			require.NoError(t, err)
			if cqe.Res >= 0 {
				require.Equal(t, pattern(8192, 1)[4096:], b.Bytes)
			} else {
				require.ErrorIs(t, cqe.Err(), unix.EOPNOTSUPP)
			}
			r.CQESeen(cqe)
		})
	}
}

// The system calls by hand: a ring's descriptor, a no-op register call, an enter.
func TestSystemCalls(t *testing.T) {
	var p Params
	fd, err := Setup(4, &p)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.EqualValues(t, 4, p.SQEntries)
	require.NotZero(t, p.Features)
	n, err := Enter(fd, 0, 0, EnterGetEvents)
	require.NoError(t, err)
	require.Zero(t, n)
	id, err := Register(fd, RegisterPersonality, nil, 0)
	require.NoError(t, err)
	require.Positive(t, id)
	_, err = Register(fd, RegisterPersonality, nil, 1)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = Setup(0, &p)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = Enter(-1, 0, 0, 0)
	require.ErrorIs(t, err, unix.EBADF)
}

func TestBufRingInit(t *testing.T) {
	r := newRing(t, 4)
	br, err := r.SetupBufRing(4, 1, 0)
	require.NoError(t, err)
	defer br.Free()
	require.NoError(t, br.Add(make([]byte, 8), 0, 0))
	br.CQAdvanceRaw(0, 1)
	n, err := br.Available()
	require.NoError(t, err)
	require.Equal(t, 1, n)
	br.Init()
	n, err = br.Available()
	require.NoError(t, err)
	require.Zero(t, n)
}

// Cloning with flags; two rings of one thread, by a registered descriptor too.
func TestCloneBuffersRaw(t *testing.T) {
	lockThread(t)
	src, dst := newRing(t, 4), newRing(t, 4)
	require.NoError(t, src.RegisterBuffers([][]byte{make([]byte, 4096)}))
	err := dst.CloneBuffersRaw(src, 0)
	needs(t, err, 10)
	require.NoError(t, err)
	require.ErrorIs(t, dst.CloneBuffersRaw(src, 0), unix.EBUSY)
	require.NoError(t, dst.CloneBuffersRaw(src, RegisterDstReplace))
}
