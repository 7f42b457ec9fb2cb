//go:build linux

package ringio

import (
	"errors"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// How large a ring is. Each connection that waits may have a completion: those that find no
// room the kernel keeps in a list, which costs much more, and a poll that stays ends there.

const (
	mostRoom   = 32 << 10 // completions
	leastRoom  = 4 << 10
	roomBytes  = 16 // that each takes
	lockedPart = 16 // an engine takes one part of so many of what may be locked
)

// room is how many completions a ring has room for.
func (o Options) room() int {
	var limit unix.Rlimit
	if mayLock() || unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) != nil {
		return o.roomWithin(unix.RLIM_INFINITY)
	}
	return o.roomWithin(limit.Cur)
}

// roomWithin is room where so many bytes may be locked, some of which are for other processes
// of the same user.
func (o Options) roomWithin(locked uint64) int {
	share := locked / lockedPart / uint64(max(o.Rings, 1))
	room := mostRoom
	for room > leastRoom && uint64(room)*roomBytes > share {
		room /= 2
	}
	return max(room, o.leastRoom())
}

// leastRoom is room where there is little memory.
func (o Options) leastRoom() int { return max(o.entries()*8, leastRoom) }

// mayLock reports whether what the process locks does not count.
func mayLock() bool {
	var caps [2]unix.CapUserData
	err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0])
	return err == nil && caps[0].Effective>>unix.CAP_IPC_LOCK&1 != 0
}

// newRing sets up a ring with what this kernel has of what is wished for.
func newRing(o Options) (ring *liburing.Ring, err error) {
	opts := []liburing.Option{
		liburing.WithFlags(liburing.SetupSubmitAll),
		liburing.WithIOWQMaxWorkers(o.workers(), o.workers()),
		liburing.WithBestEffort(nil),
	}
	if o.SQPoll > 0 {
		opts = append(opts, liburing.WithSQPoll(o.SQPoll))
	} else if !o.Interrupts {
		// Without an interrupt for each completion; the kernel tells it when the thread
		// enters it the next time, which a parked one does at once.
		opts = append(opts, liburing.WithFlags(liburing.SetupCoopTaskrun|liburing.SetupTaskrunFlag))
	}
	// Where little memory may be locked a small ring is better than none.
	for entries, room := o.entries(), o.room(); ; {
		ring, err = liburing.New(entries, append(opts, liburing.WithCQEntries(room))...)
		if !errors.Is(err, syscall.ENOMEM) {
			break
		}
		if room > o.leastRoom() {
			room = o.leastRoom()
		} else if entries, room = entries/4, room/4; entries < 1 || room < 256 {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if ring.Features()&liburing.FeatNodrop == 0 || ring.Features()&liburing.FeatFastPoll == 0 {
		ring.Close()
		return nil, errOldKernel
	}
	return ring, nil
}
