package liburing

import (
	"math"
	"runtime"
	"strings"
	"unsafe"
)

// liburing's io_uring_prep_* functions are methods of SQE here: C has them in
// liburing.h, Go in these files, and both write to the same memory. A test
// compares the bytes. The families are
//
//	ops_file.go  files and the file system
//	ops_net.go   sockets
//	ops_wait.go  timeouts, polling, cancelling, processes, futexes, epoll
//	ops_ring.go  the ring itself, other rings, drivers' commands
//
// What else is known of an operation stands in optable.go.
//
// The Loop's method of the same name, which takes a callback and keeps the memory,
// is generated from the signature and the doc comment (zz_loop_ops.go, by
// internal/gen). The first paragraph of a doc comment holds for both, the others
// for those alone who fill entries themselves; a line //loop:doc has a sentence
// for the Loop alone. loop_request.go has which arguments are bad on the Loop.
//
// For all of them: memory that is passed must stay reachable and untouched until the
// request's terminal completion, the one without CQEFMore, unless the doc comment says
// that less is enough; an operation that this kernel does not know completes with
// EINVAL. Errors are those of the system call that the operation is named after, as a
// negative number in CQE.Res.

//go:generate go run ./internal/gen

// CurrentPosition is the offset that stands for the file's position, which moves on
// with what is read or written, as with read(2) and write(2). It is right for every
// kind of descriptor: pipes, sockets and terminals have no position and ignore it, a
// file opened with O_APPEND is written at its end, and redirected standard output
// continues after what others have written there. Offset 0 also works for pipes,
// sockets and terminals, but means the beginning of the file where output is redirected
// to one; sockets refuse all other offsets (ESPIPE). Several requests in flight at the
// position are carried out in any order. Needs Linux 5.6 (FeatRWCurPos).
const CurrentPosition = ^uint64(0)

// maxRW is what Linux transfers at most in one call; longer slices are cut to
// it, as read(2) and write(2) do, rather than have their length wrap around.
const maxRW = 0x7ffff000

func rwLen[T any](s []T) uint32 { return uint32(min(len(s), maxRW)) }

// bufPlace is the index of a registered buffer as an entry holds it. One that
// does not fit would name another buffer; it becomes the greatest instead, where
// the kernel never has one: EFAULT.
func bufPlace(index int) uint16 { return uint16(min(uint(index), math.MaxUint16)) }

// descriptor returns fd as C has it. One that is too large for C does not become
// another one, but one that the kernel refuses (EBADF).
func descriptor(fd int) int32 {
	if int(int32(fd)) != fd {
		return math.MinInt32
	}
	return int32(fd)
}

// PrepRW fills what all operations have in common (io_uring_prep_rw): for an
// operation that this package has no method for.
func (s *SQE) PrepRW(op Op, fd int, addr uint64, length uint32, offset uint64) {
	s.Opcode = op
	s.FD = descriptor(fd)
	s.Off = offset
	s.Addr = addr
	s.Len = length
}

// How the arguments of requests become what the kernel takes.

// addr returns the address of memory that a request names, for the kernel.
//
// The pointer leaves through a variable that the compiler can't see through, so
// what it points to is on the heap: a goroutine's stack moves when it grows,
// and the kernel would write to where it was. Whoever prepares the request
// keeps the memory reachable until the terminal completion.
func addr[T any](p *T) uint64 {
	if escape.always {
		escape.to = unsafe.Pointer(p)
	}
	return uint64(uintptr(unsafe.Pointer(p)))
}

// data is addr for the bytes of a slice.
func data[T any](s []T) uint64 { return addr(unsafe.SliceData(s)) }

var escape struct {
	always bool // never set
	to     unsafe.Pointer
}

// cString returns s with a NUL behind it, for the kernel; the error is for a
// string that has one inside.
func cString(op Op, s string) (*byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, badInput(op.String(), "the path has a NUL byte: %q", s)
	}
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0], nil
}

// appendIovecs makes iovecs of buffers.
func appendIovecs(iov []Iovec, bufs [][]byte) []Iovec {
	for _, b := range bufs {
		v := Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b)) // whose type depends on the machine
		iov = append(iov, v)
	}
	return iov
}

// bigEndian tells the machine's byte order, which the compiler then knows.
const bigEndian = runtime.GOARCH == "s390x" || runtime.GOARCH == "ppc64" || runtime.GOARCH == "mips" || runtime.GOARCH == "mips64"

// pollMask puts the events of poll(2) as the kernel wants them: the halves of
// the word change places on big-endian machines (__io_uring_prep_poll_mask).
func pollMask(mask uint32) uint32 {
	if bigEndian {
		return mask<<16 | mask>>16
	}
	return mask
}

// FutexWaitv is struct futex_waitv: one of several futexes to wait for. (Not on mips,
// whose pointers are of 32 bits and lie in the other half.)
type FutexWaitv struct {
	Val   uint64                                      // the value it must have
	Futex *uint32                                     // on the heap, or in memory of one's own
	_     [(8 - unsafe.Sizeof(uintptr(0))) / 4]uint32 // the kernel's has 64 bits everywhere
	Flags Futex2Flags
	_     uint32
}
