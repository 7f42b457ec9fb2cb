//go:build linux

package sandbox_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var _ = with(map[string]hardship{
	"proc read-only": {attr: ownMounts, begin: procReadOnly},
	"no proc":        {attr: ownMounts, begin: noProc},
	"no proc, setup": {attr: ownMounts, begin: func() error {
		if err := noProc(); err != nil {
			return err
		}
		return denied(unix.SYS_IO_URING_SETUP, unix.EPERM)()
	}},
	"no proc, memlock": {attr: ownMounts, begin: func() error {
		if err := noProc(); err != nil {
			return err
		}
		return memlock(64 << 10)()
	}, do: useLockedMemory},
})

// ownMounts has what the child mounts stay its own.
func ownMounts(t *testing.T, cmd *exec.Cmd) {
	if os.Geteuid() != 0 {
		t.Skip("it takes root to mount")
	}
	cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
}

// procReadOnly has the mount be so, not the file system: that is shared with everybody.
func procReadOnly() error {
	return unix.Mount("none", "/proc", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// noProc has nothing be where /proc was.
func noProc() error { return unix.Mount("none", "/proc", "tmpfs", 0, "size=4k") }

func TestReadOnlyProc(t *testing.T) { requireUsable(t, under(t, "proc read-only")) }

// Without /proc all works, and what is to be said of the kernel and limits is known.
func TestNoProc(t *testing.T) {
	r := under(t, "no proc")
	requireUsable(t, r)
	var uts unix.Utsname
	require.NoError(t, unix.Uname(&uts))
	require.Equal(t, unix.ByteSliceToString(uts.Release[:]), r.Release)

	r = under(t, "no proc, setup")
	requireSaid(t, "New", r.Ring, "operation not permitted", "seccomp", "kernel.io_uring_disabled", "without /proc")
	require.True(t, r.Fallback)
	requireClean(t, r)

	r = under(t, "no proc, memlock")
	requireSaid(t, "registered buffers", r.Said, "RLIMIT_MEMLOCK", "is 64 KiB")
}
