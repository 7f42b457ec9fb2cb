//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newModel opens what programs work on.
func newModel(t *testing.T, l *Loop, p program) *model {
	m := &model{t: t, l: l, program: p}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	m.file = file
	m.ends = append(m.ends, func() { file.Close() })
	m.silent, _ = m.pipe()
	m.other, _ = m.pipe()
	sparseFiles(t, l, 4096)

	rnd := rand.New(rand.NewPCG(p.seed, 2))
	for _, flags := range []BufRingFlags{0, PbufRingInc, 0} {
		m.groups = append(m.groups, m.group(rnd, flags))
	}
	// Some share a group, and may each find that the other has all of it.
	for _, c := range []conduit{{}, {}, {pipe: true}, {zero: true}, {}, {zero: true}, {pipe: true}, {}} {
		c.group = m.groups[len(m.conduits)%len(m.groups)]
		c.salt = byte(rnd.Uint32())
		switch {
		case c.pipe:
			c.r, c.w = m.pipe()
		case c.zero:
			c.r, c.w = m.tcp()
		default:
			c.r, c.w = m.socketPair(unix.SOCK_STREAM)
		}
		m.conduits = append(m.conduits, &c)
	}
	m.datagrams.r, m.datagrams.w = m.socketPair(unix.SOCK_DGRAM)

	m.poll.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	require.NoError(t, err)
	m.own(m.poll.fd)
	name := fmt.Sprintf("@liburing-model-%d-%p", os.Getpid(), m)
	m.accept.fd = m.listen(unix.AF_UNIX, &unix.SockaddrUnix{Name: name})
	m.accept.addr, err = SockaddrUnix(name)
	require.NoError(t, err)
	return m
}

// group makes a few small buffers, as likely as not too few.
func (m *model) group(rnd *rand.Rand, flags BufRingFlags) *BufGroup {
	count, size := 1+rnd.IntN(5), 1+rnd.IntN(1000)
	if flags != 0 {
		size *= 8 // several messages in each
	}
	g, err := m.l.NewBufGroup(count, size, flags)
	if errors.Is(err, unix.EINVAL) && flags != 0 { // before Linux 6.12
		g, err = m.l.NewBufGroup(count, size, 0)
	}
	require.NoError(m.t, err)
	return g
}

// own has a descriptor closed with the fixtures.
func (m *model) own(fd int) int {
	m.ends = append(m.ends, func() { unix.Close(fd) })
	return fd
}

