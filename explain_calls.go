package liburing

import (
	"fmt"
	"strings"
	"syscall"
)

// Why io_uring_enter or a register call failed. The kernel has an errno for each reason, but
// what it is called elsewhere ("file exists") does not tell it.

const (
	otherThread = "the ring is another thread's (SetupSingleIssuer): call runtime.LockOSThread before New, and use the ring on that goroutine"
	noGroup     = "there is no such group of provided buffers"
)

// callReasons are the errnos that mean one thing, by how the call's name begins. The first
// that fits holds; without a text nothing is certain.
var callReasons = []struct {
	errno   syscall.Errno
	op, why string
}{
	{syscall.EEXIST, "io_uring_setup_buf_ring", "the group exists already; or " + otherThread},
	{syscall.EEXIST, "io_uring_register_buf_ring", "the group exists already; or " + otherThread},
	{syscall.EEXIST, "io_uring_register_ring_fd", "it is registered already; or " + otherThread},
	{syscall.EEXIST, "io_uring_register_ifq", ""}, // the device's queue may be taken
	{syscall.EEXIST, "io_uring_register_bpf_filter", ""},
	{syscall.EEXIST, "io_uring_", otherThread},
	{errnoBADFD, "io_uring_enable_rings", "the ring is enabled: it was not set up with SetupRDisabled, or this is the second call"},
	{errnoBADFD, "io_uring_register_restrictions", "the ring is enabled: set it up with SetupRDisabled, and call EnableRings afterwards"},
	{errnoBADFD, "io_uring_register_sync_msg", "the descriptor is not a ring's"},
	{syscall.EBUSY, "io_uring_register_buffers", "buffers are registered already: call UnregisterBuffers first"},
	{syscall.EBUSY, "io_uring_clone_buffers", "buffers are registered already: call UnregisterBuffers first, or replace them (RegisterDstReplace)"},
	{syscall.EBUSY, "io_uring_register_files", "files are registered already: call UnregisterFiles first, or replace them (RegisterFilesUpdate)"},
	{syscall.EBUSY, "io_uring_register_eventfd", "an eventfd is registered already: call UnregisterEventfd first"},
	{syscall.EBUSY, "io_uring_register_restrictions", "the ring has its restrictions already"},
	{syscall.ENXIO, "io_uring_unregister_buffers", "no buffers are registered"},
	{syscall.ENXIO, "io_uring_unregister_files", "no files are registered"},
	{syscall.ENXIO, "io_uring_unregister_eventfd", "no eventfd is registered"},
	{syscall.ENXIO, "io_uring_register_files_update", "no files are registered: make a table first (RegisterFiles, RegisterFilesSparse)"},
	{syscall.ENXIO, "io_uring_clone_buffers", "the other ring has no registered buffers"},
	{syscall.EINVAL, "io_uring_register_file_alloc_range", "the table of registered files does not reach so far, or the kernel is older than Linux 6.0"},
	{syscall.EBADF, "io_uring_register_files", "a descriptor of the list is not open, or is a ring's, which can't be registered"},
	{syscall.EBADF, "io_uring_register_eventfd", "the descriptor is not open"},
	{syscall.EINVAL, "io_uring_register_eventfd", "the descriptor is not an eventfd's"},
	{syscall.EINVAL, "io_uring_unregister_personality", "there are no credentials of this number"},
	{syscall.ENOENT, "io_uring_unregister_buf_ring", noGroup},
	{syscall.ENOENT, "io_uring_buf_ring_head", noGroup},
	{syscall.ENOENT, "io_uring_register_sync_cancel", "no request in flight is meant by it"},
}

// explainCall says what an errno of a call means, as far as the call's name tells it.
func explainCall(op string, errno syscall.Errno) string {
	if errno == errnoBADFD && enters(op) {
		return "the ring is disabled (SetupRDisabled): call EnableRings first"
	}
	for _, r := range callReasons {
		if r.errno == errno && strings.HasPrefix(op, r.op) && op != "io_uring_register" {
			return r.why
		}
	}
	return explainBlocked(op, errno)
}

// enters reports whether a call is one of those that end in io_uring_enter.
func enters(op string) bool {
	for _, name := range []string{"submit", "wait", "peek_cqe", "get_events", "sqring_wait", "enter"} {
		if strings.HasPrefix(op, "io_uring_"+name) {
			return true
		}
	}
	return false
}

// explainBlocked says what it may mean that a system call is refused which has no
// reason to be: a sandbox that allows io_uring_setup, and not the other two.
func explainBlocked(op string, errno syscall.Errno) string {
	call := "io_uring_register"
	switch {
	case errno != syscall.EPERM && errno != syscall.ENOSYS, op == "io_uring_setup", op == "io_uring_register_ifq":
		return ""
	case enters(op):
		call = "io_uring_enter"
	case !strings.HasPrefix(op, "io_uring_"):
		return ""
	}
	return "a seccomp filter or another sandbox may block it: allow " + call + ", beside io_uring_setup, in the profile"
}

// explainMemlock says what ENOMEM means when memory is registered.
func explainMemlock(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.ENOMEM {
		e.Hint = explainLimit()
	}
	return err
}

// maxFixedBuffers is how many buffers a ring may have registered. Kernels before 5.13 allow
// fewer.
const maxFixedBuffers = 1 << 14

// explainBufferCount says what EINVAL means when more buffers are registered than that.
func explainBufferCount(err error, n int) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.EINVAL && n > maxFixedBuffers {
		e.Hint = fmt.Sprintf("%d buffers are more than the %d that the kernel allows", n, maxFixedBuffers)
	}
	return err
}

// explainNofile says what EMFILE means when a table of files is registered.
func explainNofile(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.EMFILE {
		e.Hint = "the table must not be larger than RLIMIT_NOFILE (raise it: `ulimit -n`, LimitNOFILE= in systemd), nor than the kernel's limit of 1,048,576"
	}
	return err
}
