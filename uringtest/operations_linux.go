package uringtest

import (
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// What operations do: the system calls that they are named after, where those would not
// wait.

// operation is how an operation is carried out.
type operation struct {
	events int16 // what its file has to be ready for, 0: nothing
	run    func(q *request)
}

// pollsItself is for operations that see for themselves whether their file is ready.
const pollsItself = -1

// operations are those that the kernel has.
var operations [liburing.OpLast]operation

func init() {
	for _, family := range []map[liburing.Op]operation{transfers(), ofTheRing(), ofFiles(), ofPaths()} {
		for op, how := range family {
			operations[op] = how
		}
	}
}

func transfers() map[liburing.Op]operation {
	return map[liburing.Op]operation{
		liburing.OpNop:           {0, func(q *request) { q.end(0, 0) }},
		liburing.OpRead:          {unix.POLLIN, (*request).read},
		liburing.OpReadFixed:     {unix.POLLIN, (*request).readFixed},
		liburing.OpReadv:         {unix.POLLIN, (*request).readv},
		liburing.OpReadMultishot: {unix.POLLIN, (*request).readMultishot},
		liburing.OpWrite:         {unix.POLLOUT, (*request).write},
		liburing.OpWriteFixed:    {unix.POLLOUT, (*request).writeFixed},
		liburing.OpWritev:        {unix.POLLOUT, (*request).writev},
		liburing.OpRecv:          {unix.POLLIN, (*request).recv},
		liburing.OpRecvmsg:       {unix.POLLIN, (*request).recvmsg},
		liburing.OpSend:          {unix.POLLOUT, (*request).send},
		liburing.OpSendmsg:       {unix.POLLOUT, (*request).sendmsg},
		liburing.OpSendZC:        {unix.POLLOUT, (*request).send},
		liburing.OpSendmsgZC:     {unix.POLLOUT, (*request).sendmsg},
		liburing.OpAccept:        {unix.POLLIN, (*request).accept},
		liburing.OpConnect:       {0, (*request).connect},
		liburing.OpSplice:        {0, (*request).splice},
		liburing.OpTee:           {0, (*request).splice},
	}
}

func ofTheRing() map[liburing.Op]operation {
	return map[liburing.Op]operation{
		liburing.OpPollAdd:       {pollsItself, (*request).poll},
		liburing.OpPollRemove:    {0, (*request).pollRemove},
		liburing.OpTimeout:       {0, (*request).timeout},
		liburing.OpTimeoutRemove: {0, (*request).timeoutRemove},
		liburing.OpLinkTimeout:   {0, func(q *request) {}},
		liburing.OpAsyncCancel:   {0, (*request).asyncCancel},
		liburing.OpClose:         {0, (*request).close},
		liburing.OpFilesUpdate:   {0, (*request).filesUpdate},
	}
}

func ofFiles() map[liburing.Op]operation {
	return map[liburing.Op]operation{
		liburing.OpSocket:   {0, makes(func(s *liburing.SQE) call { return call{unix.SYS_SOCKET, n(s.FD), uintptr(s.Off), n(s.Len)} })},
		liburing.OpBind:     calls(func(s *liburing.SQE) call { return call{unix.SYS_BIND, n(s.FD), uintptr(s.Addr), uintptr(s.Off)} }),
		liburing.OpListen:   calls(func(s *liburing.SQE) call { return call{unix.SYS_LISTEN, n(s.FD), n(s.Len)} }),
		liburing.OpShutdown: calls(func(s *liburing.SQE) call { return call{unix.SYS_SHUTDOWN, n(s.FD), n(s.Len)} }),
		liburing.OpFsync: calls(func(s *liburing.SQE) call {
			if liburing.FsyncFlags(s.OpFlags)&liburing.FsyncDatasync != 0 {
				return call{unix.SYS_FDATASYNC, n(s.FD)}
			}
			return call{unix.SYS_FSYNC, n(s.FD)}
		}),
		liburing.OpMadvise: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_MADVISE, uintptr(s.Addr), n(s.Len), n(s.OpFlags)}
		}),
		liburing.OpFallocate: {0, func(q *request) {
			q.endWith(unix.Fallocate(int(q.fd), q.sqe.Len, int64(q.sqe.Off), int64(q.sqe.Addr)))
		}},
		liburing.OpFtruncate: {0, func(q *request) { q.endWith(unix.Ftruncate(int(q.fd), int64(q.sqe.Off))) }},
		liburing.OpFadvise: {0, func(q *request) {
			q.endWith(unix.Fadvise(int(q.fd), int64(q.sqe.Off), int64(q.sqe.Len), int(q.sqe.OpFlags)))
		}},
		liburing.OpEpollCtl: {0, func(q *request) {
			q.endWith(unix.EpollCtl(int(q.fd), int(q.sqe.Len), int(q.sqe.Off), (*unix.EpollEvent)(pointer(q.sqe.Addr))))
		}},
	}
}

