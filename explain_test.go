//go:build linux

package liburing_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// In a child process this test binary sets up a ring under the hardship that
// the variable names, and prints how it went.
const hardshipEnv = "LIBURING_TEST_HARDSHIP"

func init() {
	hardship := os.Getenv(hardshipEnv)
	if hardship == "" {
		return
	}
	if err := hardships[hardship](); err != nil {
		fmt.Println("could not arrange it:", err)
		os.Exit(1)
	}
	r, err := liburing.New(4096)
	if err != nil {
		fmt.Println(err)
		os.Exit(0)
	}
	fmt.Println("no error")
	fmt.Println(r.RegisterBuffers([][]byte{make([]byte, 4096)}))
	r.Close()
	os.Exit(0)
}

var hardships = map[string]func() error{
	"no enter":           closeWithoutEnter,
	"no enter, a writer": writerWithoutEnter,
	"late enter":         closeWhenEnterIsDenied,
	"no register":        registerDenied,
	"no room":            resizeWithoutRoom,
	"require":            requireUnderHardship,
	"memlock left":       ringsInTurn,
	"locked send":        sendLocked,
	"late setup":         explainWithoutSetup,
	"seccomp EPERM":      func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.EPERM) },
	"seccomp ENOSYS":     func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.ENOSYS) },
	"no descriptors": func() error {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Max: limit.Max})
	},
	"memlock": func() error {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
			return err
		}
		return syscall.Setuid(65534)
	},
}

func setupUnder(t *testing.T, hardship string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hardshipEnv+"="+hardship)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestSetupBlockedBySeccomp(t *testing.T) {
	if liburing.SysctlDisabled() > 0 {
		t.Skip("kernel.io_uring_disabled is set")
	}
	out := setupUnder(t, "seccomp EPERM")
	require.Contains(t, out, "io_uring_setup: operation not permitted: a seccomp filter")
	require.Contains(t, out, "allow io_uring_setup")
}

func TestSetupAnsweredWithENOSYS(t *testing.T) {
	out := setupUnder(t, "seccomp ENOSYS")
	require.Contains(t, out, "io_uring_setup: function not implemented: the kernel is older than 5.1")
	require.Contains(t, out, "sandbox")
}

func TestSetupWithoutDescriptors(t *testing.T) {
	require.Contains(t, setupUnder(t, "no descriptors"), "ulimit -n")
}

// Where nothing may be locked a ring is refused on kernels that count rings, and
// registered buffers are on all.
func TestSetupBeyondMemlock(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user without CAP_IPC_LOCK here")
	}
	out := setupUnder(t, "memlock")
	counts := strings.Contains(out, "io_uring_setup: ")
	switch {
	case ringtest.KernelBefore(6, 13), !ringtest.KernelBefore(7, 2):
		require.False(t, counts, "this kernel counts rings: %s", out)
	case !ringtest.KernelBefore(6, 16):
		require.True(t, counts, "this kernel does not count rings: %s", out)
	}
	if !counts {
		require.Contains(t, out, "no error\nio_uring_register_buffers: cannot allocate memory: memory that the kernel locks ")
	} else if need, err := liburing.MemorySizeParams(4096, &liburing.Params{}); err == nil { // liburing 2.11 tells
		require.Contains(t, out, fmt.Sprintf("cannot allocate memory: the ring needs %d KiB; ", need/1024))
	}
	require.Contains(t, out, "is 0 KiB")
	require.Contains(t, out, "ulimit -l")
}

func TestExplainEPERM(t *testing.T) {
	for _, c := range []struct {
		flags          liburing.SetupFlags
		disabled, euid int
		says           string
	}{
		{0, 2, 0, "kernel.io_uring_disabled is 2"},
		{0, 1, 1000, "kernel.io_uring_group"},
		{0, 1, 0, "seccomp"},
		{0, 0, 1000, "seccomp"},
		{0, -1, 1000, "seccomp"},
		{liburing.SetupSQPoll, 0, 1000, "CAP_SYS_NICE"},
	} {
		require.Contains(t, liburing.ExplainEPERM(&liburing.Params{Flags: c.flags}, c.disabled, c.euid), c.says, "%+v", c)
	}
}

// In queues of mixed sizes an entry of two places must have room.
func TestExplainEOVERFLOW(t *testing.T) {
	for flag, says := range map[liburing.SetupFlags]string{
		liburing.SetupCQEMixed: "cqe_mixed needs a completion queue of two entries",
		liburing.SetupSQEMixed: "sqe_mixed needs a submission queue of two entries",
	} {
		_, err := liburing.New(1, liburing.WithFlags(flag), liburing.WithCQEntries(1))
		ringtest.SkipOldKernel(t, err)
		require.ErrorIs(t, err, unix.EOVERFLOW)
		require.ErrorContains(t, err, says)
	}
}

func TestExplainFlags(t *testing.T) {
	require.Contains(t, liburing.ExplainFlags(liburing.SetupSQPoll|liburing.SetupDeferTaskrun|liburing.SetupSingleIssuer), "exclude each other")
	require.Contains(t, liburing.ExplainFlags(liburing.SetupSQAff), "sqpoll")
	require.Empty(t, liburing.ExplainFlags(liburing.SetupDeferTaskrun|liburing.SetupSingleIssuer))
	require.Equal(t, liburing.SetupFlags(1<<30|1<<29), liburing.UnknownFlags(1<<30|1<<29|liburing.SetupClamp|liburing.SetupRDisabled))
}
