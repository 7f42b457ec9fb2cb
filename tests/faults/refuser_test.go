//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing/internal/ringtest"
	"golang.org/x/sys/unix"
)

// The n-th system call fails: a seccomp filter has the kernel ask the parent about each
// one that may, and the parent counts and answers. The child steers it by a system call
// that there is not.

// steer is the number of that call, and what it asks for.
const (
	steer       = 1000
	steerArm    = 0 // have the n-th call fail with an errno
	steerDisarm = 1 // return how many calls there were, and whether one has failed
	steerMapped = 2 // return how many bytes are mapped, and not unmapped
	steerUrge   = 3 // send each thread that enters a ring a signal first, or do so no longer
)

// refusable are the system calls that may be made to fail.
var refusable = map[int32]string{
	unix.SYS_MMAP: "mmap", unix.SYS_IO_URING_SETUP: "io_uring_setup", unix.SYS_IO_URING_REGISTER: "io_uring_register",
	unix.SYS_IO_URING_ENTER: "io_uring_enter", unix.SYS_EVENTFD2: "eventfd2", unix.SYS_SOCKET: "socket",
	unix.SYS_FCNTL: "fcntl", unix.SYS_MADVISE: "madvise", unix.SYS_OPENAT: "openat",
}

// refuser is the parent's side.
type refuser struct {
	listener int
	child    int // its process
	urges    bool
	n, seen  int
	errno    unix.Errno
	refused  string
	mapped   map[uint64]int // how many pieces of each length there are
	last     []string       // calls that were made to fail, for the report
}

// notification is struct seccomp_notif, answer struct seccomp_notif_resp.
type (
	notification struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	answer struct {
		id    uint64
		val   int64
		errno int32
		flags uint32
	}
)

// serve answers until the child has gone.
func (r *refuser) serve() error {
	for {
		ready := []unix.PollFd{{Fd: int32(r.listener), Events: unix.POLLIN}}
		switch _, err := unix.Poll(ready, -1); {
		case err == unix.EINTR:
			continue
		case err != nil || ready[0].Revents&unix.POLLHUP != 0:
			return err
		case ready[0].Revents&unix.POLLIN == 0:
			continue // POLLERR: a signal was pending while the kernel had the listener locked
		}
		var n notification
		if err := notify(r.listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err == unix.ENOENT || err == unix.EINTR {
			continue // it was interrupted, or killed
		} else if err != nil {
			return err
		}
		a := r.answer(&n)
		a.id = n.id
		if err := notify(r.listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)); err != nil && err != unix.ENOENT {
			return err
		}
	}
}

func notify(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (r *refuser) answer(n *notification) (a answer) {
	switch {
	case n.nr == steer:
		a.val = r.steer(n.args[0], n.args[1], n.args[2])
		return a
	case n.nr == unix.SYS_IO_URING_ENTER && r.urges && rand.IntN(4) != 0:
		unix.Tgkill(r.child, int(n.pid), unix.SIGURG)
	case n.nr == unix.SYS_MUNMAP:
		r.mapped[n.args[1]]--
	case r.fails(n):
		r.refused = refusable[n.nr]
		r.last = append(r.last, fmt.Sprintf("%d: %s %x", r.seen, r.refused, n.args))
		a.errno = -int32(r.errno)
		return a
	case n.nr == unix.SYS_MMAP && isOurs(n):
		r.mapped[n.args[1]]++
	}
	a.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	return a
}

// fails counts a call and reports whether it is the one to fail.
func (r *refuser) fails(n *notification) bool {
	if !isOurs(n) || r.errno == unix.EINTR && !isInterruptible(n) {
		return false
	}
	r.seen++
	return r.seen == r.n
}

// isOurs reports whether a call is the library's: those of Go's runtime it can't do
// without, and those of the test are its own.
func isOurs(n *notification) bool {
	switch n.nr {
	case unix.SYS_MMAP:
		const anonymous = unix.MAP_PRIVATE | unix.MAP_ANON
		if ringtest.Race && n.args[3]&anonymous == anonymous {
			return false // it may be the race detector's, which ends the process
		}
		return n.args[3]&anonymous != anonymous ||
			n.args[3] == anonymous && n.args[0] == 0 && n.args[1] < 16<<10 && n.args[2] == unix.PROT_READ|unix.PROT_WRITE
	case unix.SYS_FCNTL:
		return n.args[1] == unix.F_DUPFD_CLOEXEC
	case unix.SYS_MADVISE:
		return n.args[2] == unix.MADV_DONTFORK
	}
	return true
}

// isInterruptible reports whether the kernel may answer a call with EINTR: an enter that
// submits it does not, it tells how many requests it has taken.
func isInterruptible(n *notification) bool {
	return n.nr == unix.SYS_IO_URING_ENTER && n.args[1] == 0 || n.nr == unix.SYS_IO_URING_REGISTER
}

func (r *refuser) steer(what, n, errno uint64) (val int64) {
	switch what {
	case steerArm:
		r.n, r.errno, r.seen, r.refused = int(n), unix.Errno(errno), 0, ""
	case steerDisarm:
		r.n, val = 0, int64(r.seen)<<1
		if r.refused != "" {
			val++
		}
	case steerMapped:
		for size, n := range r.mapped {
			val += int64(size) * int64(max(n, 0))
		}
	case steerUrge:
		r.urges = n != 0
	}
	return val
}

// The child's side.

func arm(n int, errno unix.Errno) { unix.Syscall(steer, steerArm, uintptr(n), uintptr(errno)) }

func disarm() (calls int, refused bool) {
	val, _, _ := unix.Syscall(steer, steerDisarm, 0, 0)
	return int(val >> 1), val&1 != 0
}

func mapped() int {
	val, _, _ := unix.Syscall(steer, steerMapped, 0, 0)
	return int(val)
}

// urge has most enters of a ring find a signal pending from now on, or no longer. At each of
// them a kernel that gives up what was to have a worker would never make one.
func urge(on uintptr) { unix.Syscall(steer, steerUrge, on, 0) }

// askParent has the kernel ask the parent about the calls of all threads from now on.
func askParent() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	calls := []uint32{steer, unix.SYS_MUNMAP}
	for nr := range refusable {
		calls = append(calls, uint32(nr))
	}
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for i, nr := range calls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(len(calls) - i)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The kernel's own work for a ring interrupts calls, which would be asked about, and
	// counted, twice.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	rights := unix.UnixRights(-1)
	// Until the parent has the listener nobody answers: with a call that gives the processor
	// up, another goroutine could take it, and hold it in a call that is asked about.
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(fd))
	binary.NativeEndian.PutUint32(rights[unix.CmsgLen(0):], uint32(fd))
	return unix.Sendmsg(childSocket, []byte{0}, rights, nil, 0)
}