func ofPaths() map[liburing.Op]operation {
	return map[liburing.Op]operation{
		liburing.OpOpenat: {0, (*request).openat},
		liburing.OpOpenat2: {0, makes(func(s *liburing.SQE) call {
			return call{unix.SYS_OPENAT2, n(s.FD), uintptr(s.Addr), uintptr(s.Off), n(s.Len)}
		})},
		liburing.OpStatx: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_STATX, n(s.FD), uintptr(s.Addr), n(s.OpFlags), n(s.Len), uintptr(s.Off)}
		}),
		liburing.OpUnlinkat: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_UNLINKAT, n(s.FD), uintptr(s.Addr), n(s.OpFlags)}
		}),
		liburing.OpRenameat: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_RENAMEAT2, n(s.FD), uintptr(s.Addr), n(int32(s.Len)), uintptr(s.Off), n(s.OpFlags)}
		}),
		liburing.OpMkdirat: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_MKDIRAT, n(s.FD), uintptr(s.Addr), n(s.Len)}
		}),
		liburing.OpSymlinkat: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_SYMLINKAT, uintptr(s.Addr), n(s.FD), uintptr(s.Off)}
		}),
		liburing.OpLinkat: calls(func(s *liburing.SQE) call {
			return call{unix.SYS_LINKAT, n(s.FD), uintptr(s.Addr), n(int32(s.Len)), uintptr(s.Off), n(s.OpFlags)}
		}),
	}
}

// call is a system call: its number and arguments.
type call [6]uintptr

// n is an argument that has 32 bits, with its sign.
func n[T int32 | uint32](v T) uintptr { return uintptr(int64(int32(v))) }

func (c call) make() int32 {
	for {
		ret, _, errno := unix.Syscall6(c[0], c[1], c[2], c[3], c[4], c[5], 0)
		switch errno {
		case 0:
			return int32(ret)
		case unix.EINTR:
			continue
		}
		return -int32(errno)
	}
}

// calls is an operation that is one system call, which does not wait.
func calls(of func(*liburing.SQE) call) operation {
	return operation{0, func(q *request) {
		sqe := q.sqe
		sqe.FD = q.fd
		q.end(of(&sqe).make(), 0)
	}}
}

// makes is a system call that returns a descriptor, which may go among the registered
// files.
func makes(of func(*liburing.SQE) call) func(q *request) {
	return func(q *request) { q.end(q.ring.install(of(&q.sqe).make(), q.sqe.FileIndex), 0) }
}

// openat does not wait for the other end of a FIFO: to read it opens at once, to write
// it is tried until there is a reader.
func (q *request) openat() {
	s := &q.sqe
	open := call{unix.SYS_OPENAT, n(s.FD), uintptr(s.Addr), n(s.OpFlags), n(s.Len)}
	var st unix.Stat_t
	name := unix.BytePtrToString((*byte)(pointer(s.Addr)))
	err := unix.Fstatat(int(s.FD), name, &st, 0)
	if waits := err == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO && s.OpFlags&unix.O_NONBLOCK == 0; !waits {
		q.end(q.ring.install(open.make(), s.FileIndex), 0)
		return
	}
	open[3] |= unix.O_NONBLOCK
	fd := open.make()
	if fd == -int32(unix.ENXIO) && s.OpFlags&unix.O_ACCMODE == unix.O_WRONLY {
		return
	}
	if fd >= 0 {
		unix.FcntlInt(uintptr(fd), unix.F_SETFL, int(s.OpFlags))
	}
	q.end(q.ring.install(fd, s.FileIndex), 0)
}

// endWith ends a request that only succeeds or fails.
func (q *request) endWith(err error) {
	if err != nil {
		q.end(-errnoOf(err), 0)
		return
	}
	q.end(0, 0)
}

// pointer returns the address that a request has as a number. What it points to is kept
// by whoever made the request.
func pointer(at uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }

// Transfers.

// length returns how many bytes are to be moved: now and then fewer than there could be.
func (q *request) length(n uint32) uint32 {
	if n > 1 && q.sqe.OpFlags&unix.MSG_WAITALL == 0 && q.isStream() && q.ring.chance(q.ring.faults.Short) {
		return 1 + uint32(q.ring.rng.Int64N(int64(n-1)))
	}
	return n
}

// isStream reports whether the file can be read and written in parts.
func (q *request) isStream() bool {
	var st unix.Stat_t
	if unix.Fstat(int(q.fd), &st) != nil {
		return false
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFIFO:
		return true
	case unix.S_IFSOCK:
		kind, err := unix.GetsockoptInt(int(q.fd), unix.SOL_SOCKET, unix.SO_TYPE)
		return err == nil && kind == unix.SOCK_STREAM
	}
	return false
}

