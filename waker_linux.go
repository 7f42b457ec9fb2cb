package liburing

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// waker is an eventfd: the loop has a read of it in flight while it sleeps.
type waker struct {
	fd  int
	buf [8]byte // what is read
}

func (w *waker) open() error {
	// Not O_NONBLOCK: io_uring would complete the read with EAGAIN.
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	w.fd = fd
	return os.NewSyscallError("eventfd", err)
}

// once is what a signal adds to the eventfd.
var once = binary.NativeEndian.AppendUint64(nil, 1)

func (w *waker) signal() {
	for {
		if _, err := unix.Write(w.fd, once); err != unix.EINTR {
			return
		}
	}
}

// wait waits for a signal without the ring.
func (w *waker) wait() {
	for {
		if _, err := unix.Read(w.fd, w.buf[:]); err != unix.EINTR {
			return
		}
	}
}

func (w *waker) close() { unix.Close(w.fd) }

// threadID names the thread that the caller runs on.
func threadID() int64 { return int64(unix.Gettid()) }
