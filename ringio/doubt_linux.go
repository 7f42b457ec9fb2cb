//go:build linux

package ringio

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel forgets a reset that comes right behind bytes: a receive that stays in the
// kernel takes the bytes, and with them both wake-ups (seen on Linux 6.18). Nothing wakes
// it any more, and its reader would wait for ever. So some time after a reader began to
// wait behind bytes its socket is looked at, once: by then the kernel has told what it
// tells. One that is at its end has its request made anew, which tells it.

// doubtTime is how long a reader waits until its socket is looked at.
const doubtTime = 100 * time.Millisecond

// doubts are the streams that are to be looked at. A connection that is busy costs one
// look each doubtTime.
type doubts struct {
	mu   sync.Mutex
	list []*stream // the first has the timer run
}

func (d *doubts) add(r *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, r)
	if len(d.list) == 1 {
		time.AfterFunc(doubtTime, d.look)
	}
}

// look looks at those that wait.
func (d *doubts) look() {
	d.mu.Lock()
	list := d.list
	d.list = nil
	d.mu.Unlock()
	waiting := list[:0]
	var fds []unix.PollFd
	for _, r := range list {
		if r.stillWaits() {
			waiting = append(waiting, r)
			fds = append(fds, unix.PollFd{Fd: r.fd, Events: unix.POLLRDHUP})
		}
	}
	if n, err := unix.Poll(fds, 0); n <= 0 || err != nil {
		return
	}
	for i, r := range waiting {
		if fds[i].Revents != 0 {
			r.missedEnd()
		}
	}
}

// stillWaits reports whether a reader waits. If none does, the next one is to be looked
// at.
func (r *stream) stillWaits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doubted = false
	waits := r.waiting != nil && r.op != nil
	r.fresh = r.fresh || !waits
	return waits
}

// missedEnd has the request made anew: its reader wakes when it has ended.
func (r *stream) missedEnd() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting != nil && r.op != nil {
		r.recall()
	}
}
