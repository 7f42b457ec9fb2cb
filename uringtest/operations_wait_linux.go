package uringtest

import (
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

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
