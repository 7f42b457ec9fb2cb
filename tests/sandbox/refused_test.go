//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var _ = with(map[string]hardship{
	"setup EPERM":     {begin: denied(unix.SYS_IO_URING_SETUP, unix.EPERM)},
	"setup ENOSYS":    {begin: denied(unix.SYS_IO_URING_SETUP, unix.ENOSYS)},
	"enter EPERM":     {begin: denied(unix.SYS_IO_URING_ENTER, unix.EPERM)},
	"enter ENOSYS":    {begin: denied(unix.SYS_IO_URING_ENTER, unix.ENOSYS)},
	"register EPERM":  {begin: denied(unix.SYS_IO_URING_REGISTER, unix.EPERM)},
	"register ENOSYS": {begin: denied(unix.SYS_IO_URING_REGISTER, unix.ENOSYS)},
	"restricted":      {do: useRestricted},
	"filtered":        {begin: filtered, do: use},
	"disabled 1":      {},
	"disabled, user":  {begin: func() error { return become(-1) }},
	"disabled, group": {begin: func() error { return become(ringGroup) }},
})

// denied has a seccomp filter answer a system call with an errno, as containers' profiles do.
func denied(call uint32, errno syscall.Errno) func() error {
	return func() error { return ringtest.Deny(call, errno) }
}

// missing are the causes where a call seems to be.
var missing = []string{"not supported", "unsupported"}

// refusals are what errors have to say of each: of the system call and the remedy.
var refusals = map[string]struct {
	cause  []string
	setUp  bool     // a ring can't be set up, else it can't be used
	doctor []string // doctor's own words
	is     []string // see causes
}{
	"setup EPERM": {[]string{"io_uring_setup: operation not permitted", "seccomp", "allow io_uring_setup, io_uring_enter and io_uring_register"},
		true, []string{"seccomp", "allow io_uring_setup"}, []string{"permission"}},
	"setup ENOSYS": {[]string{"io_uring_setup: function not implemented", "sandbox", "allow io_uring_setup, io_uring_enter and io_uring_register"},
		true, []string{"CONFIG_IO_URING", "allow io_uring_setup"}, missing},
	"enter EPERM": {[]string{"operation not permitted", "seccomp", "allow io_uring_enter"},
		false, []string{"io_uring_enter: operation not permitted", "seccomp", "allow io_uring_setup"}, []string{"permission"}},
	"enter ENOSYS": {[]string{"function not implemented", "seccomp", "allow io_uring_enter"},
		false, []string{"io_uring_enter: function not implemented", "seccomp", "allow io_uring_setup"}, missing},
}

func TestRefusedCalls(t *testing.T) {
	for name, want := range refusals {
		t.Run(name, func(t *testing.T) {
			r := under(t, name)
			for what, err := range map[string]string{"New": r.Ring, "NewLoop": r.Loop, "Require": r.Require, "Available": r.Available} {
				requireSaid(t, what, err, want.cause...)
			}
			require.Equal(t, want.is, r.Causes)
			requireSaid(t, "doctor", failures(r), want.doctor...)
			require.True(t, r.Fallback)
			require.False(t, r.Usable)
			requireClean(t, r)
		})
	}
}

// A ring and a loop do without register calls; Require and doctor, which try all three,
// say what is missing.
func TestRefusedRegister(t *testing.T) {
	for name, errno := range map[string]string{"register EPERM": "operation not permitted", "register ENOSYS": "function not implemented"} {
		t.Run(name, func(t *testing.T) {
			r := under(t, name)
			require.Empty(t, r.Ring)
			require.Empty(t, r.Loop)
			for what, err := range map[string]string{"Require": r.Require, "Available": r.Available} {
				requireSaid(t, what, err, errno, "seccomp", "allow io_uring_register")
			}
			requireSaid(t, "doctor", failures(r), errno, "seccomp", "allow io_uring_setup")
			require.True(t, r.Fallback)
			requireClean(t, r)
		})
	}
}

