//go:build linux

package ring_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestQueueInitMem(t *testing.T) {
	ringtest.LockThread(t)
	mem := ringtest.Memory(t, 4*os.Getpagesize())
	_, _, err := liburing.QueueInitMem(4096, new(liburing.Params), mem)
	require.ErrorIs(t, err, unix.ENOMEM)
	if need, errSize := liburing.MemorySize(4096, liburing.SetupNoMmap); errSize == nil { // liburing 2.11 tells
		require.ErrorContains(t, err, fmt.Sprintf("needs %d bytes and was given %d", need, len(mem)))
	}
	_, _, err = liburing.QueueInitMem(4, new(liburing.Params), nil)
	require.ErrorIs(t, err, unix.EINVAL)
	r, used, err := liburing.QueueInitMem(4, new(liburing.Params), mem)
	if ringtest.KernelBefore(6, 5) {
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "does not know no_mmap")
		return
	}
	require.NoError(t, err)
	require.Positive(t, used)
	require.LessOrEqual(t, used, len(mem))
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	require.NoError(t, r.Close())
	_, _, err = liburing.QueueInitMem(4, nil, mem[8:])
	require.ErrorIs(t, err, unix.EINVAL, "it does not begin at a page")
	r, _, err = liburing.QueueInitMem(4, nil, mem)
	require.NoError(t, err, "the memory is free again")
	require.NoError(t, r.Close())
	for i := range mem {
		mem[i] = 0xff
	}
	r, _, err = liburing.QueueInitMem(4, nil, mem)
	require.NoError(t, err)
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	require.NoError(t, r.Close())
}

// A large ring lies in a huge page.
func TestQueueInitMemHuge(t *testing.T) {
	ringtest.LockThread(t)
	const size = 2 << 20
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB|21<<unix.MAP_HUGE_SHIFT)
	if err != nil {
		n, _ := os.ReadFile("/proc/sys/vm/nr_hugepages")
		t.Skipf("there is no free huge page of 2 MiB: %v; vm.nr_hugepages is %s", err, strings.TrimSpace(string(n)))
	}
	defer unix.Munmap(mem)
	r, used, err := liburing.QueueInitMem(4096, nil, mem)
	ringtest.SkipOldKernel(t, err)
	require.NoError(t, err)
	defer r.Close()
	require.Greater(t, used, 4096*int(unsafe.Sizeof(liburing.SQE{})))
	for range 3 * 4096 {
		ringtest.NextSQE(t, r).PrepNop()
		if r.SQSpaceLeft() == 0 {
			_, err := r.SubmitAndWait(4096)
			require.NoError(t, err)
			require.EqualValues(t, 4096, r.CQReady())
			r.CQAdvance(4096)
		}
	}
}

// A ring without a descriptor: a registered one is all it has.
func TestRegisteredFDOnly(t *testing.T) {
	ringtest.LockThread(t)
	mem := ringtest.Memory(t, 4*os.Getpagesize())
	r, _, err := liburing.QueueInitMem(4, &liburing.Params{Flags: liburing.SetupNoMmap | liburing.SetupRegisteredFDOnly}, mem)
	ringtest.SkipOldKernel(t, err)
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, -1, r.FD())
	ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	_, err = r.GetProbe()
	require.NoError(t, err, "register calls find it too")
}

