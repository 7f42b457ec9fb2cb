//go:build linux && cgo

package liburing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
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

// Flags that a request may have, and one that it must have.
func TestRegisterRestrictedFlags(t *testing.T) {
	lockThread(t)
	r := newRing(t, 8, WithFlags(SetupRDisabled))
	require.NoError(t, r.RegisterRestrictions([]Restriction{
		{Opcode: RestrictionSQEOp, Value: uint8(OpNop)},
		{Opcode: RestrictionSQEFlagsAllowed, Value: uint8(SQEAsync)},
		{Opcode: RestrictionSQEFlagsRequired, Value: uint8(SQEIODrain)},
	}))
	require.NoError(t, r.EnableRings())
	for flags, want := range map[SQEFlags]error{
		SQEIODrain:             nil,
		SQEIODrain | SQEAsync:  nil,
		SQEAsync:               unix.EACCES,
		SQEIODrain | SQEIOLink: unix.EACCES,
	} {
		c := submitOne(t, r, func(s *SQE) {
			s.PrepNop()
			s.SetFlags(flags)
		})
		require.ErrorIs(t, c.Err(), want, "%v", flags)
	}
}

// workers returns the worker threads of a thread, and the processors that each
// may run on.
func threadWorkers(t *testing.T, tid int) map[string]string {
	t.Helper()
	found := map[string]string{}
	tasks, err := filepath.Glob("/proc/self/task/*")
	require.NoError(t, err)
	for _, task := range tasks {
		status, _ := os.ReadFile(task + "/status") // it may have ended
		var name, cpus string
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			switch key {
			case "Name":
				name = value
			case "Cpus_allowed_list":
				cpus = value
			}
		}
		if name == fmt.Sprintf("iou-wrk-%d", tid) {
			found[filepath.Base(task)] = cpus
		}
	}
	return found
}

// onFreshThread runs f on a thread that has no workers yet, and which ends with
// it.
func onFreshThread(t *testing.T, f func(tid int)) {
	t.Helper()
	release := make(chan struct{})
	defer close(release)
	for ran := false; !ran; {
		next := make(chan struct{})
		go func() {
			defer close(next)
			runtime.LockOSThread()
			if tid := unix.Gettid(); len(threadWorkers(t, tid)) == 0 {
				ran = true
				f(tid)
				return
			}
			go func() { next <- struct{}{} }()
			<-release
		}()
		<-next
	}
}

