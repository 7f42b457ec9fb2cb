//go:build linux

package liburing_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
