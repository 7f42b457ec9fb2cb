package loopio

import (
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing"
)

// flight is one send of a Writer, and what it has to keep until the kernel is done
// with the memory. A send without a copy may long be answered by then, and the next
// be on its way.
type flight struct {
	writer   *Writer
	pieces   []piece
	first    int // of those that are not sent
	zc       bool
	requests int // that have not had their terminal completion
	answered bool
	token    liburing.Token
	cb       liburing.Callback

	msg  liburing.Msghdr
	iov  []liburing.Iovec
	bufs [][]byte
}

// send sends what is left.
func (f *flight) send() {
	w, l, rest := f.writer, f.writer.loop, f.pieces[f.first:]
	const flags = msgWaitall | msgNosignal
	f.requests++
	var r liburing.Request
	switch one := rest[0].bytes; {
	case w.noSocket && len(rest) == 1:
		r = l.Write(w.fd, one, liburing.CurrentPosition, f.cb)
	case w.noSocket:
		r = l.Writev(w.fd, f.vector(rest), liburing.CurrentPosition, f.cb)
	case f.zc && len(rest) == 1:
		r = l.SendZC(w.fd, one, flags, 0, f.cb)
	case f.zc:
		r = l.SendmsgZC(w.fd, f.message(rest), flags, f.cb)
	case len(rest) == 1:
		r = l.Send(w.fd, one, flags, f.cb)
	default:
		r = l.Sendmsg(w.fd, f.message(rest), flags, f.cb)
	}
	f.token = r.Token()
}

func (f *flight) vector(pieces []piece) [][]byte {
	f.bufs = f.bufs[:0]
	for _, p := range pieces {
		f.bufs = append(f.bufs, p.bytes)
	}
	return f.bufs
}

func (f *flight) message(pieces []piece) *liburing.Msghdr {
	f.iov = f.iov[:0]
	for _, p := range pieces {
		v := liburing.Iovec{Base: unsafe.SliceData(p.bytes)}
		v.SetLen(len(p.bytes))
		f.iov = append(f.iov, v)
	}
	f.msg = liburing.Msghdr{Iov: &f.iov[0]}
	f.msg.SetIovlen(len(f.iov))
	return &f.msg
}

// completed is the callback of all of its requests.
func (f *flight) completed(c liburing.Completion) {
	if !c.More() {
		f.requests--
	}
	defer f.release() // also if a function of the user's panics
	if c.Flags&liburing.CQEFNotif == 0 {
		f.answer(c)
	}
}

// answer sees to a send's result.
func (f *flight) answer(c liburing.Completion) {
	w, errno := f.writer, syscall.Errno(-min(c.Res, 0))
	switch {
	case w.err != nil: // aborted
		f.land(nil)
	case c.Res > 0 || c.Res == 0 && len(f.pieces[f.first].bytes) == 0:
		f.advance(int(c.Res))
	case errno == syscall.ENOTSOCK && !w.noSocket:
		w.noSocket, f.zc = true, false
		f.send()
	case f.zc && (errno == syscall.EOPNOTSUPP || errno == syscall.EINVAL):
		w.noZC, f.zc = true, false
		f.send()
	case errno == syscall.EINTR:
		f.send()
	case errno == syscall.EAGAIN: // a terminal that does not block, on older kernels
		f.wait()
	case c.Res == 0:
		f.land(&liburing.OpError{Op: c.Op().String(), Err: syscall.EIO, Hint: "nothing of what was to be sent has been taken"})
	default:
		f.land(c.Err())
	}
}

// advance goes behind n bytes that were taken, and sends the rest if there is one.
func (f *flight) advance(n int) {
	rest := n
	for f.first < len(f.pieces) && rest >= len(f.pieces[f.first].bytes) {
		rest -= len(f.pieces[f.first].bytes)
		f.first++
	}
	if f.first < len(f.pieces) {
		f.pieces[f.first].bytes = f.pieces[f.first].bytes[rest:]
		f.send()
	} else {
		f.land(nil)
	}
	f.writer.sent(n)
}

// wait sends again when there is room.
func (f *flight) wait() {
	const pollout = 4
	f.requests++
	r := f.writer.loop.PollAdd(f.writer.fd, pollout, func(c liburing.Completion) {
		f.requests--
		defer f.release()
		if err := c.Err(); err != nil || f.writer.err != nil {
			f.land(err)
		} else {
			f.send()
		}
	})
	f.token = r.Token()
}

// land ends the send, which the next may follow.
func (f *flight) land(err error) {
	w := f.writer
	f.answered = true
	w.sending = nil
	w.wake()
	if err != nil {
		w.fail(err)
	}
}

// release gives the memory back, when the kernel is done with all of it.
func (f *flight) release() {
	if !f.answered || f.requests != 0 {
		return
	}
	pool := f.writer.stock
	defer pool.land(f)
	pool.release(f.pieces, f.first, f.writer.err)
}
