package doctor

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Two things must not be tried in a service's own process: system calls that a seccomp
// filter may kill it for, and a limit of locked memory that holds for all of its
// threads. A child does, which is a copy of the process that makes a few system calls
// and ends.

// outcome is how a child has ended.
type outcome struct {
	killed bool          // by a seccomp filter
	errno  syscall.Errno // of the first system call that failed, 0 if none did
}

// inChild sets up a ring of one entry in a child process, and uses it; with lockNothing
// where nothing may be locked.
func inChild(lockNothing bool) (outcome, error) {
	var none, memlock unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &memlock); err != nil {
		return outcome{}, err
	}
	if lockNothing {
		memlock.Cur = 0
	}
	// As the runtime does when it forks: a signal must not find its handlers in the
	// child, and SIGSYS kills if it is blocked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return outcome{}, err
	}
	pid, errno := forkAndTry(new(params), unsafe.Pointer(&none), unsafe.Pointer(&memlock))
	unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	if errno != 0 {
		return outcome{}, errno
	}
	return endOf(pid)
}

// endOf waits for a child. Its end is told to nobody (no SIGCHLD), so that it is nobody
// else's to wait for.
func endOf(pid int) (outcome, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return outcome{}, err
		}
	}
	return outcome{
		killed: status.Signaled() && status.Signal() == unix.SIGSYS,
		errno:  syscall.Errno(max(status.ExitStatus(), 0)),
	}, nil
}

// params has the size of struct io_uring_params.
type params [30]uint32

// forkAndTry forks, and returns in the parent. In the child there are no other threads:
// the Go runtime is not to be relied on, so it calls nothing but the kernel, through
// functions that need no more stack.
//
//go:norace
//go:nosplit
func forkAndTry(p *params, none, memlock unsafe.Pointer) (pid int, errno syscall.Errno) {
	child, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, 0, 0, 0, 0, 0, 0)
	if errno != 0 || child != 0 {
		return int(child), errno
	}
	syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, uintptr(none), 0, 0, 0)
	syscall.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_MEMLOCK, uintptr(memlock), 0, 0, 0)
	fd, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(p)), 0, 0, 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, fd, 0, 0, 0, 0, 0)
		syscall.RawSyscall6(unix.SYS_IO_URING_REGISTER, fd, unregisterEventfd, 0, 0, 0, 0) // there is none
	}
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0, 0, 0, 0)
	}
}

const unregisterEventfd = 5 // liburing.UnregisterEventfd