// useRestricted has a loop that may do nothing but no-ops be asked for more.
func useRestricted(ctx context.Context, r *report) {
	fds := descriptors()
	loop, err := liburing.NewLoop(8, liburing.WithPolicy(liburing.Policy{Ops: []liburing.Op{liburing.OpNop}}))
	if errors.Is(err, liburing.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		r.Skip = err.Error()
		return
	}
	if err != nil {
		r.Loop = err.Error()
		return
	}
	loop.Nop(func(c liburing.Completion) { r.Loop = text(c.Err()) })
	loop.Fsync(0, 0, func(c liburing.Completion) { r.Said = text(c.Err()) })
	err = loop.RunUntilIdle(ctx)
	register := loop.Control(func(ring *liburing.Ring) error { return ring.RegisterFilesSparse(4) })
	r.Ring = text(register)
	r.Files = text(errors.Join(err, loop.Close(ctx)))
	r.Left = left(fds, 1<<20)
}

func TestRestrictedLoop(t *testing.T) {
	r := under(t, "restricted")
	require.Empty(t, r.Loop, "a no-op is allowed")
	requireSaid(t, "a request", r.Said, "fsync: permission denied", "Policy.Ops")
	requireSaid(t, "a register call", r.Ring, "permission denied", "Policy.RegisterOps")
	requireClean(t, r)
}

// filtered denies all requests of all rings that this thread and its children make.
func filtered() error {
	runtime.LockOSThread()
	err := liburing.RegisterBPFFilterTask(liburing.Policy{}.Filters()[0])
	if errors.Is(err, unix.EINVAL) {
		return errors.New("this kernel has no filters of threads")
	}
	return err
}

// Where a filter of the thread's forbids requests, ringio goes without.
func TestFilteredThread(t *testing.T) {
	r := under(t, "filtered")
	requireSaid(t, "Available", r.Available, "permission denied")
	require.Equal(t, []string{"permission"}, r.Causes)
	require.True(t, r.Fallback)
	requireClean(t, r)
}

const (
	ringGroup     = 4711
	nobody        = 65534
	disabledFile  = "/proc/sys/kernel/io_uring_disabled"
	groupFile     = "/proc/sys/kernel/io_uring_group"
	maySetSysctls = "LIBURING_TEST_MAY_SET_SYSCTLS" // nothing else on this machine uses io_uring
)

// become has the child be a user without capabilities, in a group if that is not below zero.
func become(group int) error {
	var groups []int
	if group >= 0 {
		groups = []int{group}
	}
	return errors.Join(syscall.Setgroups(groups), syscall.Setgid(nobody), syscall.Setuid(nobody))
}

// disable sets the sysctl until the test ends.
func disable(t *testing.T, how string) {
	t.Helper()
	if os.Getenv(maySetSysctls) == "" {
		t.Skip("it would disturb others on this machine: it is tested on those of scripts/kernels.sh")
	}
	if _, err := os.Stat(disabledFile); err != nil {
		t.Skip("this kernel can't switch io_uring off")
	}
	set := func(file, value string) { require.NoError(t, os.WriteFile(file, []byte(value), 0)) }
	set(groupFile, fmt.Sprint(ringGroup))
	set(disabledFile, how)
	t.Cleanup(func() {
		set(disabledFile, "0")
		set(groupFile, "-1")
	})
}

func TestDisabledForTheUnprivileged(t *testing.T) {
	disable(t, "1")
	requireUsable(t, under(t, "disabled 1"))
	requireUsable(t, under(t, "disabled, group"))
	r := under(t, "disabled, user")
	for what, err := range map[string]string{"New": r.Ring, "NewLoop": r.Loop, "Require": r.Require, "Available": r.Available} {
		requireSaid(t, what, err, "io_uring_setup: operation not permitted", "kernel.io_uring_disabled is 1", "kernel.io_uring_group", "sysctl")
	}
	require.Equal(t, []string{"permission"}, r.Causes)
	requireSaid(t, "doctor", failures(r), "io_uring_disabled", "join that group")
	require.True(t, r.Fallback)
	requireClean(t, r)
}

func TestDisabledForAll(t *testing.T) {
	disable(t, "2")
	r := under(t, "disabled 1")
	for what, err := range map[string]string{"New": r.Ring, "NewLoop": r.Loop, "Require": r.Require, "Available": r.Available} {
		requireSaid(t, what, err, "io_uring_setup: operation not permitted", "kernel.io_uring_disabled is 2", "`sysctl kernel.io_uring_disabled=0`")
	}
	require.Equal(t, []string{"permission"}, r.Causes)
	require.Equal(t, 1, strings.Count(failures(r), "io_uring is switched off for everybody"), "%s", failures(r))
	require.True(t, r.Fallback)
	requireClean(t, r)
}