func TestSizes(t *testing.T) {
	n, err := liburing.MlockSize(64, 0)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = liburing.MemorySize(64, 0)
	ringtest.NeedsLiburing(t, err, 11)
	require.NoError(t, err)
	require.EqualValues(t, 2*os.Getpagesize(), n)
	n, err = liburing.MemorySize(4096, 0)
	require.NoError(t, err)
	big, err := liburing.MemorySizeParams(4096, &liburing.Params{Flags: liburing.SetupSQE128})
	require.NoError(t, err)
	require.Greater(t, big, n)
	_, err = liburing.MemorySize(0, 0)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestVersions(t *testing.T) {
	require.False(t, liburing.CheckVersion(liburing.MajorVersion(), liburing.MinorVersion()))
	require.True(t, liburing.CheckVersion(liburing.MajorVersion(), liburing.MinorVersion()+1))
	require.True(t, liburing.CheckVersion(liburing.MajorVersion()+1, 0))
	require.False(t, liburing.CheckVersion(1, 99))
}

// Setup flags that change how a ring works.
func TestSetupVariants(t *testing.T) {
	first := ringtest.NewRing(t, 8)
	for name, opts := range map[string][]liburing.Option{
		"attach_wq":     {liburing.WithAttachWQ(first)},
		"nil option":    {nil},
		"submit_all":    {liburing.WithFlags(liburing.SetupSubmitAll)},
		"no_sqarray":    {liburing.WithFlags(liburing.SetupNoSQArray)},
		"sqpoll on cpu": {liburing.WithSQPoll(10 * time.Millisecond), liburing.WithSQThreadCPU(0)},
		"sqe mixed":     {liburing.WithFlags(liburing.SetupSQEMixed)},
		"cqe mixed":     {liburing.WithFlags(liburing.SetupCQEMixed)},
		"sq rewind":     {liburing.WithFlags(liburing.SetupSQRewind | liburing.SetupNoSQArray)},
	} {
		t.Run(name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 8, opts...)
			for range 20 {
				ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
			}
		})
	}
}

// Rings that are attached share one SQPOLL thread.
func TestAttachWQ(t *testing.T) {
	thread := func(r *liburing.Ring) string {
		ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() }) // until it runs, its creator's number is told
		var pid string
		require.Eventually(t, func() bool {
			info, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", r.FD()))
			_, rest, _ := strings.Cut(string(info), "SqThread:")
			pid, _, _ = strings.Cut(strings.TrimSpace(rest), "\n")
			return pid != "" && pid != "-1" // older kernels don't tell while it is busy
		}, 5*time.Second, time.Millisecond)
		return pid
	}
	first := ringtest.NewRing(t, 4, liburing.WithSQPoll(time.Second))
	attached := ringtest.NewRing(t, 4, liburing.WithSQPoll(time.Second), liburing.WithAttachWQ(first))
	require.Equal(t, thread(first), thread(attached))
	require.NotEqual(t, thread(first), thread(ringtest.NewRing(t, 4, liburing.WithSQPoll(time.Second))))

	_, err := liburing.New(4, liburing.WithAttachWQ(nil))
	require.ErrorIs(t, err, unix.ENXIO)
	closed := ringtest.NewRing(t, 4)
	require.NoError(t, closed.Close())
	_, err = liburing.New(4, liburing.WithAttachWQ(closed))
	require.ErrorIs(t, err, unix.ENXIO)
}

// Polled I/O is for devices that can be polled; another says EOPNOTSUPP.
func TestIOPoll(t *testing.T) {
	for name, flags := range map[string]liburing.SetupFlags{"iopoll": liburing.SetupIOPoll, "hybrid": liburing.SetupIOPoll | liburing.SetupHybridIOPoll} {
		t.Run(name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 8, liburing.WithFlags(flags))
			f := ringtest.TempFile(t, ringtest.Pattern(8192, 1))
			fd, err := unix.Open(f.Name(), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
			if err == unix.EINVAL {
				t.Skip("the temporary folder's file system has no O_DIRECT")
			}
			require.NoError(t, err)
			defer unix.Close(fd)
			pool, err := liburing.NewBufferPool(1, 4096)
			require.NoError(t, err)
			defer pool.Close()
			b, _ := pool.Get()
			defer pool.Put(b)
			sqe := r.GetSQE()
			sqe.PrepRead(fd, b.Bytes[:4096], 4096)
			_, err = r.Submit()
			require.NoError(t, err)
			var cqe *liburing.CQE
			end := time.Now().Add(10 * time.Second)
			for time.Now().Before(end) { // polling is the program's business
				if cqe, err = r.PeekCQE(); err == nil {
					break
				}
				require.ErrorIs(t, err, unix.EAGAIN)
			}
			require.NoError(t, err)
			if cqe.Res >= 0 {
				require.Equal(t, ringtest.Pattern(8192, 1)[4096:], b.Bytes[:4096])
			} else {
				require.ErrorIs(t, cqe.Err(), unix.EOPNOTSUPP)
			}
			r.CQESeen(cqe)
		})
	}
}

