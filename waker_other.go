//go:build !linux

package liburing

type waker struct {
	fd  int
	buf [8]byte
}

func (w *waker) open() error { return ErrNotSupported }
func (w *waker) signal()     {}
func (w *waker) wait()       {}
func (w *waker) close()      {}

func threadID() int64 { return -1 }
