//go:build linux

package register_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRegisterEventfd(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8)
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
	nop := func() { ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() }) }

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
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
		s.PrepNop()
		s.SetFlags(liburing.SQEAsync) // by a worker
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
	r := ringtest.NewRing(t, 8)
	done := make(chan struct{})
	go func() { // the thread's credentials change: it is not used again
		defer close(done)
		runtime.LockOSThread()
		root, err := r.RegisterPersonality()
		require.NoError(t, err)
		_, _, errno := unix.RawSyscall(unix.SYS_SETFSUID, 65534, 0, 0)
		require.Zero(t, errno)
		open := func(personality uint16) liburing.CQE {
			return ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
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
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	r.GetSQE().PrepNop()
	_, err := r.Submit()
	require.ErrorIs(t, err, unix.EBADFD, "a ring that is not enabled")
	require.NoError(t, r.RegisterRestrictions([]liburing.Restriction{
		{Opcode: liburing.RestrictionSQEOp, Value: uint8(liburing.OpNop)},
		{Opcode: liburing.RestrictionRegisterOp, Value: uint8(liburing.RegisterProbe)},
	}))
	require.NoError(t, r.EnableRings())
	cqe, err := r.SubmitAndWaitTimeout(1, time.Second)
	require.NoError(t, err)
	require.Zero(t, cqe.Res, "what is allowed")
	r.CQESeen(cqe)
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(0, make([]byte, 1), 0) })
	require.ErrorIs(t, c.Err(), unix.EACCES)
	_, err = r.GetProbe()
	require.NoError(t, err)
	require.ErrorIs(t, r.RegisterFiles([]int{0}), unix.EACCES)
	require.ErrorIs(t, ringtest.NewRing(t, 8).RegisterRestrictions([]liburing.Restriction{{}}), unix.EBADFD)
}

// Flags that a request may have, and one that it must have.
func TestRegisterRestrictedFlags(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	require.NoError(t, r.RegisterRestrictions([]liburing.Restriction{
		{Opcode: liburing.RestrictionSQEOp, Value: uint8(liburing.OpNop)},
		{Opcode: liburing.RestrictionSQEFlagsAllowed, Value: uint8(liburing.SQEAsync)},
		{Opcode: liburing.RestrictionSQEFlagsRequired, Value: uint8(liburing.SQEIODrain)},
	}))
	require.NoError(t, r.EnableRings())
	for flags, want := range map[liburing.SQEFlags]error{
		liburing.SQEIODrain:                      nil,
		liburing.SQEIODrain | liburing.SQEAsync:  nil,
		liburing.SQEAsync:                        unix.EACCES,
		liburing.SQEIODrain | liburing.SQEIOLink: unix.EACCES,
	} {
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepNop()
			s.SetFlags(flags)
		})
		require.ErrorIs(t, c.Err(), want, "%v", flags)
	}
}

func TestRegisterRingFD(t *testing.T) {
	ringtest.LockThread(t)
	ringtest.NeedsOps(t, liburing.OpMsgRing) // came with it, in Linux 5.18
	r := ringtest.NewRing(t, 8)
	require.NoError(t, r.RegisterRingFD())
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	require.NoError(t, r.UnregisterRingFD())
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	if ringtest.KernelBefore(6, 3) {
		require.ErrorIs(t, r.CloseRingFD(), unix.EOPNOTSUPP)
		return
	}
	require.ErrorIs(t, r.CloseRingFD(), unix.EINVAL)
	require.NoError(t, r.RegisterRingFD())
	require.NoError(t, r.CloseRingFD())
	require.Equal(t, -1, r.FD())
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
}

