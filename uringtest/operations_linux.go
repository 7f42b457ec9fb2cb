package uringtest

import (
	"time"
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

const currentPosition = ^uint64(0)

// transfer reads or writes at the request's offset, if its file has one.
func (q *request) transfer(at func(int, []byte, int64) (int, error), plain func(int, []byte) (int, error), addr uint64, n uint32) int32 {
	buf := unsafe.Slice((*byte)(pointer(addr)), n)
	if q.sqe.Off != currentPosition {
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
		if q.sqe.Off != currentPosition {
			moved, err := at(int(q.fd), bufs, int64(q.sqe.Off))
			if err != unix.ESPIPE {
				return moveResult(moved, err)
			}
		}
		return moveResult(plain(int(q.fd), bufs))
	})
}

func (q *request) recv() {
	again := liburing.RecvSendFlags(q.sqe.IOPrio)&liburing.RecvMultishot != 0
	if q.sqe.Flags&liburing.SQEBufferSelect == 0 {
		q.part(unix.SYS_RECVFROM, 0, 0)
		return
	}
	for !q.ended {
		b, ok := q.selectBuffer(q.sqe.Len)
		if !ok {
			q.end(-int32(unix.ENOBUFS), 0)
			return
		}
		flags := uintptr(q.sqe.OpFlags)&^unix.MSG_WAITALL | unix.MSG_DONTWAIT
		ret, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(q.fd), uintptr(b.addr), uintptr(q.length(b.len)), flags, 0, 0)
		if !q.endSelected(b, result(ret, errno), again) || !q.isReady(unix.POLLIN) {
			return
		}
	}
}

func result(ret uintptr, errno unix.Errno) int32 {
	if errno != 0 {
		return -int32(errno)
	}
	return int32(ret)
}

// part receives or sends some bytes, and with MSG_WAITALL the rest later.
func (q *request) part(number uintptr, to, toLen uintptr) {
	left := q.length(q.sqe.Len - uint32(q.done))
	flags := uintptr(q.sqe.OpFlags)&^unix.MSG_WAITALL | unix.MSG_DONTWAIT
	ret, _, errno := unix.Syscall6(number, uintptr(q.fd), uintptr(q.sqe.Addr)+uintptr(q.done), uintptr(left), flags, to, toLen)
	got := result(ret, errno)
	all := q.sqe.OpFlags&unix.MSG_WAITALL != 0 && q.isStream()
	switch {
	case errno == unix.EINTR:
	case errno == unix.EAGAIN:
		if q.sqe.OpFlags&unix.MSG_DONTWAIT != 0 {
			q.endSend(got)
		}
	case got <= 0 && q.done > 0:
		q.endSend(int32(q.done))
	case all && got > 0 && q.done+int(got) < int(q.sqe.Len):
		q.done += int(got)
	default:
		q.endSend(got + int32(q.done))
	}
}

// endSend ends a transfer, and if it has not copied tells later that the memory is free.
func (q *request) endSend(ret int32) {
	if q.sqe.Opcode != liburing.OpSendZC && q.sqe.Opcode != liburing.OpSendmsgZC {
		q.end(ret, 0)
		return
	}
	q.ring.post(q.sqe.Opcode, liburing.CQE{UserData: q.sqe.UserData, Res: ret, Flags: liburing.CQEFMore})
	r := q.ring
	notif := &request{ring: r, sqe: liburing.SQE{Opcode: liburing.OpNop, UserData: q.sqe.UserData}, epoll: -1, held: -1, notifies: true}
	r.active = append(r.active, notif)
	notif.leaveForLater()
	q.told = true
	q.end(ret, 0)
}

func (q *request) send() {
	if q.sqe.Opcode == liburing.OpSendZC && !q.sendsWithoutCopy() {
		q.endSend(-int32(unix.EOPNOTSUPP))
		return
	}
	q.part(unix.SYS_SENDTO, uintptr(q.sqe.Off), uintptr(q.sqe.FileIndex&0xffff))
}

