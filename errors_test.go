//go:build linux

package liburing_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSentinels(t *testing.T) {
	require.ErrorIs(t, liburing.ErrClosed, os.ErrClosed)
	require.ErrorIs(t, liburing.ErrNotSupported, errors.ErrUnsupported)
	for _, ret := range []int32{liburing.ErrNoLinux, -liburing.NeedsBase - 10, -int32(unix.ENOSYS)} {
		require.ErrorIs(t, liburing.OpErrorOf("x", ret), liburing.ErrNotSupported)
		require.ErrorIs(t, liburing.OpErrorOf("x", ret), errors.ErrUnsupported)
	}
	require.NotErrorIs(t, liburing.OpErrorOf("x", -int32(unix.EINVAL)), liburing.ErrNotSupported)
	_, err := liburing.New(8, liburing.WithFlags(1<<30))
	require.ErrorIs(t, err, liburing.ErrNotSupported, "a flag that no kernel knows")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.New(0)
	require.NotErrorIs(t, err, liburing.ErrNotSupported)
}

func TestOpErrors(t *testing.T) {
	err := liburing.OpErrorOf("io_uring_submit", -int32(unix.EAGAIN))
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Equal(t, "io_uring_submit: resource temporarily unavailable", err.Error())
	require.NoError(t, liburing.OpErrorOf("x", 0))
	require.ErrorIs(t, liburing.OpErrorOf("io_uring_x", -liburing.NeedsBase-11), liburing.ErrNotSupported)
	require.Contains(t, liburing.OpErrorOf("io_uring_x", -liburing.NeedsBase-11).Error(), "liburing 2.11")
	require.ErrorIs(t, liburing.OpErrorOf("io_uring_x", liburing.ErrNoLinux), liburing.ErrNotSupported)
}

