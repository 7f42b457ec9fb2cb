package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

// sendAll sends over as many sockets as there are threads, side by side, and
// prints what that came to.
func sendAll(ctx context.Context, s settings) error {
	totals, errs := make([]total, s.threads), make([]error, s.threads)
	var all sync.WaitGroup
	for i := range s.threads {
		all.Go(func() { totals[i], errs[i] = send(ctx, s) })
	}
	all.Wait()
	var sum total
	for _, t := range totals {
		sum.add(t)
	}
	if sum.requests > 0 {
		sum.print(s.copying)
	}
	return errors.Join(errs...)
}

// total is what was sent.
type total struct {
	requests, bytes       int
	notifications, copied int
	time                  time.Duration
}

func (t *total) add(o total) {
	t.requests += o.requests
	t.bytes += o.bytes
	t.notifications += o.notifications
	t.copied += o.copied
	t.time = max(t.time, o.time)
}

func (t *total) print(copying bool) {
	seconds := max(t.time.Seconds(), 1e-9)
	fmt.Printf("sent %d bytes in %d requests, %.3f s: %.0f requests/s, %.1f MiB/s\n",
		t.bytes, t.requests, seconds, float64(t.requests)/seconds, float64(t.bytes)/(1<<20)/seconds)
	if !copying {
		fmt.Printf("%d notifications, %d of them of copied bytes\n", t.notifications, t.copied)
	}
}

// send connects, and sends until the time is over or ctx ends.
func send(ctx context.Context, set settings) (t total, err error) {
	fd, err := socket.New(set.typ, set.addr.Addr())
	if err != nil {
		return t, err
	}
	s := &sender{settings: set, fd: fd, payload: alphabet(set.size)}
	s.onSent = s.sent
	defer s.close()
	if s.loop, err = liburing.NewLoop(64, liburing.WithCQEntries(1024)); err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.loop.Close(context.Background())) }()
	if set.fixed {
		if err := s.loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffers([][]byte{s.payload}) }); err != nil {
			return t, err
		}
	}
	s.loop.Connect(fd, liburing.SockaddrFrom(set.addr), s.connected).WithContext(ctx)
	defer context.AfterFunc(ctx, func() { s.loop.Post(s.end) })()
	err = s.loop.Run(context.Background())
	return s.total, errors.Join(s.err, err)
}

// alphabet returns bytes to send.
func alphabet(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}

// sender is one socket that is sent to.
type sender struct {
	settings
	total
	loop    *liburing.Loop
	fd      int
	payload []byte // of every request: the kernel only reads it
	onSent  liburing.Callback
	begun   time.Time
	sending int  // requests whose result is not there
	pending int  // notifications that are still to come
	ended   bool // nothing more is sent
	err     error
}

func (s *sender) connected(c liburing.Completion) {
	if err := c.Err(); err != nil {
		s.err = fmt.Errorf("%v: %w", s.addr, err)
		s.loop.Stop()
		return
	}
	s.begun = time.Now()
	s.loop.After(s.settings.time, s.end)
	for range s.flying {
		s.send()
	}
}

func (s *sender) send() {
	const flags = unix.MSG_WAITALL | unix.MSG_NOSIGNAL
	const report = liburing.SendZCReportUsage
	s.sending++
	switch {
	case s.copying:
		s.loop.Send(s.fd, s.payload, flags, s.onSent)
	case s.fixed:
		s.loop.SendZCFixed(s.fd, s.payload, flags, report, 0, s.onSent)
	default:
		s.loop.SendZC(s.fd, s.payload, flags, report, s.onSent)
	}
}

// sent is called with the result of a request, and when that said that there is
// more to come, with the notification.
func (s *sender) sent(c liburing.Completion) {
	if c.Flags&liburing.CQEFNotif != 0 {
		s.pending--
		s.notifications++
		if liburing.NotifUsage(c.Res)&liburing.NotifUsageZCCopied != 0 {
			s.copied++
		}
		s.stopIfDone()
		return
	}
	s.sending--
	if c.More() {
		s.pending++
	}
	s.count(c)
	if !s.ended {
		s.send()
	}
	s.stopIfDone()
}

// count counts a result.
func (s *sender) count(c liburing.Completion) {
	n, err := c.Result()
	if err == nil {
		s.requests++
		s.bytes += n
		return
	}
	if s.ended {
		return
	}
	if errors.Is(err, unix.ENOMEM) && !s.copying && !s.fixed {
		err = fmt.Errorf("memory on its way counts against RLIMIT_MEMLOCK: raise that, lower -n or -size, or leave -fixed on: %w", err)
	}
	s.err = fmt.Errorf("%v: %w", s.addr, err)
	s.end()
}

// grace is how long a receiver that has stopped reading is waited for at the end.
const grace = time.Second

// end ends the sending. What the socket does not take now is cancelled, for the
// receiver may not read.
func (s *sender) end() {
	if s.ended || s.begun.IsZero() {
		return
	}
	s.ended = true
	s.total.time = time.Since(s.begun)
	s.loop.CancelFD(s.fd, liburing.AsyncCancelAll, nil)
	s.loop.After(grace, s.abort)
}

// abort has the kernel drop what the receiver does not take, for it does not let
// go of the memory before.
func (s *sender) abort() {
	unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	s.close()
}

func (s *sender) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

// stopIfDone stops the loop when the kernel is done with the memory.
func (s *sender) stopIfDone() {
	if s.ended && s.sending+s.pending == 0 {
		s.loop.Stop()
	}
}
