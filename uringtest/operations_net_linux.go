package uringtest

import (
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Sockets, and splices.

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
		if at == liburing.CurrentPosition {
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
