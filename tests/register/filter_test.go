//go:build linux

package register_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The programs of filters that look at nothing.
var (
	allow = []liburing.BPFInstruction{{Code: unix.BPF_RET | unix.BPF_K, K: 1}}
	deny  = []liburing.BPFInstruction{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
)

// needsFilters skips on kernels that have no filters, after seeing what they say.
func needsFilters(t *testing.T) {
	t.Helper()
	err := ringtest.NewRing(t, 1).RegisterBPFFilter(&liburing.BPFFilter{Op: liburing.OpNop, Program: allow})
	ringtest.NeedsLiburing(t, err, 15)
	if ringtest.KernelBefore(7, 0) {
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorIs(t, liburing.RegisterBPFFilterTask(&liburing.BPFFilter{Op: liburing.OpNop, Program: allow}), unix.EINVAL)
		_, err = liburing.NewLoop(4, liburing.WithBPFFilterTask(&liburing.BPFFilter{Op: liburing.OpNop, Program: allow}))
		require.ErrorIs(t, err, unix.EINVAL)
		t.Skip("this kernel has no filters: they came with Linux 7.0")
	}
	require.NoError(t, err)
}

// onThread calls f on a thread that ends with it, and so do its rights and filters.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		f()
	}()
	<-done
}

// nop returns the error of a no-op.
func nop(t *testing.T, r *liburing.Ring) error {
	t.Helper()
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	return c.Err()
}

// badRead returns the error of a read from no file: EBADF if it was tried.
func badRead(t *testing.T, r *liburing.Ring) error {
	t.Helper()
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(-1, make([]byte, 1), 0) })
	return c.Err()
}

func register(t *testing.T, r *liburing.Ring, op liburing.Op, flags liburing.BPFFilterFlags, program []liburing.BPFInstruction) {
	t.Helper()
	require.NoError(t, r.RegisterBPFFilter(&liburing.BPFFilter{Op: op, Flags: flags, Program: program}))
}

// All filters of an operation must allow a request, and none can be taken back.
func TestFiltersAddUp(t *testing.T) {
	needsFilters(t)
	r := ringtest.NewRing(t, 8)
	register(t, r, liburing.OpNop, 0, allow)
	require.NoError(t, nop(t, r))
	register(t, r, liburing.OpNop, 0, deny)
	require.ErrorIs(t, nop(t, r), unix.EACCES)
	register(t, r, liburing.OpNop, 0, allow)
	require.ErrorIs(t, nop(t, r), unix.EACCES)
	require.ErrorIs(t, badRead(t, r), unix.EBADF, "other operations are as before")
}

// What was denied with the rest stays so.
func TestDenyRestIsFinal(t *testing.T) {
	needsFilters(t)
	r := ringtest.NewRing(t, 8)
	register(t, r, liburing.OpNop, liburing.BPFFilterDenyRest, allow)
	require.NoError(t, nop(t, r))
	require.ErrorIs(t, badRead(t, r), unix.EACCES)
	register(t, r, liburing.OpRead, 0, allow)
	require.ErrorIs(t, badRead(t, r), unix.EACCES)
}

// Two operations: the flag comes with the last.
func TestDenyRestComesLast(t *testing.T) {
	needsFilters(t)
	r := ringtest.NewRing(t, 8)
	register(t, r, liburing.OpRead, 0, allow)
	register(t, r, liburing.OpNop, liburing.BPFFilterDenyRest, allow)
	require.NoError(t, nop(t, r))
	require.ErrorIs(t, badRead(t, r), unix.EBADF)
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepFsync(-1, 0) })
	require.ErrorIs(t, c.Err(), unix.EACCES)
}

// A filter sees what socket is asked for, struct io_uring_bpf_ctx.
func TestFilterLooksAtTheSocket(t *testing.T) {
	needsFilters(t)
	const family = 16 // its place in the struct
	unixOnly := []liburing.BPFInstruction{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: family},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.AF_UNIX, JF: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	filter := &liburing.BPFFilter{Op: liburing.OpSocket, PDUSize: 12, Flags: liburing.BPFFilterSzStrict, Program: unixOnly}
	r := ringtest.NewRing(t, 8)
	require.NoError(t, r.RegisterBPFFilter(filter))
	for domain, want := range map[int]error{unix.AF_UNIX: nil, unix.AF_INET: unix.EACCES} {
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepSocket(domain, unix.SOCK_STREAM, 0, 0) })
		require.ErrorIs(t, c.Err(), want, "%d", domain)
		if c.Res >= 0 {
			require.NoError(t, unix.Close(int(c.Res)))
		}
	}
	filter.PDUSize = 13
	require.ErrorIs(t, r.RegisterBPFFilter(filter), unix.EMSGSIZE)
	filter.PDUSize = 8
	require.ErrorIs(t, r.RegisterBPFFilter(filter), unix.EMSGSIZE, "strictly")
}

