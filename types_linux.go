package liburing

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's structs that golang.org/x/sys/unix has.
type (
	Iovec      = unix.Iovec
	Msghdr     = unix.Msghdr
	Statx      = unix.Statx_t
	OpenHow    = unix.OpenHow
	EpollEvent = unix.EpollEvent
	Siginfo    = unix.Siginfo
	Cmsghdr    = unix.Cmsghdr
)

const (
	atFDCWD       = unix.AT_FDCWD
	msgTrunc      = unix.MSG_TRUNC
	sizeofOpenHow = uint32(unsafe.Sizeof(OpenHow{}))
	sizeofCmsghdr = unix.SizeofCmsghdr
)
