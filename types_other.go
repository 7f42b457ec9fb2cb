//go:build !linux

package liburing

// Stand-ins for the kernel's structs, so that the package has the same names
// where it cannot work.
type (
	Iovec struct {
		Base *byte
		Len  uint64
	}
	Msghdr struct {
		Namelen    uint32
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

const (
	atFDCWD       = -100
	msgTrunc      = 0x20
	sizeofOpenHow = 24
	sizeofCmsghdr = 16
)
