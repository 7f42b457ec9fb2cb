package liburing

import (
	"syscall"
	"time"
)

// revoke cancels a request until it has completed. Once is not enough for one
// that waits behind a link, which the kernel does not find before it has begun,
// for a multishot timeout, which it does not find while it fires, and for one that
// a worker is about to have wait for its file (EALREADY).
func (l *Loop) revoke(t Token) { l.tryToRevoke(t, 0, 0) }

// tryToRevoke cancels a request and tries again if it is not found, after a
// pause that grows.
func (l *Loop) tryToRevoke(t Token, flags SQEFlags, pause time.Duration) {
	h := l.table.handle(t)
	if l.closing.Load() || h == nil {
		return
	}
	timeout := h.op == OpTimeout
	l.queueCancel(t, flags, func(c Completion) {
		if err := syscall.Errno(-c.Res); err == syscall.ENOENT || err == syscall.EALREADY {
			if timeout && pause > patience && l.drains {
				l.choke()
			}
			l.pause(pause, func() { l.tryToRevoke(t, revokeFlags, min(2*pause+time.Millisecond, longestPause)) })
		}
	})
}

const (
	// A worker cancels between two firings of a timeout, while the loop waits.
	// What the loop submits itself comes when one is due.
	revokeFlags  = SQEAsync
	longestPause = 100 * time.Millisecond
	// While a request drains the ring no worker can cancel, and the loop's thread
	// always comes too late for a timeout of a few microseconds.
	patience = 5 * time.Millisecond
)

// queueCancel cancels a request.
func (l *Loop) queueCancel(t Token, flags SQEFlags, done Callback) {
	if (l.drains || l.lacks.cancel) && l.cancelNow(t, flags, done) {
		return
	}
	sqe := l.queueInner(OpAsyncCancel, func(c Completion) {
		if !l.lacks.cancel && c.refusedByRing() {
			l.lacks.cancel = true
			l.queueCancel(t, flags, done)
			return
		}
		done(c)
	}, nil)
	sqe.PrepCancel64(uint64(t), 0)
	sqe.Flags |= flags
}

// cancelNow cancels a request without the queue, in which a cancel would wait
// behind the request that drains the ring, or which refuses it. It reports whether
// there was no need of the queue: the kernel can (since 6.0), or the queue can't either.
func (l *Loop) cancelNow(t Token, flags SQEFlags, done Callback) bool {
	if !l.onThread() { // the loop stands still, and the ring is its thread's
		l.Post(func() { l.queueCancel(t, flags, done) })
		return true
	}
	res := cRegisterSyncCancel(l.ring.mem, &SyncCancelReg{Addr: uint64(t), FD: -1})
	switch syscall.Errno(-res) {
	case syscall.EINVAL, syscall.EACCES, syscall.EPERM:
		if !l.lacks.cancel {
			return false
		}
	case syscall.ETIME, syscall.EINTR: // it was found, and would have had to be waited for
		res = -int32(syscall.EALREADY)
	}
	done(Completion{Res: res, op: OpAsyncCancel})
	return true
}

// CancelOp cancels a request of an operation, with AsyncCancelAll every one, of any
// descriptor or with AsyncCancelFD none but fd's. The result is that of Cancel. The
// loop's own requests are among them: the loop makes them again. Needs Linux 6.6: 6.1
// heeds all but the operation.
func (l *Loop) CancelOp(op Op, fd int, flags CancelFlags, cb Callback) Request {
	if l.refuses() {
		return l.refuse(OpAsyncCancel, cb)
	}
	if flags&AsyncCancelUserdata != 0 {
		return l.queueBadArgs(OpAsyncCancel, cb, "flags ask for a token's request, and the token is not given: use Cancel")
	}
	sqe, r := l.queue(OpAsyncCancel, kindPlain, cb, nil)
	sqe.PrepCancel64(0, flags|AsyncCancelOp)
	sqe.Len = uint32(op)
	if flags&AsyncCancelFD != 0 {
		sqe.FD = descriptor(fd)
		sqe.useFixed(fd)
	}
	return r
}

// CancelAndClose cancels all requests on a descriptor and then closes it; cb is
// called with the result of the close. A descriptor that is only closed stays with
// the requests in flight on it: a connection is not hung up, and a receive takes the
// next bytes that come. Needs Linux 5.19; before that it only closes.
func (l *Loop) CancelAndClose(fd int, cb Callback) Request {
	l.CancelFD(fd, AsyncCancelAll, nil).HardLinkNext()
	return l.CloseFD(fd, cb)
}