// sendsWithoutCopy reports whether the socket can: those of the internet can.
func (q *request) sendsWithoutCopy() bool {
	domain, err := unix.GetsockoptInt(int(q.fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err != nil || domain == unix.AF_INET || domain == unix.AF_INET6
}

func (q *request) recvmsg() {
	if q.sqe.Flags&liburing.SQEBufferSelect == 0 {
		q.message(unix.SYS_RECVMSG)
		return
	}
	again := liburing.RecvSendFlags(q.sqe.IOPrio)&liburing.RecvMultishot != 0
	for !q.ended {
		b, ok := q.selectBuffer(0)
		if !ok {
			q.end(-int32(unix.ENOBUFS), 0)
			return
		}
		ret := int32(0)
		if again {
			var end bool
			if ret, end = q.recvWithHead(b); end {
				q.end(ret, b.use(ret))
				return
			}
		} else {
			msg := *(*unix.Msghdr)(pointer(q.sqe.Addr))
			ret = q.recvInto(&msg, b.addr, b.len)
		}
		if !q.endSelected(b, ret, again) || !q.isReady(unix.POLLIN) {
			return
		}
	}
}

// recvInto receives a message into memory.
func (q *request) recvInto(msg *unix.Msghdr, addr uint64, n uint32) int32 {
	iov := unix.Iovec{Base: (*byte)(pointer(addr))}
	iov.SetLen(int(n))
	msg.Iov = &iov
	msg.SetIovlen(1)
	ret, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(q.fd), uintptr(unsafe.Pointer(msg)),
		uintptr(q.sqe.OpFlags)&^unix.MSG_WAITALL|unix.MSG_DONTWAIT)
	return result(ret, errno)
}

// recvWithHead receives a message into a buffer, behind what is to be told of it: a
// struct io_uring_recvmsg_out, the address and the control messages. It reports whether
// that was the end of a stream.
func (q *request) recvWithHead(b provided) (res int32, end bool) {
	type head struct{ namelen, controllen, payloadlen, flags uint32 }
	const headSize = uint32(unsafe.Sizeof(head{}))
	asked := (*unix.Msghdr)(pointer(q.sqe.Addr))
	name, control := asked.Namelen, uint32(asked.Controllen)
	before := headSize + name + control
	if b.len < before {
		return -int32(unix.EFAULT), false
	}
	msg := unix.Msghdr{Namelen: name}
	if name > 0 {
		msg.Name = (*byte)(pointer(b.addr + uint64(headSize)))
	}
	if control > 0 {
		msg.Control = (*byte)(pointer(b.addr + uint64(headSize+name)))
		msg.SetControllen(int(control))
	}
	got := q.recvInto(&msg, b.addr+uint64(before), b.len-before)
	if got < 0 {
		return got, false
	}
	*(*head)(pointer(b.addr)) = head{msg.Namelen, uint32(msg.Controllen), uint32(got), uint32(msg.Flags)}
	return int32(before + min(uint32(got), b.len-before)), got == 0 && q.isStream()
}

func (q *request) sendmsg() {
	if q.sqe.Opcode == liburing.OpSendmsgZC && !q.sendsWithoutCopy() {
		q.endSend(-int32(unix.EOPNOTSUPP))
		return
	}
	q.message(unix.SYS_SENDMSG)
}

// message receives or sends a message, as a whole.
func (q *request) message(number uintptr) {
	ret, _, errno := unix.Syscall(number, uintptr(q.fd), uintptr(q.sqe.Addr), uintptr(q.sqe.OpFlags)&^unix.MSG_WAITALL|unix.MSG_DONTWAIT)
	if errno == unix.EINTR || errno == unix.EAGAIN && q.sqe.OpFlags&unix.MSG_DONTWAIT == 0 {
		return
	}
	q.endSend(result(ret, errno))
}

// splice moves bytes between pipes, or a pipe and another file.
func (q *request) splice() {
	s := &q.sqe
	in, flags := q.spliceFrom(), int(s.OpFlags&^uint32(liburing.SpliceFFDInFixed))|unix.SPLICE_F_NONBLOCK
	if in < 0 {
		q.end(-int32(unix.EBADF), 0)
		return
	}
	var moved int64
	var err error
	if s.Opcode == liburing.OpTee {
		moved, err = unix.Tee(int(in), int(q.fd), int(s.Len), flags)
	} else {
		moved, err = splice(in, q.fd, s, flags)
	}
	if ret := moveResult(int(moved), err); ret != -int32(unix.EAGAIN) {
		q.end(ret, 0)
	}
}

func splice(in, out int32, s *liburing.SQE, flags int) (int64, error) {
	offset := func(at uint64) *int64 {
		if at == currentPosition {
			return nil
		}
		off := int64(at)
		return &off
	}
	n, err := unix.Splice(int(in), offset(s.Addr), int(out), offset(s.Off), int(s.Len), flags)
	return int64(n), err
}

// spliceFrom returns the file that a splice reads, -1 if there is none.
func (q *request) spliceFrom() int32 {
	fd := int32(q.sqe.FileIndex)
	if liburing.SpliceFlags(q.sqe.OpFlags)&liburing.SpliceFFDInFixed == 0 {
		return fd
	}
	if fd < 0 || int(fd) >= len(q.ring.files) {
		return -1
	}
	return q.ring.files[fd]
}

// Connections.

func (q *request) accept() {
	again := liburing.AcceptFlags(q.sqe.IOPrio)&liburing.AcceptMultishot != 0
	for !q.ended {
		res := q.withoutWaiting(func() int32 {
			return call{unix.SYS_ACCEPT4, uintptr(q.fd), uintptr(q.sqe.Addr), uintptr(q.sqe.Off), uintptr(q.sqe.OpFlags)}.make()
		})
		if res == -int32(unix.EAGAIN) {
			return
		}
		res = q.ring.install(res, q.sqe.FileIndex)
		if !again || res < 0 {
			q.end(res, 0)
			return
		}
		if q.more(res, 0); q.delay > 0 || q.ended || !q.isReady(unix.POLLIN) {
			return
		}
	}
}

func (q *request) connect() {
	if !q.connecting {
		ret := q.withoutWaiting(func() int32 {
			return call{unix.SYS_CONNECT, uintptr(q.fd), uintptr(q.sqe.Addr), uintptr(q.sqe.Off)}.make()
		})
		switch ret {
		case -int32(unix.EINPROGRESS):
			q.connecting = true
		case -int32(unix.EAGAIN): // the listener's queue is full
		default:
			q.end(ret, 0)
		}
		return
	}
	if pollNow(q.fd, unix.POLLOUT) != 0 {
		errno, err := unix.GetsockoptInt(int(q.fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			errno = int(errnoOf(err))
		}
		q.end(-int32(errno), 0)
	}
}

// Polls.

func (q *request) poll() {
	if liburing.PollFlags(q.sqe.Len)&liburing.PollAddMulti != 0 {
		q.pollChanges()
		return
	}
	if got := pollNow(q.fd, int16(q.sqe.OpFlags)); got&unix.POLLNVAL != 0 {
		q.end(-int32(unix.EBADF), 0)
	} else if got != 0 {
		q.end(int32(got), 0)
	}
}

// pollChanges is for a poll that goes on: an epoll tells of changes.
func (q *request) pollChanges() {
	if q.epoll < 0 {
		fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err == nil {
			q.epoll = fd
			err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(q.fd), &unix.EpollEvent{Events: q.sqe.OpFlags&0xffff | unix.EPOLLET})
		}
		if err != nil {
			q.end(-errnoOf(err), 0)
			return
		}
	}
	var events [1]unix.EpollEvent
	if n, err := unix.EpollWait(q.epoll, events[:], 0); err == nil && n == 1 {
		q.more(int32(events[0].Events), 0)
	}
}

func (q *request) pollRemove() {
	for _, other := range q.ring.active {
		if other.sqe.Opcode == liburing.OpPollAdd && other.sqe.UserData == q.sqe.Addr && !other.cancelled {
			other.cancel()
			q.end(0, 0)
			return
		}
	}
	q.end(-int32(unix.ENOENT), 0)
}

// Timeouts and cancels.

func (q *request) timeout() {
	switch {
	case q.count != 0 && q.ring.posted >= q.count:
		q.end(0, 0)
	case time.Now().Before(q.when):
	case q.isTicker() && q.sqe.Off != 1:
		q.when = q.when.Add(max(durationAt(q.sqe.Addr), 1))
		q.sqe.Off -= min(q.sqe.Off, 1) // 0 is for ever
		q.more(-int32(unix.ETIME), 0)
	default:
		q.end(-int32(unix.ETIME), 0)
	}
}

func (q *request) timeoutRemove() {
	flags := liburing.TimeoutFlags(q.sqe.OpFlags)
	for _, other := range q.ring.active {
		isTimeout := other.sqe.Opcode == liburing.OpTimeout || other.of != nil
		if !isTimeout || other.sqe.UserData != q.sqe.Addr || other.cancelled {
			continue
		}
		if flags&(liburing.TimeoutUpdate|liburing.LinkTimeoutUpdate) != 0 {
			other.when = time.Now().Add(durationAt(q.sqe.Off) - passed(flags))
		} else {
			other.cancel()
		}
		q.end(0, 0)
		return
	}
	q.end(-int32(unix.ENOENT), 0)
}

func (q *request) asyncCancel() {
	ret := q.ring.cancelMatching(liburing.CancelFlags(q.sqe.OpFlags), q.sqe.Addr, q.sqe.FD, liburing.Op(q.sqe.Len), q)
	q.end(ret, 0)
}
