//go:build linux

package ringtest

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Setups are the kinds of rings that tests run over.
var Setups = []struct {
	Name string
	Opts []liburing.Option
}{
	{"plain", nil},
	{"sqpoll", []liburing.Option{liburing.WithSQPoll(20 * time.Millisecond)}},
	{"defer_taskrun", []liburing.Option{liburing.WithFlags(liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun)}},
	{"coop_taskrun", []liburing.Option{liburing.WithFlags(liburing.SetupCoopTaskrun | liburing.SetupTaskrunFlag)}},
	{"cqe32", []liburing.Option{liburing.WithFlags(liburing.SetupCQE32)}},
	{"sqe128", []liburing.Option{liburing.WithFlags(liburing.SetupSQE128)}},
	{"sqe_mixed", []liburing.Option{liburing.WithFlags(liburing.SetupSQEMixed)}},
	{"small_cq", []liburing.Option{liburing.WithCQEntries(8)}},
	{"cqe_mixed", []liburing.Option{liburing.WithFlags(liburing.SetupCQEMixed)}},
	{"cqe_mixed_coop", []liburing.Option{liburing.WithFlags(liburing.SetupCQEMixed | liburing.SetupCoopTaskrun)}},
	{"cqe_mixed_defer", []liburing.Option{liburing.WithFlags(liburing.SetupCQEMixed | liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun)}},
	{"sq_rewind", []liburing.Option{liburing.WithFlags(liburing.SetupSQRewind | liburing.SetupNoSQArray)}},
	{"sq_rewind_defer", []liburing.Option{liburing.WithFlags(liburing.SetupSQRewind | liburing.SetupNoSQArray |
		liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun)}},
	{"sq_rewind_mixed", []liburing.Option{liburing.WithFlags(liburing.SetupSQRewind | liburing.SetupNoSQArray |
		liburing.SetupSQEMixed | liburing.SetupCQEMixed | liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun)}},
}

// OverSetups runs a test on a ring of each of the Setups, on a locked thread.
func OverSetups(t *testing.T, entries int, test func(t *testing.T, r *liburing.Ring)) {
	for _, s := range Setups {
		t.Run(s.Name, func(t *testing.T) {
			LockThread(t)
			test(t, NewRing(t, entries, s.Opts...))
		})
	}
}

// LockThread keeps the test on its thread: some setups take requests from one
// only.
func LockThread(t testing.TB) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// NewRing returns a ring that is closed when the test ends. A kernel that does
// not know the setup is a reason to skip; anything else is not.
func NewRing(t testing.TB, entries int, opts ...liburing.Option) *liburing.Ring {
	t.Helper()
	watched.test(t)
	r, err := liburing.New(entries, opts...)
	SkipOldKernel(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// NextSQE returns a free entry. With SQPOLL the kernel's thread may complete a
// request before it has given its entry back.
func NextSQE(t testing.TB, r *liburing.Ring) *liburing.SQE {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		sqe, err := r.SubmitGetSQE()
		if !errors.Is(err, unix.EAGAIN) {
			require.NoError(t, err)
			return sqe
		}
		time.Sleep(100 * time.Microsecond)
	}
	require.FailNow(t, "the queue stays full")
	return nil
}

// SubmitOne submits one prepared request on a ring without others and returns its
// completion.
func SubmitOne(t testing.TB, r *liburing.Ring, prep func(*liburing.SQE)) liburing.CQE {
	t.Helper()
	sqe := NextSQE(t, r)
	prep(sqe)
	sqe.SetData64(77)
	_, err := r.SubmitAndWait(1)
	require.NoError(t, err)
	cqe, err := r.PeekCQE()
	require.NoError(t, err)
	require.EqualValues(t, 77, cqe.GetData64())
	got := *cqe
	r.CQESeen(cqe)
	return got
}

// RequireAvailable asserts how many buffers of a ring of buffers the kernel has,
// which it tells from Linux 6.8 on.
func RequireAvailable(t testing.TB, br *liburing.BufRing, want int) {
	t.Helper()
	n, err := br.Available()
	if KernelBefore(6, 8) {
		require.ErrorIs(t, err, unix.EINVAL)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want, n)
}
