//go:build linux

package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var _ = with(map[string]hardship{
	"memlock 0":    {begin: memlock(0)},
	"memlock 64":   {begin: memlock(64 << 10), do: useLockedMemory},
	"memlock 8192": {begin: memlock(8 << 20), do: useLockedMemory},
	"descriptors":  {do: useDescriptors},
	"memory":       {attr: inGroup("memory", memoryLimit), begin: joinGroup},
	"no memory":    {attr: inGroup("memory", memoryLimit), begin: joinGroup, do: useMemory, deadly: true},
	"no workers":   {attr: inGroup("pids", nil), do: useWithoutWorkers},
	"workers":      {do: useWorkers()},
	"few workers":  {do: useWorkers(liburing.WithIOWQMaxWorkers(2, 3))},
	"processors":   {attr: beginInGroup("cpu", oneProcessor), do: useProcessors},
})

// memlock has the child be a user without CAP_IPC_LOCK who may lock so many bytes. All
// processes of a user share the limit, so it is one of the child's own.
func memlock(bytes uint64) func() error {
	return func() error {
		if os.Geteuid() != 0 {
			return errors.New("it takes root to become another user")
		}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: bytes, Max: bytes}); err != nil {
			return err
		}
		return syscall.Setuid(100000 + os.Getpid())
	}
}

// ringsCount reports whether the kernel counts rings as locked memory: which do, is a
// matter of the version.
func ringsCount(t *testing.T, counted bool) bool {
	t.Helper()
	switch {
	case ringtest.KernelBefore(5, 12): // some were given what is newer
	case ringtest.KernelBefore(6, 13), !ringtest.KernelBefore(7, 2):
		require.False(t, counted, "this kernel counts rings")
	case !ringtest.KernelBefore(6, 16):
		require.True(t, counted, "this kernel does not count rings")
	}
	return counted
}

func TestNoLockedMemory(t *testing.T) {
	r := under(t, "memlock 0")
	if !ringsCount(t, r.Ring != "") {
		requireUsable(t, r)
		return
	}
	for what, err := range map[string]string{"New": r.Ring, "NewLoop": r.Loop, "Require": r.Require, "Available": r.Available} {
		requireSaid(t, what, err, "io_uring_setup: cannot allocate memory", "RLIMIT_MEMLOCK", "is 0 KiB", "ulimit -l")
	}
	require.Equal(t, []string{"memory"}, r.Causes)
	requireSaid(t, "doctor", failures(r), "RLIMIT_MEMLOCK", "ulimit -l")
	require.True(t, r.Fallback)
	requireClean(t, r)
}

// useLockedMemory asks for more and more, and for too much to be registered.
func useLockedMemory(ctx context.Context, r *report) {
	use(ctx, r)
	large, err := liburing.New(4096)
	r.Loop = text(err)
	if err == nil {
		large.Close()
	}
	ring, err := liburing.New(4)
	r.Ring = text(err)
	if err != nil {
		return
	}
	defer ring.Close()
	r.Said = text(ring.RegisterBuffers([][]byte{make([]byte, 16<<20)}))
}

func TestLittleLockedMemory(t *testing.T) {
	for name, limit := range map[string]string{"memlock 64": "is 64 KiB", "memlock 8192": "is 8192 KiB"} {
		t.Run(name, func(t *testing.T) {
			r := under(t, name)
			require.Empty(t, r.Ring, "a small ring fits")
			require.Empty(t, r.Require)
			require.True(t, r.Usable)
			requireSaid(t, "registered buffers", r.Said, "cannot allocate memory", "RLIMIT_MEMLOCK", limit, "ulimit -l")
			requireClean(t, r)
			require.False(t, r.Fallback, "ringio takes a smaller ring")
			if name == "memlock 64" && ringsCount(t, r.Loop != "") {
				requireSaid(t, "a large ring", r.Loop, "the ring needs", "RLIMIT_MEMLOCK", limit, "ask for fewer entries")
				return
			}
			require.Empty(t, r.Loop, "a large ring fits")
		})
	}
}

