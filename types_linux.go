package liburing

import "golang.org/x/sys/unix"

// The kernel's structs that golang.org/x/sys/unix has.
type (
	Iovec = unix.Iovec
	Statx = unix.Statx_t
)