func TestRegisterSyncCancel(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8)
	rd, _ := ringtest.Pipe(t)
	sqe := r.GetSQE()
	sqe.PrepRead(rd, make([]byte, 1), 0)
	sqe.SetData64(5)
	_, err := r.Submit()
	require.NoError(t, err)
	_, err = r.RegisterSyncCancel(liburing.SyncCancelReg{Addr: 6, Timeout: liburing.NoTimeout})
	require.ErrorIs(t, err, unix.ENOENT)
	n, err := r.RegisterSyncCancel(liburing.SyncCancelReg{Addr: 5, Timeout: liburing.NoTimeout})
	require.NoError(t, err)
	require.Zero(t, n)
	cqe, err := r.WaitCQE()
	require.NoError(t, err)
	require.ErrorIs(t, cqe.Err(), unix.ECANCELED)
	r.CQESeen(cqe)

	// All of one descriptor, and of one operation.
	other, _ := ringtest.Pipe(t)
	for _, fd := range []int{rd, rd, other} {
		ringtest.NextSQE(t, r).PrepRead(fd, make([]byte, 1), 0)
	}
	_, err = r.Submit()
	require.NoError(t, err)
	n, err = r.RegisterSyncCancel(liburing.SyncCancelReg{FD: int32(rd), Flags: liburing.AsyncCancelFD | liburing.AsyncCancelAll, Timeout: liburing.NoTimeout})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = r.WaitCQENr(2)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.CQReady(), "the other descriptor's is not canceled")
	r.CQAdvance(2)
	if ringtest.KernelBefore(6, 6) {
		_, err = r.RegisterSyncCancel(liburing.SyncCancelReg{Flags: liburing.AsyncCancelOp, Opcode: liburing.OpRead, Timeout: liburing.NoTimeout})
		require.ErrorIs(t, err, unix.EINVAL)
		return
	}
	_, err = r.RegisterSyncCancel(liburing.SyncCancelReg{Flags: liburing.AsyncCancelOp, Opcode: liburing.OpWrite, Timeout: liburing.NoTimeout})
	require.ErrorIs(t, err, unix.ENOENT)
	_, err = r.RegisterSyncCancel(liburing.SyncCancelReg{Flags: liburing.AsyncCancelOp, Opcode: liburing.OpRead, Timeout: liburing.NoTimeout})
	require.NoError(t, err)
	cqe, err = r.WaitCQE()
	require.NoError(t, err)
	require.ErrorIs(t, cqe.Err(), unix.ECANCELED)
	r.CQESeen(cqe)
}

func TestRegisterSyncMsg(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	r := ringtest.NewRing(t, 8)
	var sqe liburing.SQE
	sqe.PrepMsgRing(r.FD(), 77, 88, 0)
	err := liburing.RegisterSyncMsg(&sqe)
	ringtest.NeedsLiburing(t, err, 11)
	require.NoError(t, err)
	cqe, err := r.WaitCQETimeout(time.Second)
	require.NoError(t, err)
	require.EqualValues(t, 77, cqe.Res)
	require.EqualValues(t, 88, cqe.UserData)
	r.CQESeen(cqe)
	sqe.PrepMsgRing(0, 0, 0, 0)
	require.ErrorIs(t, liburing.RegisterSyncMsg(&sqe), unix.EBADFD, "not a ring")
}

func TestRegisterNAPI(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	n := liburing.NAPI{BusyPollTo: 50, PreferBusyPoll: 1}
	err := r.RegisterNAPI(&n)
	if err != nil { // a kernel without CONFIG_NET_RX_BUSY_POLL
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel does not poll network devices: io_uring_register_napi answers EINVAL")
	}
	require.Zero(t, n.BusyPollTo, "what was set before")
	n = liburing.NAPI{}
	require.NoError(t, r.UnregisterNAPI(&n))
	require.EqualValues(t, 50, n.BusyPollTo)
	require.EqualValues(t, 1, n.PreferBusyPoll)
}

// A ring that is made larger keeps what it has.
func TestResizeRings(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 4, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
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
	require.NoError(t, r.ResizeRings(&liburing.Params{SQEntries: 32, CQEntries: 64, Flags: liburing.SetupCQSize}))
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
	require.ErrorIs(t, r.ResizeRings(&liburing.Params{SQEntries: 8}), unix.EOVERFLOW, "32 entries don't fit")
	require.ErrorIs(t, ringtest.NewRing(t, 4).ResizeRings(&liburing.Params{SQEntries: 8}), unix.EINVAL)
}