// A thread's filter holds for the rings that it makes later, and theirs can't undo it.
func TestFilterOfAThread(t *testing.T) {
	needsFilters(t)
	onThread(func() {
		before := ringtest.NewRing(t, 8)
		require.NoError(t, liburing.RegisterBPFFilterTask(&liburing.BPFFilter{Op: liburing.OpNop, Program: deny}))
		require.NoError(t, nop(t, before))
		after := ringtest.NewRing(t, 8)
		require.ErrorIs(t, nop(t, after), unix.EACCES)
		register(t, after, liburing.OpNop, 0, allow)
		require.ErrorIs(t, nop(t, after), unix.EACCES)
		require.ErrorIs(t, badRead(t, after), unix.EBADF)

		require.NoError(t, liburing.RegisterBPFFilterTask(&liburing.BPFFilter{Op: liburing.OpRead, Program: deny}))
		both := ringtest.NewRing(t, 8)
		require.ErrorIs(t, nop(t, both), unix.EACCES)
		require.ErrorIs(t, badRead(t, both), unix.EACCES)
		require.ErrorIs(t, badRead(t, after), unix.EBADF)

		l := ringtest.NewLoop(t, 8)
		ringtest.One(t, l, l.Nop) // it makes its ring on its own thread
	})
	require.NoError(t, nop(t, ringtest.NewRing(t, 8)), "another thread")
}

// A ring's filter takes no privilege, a thread's one of two.
func TestRightsForFilters(t *testing.T) {
	needsFilters(t)
	filter := &liburing.BPFFilter{Op: liburing.OpNop, Program: deny}
	capset := func(bits uint32) {
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := []unix.CapUserData{{Effective: bits, Permitted: bits}, {}}
		require.NoError(t, unix.Capset(&hdr, &data[0]))
	}
	onThread(func() {
		capset(1 << unix.CAP_SYS_ADMIN)
		require.NoError(t, liburing.RegisterBPFFilterTask(filter))
	})
	onThread(func() {
		capset(0)
		err := liburing.RegisterBPFFilterTask(filter)
		require.ErrorIs(t, err, unix.EACCES)
		require.ErrorContains(t, err, "no_new_privs")
		r := ringtest.NewRing(t, 8)
		require.NoError(t, r.RegisterBPFFilter(filter))
		require.ErrorIs(t, nop(t, r), unix.EACCES)
		require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		require.NoError(t, liburing.RegisterBPFFilterTask(filter))
	})
}

// The option reaches a loop's thread, and nobody else's.
func TestLoopWithTaskFilter(t *testing.T) {
	needsFilters(t)
	option := liburing.WithBPFFilterTask(
		&liburing.BPFFilter{Op: liburing.OpNop, Program: deny},
		&liburing.BPFFilter{Op: liburing.OpFsync, Program: deny},
	)
	check := func(l *liburing.Loop) {
		for _, c := range ringtest.Do(t, l, l.Nop) {
			require.ErrorIs(t, c.Err(), unix.EACCES)
		}
		for _, c := range ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Fsync(-1, 0, cb) }) {
			require.ErrorIs(t, c.Err(), unix.EACCES)
		}
		fired := false
		l.After(time.Millisecond, func() { fired = true })
		ringtest.RunIdle(t, l)
		require.True(t, fired, "other operations are as before")
	}
	check(ringtest.NewLoop(t, 8, option))
	g, err := liburing.NewLoopGroup(2, 8, option)
	require.NoError(t, err)
	for _, l := range g.Loops() {
		check(l)
	}
	require.NoError(t, g.Close(context.Background()))
	l := ringtest.NewLoop(t, 8)
	ringtest.One(t, l, l.Nop)

	onThread(func() {
		require.ErrorIs(t, nop(t, ringtest.NewRing(t, 8, option)), unix.EACCES)
		_, err := liburing.NewLoop(8, liburing.WithBPFFilterTask(nil))
		require.ErrorIs(t, err, unix.EINVAL)
	})
}