func (m *model) pipe() (r, w int) {
	var fds [2]int
	require.NoError(m.t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	return m.own(fds[0]), m.own(fds[1])
}

func (m *model) socketPair(kind int) (r, w int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	return m.own(fds[0]), m.own(fds[1])
}

func (m *model) listen(domain int, at unix.Sockaddr) int {
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	require.NoError(m.t, unix.Bind(fd, at))
	require.NoError(m.t, unix.Listen(fd, 64))
	return m.own(fd)
}

// tcp returns the two ends of a connection.
func (m *model) tcp() (r, w int) {
	lfd := m.listen(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	at, err := unix.Getsockname(lfd)
	require.NoError(m.t, err)
	w, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	require.NoError(m.t, unix.Connect(m.own(w), at))
	r, _, err = unix.Accept4(lfd, unix.SOCK_CLOEXEC)
	require.NoError(m.t, err)
	return m.own(r), w
}

func (m *model) closeFixtures() {
	for _, end := range m.ends {
		end()
	}
}

// run does the steps of the program, ends it and checks what is left.
func (m *model) run() {
	rnd := rand.New(rand.NewPCG(m.program.seed, 3))
	for !m.closing && m.next < len(m.program.steps) {
		// Once the loop is being closed its thread alone does steps.
		for n := 1 + rnd.IntN(20); n > 0 && !m.closing; n-- {
			m.step()
		}
		if !m.closing {
			m.runFor(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
	if !m.closing {
		m.posters.Wait()
		m.deliverAll()
	}
	if !m.closing {
		m.finish()
	}
	if !m.closing {
		m.closing = true
	}
	closeLoop(m.t, m.l)
	m.closed = true
	for m.next < len(m.program.steps) { // all of these are refused
		m.step()
	}
	m.posters.Wait()
	m.checkClosed()
}

// runFor runs the loop until it is idle, but no longer than d.
func (m *model) runFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := m.l.RunUntilIdle(ctx)
	if m.closing { // by a callback
		return
	}
	require.True(m.t, err == nil || errors.Is(err, context.DeadlineExceeded), "%v", err)
}

// until runs the loop until ok.
func (m *model) until(what string, ok func() bool) {
	for end := time.Now().Add(10 * time.Second); !ok() && !m.closing; {
		require.True(m.t, time.Now().Before(end), "%s: never; %+v", what, m.l.Stats())
		m.runFor(2 * time.Millisecond)
	}
}

// deliverAll has every byte and every connection arrive, whatever ran dry on
// the way.
func (m *model) deliverAll() {
	m.until("every byte and connection", func() bool {
		done := m.accept.got >= m.accept.begun
		for len(m.kept) > 0 {
			m.kept[0].release(m)
			m.kept = m.kept[1:]
		}
		for i, c := range m.conduits {
			done = done && !c.sending && c.got == c.sent
			m.arm(c, i%3, i%2 == 0)
		}
		if !done {
			m.armAccept()
		}
		return done
	})
	if m.closing {
		return
	}
	require.Equal(m.t, m.accept.begun, m.accept.got, "connections")
	for _, c := range m.conduits {
		require.Equal(m.t, c.sent, c.got)
	}
}

// finish ends what waits, as the program says, and checks that nothing is left.
func (m *model) finish() {
	switch m.program.end {
	case endClose:
		return
	case endSweep:
		m.sweep = true
		m.until("the end of all", func() bool {
			m.request(expect{name: "cancel of all", check: func(Completion) {}},
				func(cb Callback) Request { return m.l.Cancel(0, AsyncCancelAny|AsyncCancelAll, cb) })
			m.runFor(20 * time.Millisecond)
			return m.l.Stats().InFlight == 0
		})
	case endQuiet:
		m.endWaiting()
		m.until("the end of all", func() bool { return m.l.Stats().InFlight == 0 })
		m.checkTimers()
	}
	m.checkBuffers()
	m.checkStats()
}

// endWaiting ends each request that would not end by itself.
func (m *model) endWaiting() {
	for _, token := range m.waiting {
		m.request(expect{name: "cancel", check: m.found}, func(cb Callback) Request { return m.l.Cancel(token, 0, cb) })
	}
	m.request(expect{name: "cancel of a descriptor's", check: m.success},
		func(cb Callback) Request { return m.l.CancelFD(m.other, AsyncCancelAll, cb) })
	for _, c := range m.conduits {
		m.disarm(c)
	}
	for _, token := range []Token{m.poll.token, m.accept.token} {
		m.request(expect{name: "cancel of many", check: m.cancelOfMany},
			func(cb Callback) Request { return m.l.Cancel(token, 0, cb) })
	}
}

// checkBuffers asserts that every buffer is with the kernel again.
func (m *model) checkBuffers() {
	for len(m.kept) > 0 {
		m.kept[0].release(m)
		m.kept = m.kept[1:]
	}
	for _, g := range m.groups {
		allBack(m.t, g)
	}
}

func (m *model) checkStats() {
	s := m.l.Stats()
	require.Zero(m.t, s.InFlight)
	require.Zero(m.t, s.Stale)
	require.Empty(m.t, m.l.chains)
	require.Empty(m.t, m.l.watches)
	require.Empty(m.t, m.l.reasons)
	require.GreaterOrEqual(m.t, s.Submitted, uint64(len(m.records)))
	if m.program.plain { // all requests are the model's
		require.Equal(m.t, m.calls, s.Completed)
	}
}

// checkClosed asserts what holds when the loop is gone.
func (m *model) checkClosed() {
	for _, r := range m.records {
		switch {
		case r.refused, r.silent:
			require.LessOrEqual(m.t, r.finals, 1, r.name)
		default:
			require.Equal(m.t, 1, r.finals, r.name)
		}
		require.Equal(m.t, StateDone, m.l.State(r.token), r.name)
	}
	for _, k := range m.kept {
		k.release(m)
	}
	require.Equal(m.t, m.posted.Load(), m.ran, "posted functions")
	require.Zero(m.t, m.l.Stats().InFlight)
	require.ErrorIs(m.t, m.l.Post(func() {}), ErrClosed)
}