// useDescriptors uses what there is while the process has no descriptor left, then one, and
// so on, until all works.
func useDescriptors(ctx context.Context, r *report) {
	useRingio(ctx, r) // and Go opens what it has for itself
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: limit.Max})
	var taken []int
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	fds, goroutines := descriptors(), runtime.NumGoroutine()
	for n := range 12 {
		r.Ring, r.Loop = "", ""
		useRing(r)
		useLoop(ctx, r)
		r.Require = text(liburing.Require(liburing.OpNop))
		e, err := ringio.New(ringio.Options{})
		r.Said += fmt.Sprintf("%d\nNew %s\nNewLoop %s\nRequire %s\nringio %s", n, r.Ring, r.Loop, r.Require, text(err))
		if err == nil {
			r.Said += fmt.Sprintf("%v %s", e.Stats().Fallback, e.Stats().Why)
		}
		r.Said += "\n"
		if err == nil {
			if n == 11 {
				r.Files, r.Fallback = text(useFiles(ctx, e)), e.Stats().Fallback
			}
			e.Shutdown(ctx)
		}
		if why := left(fds, goroutines); why != "" {
			r.Left += fmt.Sprintf("%d: %s\n", n, why)
		}
		unix.Close(taken[n])
		fds--
	}
}

// Each error of those that there are on the way says what it takes, and nothing is left.
func TestNoDescriptors(t *testing.T) {
	r := under(t, "descriptors")
	require.Empty(t, r.Left)
	requireClean(t, r)
	require.False(t, r.Fallback, r.Said)
	require.Contains(t, r.Said, "0\nNew io_uring_setup: too many open files")
	require.Contains(t, r.Said, "NewLoop eventfd: too many open files")
	require.Contains(t, r.Said, "NewLoop io_uring_setup: too many open files")
	require.Contains(t, r.Said, "ringio true io_uring_setup: too many open files", "without a ring")
	require.Contains(t, r.Said, "ringio true fcntl: too many open files", "without a second descriptor")
	for line := range strings.Lines(r.Said) {
		if strings.Contains(line, "too many open files") {
			require.Contains(t, line, "ulimit -n")
		}
	}
}

const groupEnv = "LIBURING_TEST_SANDBOX_GROUP"

// inGroup makes a control group for the child with some limits, by the names of their files
// in version 1 and 2. The child joins it when it likes.
func inGroup(controller string, limits map[string]string) func(*testing.T, *exec.Cmd) {
	return func(t *testing.T, cmd *exec.Cmd) {
		dir := newGroup(t, controller)
		for file, limit := range limits {
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(limit), 0))
			}
		}
		cmd.Env = append(cmd.Env, groupEnv+"="+dir)
	}
}

// beginInGroup is inGroup for a child that is to be there before its first step.
func beginInGroup(controller string, limits map[string]string) func(*testing.T, *exec.Cmd) {
	return func(t *testing.T, cmd *exec.Cmd) {
		inGroup(controller, limits)(t, cmd)
		shell, err := exec.LookPath("sh")
		require.NoError(t, err)
		cmd.Path, cmd.Args = shell, []string{"sh", "-c", `echo $$ >"$` + groupEnv + `/cgroup.procs" && exec "$0"`, cmd.Path}
	}
}

