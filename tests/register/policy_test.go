//go:build linux

package register_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func loopWith(t *testing.T, opts ...liburing.Option) *liburing.Loop {
	t.Helper()
	l, err := liburing.NewLoop(8, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { ringtest.CloseLoop(t, l) })
	return l
}

// errorOf makes a request of a loop and returns its error.
func errorOf(t *testing.T, l *liburing.Loop, request func(liburing.Callback) liburing.Request) error {
	t.Helper()
	all := ringtest.Do(t, l, request)
	require.Len(t, all, 1)
	return all[0].Err()
}

// A loop does what its policy has, is refused all else by the kernel, and says so.
func TestLoopPolicy(t *testing.T) {
	l := loopWith(t, liburing.WithPolicy(liburing.Policy{
		Ops:         []liburing.Op{liburing.OpNop, liburing.OpFsync},
		RegisterOps: []liburing.RegisterOp{liburing.RegisterFiles},
	}))
	require.NoError(t, errorOf(t, l, l.Nop))
	require.ErrorIs(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Fsync(-1, 0, cb) }), unix.EBADF)

	err := errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0, cb) })
	require.ErrorIs(t, err, unix.EACCES)
	require.ErrorIs(t, err, os.ErrPermission)
	require.EqualError(t, err, "socket: permission denied: the policy of the ring does not have the operation: add it to Policy.Ops")
	err = errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb).Flags(liburing.SQEIODrain) })
	require.EqualError(t, err, "nop: permission denied: the policy of the ring does not have the flags io_drain: add them to Policy.Flags")

	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1}) }))
	err = l.Control(func(r *liburing.Ring) error { return r.RegisterBuffersSparse(1) })
	require.EqualError(t, err, "io_uring_register_buffers2: permission denied: the policy of the ring does not have the call: "+
		"add it to Policy.RegisterOps, or make it before EnableRings")
	require.ErrorIs(t, err, unix.EACCES)
	fired := false
	l.After(time.Millisecond, func() { fired = true })
	ringtest.RunIdle(t, l)
	require.True(t, fired, "what the loop needs is allowed")
}

// What the policy forbids can be done before it holds.
func TestPolicyOfADisabledRing(t *testing.T) {
	l := loopWith(t, liburing.WithFlags(liburing.SetupRDisabled), liburing.WithPolicy(liburing.Policy{Ops: []liburing.Op{liburing.OpNop}}))
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1}) }))
	require.NoError(t, l.Control((*liburing.Ring).EnableRings))
	require.NoError(t, errorOf(t, l, l.Nop))
	require.ErrorIs(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1}) }), unix.EACCES)
}

// A Ring is held to it too; what it says of a request Check does.
func TestRingPolicy(t *testing.T) {
	p := liburing.Policy{Ops: []liburing.Op{liburing.OpNop}, Flags: liburing.SQEAsync}
	r := ringtest.NewRing(t, 8, liburing.WithPolicy(p))
	require.NoError(t, nop(t, r))
	require.ErrorIs(t, badRead(t, r), unix.EACCES)
	require.ErrorContains(t, p.Check(liburing.OpRead, 0), "Policy.Ops")
	require.NoError(t, p.Check(liburing.OpNop, liburing.SQEAsync))
	require.ErrorContains(t, p.Check(liburing.OpNop, liburing.SQEIOLink), "Policy.Flags")
	require.ErrorContains(t, r.RegisterFiles([]int{-1}), "Policy.RegisterOps")

	nothing := ringtest.NewRing(t, 8, liburing.WithPolicy(liburing.Policy{}))
	require.ErrorIs(t, nop(t, nothing), unix.EACCES)
	require.ErrorIs(t, nothing.RegisterFiles([]int{-1}), unix.EACCES)
}

// What this kernel does not know is left out of its list.
func TestPolicyWithUnknownThings(t *testing.T) {
	r := ringtest.NewRing(t, 8, liburing.WithPolicy(liburing.Policy{
		Ops: []liburing.Op{liburing.OpNop, 250}, RegisterOps: []liburing.RegisterOp{liburing.RegisterFiles, 250},
	}))
	require.NoError(t, nop(t, r))
	require.NoError(t, r.RegisterFiles([]int{-1}))
	require.ErrorIs(t, badRead(t, r), unix.EACCES)
}

