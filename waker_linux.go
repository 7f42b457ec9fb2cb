package liburing

import (
	"os"

	"golang.org/x/sys/unix"
)

// waker is an eventfd: the loop has a read of it in flight while it sleeps.
type waker struct {
	fd  int
	buf [8]byte
}

func (w *waker) open() error {
	// Not O_NONBLOCK: io_uring would complete the read with EAGAIN.
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	w.fd = fd
	return os.NewSyscallError("eventfd", err)
}

func (w *waker) signal() {
	one := [8]byte{1}
	for {
		if _, err := unix.Write(w.fd, one[:]); err != unix.EINTR {
			return
		}
	}
}

func (w *waker) close() { unix.Close(w.fd) }

// threadID names the thread that the caller runs on.
func threadID() int64 { return int64(unix.Gettid()) }
