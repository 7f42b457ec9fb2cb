//go:build !linux

package liburing

import (
	"io/fs"
	"syscall"
	"time"
	"unsafe"
)

// Stand-ins for what sys_linux.go has, so that the package has the same names
// where it cannot work.
type (
	Iovec struct {
		Base *byte
		Len  uint64
	}
	Msghdr struct {
		Name       *byte
		Namelen    uint32
		Iov        *Iovec
		Iovlen     uint64
		Control    *byte
		Controllen uint64
	}
	Cmsghdr struct {
		Len uint64
	}
	Statx      struct{}
	OpenHow    struct{}
	EpollEvent struct{}
	Siginfo    struct{}
)

func (m *Msghdr) SetControllen(n int) { m.Controllen = uint64(n) }
func (m *Msghdr) SetIovlen(n int)     { m.Iovlen = uint64(n) }

const (
	atFDCWD       = -100
	capSysAdmin   = 21
	capIPCLock    = 14
	msgTrunc      = 0x20
	msgWaitall    = 0x100
	sizeofOpenHow = 24
	sizeofCmsghdr = 16
	blockIoctl    = 0x1200
)

// SetLen sets the length.
func (v *Iovec) SetLen(n int) { v.Len = uint64(n) }

func mapMemory(int) ([]byte, error)           { return nil, ErrNotSupported }
func mapUnreadable(int) ([]byte, error)       { return nil, ErrNotSupported }
func mapFile(int, int64, int) ([]byte, error) { return nil, ErrNotSupported }
func unmapMemory([]byte) error                { return ErrNotSupported }
func unmapAt(unsafe.Pointer, uintptr) error   { return ErrNotSupported }

func (f *failure) whyUnknown() string                 { return "" }
func (f *failure) whyDescriptor(syscall.Errno) string { return "" }
func (f *failure) whyCancelled() string               { return "" }

func kernelRelease() string        { return "unknown" }
func memlockLimit() (uint64, bool) { return 0, false }
func allows(int) bool              { return false }

func (m *ringMem) rawEnter(submit uint32, flags EnterFlags) int32 { return 0 }

type waker struct {
	fd  int
	buf [8]byte
}

func (w *waker) open() error        { return ErrNotSupported }
func (w *waker) signal()            {}
func (w *waker) wait(time.Duration) {}
func (w *waker) close()             {}

func waitReadable(time.Duration, int, int) bool { return false }

func closeFD(int) error { return ErrNotSupported }

func threadID() int64 { return -1 }

const (
	enonet = syscall.Errno(1 << 16) // none
	etime  = syscall.Errno(1<<16 + 1)

	sockUnknown = 0
	sockStream  = 1
)

func socketType(int) int { return sockUnknown }

// FileInfo needs Linux.
func FileInfo(name string, statx *Statx) fs.FileInfo { return nil }

// StatxBasicStats is the mask with which a Statx request gets what a FileInfo needs.
const StatxBasicStats = 0x7ff
