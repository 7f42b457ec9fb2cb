// Package napi has what both ends of the ping-pong share: a ring whose waits
// poll the network device, and waiting on it.
package napi

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Settings are what the flags say about waiting.
type Settings struct {
	poll   time.Duration
	prefer bool
	spin   bool
	sqpoll bool
	fifo   bool
}

// Flags adds the flags to the command line.
func Flags() *Settings {
	s := new(Settings)
	flag.DurationVar(&s.poll, "poll", 50*time.Microsecond, "how long a wait polls the network device before it sleeps; 0 for not at all")
	flag.BoolVar(&s.prefer, "prefer", false, "prefer polling to the device's interrupts")
	flag.BoolVar(&s.spin, "spin", false, "look for completions all the time instead of sleeping")
	flag.BoolVar(&s.sqpoll, "sqpoll", false, "have a thread of the kernel submit, and poll")
	flag.BoolVar(&s.fifo, "fifo", false, "run in the real-time class, which takes root")
	return s
}

// Check says what is wrong with the flags.
func (s *Settings) Check() error {
	if s.poll < 0 || s.poll.Microseconds() > math.MaxUint32 {
		return fmt.Errorf("-poll is %v: it must be from 0 to %v", s.poll, math.MaxUint32*time.Microsecond)
	}
	return nil
}

// Ring is a ring for one goroutine, which polls.
type Ring struct {
	*liburing.Ring
	spin bool
}

// Open sets a ring up as the flags say, and keeps the goroutine on its thread.
func (s *Settings) Open() (*Ring, error) {
	runtime.LockOSThread()
	if s.fifo {
		if err := realTime(); err != nil {
			return nil, fmt.Errorf("-fifo: the real-time class was refused: %w", err)
		}
	}
	option := liburing.WithFlags(liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun)
	if s.sqpoll {
		option = liburing.WithSQPoll(50 * time.Millisecond)
	}
	ring, err := liburing.New(8, option)
	if err != nil {
		return nil, err
	}
	if s.poll > 0 || s.prefer {
		if err := register(ring, s.poll, s.prefer); err != nil {
			ring.Close()
			return nil, err
		}
	}
	return &Ring{Ring: ring, spin: s.spin}, nil
}

func realTime() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
}

// register has the ring's waits poll the devices that its sockets receive from.
func register(r *liburing.Ring, poll time.Duration, prefer bool) error {
	n := liburing.NAPI{BusyPollTo: uint32(poll.Microseconds())}
	if prefer {
		n.PreferBusyPoll = 1
	}
	err := r.RegisterNAPI(&n)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel refuses to poll network devices: "+
			"it takes Linux 6.9, built with CONFIG_NET_RX_BUSY_POLL; -poll 0 goes without: %w", err)
	}
	return err
}

// Close takes back what is in flight and closes the ring.
func (r *Ring) Close() error {
	if _, err := r.RegisterSyncCancel(liburing.SyncCancelReg{
		Flags: liburing.AsyncCancelAny | liburing.AsyncCancelAll, Timeout: liburing.NoTimeout,
	}); err != nil {
		return err
	}
	return r.Ring.Close()
}

// glance is how often a wait that sleeps looks whether the program is to end.
const glance = 50 * time.Millisecond

// Wait submits what is prepared and waits until n completions are there, the
// patience is over (never if it is 0) or ctx ends.
func (r *Ring) Wait(ctx context.Context, n int, patience time.Duration) error {
	sleep := glance
	if r.spin {
		sleep = 0
	}
	for begun := time.Now(); r.CQReady() < n; {
		_, err := r.SubmitAndWaitTimeout(n, sleep)
		if err != nil && !errors.Is(err, unix.ETIME) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if patience > 0 && r.CQReady() < n && time.Since(begun) > patience {
			return fmt.Errorf("nothing has come within %v", patience)
		}
	}
	return nil
}

// ID describes the receive queue that a socket's packets come from: polling
// needs a device that has one.
func ID(fd int) string {
	id, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
	switch {
	case err != nil:
		return fmt.Sprintf("napi id unknown: %v", err)
	case id == 0:
		return "no napi id: the packets don't come from a device that can be polled"
	}
	return fmt.Sprintf("napi id %d", id)
}