// childSocket is the child's end of a socket pair with its parent.
const childSocket = 3

// refusing reports whether the test runs in a child whose system calls the parent
// answers, and has it run there, like inChild.
func refusing(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childEnv) == t.Name() {
		if err := askParent(); err != nil {
			t.Skip("this kernel does not ask about system calls: ", err)
		}
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience) // hundreds of calls, one by one
	defer cancel()
	// The collector maps small pieces of memory of its own.
	cmd := childOf(ctx, t, "GOGC=off")
	out, refused, err := superviseChild(cmd)
	if len(refused) > 0 {
		t.Logf("%d calls were refused", len(refused))
		refused = refused[max(0, len(refused)-3):]
	}
	if err != nil {
		err = fmt.Errorf("%w; the last calls that were refused: %s", err, strings.Join(refused, ", "))
	}
	judge(t, out, err)
	return false
}

// superviseChild runs the child and answers for it.
func superviseChild(cmd *exec.Cmd) (out []byte, refused []string, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &both, &both, []*os.File{theirs}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, nil, err
	}
	listener, err := receiveFD(ours)
	if err != nil { // it has skipped, or failed
		return both.Bytes(), nil, errors.Join(cmd.Wait(), ignoreEOF(err))
	}
	defer unix.Close(listener)
	r := &refuser{listener: listener, child: cmd.Process.Pid, mapped: map[uint64]int{}}
	served := make(chan error, 1)
	go func() { served <- r.serve() }()
	err = cmd.Wait()
	return both.Bytes(), r.last, errors.Join(err, <-served)
}

func ignoreEOF(err error) error {
	if err == errNoDescriptor {
		return nil
	}
	return err
}

var errNoDescriptor = errors.New("no descriptor has come")

// receiveFD waits for a descriptor that comes by a socket.
func receiveFD(f *os.File) (int, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil || n == 0 {
		return -1, errNoDescriptor
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	syscall.CloseOnExec(fds[0])
	return fds[0], nil
}

// The room's own look at the process.

// holdings is what a process holds that could leak.
type holdings struct {
	fds        map[string]string
	rings      int // mappings of rings
	goroutines int
	mapped     int
}

func held() holdings {
	h := holdings{fds: ringtest.OpenFDs(), goroutines: runtime.NumGoroutine(), mapped: mapped()}
	maps, _ := os.ReadFile("/proc/self/maps")
	h.rings = bytes.Count(maps, []byte("[io_uring]"))
	return h
}

// more says what there is more of than before, nothing if that is nothing.
func (h holdings) more(before holdings) (leaks []string) {
	leaks = ringtest.LeakedFDs(before.fds)
	if h.rings > before.rings {
		leaks = append(leaks, fmt.Sprintf("%d mappings of rings", h.rings-before.rings))
	}
	if h.goroutines > before.goroutines {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		leaks = append(leaks, fmt.Sprintf("%d goroutines: %s", h.goroutines-before.goroutines, stacks))
	}
	if h.mapped > before.mapped && !ringtest.Race { // the detector maps small pieces of its own
		leaks = append(leaks, fmt.Sprintf("%d bytes of mapped memory", h.mapped-before.mapped))
	}
	return leaks
}