// transfer reads or writes at the request's offset, if its file has one.
func (q *request) transfer(at func(int, []byte, int64) (int, error), plain func(int, []byte) (int, error), addr uint64, n uint32) int32 {
	buf := unsafe.Slice((*byte)(pointer(addr)), n)
	if q.sqe.Off != liburing.CurrentPosition {
		moved, err := at(int(q.fd), buf, int64(q.sqe.Off))
		if err != unix.ESPIPE {
			return moveResult(moved, err)
		}
	}
	return moveResult(plain(int(q.fd), buf))
}

func moveResult(n int, err error) int32 {
	switch {
	case err == unix.EINTR:
		return -int32(unix.EAGAIN)
	case err != nil:
		return -errnoOf(err)
	}
	return int32(n)
}

// settle ends a request with the result of a system call, unless that is to be made
// again when the file is ready.
func (q *request) settle(ret int32) {
	if ret != -int32(unix.EAGAIN) || q.sqe.OpFlags&unix.MSG_DONTWAIT != 0 {
		q.end(ret, 0)
	}
}

func (q *request) read() {
	if q.sqe.Flags&liburing.SQEBufferSelect != 0 {
		q.readSelected(false)
		return
	}
	q.settle(q.readInto(q.sqe.Addr, q.plainLength(q.sqe.Len)))
}

func (q *request) readInto(addr uint64, n uint32) int32 {
	return q.withoutWaiting(func() int32 { return q.transfer(unix.Pread, unix.Read, addr, n) })
}

// plainLength is length for operations whose flags are not those of send and recv.
func (q *request) plainLength(n uint32) uint32 {
	flags := q.sqe.OpFlags
	q.sqe.OpFlags = 0
	defer func() { q.sqe.OpFlags = flags }()
	return q.length(n)
}

func (q *request) readMultishot() { q.readSelected(true) }

// readSelected reads into a provided buffer, again and again if it is multishot.
func (q *request) readSelected(again bool) {
	for !q.ended {
		b, ok := q.selectBuffer(q.sqe.Len)
		if !ok {
			q.end(-int32(unix.ENOBUFS), 0)
			return
		}
		ret := q.readInto(b.addr, q.plainLength(b.len))
		if !q.endSelected(b, ret, again) || !q.isReady(unix.POLLIN) {
			return
		}
	}
}

// endSelected tells what went into a provided buffer. It reports whether the request
// goes on.
func (q *request) endSelected(b provided, ret int32, again bool) bool {
	switch {
	case ret == -int32(unix.EAGAIN) && q.sqe.OpFlags&unix.MSG_DONTWAIT == 0:
		return false
	case ret < 0, ret == 0 && q.isStream():
		q.end(ret, 0)
		return false
	case again:
		q.more(ret, b.use(ret))
		return q.delay == 0
	}
	q.end(ret, b.use(ret))
	return false
}

// write goes on until all is written, where the file would have the writer wait: a pipe
// is ready that has room for some bytes.
func (q *request) write() {
	left := q.sqe.Len - uint32(q.done)
	asked := q.plainLength(left)
	ret := q.withoutWaiting(func() int32 {
		return q.transfer(unix.Pwrite, unix.Write, q.sqe.Addr+uint64(q.done), asked)
	})
	switch {
	case ret == -int32(unix.EAGAIN):
	case ret > 0 && uint32(ret) < asked && q.waitsForReader():
		q.done += int(ret)
	case ret < 0 && q.done > 0:
		q.end(int32(q.done), 0)
	case ret < 0:
		q.end(ret, 0)
	default:
		q.end(ret+int32(q.done), 0)
	}
}

// waitsForReader reports whether the file is a pipe whose writers wait.
func (q *request) waitsForReader() bool {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(q.fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK == 0 && unix.Fstat(int(q.fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// withoutWaiting makes a system call on the file while that is non-blocking.
func (q *request) withoutWaiting(f func() int32) int32 {
	flags, err := unix.FcntlInt(uintptr(q.fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return f()
	}
	unix.FcntlInt(uintptr(q.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
	defer unix.FcntlInt(uintptr(q.fd), unix.F_SETFL, flags)
	return f()
}

// Vectors are moved as a whole: they are not cut short.

func (q *request) readv()  { q.settle(q.vector(unix.Preadv, unix.Readv)) }
func (q *request) writev() { q.settle(q.vector(unix.Pwritev, unix.Writev)) }

func (q *request) vector(at func(int, [][]byte, int64) (int, error), plain func(int, [][]byte) (int, error)) int32 {
	var bufs [][]byte
	for _, v := range unsafe.Slice((*unix.Iovec)(pointer(q.sqe.Addr)), q.sqe.Len) {
		bufs = append(bufs, unsafe.Slice(v.Base, v.Len))
	}
	return q.withoutWaiting(func() int32 {
		if q.sqe.Off != liburing.CurrentPosition {
			moved, err := at(int(q.fd), bufs, int64(q.sqe.Off))
			if err != unix.ESPIPE {
				return moveResult(moved, err)
			}
		}
		return moveResult(plain(int(q.fd), bufs))
	})
}
