//go:build linux

package liburing_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel marks the ring's memory as not to be copied into children.
func TestDontfork(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	for _, part := range r.Memory() {
		require.NotContains(t, vmFlags(t, part), "dc")
	}
	require.NoError(t, r.Dontfork())
	for _, part := range r.Memory() {
		require.Contains(t, vmFlags(t, part), "dc")
	}
}

// vmFlags returns what the kernel says of the mapping that p points into.
func vmFlags(t *testing.T, p uintptr) []string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var start, end uint64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &start, &end); n == 2 {
			inside = start <= uint64(p) && uint64(p) < end
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.Fields(flags)
		}
	}
	t.Fatal("no mapping there")
	return nil
}

// Calls that a signal has cut short go on, and wait no longer in all than they should.
func TestUninterrupted(t *testing.T) {
	calls := 0
	require.ErrorIs(t, ringtest.NewRing(t, 4).Call(func() int32 {
		if calls++; calls < 3 {
			return -int32(unix.EINTR)
		}
		return -int32(unix.EBUSY)
	}), unix.EBUSY)
	require.Equal(t, 3, calls)
	for passed, want := range map[time.Duration]liburing.Timespec{
		0:                   {Sec: 3, Nsec: 100},
		100:                 {Sec: 3},
		101:                 {Sec: 2, Nsec: 999999999},
		2*time.Second + 50:  {Sec: 1, Nsec: 50},
		3*time.Second + 101: {},
		1000000 * time.Hour: {},
	} {
		require.Equal(t, want, liburing.Timespec{Sec: 3, Nsec: 100}.Without(passed), "%v", passed)
	}
	require.Equal(t, liburing.NoTimeout, liburing.NoTimeout.Without(time.Hour))
}

// There is no such hardware here: the kernel says so.
func TestWithoutTheHardware(t *testing.T) {
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun|liburing.SetupCQE32))
	area, region := ringtest.Memory(t, 1<<16), ringtest.Memory(t, 1<<16)
	err := r.RegisterIFQ(&liburing.ZCRXIFQReg{IfIdx: 1 << 20, RqEntries: 64}, &liburing.ZCRXArea{Mem: area}, region)
	ringtest.NeedsLiburing(t, err, 10)
	// EINVAL: a kernel without CONFIG_IO_URING_ZCRX. EPERM: no CAP_NET_ADMIN.
	require.True(t, ringtest.IsAny(err, unix.ENODEV, unix.EINVAL, unix.EOPNOTSUPP, unix.EPERM), "%v", err)
	require.False(t, r.HasZCRX(), "nothing is kept")
	err = r.RegisterIFQ(&liburing.ZCRXIFQReg{Flags: liburing.ZCRXRegImport}, nil, nil)
	require.True(t, ringtest.IsAny(err, unix.EBADF, unix.EFAULT, unix.EINVAL, unix.EOPNOTSUPP, unix.EPERM), "%v", err)
	err = r.RegisterZCRXCtrl(&liburing.ZCRXCtrl{ZCRXID: 1})
	ringtest.NeedsLiburing(t, err, 15)
	require.True(t, ringtest.IsAny(err, unix.ENXIO, unix.EINVAL, unix.EOPNOTSUPP), "%v", err)
}

func TestMicroseconds(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		-1: 0, 0: 0, 1: 1, time.Microsecond: 1, 1001: 2, time.Second: 1e6, math.MaxInt64: math.MaxUint32,
	} {
		require.Equal(t, want, liburing.Microseconds(d), "%v", d)
	}
}

// Every enter says that its wait does not count, and the kernel takes it.
func TestSetIowait(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		err := r.SetIowait(false)
		ringtest.NeedsLiburing(t, err, 10)
		if r.Features()&liburing.FeatNoIowait == 0 {
			require.ErrorIs(t, err, unix.EOPNOTSUPP)
			t.Skip("this kernel has no FeatNoIowait")
		}
		require.NoError(t, err)
		require.NotZero(t, r.EnterFlags()&liburing.EnterNoIowait)
		_, err = r.WaitCQETimeout(time.Millisecond)
		require.ErrorIs(t, err, unix.ETIME)
		require.NoError(t, r.SetIowait(true))
		require.Zero(t, r.EnterFlags()&liburing.EnterNoIowait)
	})
}

// A table has no place as large, whatever number is made of it.
func TestFixedThatIsTooLarge(t *testing.T) {
	for _, f := range []liburing.Fixed{1<<30 - 1, 1 << 30, 1<<30 + 7, 1<<32 - 1} {
		require.EqualValues(t, 1<<30-1, f.FD()%liburing.FixedFD, f)
		named, ok := liburing.FixedOf(f.FD())
		require.True(t, ok, f)
		require.EqualValues(t, 1<<30-1, named)
	}
}

func TestFixedNumbers(t *testing.T) {
	for _, index := range []uint32{0, 1, 1 << 20, 1<<30 - 1} {
		fd := liburing.Fixed(index).FD()
		require.True(t, liburing.IsFixed(fd))
		var s liburing.SQE
		s.PrepRead(fd, nil, 0)
		s.UseFixed(fd)
		require.EqualValues(t, index, s.FD)
		require.Equal(t, liburing.SQEFixedFile, s.Flags)
	}
	for _, fd := range []int64{0, -1, unix.AT_FDCWD, 1 << 29, math.MinInt32, math.MinInt64, math.MaxInt64, 1 << 31} {
		if int64(int(fd)) == fd { // what an int holds here
			require.False(t, liburing.IsFixed(int(fd)), "%d", fd)
		}
	}
}