// newGroup makes a control group, of whichever version there is.
func newGroup(t *testing.T, controller string) string {
	root := "/sys/fs/cgroup"
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	switch {
	case err != nil:
		root = filepath.Join(root, controller)
	case !strings.Contains(string(controllers), controller):
		t.Skipf("no control group limits %s here", controller)
	default:
		os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
	dir := filepath.Join(root, fmt.Sprintf("liburing-test-%d-%s", os.Getpid(), controller))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("a control group can't be made: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	return dir
}

func joinGroup() error {
	return os.WriteFile(filepath.Join(os.Getenv(groupEnv), "cgroup.procs"), []byte(fmt.Sprint(os.Getpid())), 0)
}

// memoryLimit is a limit that leaves Go and some rings room.
var memoryLimit = map[string]string{"memory.limit_in_bytes": "33554432", "memory.max": "33554432"}

// useMemory makes large rings until there is no room for another, and gives them back.
func useMemory(ctx context.Context, r *report) {
	fds := descriptors()
	var rings []*liburing.Ring
	for range 64 {
		ring, err := liburing.New(liburing.MaxEntries)
		if err != nil {
			r.Said = err.Error()
			break
		}
		rings = append(rings, ring)
	}
	for _, ring := range rings {
		ring.Close()
	}
	r.Left = left(fds, 1<<20)
	useRing(r)
}

func TestNoMemory(t *testing.T) {
	r := under(t, "no memory")
	requireSaid(t, "New", r.Said, "io_uring_setup: cannot allocate memory", "the ring needs", "memory.max", "ask for fewer entries")
	require.Empty(t, r.Ring, "there is room again")
	requireClean(t, r)
}

// With little memory all works, and doctor tells that it is little.
func TestLittleMemory(t *testing.T) {
	r := under(t, "memory")
	requireUsable(t, r)
	for _, f := range r.Doctor {
		if f.Check == "cgroup" {
			require.Contains(t, f.Found, "of 32 MiB used")
			require.Contains(t, f.Do, "memory.max")
			return
		}
	}
	t.Fatal("doctor says nothing of it")
}

// spareThreads has Go have threads in stock: it does not survive if it wants one and gets
// none.
func spareThreads(n int) {
	var ready, gone sync.WaitGroup
	ready.Add(n)
	for range n {
		gone.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			ready.Wait()
		})
	}
	gone.Wait()
}

// useWithoutWorkers uses what takes a worker where none can be made.
func useWithoutWorkers(ctx context.Context, r *report) {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		r.Loop = err.Error()
		return
	}
	defer loop.Close(ctx)
	e, err := ringio.New(ringio.Options{})
	if err != nil {
		r.Files = err.Error()
		return
	}
	defer e.Shutdown(ctx)
	f, err := os.Create(filepath.Join(os.Getenv(dirEnv), "file"))
	if err != nil {
		r.Skip = err.Error()
		return
	}
	defer f.Close()
	spareThreads(40)
	if err := errors.Join(joinGroup(), allowNoTask()); err != nil {
		r.Skip = err.Error()
		return
	}
	loop.Fsync(liburing.FD(f), 0, func(c liburing.Completion) { r.Loop = text(c.Err()) })
	r.Said = text(loop.RunUntilIdle(ctx))
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = writeAndSync(ctx, e, fmt.Sprint(i)) })
	}
	all.Wait()
	r.Files = text(errors.Join(errs...))
	r.Numbers = []int{int(e.Stats().Remade)}
}

// allowNoTask has the group have no more tasks than there are.
func allowNoTask() error {
	dir := os.Getenv(groupEnv)
	n, err := os.ReadFile(filepath.Join(dir, "pids.current"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "pids.max"), n, 0)
}