// Files are registered ones, whatever the kernel holds the ring to it with.
func TestPolicyOfFixedFiles(t *testing.T) {
	rd, wr := ringtest.Pipe(t)
	_, err := unix.Write(wr, []byte("abcd"))
	require.NoError(t, err)
	l := loopWith(t, liburing.WithPolicy(liburing.Policy{
		Ops:            []liburing.Op{liburing.OpNop, liburing.OpPollAdd, liburing.OpRead},
		RegisterOps:    []liburing.RegisterOp{liburing.RegisterFiles},
		FixedFilesOnly: true,
	}))
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{rd}) }))
	require.NoError(t, errorOf(t, l, l.Nop))
	fixed := liburing.Fixed(0).FD()
	buf := make([]byte, 4)
	require.NoError(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(fixed, buf, 0, cb) }))
	require.Equal(t, "abcd", string(buf))
	err = errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.PollAdd(rd, unix.POLLIN, cb) })
	require.ErrorIs(t, err, unix.EACCES)
	require.ErrorContains(t, err, "poll_add: permission denied: the policy of the ring has Policy.FixedFilesOnly")

	// The loop wakes up, keeps time, ends requests at their deadline and by contexts.
	fired := false
	l.After(time.Millisecond, func() { fired = true })
	ringtest.RunIdle(t, l)
	require.True(t, fired)
	err = errorOf(t, l, func(cb liburing.Callback) liburing.Request {
		return l.PollAdd(fixed, unix.POLLIN, cb).Deadline(time.Millisecond)
	})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	ringtest.NeedsSyncCancel(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err = errorOf(t, l, func(cb liburing.Callback) liburing.Request {
		return l.PollAdd(fixed, unix.POLLIN, cb).WithContext(ctx)
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// Operations that take no flag need filters.
func TestPolicyOfFixedFilesAndClose(t *testing.T) {
	p := liburing.Policy{
		Ops:         []liburing.Op{liburing.OpRead, liburing.OpClose},
		RegisterOps: []liburing.RegisterOp{liburing.RegisterFiles}, FixedFilesOnly: true,
	}
	if ringtest.KernelBefore(7, 0) {
		_, err := liburing.NewLoop(8, liburing.WithPolicy(p))
		require.ErrorIs(t, err, liburing.ErrNotSupported)
		require.ErrorContains(t, err, "FixedFilesOnly with close takes the filters of Linux 7.0")
		return
	}
	rd, _ := ringtest.Pipe(t)
	l := loopWith(t, liburing.WithPolicy(p))
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{rd}) }))
	fixed := liburing.Fixed(0).FD()
	require.NoError(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseFD(fixed, cb) }))
	require.ErrorIs(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(rd, make([]byte, 1), 0, cb) }), unix.EACCES)
	require.ErrorIs(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(fixed, make([]byte, 1), 0, cb) }), unix.EBADF)
}

// The filters alone say what the policy does.
func TestPolicyAsFilters(t *testing.T) {
	needsFilters(t)
	r := ringtest.NewRing(t, 8)
	p := liburing.Policy{Ops: []liburing.Op{liburing.OpNop, liburing.OpRead}, Flags: liburing.SQEAsync, FixedFilesOnly: true}
	for _, f := range p.Filters() {
		require.NoError(t, r.RegisterBPFFilter(f))
	}
	for flags, want := range map[liburing.SQEFlags]error{
		0: nil, liburing.SQEAsync: nil, liburing.SQEIODrain: unix.EACCES, liburing.SQEIODrain | liburing.SQEAsync: unix.EACCES,
	} {
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop(); s.Flags = flags })
		require.ErrorIs(t, c.Err(), want, "%v", flags)
	}
	require.ErrorIs(t, badRead(t, r), unix.EACCES)
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRead(0, make([]byte, 1), 0); s.Flags = liburing.SQEFixedFile })
	require.ErrorIs(t, c.Err(), unix.EBADF, "there is no such file, but it may be named")
	c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepFsync(-1, 0) })
	require.ErrorIs(t, c.Err(), unix.EACCES)

	none := ringtest.NewRing(t, 8)
	for _, f := range (liburing.Policy{}).Filters() {
		require.NoError(t, none.RegisterBPFFilter(f))
	}
	require.ErrorIs(t, nop(t, none), unix.EACCES)
	require.ErrorIs(t, badRead(t, none), unix.EACCES)
}

// service is what a program does in the tests of the recorder.
func service(t *testing.T, l *liburing.Loop) {
	t.Helper()
	rd, wr := ringtest.Pipe(t)
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{rd, wr}) }))
	l.Write(liburing.Fixed(1).FD(), []byte("abcd"), 0, nil).LinkNext()
	require.NoError(t, errorOf(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Read(liburing.Fixed(0).FD(), make([]byte, 4), 0, cb)
	}))
	fired := false
	l.Timeout(time.Millisecond, 0, 0, func(liburing.Completion) { fired = true })
	ringtest.RunIdle(t, l)
	require.True(t, fired)
}

// What was recorded allows what was done, and nothing more; it survives as JSON.
func TestRecordedPolicy(t *testing.T) {
	var rec liburing.PolicyRecorder
	service(t, loopWith(t, liburing.WithPolicyRecorder(&rec)))
	p := rec.Policy()
	require.Equal(t, liburing.Policy{
		Ops:            []liburing.Op{liburing.OpTimeout, liburing.OpRead, liburing.OpWrite},
		RegisterOps:    []liburing.RegisterOp{liburing.RegisterFiles},
		Flags:          liburing.SQEFixedFile | liburing.SQEIOLink,
		FixedFilesOnly: true,
	}, p)
	text, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `{"ops":["timeout","read","write"],"registerOps":["register_files"],"flags":["fixed_file","io_link"],"fixedFilesOnly":true}`, string(text))
	var again liburing.Policy
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, p, again)

	l := loopWith(t, liburing.WithPolicy(again))
	service(t, l)
	require.ErrorIs(t, errorOf(t, l, l.Nop), unix.EACCES)

	for _, bad := range []string{`{"ops":["fly"]}`, `{"registerOps":["fly"]}`, `{"flags":["fly"]}`} {
		require.ErrorContains(t, json.Unmarshal([]byte(bad), &again), `"fly"`)
	}
}

