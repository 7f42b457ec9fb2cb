package liburing

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the package has from the operating system beside liburing;
// sys_other.go stands in where there is no Linux.

// The kernel's structs that golang.org/x/sys/unix has.
type (
	Iovec      = unix.Iovec      // struct iovec: a piece of memory; for PrepReadv and its like
	Msghdr     = unix.Msghdr     // struct msghdr: a message, see NewMsghdr
	Statx      = unix.Statx_t    // struct statx: what is known of a file, see FileInfo
	OpenHow    = unix.OpenHow    // struct open_how: how PrepOpenat2 opens a file
	EpollEvent = unix.EpollEvent // struct epoll_event: for PrepEpollCtl and PrepEpollWait
	Siginfo    = unix.Siginfo    // siginfo_t: what PrepWaitid tells of a child
	Cmsghdr    = unix.Cmsghdr    // struct cmsghdr: the head of a control message, see RecvmsgOut
)

const (
	atFDCWD       = unix.AT_FDCWD
	capSysAdmin   = unix.CAP_SYS_ADMIN
	capIPCLock    = unix.CAP_IPC_LOCK
	msgTrunc      = unix.MSG_TRUNC
	msgWaitall    = unix.MSG_WAITALL
	sizeofOpenHow = uint32(unsafe.Sizeof(OpenHow{}))
	sizeofCmsghdr = unix.SizeofCmsghdr

	// blockIoctl is command 0 of block devices without an argument. Ioctl
	// numbers differ by architecture, and golang.org/x/sys knows all of them:
	// BLKDISCARD is command 119.
	blockIoctl = unix.BLKDISCARD - 119
)

// mapMemory returns zeroed memory outside the Go heap, beginning at a page.
func mapMemory(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
}

// mapUnreadable returns memory that nobody can read.
func mapUnreadable(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
}

// mapFile maps a part of a file, shared with the kernel.
func mapFile(fd int, offset int64, size int) ([]byte, error) {
	return unix.Mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
}

func unmapMemory(mem []byte) error { return unix.Munmap(mem) }

// unmapAt unmaps what C has mapped.
func unmapAt(p unsafe.Pointer, size uintptr) error { return unix.MunmapPtr(p, size) }

// rawEnter is io_uring_enter as a raw system call, which the scheduler does not
// know of. That saves the crossing into C, but while it lasts this processor runs
// no other goroutine and a stop-the-world waits for it. So it never waits, and it
// is not for requests that are slow to submit. It is small, so that the compiler
// puts it into its caller.
func (m *ringMem) rawEnter(submit uint32, flags EnterFlags) int32 {
	_, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(m.enterRingFD), uintptr(submit), 0, uintptr(flags), 0, 0)
	return -int32(errno)
}

// waker is an eventfd: the loop has a read of it in flight while it sleeps.
type waker struct {
	fd  int
	buf [8]byte // what is read
}

func (w *waker) open() error {
	// Not O_NONBLOCK: wait reads it without the ring.
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	w.fd = fd
	return os.NewSyscallError("eventfd", err)
}

// increment is what a signal adds to the eventfd.
var increment = binary.NativeEndian.AppendUint64(nil, 1)

func (w *waker) signal() {
	for {
		if _, err := unix.Write(w.fd, increment); err != unix.EINTR {
			return
		}
	}
}

// wait waits for a signal without the ring, no longer than limit unless that is
// negative.
func (w *waker) wait(limit time.Duration) {
	if limit >= 0 && !waitReadable(limit, -1, w.fd) {
		return
	}
	for {
		if _, err := unix.Read(w.fd, w.buf[:]); err != unix.EINTR {
			return
		}
	}
}

func (w *waker) close() { unix.Close(w.fd) }

// waitReadable waits until one of two descriptors can be read, no longer than limit, or
// until a signal comes; one that is negative is none. It reports whether it is the second.
func waitReadable(limit time.Duration, first, second int) bool {
	fds := [...]unix.PollFd{{Fd: int32(first), Events: unix.POLLIN}, {Fd: int32(second), Events: unix.POLLIN}}
	ts := unix.NsecToTimespec(limit.Nanoseconds())
	n, err := unix.Ppoll(fds[:], &ts, nil)
	return err == nil && n > 0 && fds[1].Revents != 0
}

// kernelRelease returns the kernel's version, as uname -r does.
func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// memlockLimit returns the soft RLIMIT_MEMLOCK in bytes, false if there is no limit.
func memlockLimit() (uint64, bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	return limit.Cur, err == nil && limit.Cur != unix.RLIM_INFINITY
}

// allows reports whether the process has a capability, perhaps in a user namespace only.
func allows(capability int) bool {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return unix.Capget(&header, &data[0]) == nil && data[capability/32].Effective>>(capability%32)&1 != 0
}

// closeFD closes a descriptor of the process.
func closeFD(fd int) error { return unix.Close(fd) }

// threadID names the thread that the caller runs on.
func threadID() int64 { return int64(unix.Gettid()) }

const (
	enonet = unix.ENONET
	etime  = unix.ETIME // which not every system has

	sockUnknown = 0
	sockStream  = unix.SOCK_STREAM
)

// socketType returns the type of a socket (SOCK_STREAM, …), sockUnknown of what is
// none.
func socketType(fd int) int {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return sockUnknown
	}
	return kind
}

// FileInfo returns what a Statx request has stored, for a file with this name, as
// os.Stat does; Sys is the *Statx. Ask for StatxBasicStats. nil stands for an empty
// Statx.
func FileInfo(name string, statx *Statx) fs.FileInfo {
	if statx == nil {
		statx = new(Statx)
	}
	return fileInfo{filepath.Base(name), statx}
}

// StatxBasicStats is the mask with which a Statx request gets what a FileInfo needs.
const StatxBasicStats = unix.STATX_BASIC_STATS

type fileInfo struct {
	name  string
	statx *Statx
}

func (i fileInfo) Name() string { return i.name }
func (i fileInfo) Size() int64  { return int64(i.statx.Size) }
func (i fileInfo) IsDir() bool  { return i.Mode().IsDir() }
func (i fileInfo) Sys() any     { return i.statx }

func (i fileInfo) ModTime() time.Time {
	return time.Unix(i.statx.Mtime.Sec, int64(i.statx.Mtime.Nsec))
}

// modes are the bits of st_mode that are others in Go.
var modes = []struct {
	mask, bits uint16
	mode       fs.FileMode
}{
	{unix.S_IFMT, unix.S_IFDIR, fs.ModeDir},
	{unix.S_IFMT, unix.S_IFLNK, fs.ModeSymlink},
	{unix.S_IFMT, unix.S_IFIFO, fs.ModeNamedPipe},
	{unix.S_IFMT, unix.S_IFSOCK, fs.ModeSocket},
	{unix.S_IFMT, unix.S_IFBLK, fs.ModeDevice},
	{unix.S_IFMT, unix.S_IFCHR, fs.ModeDevice | fs.ModeCharDevice},
	{unix.S_ISUID, unix.S_ISUID, fs.ModeSetuid},
	{unix.S_ISGID, unix.S_ISGID, fs.ModeSetgid},
	{unix.S_ISVTX, unix.S_ISVTX, fs.ModeSticky},
}

func (i fileInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.statx.Mode) & fs.ModePerm
	for _, m := range modes {
		if i.statx.Mode&m.mask == m.bits {
			mode |= m.mode
		}
	}
	return mode
}