// blockWorkers has n workers open a FIFO that nobody writes to. (A read would
// have the kernel poll, which takes no worker.)
func blockWorkers(t *testing.T, r *Ring, n int) (finish func()) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	path := &append([]byte(name), 0)[0]
	for range n {
		sqe := nextSQE(t, r)
		sqe.PrepOpenat(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		sqe.SetFlags(SQEAsync)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	return func() {
		w, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(w)
		for range n {
			cqe, err := r.WaitCQETimeout(5 * time.Second)
			require.NoError(t, err)
			require.NoError(t, cqe.Err())
			unix.Close(int(cqe.Res))
			r.CQESeen(cqe)
		}
	}
}

func TestRegisterIOWQMaxWorkers(t *testing.T) {
	for _, limit := range []uint32{1, 3} {
		onFreshThread(t, func(tid int) {
			r := newRing(t, 8)
			_, _, err := r.RegisterIOWQMaxWorkers(limit, 7)
			require.NoError(t, err)
			bounded, unbounded, err := r.RegisterIOWQMaxWorkers(0, 0)
			require.NoError(t, err)
			require.Equal(t, [2]uint32{limit, 7}, [2]uint32{bounded, unbounded})
			finish := blockWorkers(t, r, 3) // opening is for the bounded ones
			count := func() bool { return len(threadWorkers(t, tid)) == int(limit) }
			require.Eventually(t, count, 5*time.Second, time.Millisecond)
			require.Never(t, func() bool { return !count() }, 50*time.Millisecond, 5*time.Millisecond)
			finish()
		})
	}
}

func TestRegisterIOWQAff(t *testing.T) {
	var all unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	if all.Count() < 2 {
		t.Skip("there is one processor only: nothing to choose from")
	}
	cpu := 0
	for !all.IsSet(cpu) {
		cpu++
	}
	onFreshThread(t, func(tid int) {
		r := newRing(t, 8)
		require.NoError(t, r.RegisterIOWQAff([]int{cpu}))
		finish := blockWorkers(t, r, 1)
		require.Eventually(t, func() bool {
			for _, cpus := range threadWorkers(t, tid) {
				return cpus == strconv.Itoa(cpu)
			}
			return false
		}, 5*time.Second, time.Millisecond, "a worker on processor %d", cpu)
		require.NoError(t, r.UnregisterIOWQAff())
		finishOther := blockWorkers(t, r, 1)
		require.Eventually(t, func() bool {
			for _, cpus := range threadWorkers(t, tid) {
				if cpus != strconv.Itoa(cpu) {
					return true
				}
			}
			return false
		}, 5*time.Second, time.Millisecond, "a worker that runs anywhere")
		finishOther()
		finish()
		require.ErrorIs(t, r.RegisterIOWQAff([]int{-1}), unix.EINVAL)
		require.ErrorIs(t, r.RegisterIOWQAff([]int{1 << 20}), unix.EINVAL)
	})
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
}

// The kernel marks the ring's memory as not to be copied into children.
func TestDontfork(t *testing.T) {
	r := newRing(t, 8)
	for _, part := range []unsafe.Pointer{r.mem.sq.ringPtr, unsafe.Pointer(r.mem.sq.sqes)} {
		require.NotContains(t, vmFlags(t, part), "dc")
	}
	require.NoError(t, r.Dontfork())
	for _, part := range []unsafe.Pointer{r.mem.sq.ringPtr, unsafe.Pointer(r.mem.sq.sqes)} {
		require.Contains(t, vmFlags(t, part), "dc")
	}
}

// vmFlags returns what the kernel says of the mapping that p points into.
func vmFlags(t *testing.T, p unsafe.Pointer) []string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var start, end uint64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &start, &end); n == 2 {
			inside = start <= uint64(uintptr(p)) && uint64(uintptr(p)) < end
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.Fields(flags)
		}
	}
	t.Fatal("no mapping there")
	return nil
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

	// All of one descriptor, and of one operation.
	other, _ := pipe(t)
	for _, fd := range []int{rd, rd, other} {
		nextSQE(t, r).PrepRead(fd, make([]byte, 1), 0)
	}
	_, err = r.Submit()
	require.NoError(t, err)
	n, err = r.RegisterSyncCancel(SyncCancelReg{FD: int32(rd), Flags: AsyncCancelFD | AsyncCancelAll, Timeout: NoTimeout})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = r.WaitCQENr(2)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.CQReady(), "the other descriptor's is not canceled")
	r.CQAdvance(2)
	_, err = r.RegisterSyncCancel(SyncCancelReg{Flags: AsyncCancelOp, Opcode: OpWrite, Timeout: NoTimeout})
	require.ErrorIs(t, err, unix.ENOENT)
	_, err = r.RegisterSyncCancel(SyncCancelReg{Flags: AsyncCancelOp, Opcode: OpRead, Timeout: NoTimeout})
	require.NoError(t, err)
	cqe, err = r.WaitCQE()
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
	waiting := r.GetSQE()
	waiting.PrepNop()
	waiting.SetData64(3)
	require.NoError(t, r.ResizeRings(&Params{SQEntries: 32, CQEntries: 64, Flags: SetupCQSize}))
	require.EqualValues(t, 32, r.SQEntries())
	require.EqualValues(t, 64, r.CQEntries())
	next := uint64(0)
	for cqe := range r.CQEs() {
		require.Equal(t, next, cqe.UserData)
		next++
	}
	require.EqualValues(t, 3, next)
	_, err = r.SubmitAndWait(1)
	require.NoError(t, err)
	cqe, err := r.PeekCQE()
	require.NoError(t, err)
	require.EqualValues(t, 3, cqe.UserData, "the entry that was not submitted yet")
	r.CQESeen(cqe)
	for range 32 {
		require.NotNil(t, r.GetSQE())
	}
	require.Nil(t, r.GetSQE())
	require.ErrorIs(t, r.ResizeRings(&Params{SQEntries: 8}), unix.EOVERFLOW, "32 entries don't fit")
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
	for _, index := range []int{-1, 1 << 31, 1 << 32} {
		_, err = r.SubmitAndWaitReg(1, index)
		require.ErrorIs(t, err, unix.EFAULT, "%d", index)
	}
	_, err = r.RegisterWaitRegion(0)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = r.RegisterWaitRegion(1)
	require.Error(t, err, "the ring is enabled") // EINVAL, EBUSY
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

		// A time below zero is no limit: the timer's completion ends the wait.
		for _, wait := range []func() (*CQE, error){
			func() (*CQE, error) { return r.SubmitAndWaitMinTimeout(2, -1, time.Millisecond) },
			func() (*CQE, error) { return r.WaitCQEsMinTimeout(2, -1, time.Millisecond) },
		} {
			ts := NewTimespec(30 * time.Millisecond)
			nextSQE(t, r).PrepTimeout(&ts, 0, 0)
			start := time.Now()
			_, err := r.Submit()
			require.NoError(t, err)
			cqe, err := wait()
			require.NoError(t, err)
			require.NotNil(t, cqe)
			require.ErrorIs(t, cqe.Err(), unix.ETIME)
			require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond)
			r.CQESeen(cqe)
		}
	})
}

