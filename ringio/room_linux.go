//go:build linux

package ringio

import (
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A connection may end in one direction and go on in the other: the peer has sent its
// end, or CloseRead was called. For the kernel that is an event which every poll wants,
// and which stays; so is what is in a socket's queue of errors. So a poll for room comes
// back at once, and a request to send that finds no room is tried again and again, and then
// given to a worker, which waits in it: with many such connections there is none left for
// others. So streams wait for room, and then send by a plain call, or an outbox by a request
// that does not wait; and where a poll has nothing else to tell they wait by a request that
// is told of changes alone.

// sendWaiting tries to send, to an address if addressed, and tries again when there is room.
// Other datagrams than those of roomUntold are left to the ring, EAGAIN says so.
func (s *socket) sendWaiting(addressed bool, send func() (int, error)) (int, error) {
	untold := s.roomUntold(addressed)
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		n, err := send()
		if err != unix.EAGAIN || s.kind == unix.SOCK_DGRAM && !untold {
			return n, err
		}
		if untold {
			err = s.pause(&s.out, pause)
		} else {
			err = s.poll(&s.out, unix.POLLOUT)
		}
		if err == nil {
			err = s.ready(&s.out)
		}
		if err != nil {
			return 0, err
		}
	}
}

// roomUntold reports whether the kernel does not tell when there is room. A Unix socket for
// datagrams has to wait for its receiver to read, and polls ask its peer alone: without one, and
// where the receiver is another, they always tell of room, and requests to send fail. So it is
// looked for room again and again; net does so without a pause.
func (s *socket) roomUntold(addressed bool) bool {
	return s.kind == unix.SOCK_DGRAM && s.family == unix.AF_UNIX && (addressed || s.remote == nil)
}

// Between two looks for room is so much time: little for a receiver that is at work, and then
// ever more.
const (
	leastPause = 20 * time.Microsecond
	mostPause  = 4 * time.Millisecond
)

// pause waits for a while, until the deadline or Close ends that.
func (s *socket) pause(h *half, d time.Duration) error {
	o := s.engine.acquire()
	ts := liburing.NewTimespec(d)
	o.keep = &ts
	o.entry().PrepTimeout(&ts, 0, 0)
	switch _, err := s.await(h, o); err {
	case unix.ETIME:
		return nil
	case errForbidden:
		time.Sleep(d)
		return nil
	default:
		return err
	}
}

// awaitRoom waits for room on a connection of which polls have something to tell at any time, or
// for the deadline or Close.
func (s *socket) awaitRoom() error {
	c := newChanges(s, &s.out, unix.POLLOUT)
	defer c.end()
	return c.wait()
}

// isRoom reports whether a poll tells of room, or of what a write is to find: the
// connection's end, or an error. POLLERR alone is one only if it is new, for it stays while
// nobody reads the socket's queue of errors, which has the kernel's receipts too; and a
// connection that fails is at its end.
func isRoom(res int32, changed bool) bool {
	stays := int32(unix.POLLRDHUP | unix.POLLERR)
	if changed {
		stays = unix.POLLRDHUP
	}
	return res > 0 && res&^stays != 0
}