// writeAndSync syncs with a context that may end: by the ring, whatever else there is.
func writeAndSync(ctx context.Context, e *ringio.Engine, name string) error {
	f, err := e.Create(filepath.Join(os.Getenv(dirEnv), name))
	if err != nil {
		return err
	}
	defer f.Close()
	for range 4 {
		if _, err := f.WriteAt([]byte("text"), 0); err != nil {
			return err
		}
		if err := f.SyncContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestNoWorkers(t *testing.T) {
	r := under(t, "no workers")
	require.Empty(t, r.Said)
	requireSaid(t, "a request", r.Loop, "fsync: operation canceled", "worker thread", "pids.max")
	require.Empty(t, r.Files, "ringio does without")
	require.NotZero(t, r.Numbers[0], "it has not tried")
}

// useWorkers has many requests each take a worker, and counts those that there are.
func useWorkers(opts ...liburing.Option) func(context.Context, *report) {
	return func(ctx context.Context, r *report) {
		fifo := filepath.Join(os.Getenv(dirEnv), "fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			r.Skip = err.Error()
			return
		}
		loop, err := liburing.NewLoop(64, opts...)
		if err != nil {
			r.Loop = err.Error()
			return
		}
		r.Loop = text(loop.Control(func(ring *liburing.Ring) error {
			bounded, unbounded, err := ring.RegisterIOWQMaxWorkers(0, 0)
			r.Numbers = append(r.Numbers, bounded, unbounded)
			return err
		}))
		r.Numbers = append(r.Numbers, workersOf(ctx, loop, fifo, r.Numbers[len(r.Numbers)-2]))
		r.Loop += text(loop.Close(ctx))
	}
}

// workersOf returns how many workers a loop has at most while 32 requests want one each: so
// many are waited for, and then a moment longer for more.
func workersOf(ctx context.Context, loop *liburing.Loop, fifo string, limit int) (most int) {
	var opened []int
	for range 32 {
		loop.Openat(unix.AT_FDCWD, fifo, unix.O_RDONLY|unix.O_CLOEXEC, 0, func(c liburing.Completion) {
			opened = append(opened, int(c.Res))
		}).Flags(liburing.SQEAsync)
	}
	end := time.Now().Add(10 * time.Second)
	var look func()
	look = func() {
		if n := workers(); n > most {
			if most = n; most >= limit {
				end = time.Now().Add(100 * time.Millisecond)
			}
		}
		if time.Now().Before(end) {
			loop.After(10*time.Millisecond, look)
			return
		}
		writer, _ := unix.Open(fifo, unix.O_RDWR|unix.O_CLOEXEC, 0)
		opened = append(opened, writer)
	}
	look()
	loop.RunUntilIdle(ctx)
	for _, fd := range opened {
		unix.Close(fd)
	}
	return most
}

// workers counts the kernel's in this process.
func workers() (n int) {
	tasks, _ := filepath.Glob("/proc/self/task/*/comm")
	for _, task := range tasks {
		if comm, _ := os.ReadFile(task); strings.HasPrefix(string(comm), "iou-wrk-") {
			n++
		}
	}
	return n
}

// The kernel's workers follow the processors that Go uses, or the option.
func TestWorkersFollowGOMAXPROCS(t *testing.T) {
	if liburing.Require(liburing.RegisterIOWQMaxWorkers) != nil {
		t.Skip("this kernel can't limit workers")
	}
	r := under(t, "workers", "GOMAXPROCS=1")
	require.Empty(t, r.Loop)
	require.Equal(t, []int{4, 256, 4}, r.Numbers, "limits and workers")
	r = under(t, "few workers", "GOMAXPROCS=1")
	require.Empty(t, r.Loop)
	require.Equal(t, []int{2, 3, 2}, r.Numbers, "limits and workers, with the option")
	r = under(t, "workers", "GOMAXPROCS=64")
	all, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*") // also those that this process may not use
	require.NoError(t, err)
	require.LessOrEqual(t, r.Numbers[0], 4*len(all), "the kernel's own limit is narrower")
}

// oneProcessor is a limit of processor time, by the name of its file in version 1 and 2.
var oneProcessor = map[string]string{"cpu.cfs_quota_us": "100000", "cpu.max": "100000 100000"}

func useProcessors(ctx context.Context, r *report) {
	r.Numbers = []int{runtime.GOMAXPROCS(0)}
	useWorkers()(ctx, r)
}

// A limit of processor time that a control group has reaches the kernel's workers by way of
// GOMAXPROCS. Go does not set that below two, so it takes three processors to see it.
func TestWorkersFollowProcessorLimit(t *testing.T) {
	if liburing.Require(liburing.RegisterIOWQMaxWorkers) != nil {
		t.Skip("this kernel can't limit workers")
	}
	r := under(t, "processors", "GOMAXPROCS=")
	require.Empty(t, r.Loop)
	processors := min(runtime.NumCPU(), 2)
	require.Equal(t, []int{processors, 4 * processors, 256, 4 * processors}, r.Numbers, "GOMAXPROCS, limits and workers")
}
