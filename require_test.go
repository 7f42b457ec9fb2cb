//go:build linux

package liburing_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// allFeatures returns each feature that there is a name for.
func allFeatures() (all []liburing.Feature) {
	for op := range liburing.OpLast {
		all = append(all, op)
	}
	for op := range liburing.RegisterLast {
		all = append(all, op)
	}
	for bit := range 32 {
		for _, f := range []liburing.Feature{liburing.SetupFlags(1 << bit), liburing.Features(1 << bit)} {
			if !strings.HasPrefix(f.String(), "0x") { // the header has it
				all = append(all, f)
			}
		}
	}
	for a := range liburing.AbilityLast {
		all = append(all, a)
	}
	return all
}

// What kernels can be built without.
var optionalFeatures = map[liburing.Feature]bool{
	liburing.OpRecvZC: true, liburing.RegisterZCRXIFQ: true, liburing.RegisterZCRXCtrl: true,
	liburing.RegisterNAPI: true, liburing.UnregisterNAPI: true, liburing.RegisterBPFFilter: true,
}

// What trying comes to is what the kernel's version says, on each kernel, but that the
// stable 5.10 has been given io_uring as it was in 5.15.
func TestRequireAgreesWithTheKernel(t *testing.T) {
	var here []liburing.Feature
	for _, f := range allFeatures() {
		if optionalFeatures[f] {
			continue
		}
		var major, minor int
		_, err := fmt.Sscanf(liburing.Came(f), "%d.%d", &major, &minor)
		require.NoError(t, err, "%T %v", f, f)
		err = liburing.Require(f)
		if ringtest.KernelBefore(5, 11) && major == 5 && minor > 10 && minor <= 15 {
			continue
		}
		if !ringtest.KernelBefore(major, minor) {
			require.NoError(t, err, "%T", f)
			here = append(here, f)
			continue
		}
		require.ErrorIs(t, err, liburing.ErrNotSupported, "%T %v", f, f)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, f.String()+": not supported: it came with Linux "+liburing.Came(f)+", and this is ")
		require.ErrorContains(t, err, "use a newer kernel")
	}
	require.NoError(t, liburing.Require(here...), "all at once")
	require.NoError(t, liburing.Require())
	require.NoError(t, liburing.Require(nil))
}

// One error tells of all that is missing.
func TestRequireWhatNobodyHas(t *testing.T) {
	none := []liburing.Feature{liburing.Op(200), liburing.RegisterOp(200), liburing.SetupFlags(1 << 30), liburing.Features(1 << 31)}
	err := liburing.Require(append(none, liburing.OpNop, liburing.Ability(200))...)
	require.ErrorIs(t, err, liburing.ErrNotSupported)
	require.NotErrorIs(t, err, os.ErrPermission)
	var missing *liburing.RequireError
	require.ErrorAs(t, err, &missing)
	require.Len(t, missing.Missing, 5)
	for i, f := range none {
		require.Equal(t, []liburing.Feature{f}, missing.Missing[i].Features)
		require.ErrorIs(t, missing.Missing[i].Err, liburing.ErrNotSupported, "%T", f)
		require.ErrorContains(t, err, "\n  "+f.String()+": not supported: this kernel (")
	}
	require.ErrorIs(t, missing.Missing[4].Err, unix.EINVAL)
	require.NotErrorIs(t, missing.Missing[4].Err, liburing.ErrNotSupported, "it is no feature")
}

// Flags that exclude one another are not lacking, they are wrong.
func TestRequireFlagsThatClash(t *testing.T) {
	err := liburing.Require(liburing.SetupSQPoll | liburing.SetupDeferTaskrun)
	ringtest.SkipOldKernel(t, err)
	require.ErrorIs(t, err, unix.EINVAL)
	require.NotErrorIs(t, err, liburing.ErrNotSupported)
	require.ErrorContains(t, err, "exclude each other")
}

const requireEnv = "LIBURING_TEST_REQUIRE"

// requireUnderHardship requires some features behind a filter, and says what it got.
func requireUnderHardship() error {
	arrange := map[string]func() error{
		"setup EPERM":    func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.EPERM) },
		"setup ENOSYS":   func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.ENOSYS) },
		"enter EPERM":    func() error { return ringtest.Deny(unix.SYS_IO_URING_ENTER, unix.EPERM) },
		"register EPERM": func() error { return ringtest.Deny(unix.SYS_IO_URING_REGISTER, unix.EPERM) },
		"memlock": func() error {
			return errors.Join(unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}), syscall.Setuid(65534))
		},
	}
	if err := arrange[os.Getenv(requireEnv)](); err != nil {
		return err
	}
	err := liburing.Require(liburing.FeatNodrop, liburing.OpNop, liburing.OpRead, liburing.RegisterProbe)
	fmt.Println(errors.Is(err, liburing.ErrNotSupported), errors.Is(err, os.ErrPermission), errors.Is(err, unix.ENOMEM), err)
	os.Exit(0)
	return nil
}

func requireUnder(t *testing.T, hardship string) string {
	t.Helper()
	t.Setenv(requireEnv, hardship)
	return setupUnder(t, "require")
}

// Where system calls are refused that is told once, for all that it keeps from use.
func TestRequireBehindFilter(t *testing.T) {
	const all = "\n  nodrop, nop, read, register_probe: "
	for hardship, says := range map[string]string{
		"setup EPERM":    "false true false liburing: what is required of io_uring is not there:" + all + "io_uring_setup: operation not permitted: ",
		"setup ENOSYS":   "true false false liburing: what is required of io_uring is not there:" + all + "io_uring_setup: function not implemented: ",
		"enter EPERM":    "false true false liburing: what is required of io_uring is not there:" + all + "io_uring_enter: operation not permitted: ",
		"register EPERM": "false true false liburing: what is required of io_uring is not there:\n  nop, read, register_probe: io_uring_register_probe: operation not permitted: ",
	} {
		out := requireUnder(t, hardship)
		require.Contains(t, out, says)
		require.Contains(t, out, "allow io_uring_", "the remedy")
	}
}

// No room for a ring is neither lacking nor forbidden.
func TestRequireBeyondMemlock(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user without CAP_IPC_LOCK here")
	}
	out := requireUnder(t, "memlock")
	if out == "false false false <nil>\n" {
		require.True(t, ringtest.KernelBefore(6, 16) || !ringtest.KernelBefore(7, 2), "this kernel counts rings")
		return
	}
	require.Contains(t, out, "false false true liburing: ")
	require.Contains(t, out, "ulimit -l")
}