func TestQuery(t *testing.T) {
	info, err := liburing.GetQueryOpcode()
	ringtest.NeedsLiburing(t, err, 15)
	if err != nil {
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel can't be queried")
	}
	r := ringtest.NewRing(t, 2)
	p, err := r.GetProbe()
	require.NoError(t, err)
	require.EqualValues(t, p.LastOp()+1, info.NrRequestOpcodes)
	require.EqualValues(t, r.Features(), info.FeatureFlags&uint64(r.Features()))
	require.NotZero(t, info.RingSetupFlags&uint64(liburing.SetupDeferTaskrun))
	for name, ask := range map[string]func() error{
		"zcrx": func() error { _, err := liburing.GetQueryZCRX(); return err },
		"scq":  func() error { _, err := liburing.GetQuerySCQ(); return err },
	} {
		if err := ask(); err != nil { // kernels that don't know the question
			require.ErrorIs(t, err, unix.EOPNOTSUPP, name)
		}
	}
}

// No method of a closed ring panics, and those that can fail say why.
func TestEveryMethodOfAClosedRing(t *testing.T) {
	r := ringtest.NewRing(t, 4)
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
		require.ErrorIs(t, err, liburing.ErrClosed, name)
		failing++
	}
	require.Greater(t, failing, 50)
}

// What is missing, or can't be, is an error and reaches nothing else.
func TestRegisterBadInput(t *testing.T) {
	r := ringtest.NewRing(t, 4)
	deferred := ringtest.NewRing(t, 4, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	var sqe *liburing.SQE
	for name, call := range map[string]func() error{
		"probe":       func() error { return r.RegisterProbe(nil) },
		"napi":        func() error { return r.RegisterNAPI(nil) },
		"resize":      func() error { return deferred.ResizeRings(nil) },
		"sync msg":    func() error { return liburing.RegisterSyncMsg(sqe) },
		"ifq":         func() error { return r.RegisterIFQ(nil, nil, nil) },
		"zcrx ctrl":   func() error { return r.RegisterZCRXCtrl(nil) },
		"filter":      func() error { return r.RegisterBPFFilter(nil) },
		"task filter": func() error { return liburing.RegisterBPFFilterTask(nil) },
		"buf ring":    func() error { return r.RegisterBufRing(liburing.BufReg{}, 0) },
		"no wait":     func() error { _, err := liburing.Setup(4, nil); return err },
		"no limits":   func() error { return r.RegisterRestrictions(nil) },
	} {
		err := call()
		require.Error(t, err, name)
		require.True(t, errors.Is(err, liburing.ErrNotSupported) || ringtest.IsAny(err, unix.EINVAL, unix.EFAULT, unix.EBADFD), "%s: %v", name, err)
	}
	require.ErrorIs(t, r.CloneBuffers(nil), liburing.ErrClosed)
	require.ErrorIs(t, r.CloneBuffersRaw(nil, 0), liburing.ErrClosed)

	// C would cut such a number down to that of standard input.
	large := ringtest.Wide(t, 1<<32)
	require.ErrorIs(t, r.RegisterFiles([]int{large}), unix.EBADF)
	require.NoError(t, r.RegisterFiles([]int{-1}))
	_, err := r.RegisterFilesUpdate(0, []int{large})
	require.ErrorIs(t, err, unix.EBADF)
	_, err = liburing.Enter(large, 0, 0, 0)
	require.ErrorIs(t, err, unix.EBADF)
	_, err = liburing.Register(large, liburing.RegisterPersonality, nil, 0)
	require.ErrorIs(t, err, unix.EBADF)
	for _, fd := range []int{large, -1} {
		require.ErrorIs(t, r.RegisterEventfd(fd), unix.EBADF)
		require.ErrorIs(t, r.RegisterEventfdAsync(fd), unix.EBADF)
	}
}