func TestMicroseconds(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-1: 0, 0: 0, 1: 1, time.Microsecond: 1, 1001: 2, time.Second: 1e6, math.MaxInt64: math.MaxUint32,
	} {
		require.Equal(t, want, microseconds(d), "%v", d)
	}
}

func TestSubmitAndGetEvents(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		r.GetSQE().PrepNop()
		_, err := r.SubmitAndGetEvents()
		require.NoError(t, err)
		_, err = r.WaitCQE()
		require.NoError(t, err)
		require.NoError(t, r.SQRingWait())
	})
}

// Every enter says that its wait does not count, and the kernel takes it.
func TestSetIowait(t *testing.T) {
	overSetups(t, 8, func(t *testing.T, r *Ring) {
		err := r.SetIowait(false)
		needs(t, err, 10)
		if r.Features()&FeatNoIowait == 0 {
			require.ErrorIs(t, err, unix.EOPNOTSUPP)
			t.Skip("this kernel has no FeatNoIowait")
		}
		require.NoError(t, err)
		require.NotZero(t, r.mem.enterFlags()&EnterNoIowait)
		_, err = r.WaitCQETimeout(time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)
		require.NoError(t, r.SetIowait(true))
		require.Zero(t, r.mem.enterFlags()&EnterNoIowait)
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
	err = r.RegisterIFQ(&ZCRXIFQReg{IfIdx: 1 << 20, RqEntries: 64}, &ZCRXArea{Mem: area}, region)
	needs(t, err, 10)
	// EINVAL: a kernel without CONFIG_IO_URING_ZCRX.
	require.True(t, isAny(err, unix.ENODEV, unix.EINVAL, unix.EOPNOTSUPP), "%v", err)
	require.Empty(t, r.zcrx, "nothing is kept")
	err = r.RegisterIFQ(&ZCRXIFQReg{Flags: ZCRXRegImport}, nil, nil)
	require.True(t, isAny(err, unix.EBADF, unix.EFAULT, unix.EINVAL, unix.EOPNOTSUPP), "%v", err)
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

	// A ring that has nothing but a registered descriptor.
	require.NoError(t, src.RegisterRingFD())
	require.NoError(t, src.CloseRingFD())
	require.ErrorIs(t, dst.CloneBuffersRaw(src, RegisterDstReplace), unix.EBADF)
	require.NoError(t, dst.CloneBuffersRaw(src, RegisterDstReplace|RegisterSrcRegistered))
	require.NoError(t, dst.CloneBuffersOffset(src, 0, 0, 1, RegisterDstReplace))
	require.NoError(t, newRing(t, 4).CloneBuffers(src))
}

// The ring's own memory is given back after the Ring has been closed, too.
func TestBufRingFreeAfterClose(t *testing.T) {
	for name, setUp := range map[string]func(*Ring, uint32, uint16, BufRingFlags) (*BufRing, error){
		"ours": (*Ring).SetupBufRing, "mapped": (*Ring).MapBufRing,
	} {
		t.Run(name, func(t *testing.T) {
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
	for _, entries := range []uint32{0, 3, 1 << 16} {
		_, err := r.SetupBufRing(entries, 1, 0)
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
		_, err = r.MapBufRing(entries, 1, 0)
		require.ErrorIs(t, err, unix.EINVAL, "%d entries", entries)
	}
	_, err := r.SetupBufRing(4, 1, PbufRingMmap)
	require.ErrorContains(t, err, "MapBufRing")
	_, err = r.SetupBufRing(4, 1, 1<<15)
	require.ErrorIs(t, err, unix.EINVAL)
}

// No method of a closed ring panics, and those that can fail say why.
func TestEveryMethodOfAClosedRing(t *testing.T) {
	r := newRing(t, 4)
	require.NoError(t, r.Close())
	v := reflect.ValueOf(r)
	failing := 0
	for i := range v.NumMethod() {
		f := v.Method(i)
		args := make([]reflect.Value, f.Type().NumIn())
		for j := range args {
			args[j] = reflect.Zero(f.Type().In(j))
		}
		results := f.Call(args)
		last := len(results) - 1
		name := v.Type().Method(i).Name
		if last < 0 || f.Type().Out(last) != reflect.TypeFor[error]() || name == "Close" {
			continue
		}
		err, _ := results[last].Interface().(error)
		require.ErrorIs(t, err, ErrClosed, name)
		failing++
	}
	require.Greater(t, failing, 50)
}

// What is missing, or can't be, is an error and reaches nothing else.
func TestRegisterBadInput(t *testing.T) {
	r := newRing(t, 4)
	deferred := newRing(t, 4, WithFlags(SetupSingleIssuer|SetupDeferTaskrun))
	var sqe *SQE
	for name, call := range map[string]func() error{
		"probe":       func() error { return r.RegisterProbe(nil) },
		"napi":        func() error { return r.RegisterNAPI(nil) },
		"resize":      func() error { return deferred.ResizeRings(nil) },
		"sync msg":    func() error { return RegisterSyncMsg(sqe) },
		"ifq":         func() error { return r.RegisterIFQ(nil, nil, nil) },
		"zcrx ctrl":   func() error { return r.RegisterZCRXCtrl(nil) },
		"filter":      func() error { return r.RegisterBPFFilter(nil) },
		"task filter": func() error { return RegisterBPFFilterTask(nil) },
		"buf ring":    func() error { return r.RegisterBufRing(nil, 0) },
		"no wait":     func() error { _, err := Setup(4, nil); return err },
		"no limits":   func() error { return r.RegisterRestrictions(nil) },
	} {
		err := call()
		require.Error(t, err, name)
		require.True(t, errors.Is(err, ErrNotSupported) || isAny(err, unix.EINVAL, unix.EFAULT, unix.EBADFD), "%s: %v", name, err)
	}
	require.ErrorIs(t, r.CloneBuffers(nil), ErrClosed)
	require.ErrorIs(t, r.CloneBuffersRaw(nil, 0), ErrClosed)

	// C would cut such a number down to that of standard input.
	const large = 1 << 32
	require.ErrorIs(t, r.RegisterFiles([]int{large}), unix.EBADF)
	require.NoError(t, r.RegisterFilesSparse(1))
	_, err := r.RegisterFilesUpdate(0, []int{large})
	require.ErrorIs(t, err, unix.EBADF)
	_, err = Enter(large, 0, 0, 0)
	require.ErrorIs(t, err, unix.EBADF)
	_, err = Register(large, RegisterPersonality, nil, 0)
	require.ErrorIs(t, err, unix.EBADF)
	for _, fd := range []int{large, -1} {
		require.ErrorIs(t, r.RegisterEventfd(fd), unix.EBADF)
		require.ErrorIs(t, r.RegisterEventfdAsync(fd), unix.EBADF)
	}
}
