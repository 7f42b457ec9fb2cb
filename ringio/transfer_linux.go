//go:build linux

package ringio

import (
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A transfer is tried by a plain system call where it is likely to succeed: that is
// quicker than any request. What has to wait, waits on the ring.

// longTransfer is from where on a system call is long enough for the scheduler to know
// of it.
const longTransfer = 16 << 10

// recvOnce receives what is there, waiting until something is.
func (s *socket) recvOnce(p []byte) (int, error) {
	h := &s.in
	if s.polled != nil {
		if n, done, err := s.recvPolled(p); done {
			return n, err
		}
	}
	if s.tries() {
		n, err := s.receiveThere(p)
		if err != unix.EAGAIN {
			s.dry = drained(n, p)
			return n, err
		}
	}
	if r := s.readPoll.Load(); r != nil {
		if n, done, err := s.recvTold(r, p); done {
			return n, err
		}
	}
	o := s.engine.acquire()
	o.hold(p)
	o.entry().PrepRecv(s.fd, p, 0)
	n, err := s.await(h, o)
	if err == errForbidden {
		return s.byPoller(h, unix.POLLIN, func() (int, error) { return receiveNow(s.fd, p, false) })
	}
	s.dry = drained(n, p)
	if n > 0 {
		s.warm()
	}
	return n, err
}

// tries reports whether a read had better not wait at once: there may be something, or the ring
// is shut down and refuses that, whatever there is. Where somebody has another descriptor that
// one may say at any time of what nobody is to be told.
func (s *socket) tries() bool {
	if !s.dry || s.exact.Load() || s.engine.closed() {
		return true
	}
	r := s.readPoll.Load()
	return r != nil && r.unsure.Load()
}

// sendOnce sends what there is room for, waiting until there is some.
func (s *socket) sendOnce(p []byte) (int, error) {
	s.writes.Store(s.writes.Load() + 1)
	n, err := s.sendWaiting(false, func() (int, error) {
		return sendNow(s.fd, p)
	})
	if err != unix.EAGAIN {
		return n, err
	}
	o := s.engine.acquire()
	o.hold(p)
	o.entry().PrepSend(s.fd, p, unix.MSG_NOSIGNAL)
	n, err = s.await(&s.out, o)
	if err == errForbidden {
		return s.byPoller(&s.out, unix.POLLOUT, func() (int, error) { return sendNow(s.fd, p) })
	}
	return n, err
}

// receiveNow is a recv that does not wait, known to the scheduler if it is long or is to be.
func receiveNow(fd int, p []byte, known bool) (int, error) {
	return transferNow(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT, known)
}

// sendNow is a send that does not wait.
func sendNow(fd int, p []byte) (int, error) {
	return transferNow(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, false)
}

func transferNow(call uintptr, fd int, p []byte, flags uintptr, known bool) (int, error) {
	for {
		var n uintptr
		var errno syscall.Errno
		if known || len(p) > longTransfer {
			n, _, errno = syscall.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		} else {
			n, _, errno = syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		}
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// recvMsg receives a message into m, waiting until there is one.
func (s *socket) recvMsg(m *message, flags int) (int, error) {
	h := &s.in
	if s.tries() {
		n, err := messageNow(unix.SYS_RECVMSG, s.fd, m, flags|unix.MSG_DONTWAIT)
		if err != unix.EAGAIN {
			return n, err
		}
	}
	o := s.engine.acquire()
	o.keep = m
	o.entry().PrepRecvmsg(s.fd, &m.hdr, uint32(flags))
	n, err := s.await(h, o)
	if err == errForbidden {
		return s.byPoller(h, unix.POLLIN, func() (int, error) { return messageNow(unix.SYS_RECVMSG, s.fd, m, flags|unix.MSG_DONTWAIT) })
	}
	s.dry = false // datagrams come in numbers
	return n, err
}

// sendMsg sends m, waiting until there is room.
func (s *socket) sendMsg(m *message) (int, error) {
	n, err := s.sendWaiting(m.hdr.Name != nil, func() (int, error) {
		return messageNow(unix.SYS_SENDMSG, s.fd, m, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
	if err != unix.EAGAIN {
		return n, err
	}
	o := s.engine.acquire()
	o.keep = m
	o.entry().PrepSendmsg(s.fd, &m.hdr, unix.MSG_NOSIGNAL)
	n, err = s.await(&s.out, o)
	if err == errForbidden {
		return s.byPoller(&s.out, unix.POLLOUT, func() (int, error) {
			return messageNow(unix.SYS_SENDMSG, s.fd, m, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		})
	}
	return n, err
}

// messageNow is a plain sendmsg or recvmsg. Those of x/sys take and return addresses of their
// own, and allocate them.
func messageNow(call uintptr, fd int, m *message, flags int) (int, error) {
	for {
		n, _, errno := syscall.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// poll waits for events.
func (s *socket) poll(h *half, events uint32) error {
	o := s.engine.acquire()
	o.entry().PrepPollAdd(s.fd, events)
	got, err := s.await(h, o)
	if err == errForbidden {
		return s.pollAside(h, events)
	}
	if err == nil && events == unix.POLLOUT && !isRoom(int32(got), false) {
		err = s.awaitRoom()
	}
	if err != nil {
		return s.failed(h, "poll", err)
	}
	return nil
}

// attachReader has the deadline end what waits for bytes without an op.
func (s *socket) attachReader(h *half) {
	switch r := s.readPoll.Load(); {
	case h != &s.in:
	case r != nil:
		s.in.deadline.attach(r)
	case s.polled != nil:
		s.in.deadline.attach(s.polled)
	}
}

// await has the kernel carry o out, and returns its result when nothing of it is left
// there. The deadline and Close cancel it. Where the deadline has been put off by then, it
// is carried out anew, as in net.
func (s *socket) await(h *half, o *op) (int, error) {
	for {
		if err := s.engine.stage(o); err != nil {
			s.engine.release(o)
			return 0, err
		}
		s.engine.kickAside()
		res, _ := s.engine.wait(o, &h.deadline)
		s.attachReader(h) // it was o's meanwhile
		cqe := liburing.CQE{Res: res}
		err := cqe.Err()
		if err == unix.ECANCELED {
			if err = s.ready(h); err == nil {
				continue
			}
		}
		if res == 0 && s.engine.forbidden.stuck.Load() && s.ready(h) != nil {
			err = s.ready(h) // the end is that of Close, see endStuck
		}
		s.engine.release(o)
		return max(int(res), 0), err
	}
}