// A Ring's recorder sees what is submitted, by whatever call.
func TestRecorderOfARing(t *testing.T) {
	var rec liburing.PolicyRecorder
	r := ringtest.NewRing(t, 2, liburing.WithPolicyRecorder(&rec))
	prep := []func(s *liburing.SQE){
		func(s *liburing.SQE) { s.PrepNop() },
		func(s *liburing.SQE) { s.PrepRead(-1, nil, 0) },
		func(s *liburing.SQE) { s.PrepFsync(-1, 0) },
		func(s *liburing.SQE) { s.PrepSyncFileRange(-1, 0, 0, 0) },
		func(s *liburing.SQE) { s.PrepClose(-1) },
	}
	submit := []func() error{
		func() error { _, err := r.Submit(); return err },
		func() error { _, err := r.SubmitAndWait(1); return err },
		func() error { _, err := r.SubmitAndGetEvents(); return err },
		func() error { _, err := r.SubmitAndWaitTimeout(1, time.Second); return err },
		func() error {
			r.GetSQE().PrepNop()
			_, err := r.SubmitGetSQE()
			return err
		},
	}
	for i, submit := range submit {
		prep[i](r.GetSQE())
		require.NoError(t, submit())
		_, err := r.Submit()
		require.NoError(t, err)
		for r.CQReady() > 0 {
			r.CQAdvance(1)
		}
	}
	require.NoError(t, r.RegisterFilesTags([]int{-1}, []uint64{0}))
	require.Error(t, r.UnregisterBuffers())
	p := rec.Policy()
	require.Equal(t, []liburing.Op{liburing.OpNop, liburing.OpFsync, liburing.OpSyncFileRange, liburing.OpClose, liburing.OpRead}, p.Ops)
	require.Equal(t, []liburing.RegisterOp{liburing.RegisterFiles2}, p.RegisterOps)
	require.False(t, p.FixedFilesOnly)
}

const seccompEnv = "LIBURING_TEST_SECCOMP"

func init() {
	if os.Getenv(seccompEnv) == "" {
		return
	}
	t := &childTest{}
	if err := enforceRules(os.Getenv(seccompEnv)); err != nil {
		t.fail(err)
	}
	l, err := liburing.NewLoop(8)
	t.fail(err)
	t.fail(l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1}) }))
	l.Nop(func(c liburing.Completion) { t.fail(c.Err()) })
	l.After(time.Millisecond, func() {})
	t.fail(l.RunUntilIdle(context.Background()))
	t.fail(l.Control(func(r *liburing.Ring) error { // which every loop does: the filter might kill for it
		if _, _, err := r.RegisterIOWQMaxWorkers(0, 0); errors.Is(err, unix.EPERM) {
			return err
		}
		return nil
	}))
	err = l.Control(func(r *liburing.Ring) error { return r.RegisterBuffersSparse(1) })
	os.Stdout.WriteString(err.Error())
	os.Exit(0)
}

// childTest is for a process that has no test.
type childTest struct{}

func (*childTest) fail(err error) {
	if err != nil {
		os.Stdout.WriteString("failed: " + err.Error())
		os.Exit(1)
	}
}

// enforceRules installs the rules of a profile: what of io_uring they don't name has
// EPERM.
func enforceRules(text string) error {
	var rules []struct {
		Names []string
		Args  []struct{ Index, Value, ValueTwo uint64 }
	}
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		return err
	}
	numbers := map[string]uint32{
		"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
	}
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	filter := []unix.SockFilter{
		load(0),
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: unix.SYS_IO_URING_SETUP, Jf: 1},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: unix.SYS_IO_URING_REGISTER, Jf: 1},
		allow,
	}
	for _, rule := range rules {
		for _, name := range rule.Names {
			if len(rule.Args) == 0 {
				filter = append(filter, load(0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: numbers[name], Jf: 1}, allow)
				continue
			}
			arg := rule.Args[0]
			filter = append(filter, load(0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: numbers[name], Jf: 4},
				load(argument(arg.Index)), unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: uint32(arg.Value)},
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(arg.ValueTwo), Jf: 1}, allow)
		}
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)})
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}

// argument returns where a filter finds the low half of a system call's argument.
func argument(index uint64) uint32 {
	at := 16 + 8*uint32(index)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // big-endian
		at += 4
	}
	return at
}

// A seccomp filter of the policy's rules lets the program work, and no other register
// call through.
func TestSeccompOfAPolicy(t *testing.T) {
	p := liburing.Policy{Ops: []liburing.Op{liburing.OpNop}, RegisterOps: []liburing.RegisterOp{liburing.RegisterFiles}}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), seccompEnv+"="+p.Seccomp())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.True(t, strings.HasPrefix(string(out), "io_uring_register_buffers_sparse: operation not permitted: a seccomp filter"), "%s", out)
}
