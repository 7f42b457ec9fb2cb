//go:build linux && cgo

package liburing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
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

func TestRegisterRingFD(t *testing.T) {
	lockThread(t)
	needOps(t, OpMsgRing) // came with it, in Linux 5.18
	r := newRing(t, 8)
	require.NoError(t, r.RegisterRingFD())
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	require.NoError(t, r.UnregisterRingFD())
	submitOne(t, r, func(s *SQE) { s.PrepNop() })
	if kernelBefore(6, 3) {
		require.ErrorIs(t, r.CloseRingFD(), unix.EOPNOTSUPP)
		return
	}
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

func TestRegisterSyncCancel(t *testing.T) {
	syncCancel(t)
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
	if kernelBefore(6, 6) {
		_, err = r.RegisterSyncCancel(SyncCancelReg{Flags: AsyncCancelOp, Opcode: OpRead, Timeout: NoTimeout})
		require.ErrorIs(t, err, unix.EINVAL)
		return
	}
	_, err = r.RegisterSyncCancel(SyncCancelReg{Flags: AsyncCancelOp, Opcode: OpWrite, Timeout: NoTimeout})
	require.ErrorIs(t, err, unix.ENOENT)
	_, err = r.RegisterSyncCancel(SyncCancelReg{Flags: AsyncCancelOp, Opcode: OpRead, Timeout: NoTimeout})
	require.NoError(t, err)
	cqe, err = r.WaitCQE()
	require.NoError(t, err)
	require.ErrorIs(t, cqe.Err(), unix.ECANCELED)
	r.CQESeen(cqe)
}

// Calls that a signal has cut short go on, and wait no longer in all than they should.
func TestUninterrupted(t *testing.T) {
	calls := 0
	require.ErrorIs(t, newRing(t, 4).call("call", func(*ringMem) int32 {
		if calls++; calls < 3 {
			return -int32(unix.EINTR)
		}
		return -int32(unix.EBUSY)
	}), unix.EBUSY)
	require.Equal(t, 3, calls)
	for passed, want := range map[time.Duration]Timespec{
		0:                   {Sec: 3, Nsec: 100},
		100:                 {Sec: 3},
		101:                 {Sec: 2, Nsec: 999999999},
		2*time.Second + 50:  {Sec: 1, Nsec: 50},
		3*time.Second + 101: {},
		1000000 * time.Hour: {},
	} {
		require.Equal(t, want, Timespec{Sec: 3, Nsec: 100}.without(passed), "%v", passed)
	}
	require.Equal(t, NoTimeout, NoTimeout.without(time.Hour))
}

func TestRegisterSyncMsg(t *testing.T) {
	needsKernel(t, 6, 13)
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

// A ring that is made larger keeps what it has.
func TestResizeRings(t *testing.T) {
	needsKernel(t, 6, 13)
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
	// EINVAL: a kernel without CONFIG_IO_URING_ZCRX. EPERM: no CAP_NET_ADMIN.
	require.True(t, isAny(err, unix.ENODEV, unix.EINVAL, unix.EOPNOTSUPP, unix.EPERM), "%v", err)
	require.Empty(t, r.zcrx, "nothing is kept")
	err = r.RegisterIFQ(&ZCRXIFQReg{Flags: ZCRXRegImport}, nil, nil)
	require.True(t, isAny(err, unix.EBADF, unix.EFAULT, unix.EINVAL, unix.EOPNOTSUPP, unix.EPERM), "%v", err)
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
		"buf ring":    func() error { return r.RegisterBufRing(BufReg{}, 0) },
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
	require.NoError(t, r.RegisterFiles([]int{-1}))
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