// Entries are counted from one, and what is closed need not be a ring.
func TestWordsOfErrors(t *testing.T) {
	for _, n := range []int{-1, math.MaxInt} {
		if n == math.MaxInt32 {
			continue // more than there is room for, and no more than the kernel's word
		}
		_, err := liburing.NewLoop(n)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "from 1 to 32768")
		_, err = liburing.New(n)
		require.ErrorContains(t, err, "from 1 to 32768")
	}
	_, err := liburing.New(8, liburing.WithFlags(liburing.SetupCQSize))
	require.ErrorContains(t, err, "needs CQEntries above zero (WithCQEntries)")
	require.NotContains(t, liburing.ErrClosed.Error(), " ring")
}

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
		flags    liburing.SetupFlags
		disabled int
		admin    bool
		says     string
	}{
		{0, 2, true, "kernel.io_uring_disabled is 2"},
		{0, 1, false, "kernel.io_uring_group"},
		{0, 1, true, "seccomp"},
		{0, 1, true, "user namespace"},
		{0, 0, false, "seccomp"},
		{0, -1, false, "seccomp"},
		{0, -2, false, "without /proc"},
		{liburing.SetupSQPoll, 0, false, "CAP_SYS_NICE"},
	} {
		require.Contains(t, liburing.ExplainEPERM(&liburing.Params{Flags: c.flags}, c.disabled, c.admin), c.says, "%+v", c)
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

// takeCounts are the calls that take a count, a size or a place, with n for it.
func takeCounts(r *liburing.Ring, n int) map[string]error {
	errs := map[string]error{}
	failed := func(name string, err error) { errs[name] = err }
	one := []int{-1}
	tag := []uint64{0}
	result := func(name string) func(_ any, err error) { return func(_ any, err error) { failed(name, err) } }
	result("New")(liburing.New(n))
	result("QueueInit")(liburing.QueueInit(n, 0))
	_, _, err := liburing.QueueInitMem(n, nil, make([]byte, 4096))
	failed("QueueInitMem", err)
	result("WithCQEntries")(liburing.New(4, liburing.WithCQEntries(n)))
	result("WithSQThreadCPU")(liburing.New(4, liburing.WithSQPoll(time.Second), liburing.WithSQThreadCPU(n)))
	result("NewLoop")(liburing.NewLoop(n))
	result("NewLoopGroup")(liburing.NewLoopGroup(1, n))
	result("MlockSize")(liburing.MlockSize(n, 0))
	result("MemorySize")(liburing.MemorySize(n, 0))
	result("Setup")(liburing.Setup(n, new(liburing.Params)))
	result("Enter")(liburing.Enter(r.FD(), n, 0, 0))
	result("Enter, wait")(liburing.Enter(r.FD(), 0, n, 0))
	result("Register")(liburing.Register(r.FD(), liburing.RegisterFiles, nil, n))
	result("SubmitAndWait")(r.SubmitAndWait(n))
	result("SubmitAndWaitTimeout")(r.SubmitAndWaitTimeout(n, 0))
	result("SubmitAndWaitTimeout, no limit")(r.SubmitAndWaitTimeout(n, -1))
	result("SubmitAndWaitMinTimeout")(r.SubmitAndWaitMinTimeout(n, 0, 0))
	result("SubmitAndWaitReg")(r.SubmitAndWaitReg(n, 0))
	result("WaitCQENr")(r.WaitCQENr(n))
	result("WaitCQEs")(r.WaitCQEs(n, 0))
	result("WaitCQEs, no limit")(r.WaitCQEs(n, -1))
	result("WaitCQEsMinTimeout")(r.WaitCQEsMinTimeout(n, 0, 0))
	failed("RegisterFilesSparse", r.RegisterFilesSparse(n))
	result("RegisterFilesUpdate")(r.RegisterFilesUpdate(n, one))
	result("RegisterFilesUpdateTag")(r.RegisterFilesUpdateTag(n, one, tag))
	failed("RegisterFileAllocRange", r.RegisterFileAllocRange(n, 1))
	failed("RegisterFileAllocRange, n", r.RegisterFileAllocRange(0, n))
	failed("RegisterBuffersSparse", r.RegisterBuffersSparse(n))
	result("RegisterBuffersUpdateTag")(r.RegisterBuffersUpdateTag(n, [][]byte{nil}, tag))
	failed("CloneBuffersOffset", r.CloneBuffersOffset(r, n, 0, 0, 0))
	failed("CloneBuffersOffset, from", r.CloneBuffersOffset(r, 0, n, 0, 0))
	failed("CloneBuffersOffset, n", r.CloneBuffersOffset(r, 0, 0, n, 0))
	result("RegisterWaitRegion")(r.RegisterWaitRegion(n))
	result("SetupBufRing")(r.SetupBufRing(n, 1, 0))
	_, _, err = r.RegisterIOWQMaxWorkers(n, 0)
	failed("RegisterIOWQMaxWorkers", err)
	_, _, err = r.RegisterIOWQMaxWorkers(0, n)
	failed("RegisterIOWQMaxWorkers, unbounded", err)
	return errs
}

// A number that C cannot have is refused, with a reason, before it is cut down to
// another.
func TestBadCounts(t *testing.T) {
	bad := []int{-1, math.MinInt}
	if math.MaxInt > math.MaxInt32 {
		large := math.MaxInt32
		large++ // not a constant, for the sake of 32 bits
		bad = append(bad, large, 2*large, 2*large+4, math.MaxInt)
	}
	for _, n := range bad {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := ringtest.NewRing(t, 4)
			for name, err := range takeCounts(r, n) {
				require.ErrorIs(t, err, unix.EINVAL, name)
				var e *liburing.OpError
				require.ErrorAs(t, err, &e, name)
				require.NotEmpty(t, e.Hint, name)
			}
		})
	}
}

// What returns no error advances by what is there, and no further.
func TestAdvanceTooFar(t *testing.T) {
	r := ringtest.NewRing(t, 4)
	for _, n := range []int{-1, math.MinInt, 3, math.MaxInt} {
		for range 2 {
			r.GetSQE().PrepNop()
		}
		_, err := r.SubmitAndWait(2)
		require.NoError(t, err)
		r.CQAdvance(n)
		if n < 0 {
			require.Equal(t, 2, r.CQReady())
			r.CQAdvance(2)
		}
		require.Zero(t, r.CQReady())
	}
	for n, want := range map[int]uint16{-1: 0, math.MinInt: 0, 3: 3, 5: 4, math.MaxInt: 4} {
		b := liburing.NewBufRing(4)
		b.Advance(n)
		require.Equal(t, want, b.Tail(), "%d", n)
	}
}

// The way to liburing costs no memory.
func TestCallAllocations(t *testing.T) {
	r := ringtest.NewRing(t, 4)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.GetSQE().PrepNop()
		r.Submit()
		r.WaitCQE()
		r.CQAdvance(1)
		r.GetSQE().PrepNop()
		r.SubmitAndWaitTimeout(1, time.Second)
		r.CQAdvance(1)
		r.GetSQE().PrepNop()
		r.SubmitAndWait(1)
		r.CQAdvance(1)
		sqe, _ := r.SubmitGetSQE()
		sqe.PrepNop()
		r.SubmitAndGetEvents()
		r.GetEvents()
		r.CQAdvance(1)
	}))
}