// The system calls by hand: a ring's descriptor, a no-op register call, an enter.
func TestSystemCalls(t *testing.T) {
	var p liburing.Params
	fd, err := liburing.Setup(4, &p)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.EqualValues(t, 4, p.SQEntries)
	require.NotZero(t, p.Features)
	n, err := liburing.Enter(fd, 0, 0, liburing.EnterGetEvents)
	require.NoError(t, err)
	require.Zero(t, n)
	id, err := liburing.Register(fd, liburing.RegisterPersonality, nil, 0)
	require.NoError(t, err)
	require.Positive(t, id)
	_, err = liburing.Register(fd, liburing.RegisterPersonality, nil, 1)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.Setup(0, &p)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.Enter(-1, 0, 0, 0)
	require.ErrorIs(t, err, unix.EBADF)

	// A wait with a timeout: struct io_uring_getevents_arg.
	ts := &liburing.Timespec{Nsec: 10e6}
	arg := make([]byte, 24)
	binary.NativeEndian.PutUint64(arg[16:], uint64(uintptr(unsafe.Pointer(ts))))
	start := time.Now()
	_, err = liburing.Enter2(fd, 0, 1, liburing.EnterGetEvents|liburing.EnterExtArg, arg)
	runtime.KeepAlive(ts)
	require.ErrorIs(t, err, unix.ETIME)
	require.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
}

// A ring without liburing: the queues are mapped by their offsets, a request is
// written, submitted and its completion read.
func TestSetupByHand(t *testing.T) {
	var p liburing.Params
	fd, err := liburing.Setup(4, &p)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NotZero(t, p.Features&liburing.FeatSingleMmap)
	size := max(p.SQOff.Array+4*p.SQEntries, p.CQOff.CQEs+p.CQEntries*uint32(unsafe.Sizeof(liburing.CQE{})))
	rings, err := mapQueue(fd, liburing.OffSQRing, size)
	require.NoError(t, err)
	defer unix.Munmap(rings)
	entries, err := mapQueue(fd, liburing.OffSQEs, p.SQEntries*uint32(unsafe.Sizeof(liburing.SQE{})))
	require.NoError(t, err)
	defer unix.Munmap(entries)
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[off])) }
	require.Equal(t, p.SQEntries, *at(p.SQOff.RingEntries))
	require.Equal(t, p.SQEntries-1, *at(p.SQOff.RingMask))
	require.Equal(t, p.CQEntries, *at(p.CQOff.RingEntries))
	require.Equal(t, p.CQEntries-1, *at(p.CQOff.RingMask))

	sqe := (*liburing.SQE)(unsafe.Pointer(&entries[2*unsafe.Sizeof(liburing.SQE{})]))
	sqe.PrepNop()
	sqe.SetData64(12345)
	*at(p.SQOff.Array) = 2
	atomic.AddUint32(at(p.SQOff.Tail), 1)
	n, err := liburing.Enter(fd, 1, 1, liburing.EnterGetEvents)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 1, *at(p.SQOff.Head))
	require.EqualValues(t, 1, atomic.LoadUint32(at(p.CQOff.Tail)))
	cqe := (*liburing.CQE)(unsafe.Pointer(&rings[p.CQOff.CQEs]))
	require.EqualValues(t, 12345, cqe.UserData)
	require.Zero(t, cqe.Res)
	require.Zero(t, *at(p.SQOff.Dropped)|*at(p.CQOff.Overflow)|*at(p.SQOff.Flags)|*at(p.CQOff.Flags)|*at(p.CQOff.Head))
}

func mapQueue(fd int, offset uint64, size uint32) ([]byte, error) {
	return unix.Mmap(fd, int64(offset), int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
}

// What goes first with WithBestEffort, with what it needs.
var dispensable = []struct{ flag, needs liburing.SetupFlags }{
	{liburing.SetupSQRewind, liburing.SetupNoSQArray},
	{liburing.SetupNoSQArray, 0},
	{liburing.SetupDeferTaskrun, liburing.SetupSingleIssuer},
	{liburing.SetupSingleIssuer, 0},
	{liburing.SetupTaskrunFlag, liburing.SetupCoopTaskrun},
	{liburing.SetupCoopTaskrun, 0},
	{liburing.SetupSubmitAll, 0},
}

// With best effort a ring and a loop go without what this kernel does not know, and tell it.
func TestBestEffort(t *testing.T) {
	ringtest.LockThread(t)
	var all, lacking liburing.SetupFlags
	for _, d := range dispensable {
		all |= d.flag
		if r, err := liburing.New(4, liburing.WithFlags(d.flag|d.needs)); err == nil {
			r.Close()
		} else {
			require.ErrorIs(t, err, liburing.ErrNotSupported)
			lacking |= d.flag
		}
	}
	var told []liburing.Feature
	opts := []liburing.Option{liburing.WithFlags(all), liburing.WithIOWQMaxWorkers(3, 5),
		liburing.WithBestEffort(func(dropped []liburing.Feature) { told = dropped })}
	require.Equal(t, all&^lacking, ringtest.NewRing(t, 4, opts...).Flags()&all)
	checkDropped(t, told, lacking)
	told = nil
	require.NoError(t, ringtest.NewLoop(t, 4, opts...).Control(func(r *liburing.Ring) error {
		require.Equal(t, all&^lacking, r.Flags()&all)
		return nil
	}))
	checkDropped(t, told, lacking)
}

// checkDropped asserts that all that is lacking was dropped, in order, and nothing else.
func checkDropped(t *testing.T, told []liburing.Feature, lacking liburing.SetupFlags) {
	t.Helper()
	workers := liburing.Require(liburing.RegisterIOWQMaxWorkers)
	if workers != nil {
		require.Equal(t, liburing.RegisterIOWQMaxWorkers, told[len(told)-1])
		told = told[:len(told)-1]
	}
	for _, d := range dispensable {
		if lacking&d.flag != 0 {
			require.NotEmpty(t, told)
			require.NotZero(t, told[0].(liburing.SetupFlags)&d.flag, "%v", told)
			lacking &^= told[0].(liburing.SetupFlags)
			told = told[1:]
		}
	}
	require.Zero(t, lacking)
	require.Empty(t, told)
}

// What a program means is not dropped, nor what is wrong, and then nothing is told.
func TestBestEffortKeepsWhatIsMeant(t *testing.T) {
	never := liburing.WithBestEffort(func(dropped []liburing.Feature) { t.Errorf("told %v", dropped) })
	_, err := liburing.New(4, liburing.WithFlags(1<<30|liburing.SetupSQRewind|liburing.SetupNoSQArray), never)
	require.ErrorIs(t, err, liburing.ErrNotSupported)
	_, err = liburing.New(4, liburing.WithFlags(liburing.SetupSQPoll|liburing.SetupDeferTaskrun|liburing.SetupSingleIssuer), never)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.New(0, never)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.NewLoop(4, liburing.WithIOWQMaxWorkers(-1, 0), never)
	require.ErrorContains(t, err, "below zero")
	r, err := liburing.New(4, liburing.WithFlags(liburing.SetupClamp), liburing.WithBestEffort(nil))
	require.NoError(t, err)
	require.NoError(t, r.Close())
}
