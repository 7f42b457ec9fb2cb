//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// step does the next step of the program.
func (m *model) step() {
	if m.next >= len(m.program.steps) {
		return
	}
	if m.next == m.program.close && !m.closing {
		m.close()
		return
	}
	s := m.program.steps[m.next]
	m.next++
	[...]func(step){
		stepNop: m.nop, stepFile: m.writeAndRead, stepWait: m.wait, stepCancel: m.cancelOne,
		stepCancelFD: m.waitOrCancelFD, stepChain: m.chain, stepHardChain: m.hardChain, stepTimeout: m.timeout,
		stepTimeoutRemove: m.timeoutRemove, stepLinkTimeout: m.linkTimeout, stepSend: m.send,
		stepReceive: m.receive, stepRelease: m.release, stepEndReceive: m.endReceive, stepPoll: m.pollOnce,
		stepAccept: m.connect, stepFixed: m.fixed, stepPost: m.post, stepDatagram: m.datagram, stepDeadline: m.deadline,
		stepContext: m.context, stepLinkedDeadline: m.linkedDeadline, stepLinkedContext: m.linkedContext,
		stepAfter: m.after, stepEvery: m.every,
	}[s.kind](s)
}

// close closes the loop without waiting, in a callback or before a run; half of
// the time while a request drains the ring.
func (m *model) close() {
	if m.next%2 == 0 {
		m.request(expect{name: "drain", check: func(c Completion) {
			// EOPNOTSUPP: the ring has seen silent requests.
			require.True(m.t, c.Err() == nil || errors.Is(c.Err(), unix.EOPNOTSUPP), "%v", c.Err())
		}}, func(cb Callback) Request { return m.l.Nop(cb).Flags(SQEIODrain) })
	}
	m.closing = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.l.Close(ctx)
}

func (m *model) nop(step) {
	m.request(expect{name: "nop", check: m.success}, m.l.Nop)
}

// writeAndRead writes to a region of its own and reads it back.
func (m *model) writeAndRead(s step) { m.writeAndReadAt(s, int(m.file.Fd()), func() {}) }

func (m *model) writeAndReadAt(s step, fd int, then func()) {
	n := 1 + m.rnd(s).IntN(8000)
	off := uint64(m.regions) * 8192
	m.regions++
	want := pattern(n, byte(s.seed))
	read := func() {
		got := make([]byte, n)
		m.request(expect{name: "read", check: func(c Completion) {
			require.NoError(m.t, c.Err())
			require.Equal(m.t, want, got)
			then()
		}}, func(cb Callback) Request { return m.l.Read(fd, got, off, cb) })
	}
	m.request(expect{name: "write", check: func(c Completion) {
		require.EqualValues(m.t, n, c.Res)
		read()
	}}, func(cb Callback) Request { return m.l.Write(fd, pattern(n, byte(s.seed)), off, cb) })
}

// wait makes a read that ends by a cancel only.
func (m *model) wait(step) {
	req := m.request(expect{name: "waiting read", check: m.cancelled}, m.readOf(m.silent))
	m.waiting = append(m.waiting, req.Token())
}

func (m *model) readOf(fd int) func(Callback) Request {
	return func(cb Callback) Request { return m.l.Read(fd, make([]byte, 64), 0, cb) }
}

// cancelOne cancels a waiting request, or one that there is none of.
func (m *model) cancelOne(s step) {
	rnd := m.rnd(s)
	if len(m.waiting) == 0 {
		nobody := newToken(uint32(rnd.IntN(100)), 999999)
		m.request(expect{name: "cancel of nobody", check: m.failed(unix.ENOENT)},
			func(cb Callback) Request { return m.l.Cancel(nobody, 0, cb) })
		return
	}
	i := rnd.IntN(len(m.waiting))
	token := m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.request(expect{name: "cancel", check: m.found},
		func(cb Callback) Request { return m.l.Cancel(token, 0, cb) })
}

// found is right for a cancel of a request that waits. EALREADY: it is being
// completed at this moment.
func (m *model) found(c Completion) {
	require.True(m.t, c.Err() == nil || errors.Is(c.Err(), unix.EALREADY), "%v", c.Err())
}

// waitOrCancelFD makes reads of a descriptor, and cancels all of them at once.
func (m *model) waitOrCancelFD(s step) {
	if m.rnd(s).IntN(3) != 0 {
		m.request(expect{name: "read", check: m.cancelled}, func(cb Callback) Request {
			m.onFD++
			m.fresh++
			return m.readOf(m.other)(func(c Completion) {
				m.onFD--
				cb(c)
			})
		})
		return
	}
	// Those that an earlier cancel has found and that have not completed yet
	// may be found again.
	least, most := m.fresh, m.onFD
	m.fresh = 0
	m.request(expect{name: "cancel of a descriptor's", check: func(c Completion) {
		if !m.closing { // by then some have been cancelled, and some wait behind a drain
			require.GreaterOrEqual(m.t, int(c.Res), least)
		}
		require.LessOrEqual(m.t, int(c.Res), most)
	}}, func(cb Callback) Request { return m.l.CancelFD(m.other, AsyncCancelAll, cb) })
}

// chain links a few requests; from a bad one on they are cancelled. Half of the
// chains are quiet.
func (m *model) chain(s step) {
	rnd := m.rnd(s)
	n := 2 + rnd.IntN(4)
	bad := rnd.IntN(2 * n) // none, half of the time
	quiet := rnd.IntN(2) == 0
	for i := range n {
		e := expect{name: "linked", check: m.success, silent: quiet && i < n-1}
		do := m.l.Nop
		switch {
		case i == bad:
			e.check, do = m.failed(unix.EBADF), m.readOf(-1)
		case i > bad:
			e.check = m.cancelled
		}
		if i >= bad {
			e.silent = false
		}
		req := m.request(e, do)
		if i < n-1 {
			req.Link()
		} else if quiet {
			req.SkipSuccess()
		}
	}
}

// hardChain links requests that run even behind a bad one.
func (m *model) hardChain(s step) {
	rnd := m.rnd(s)
	n := 2 + rnd.IntN(4)
	bad := rnd.IntN(n)
	for i := range n {
		e, do := expect{name: "hard linked", check: m.success}, m.l.Nop
		if i == bad {
			e.check, do = m.failed(unix.EBADF), m.readOf(-1)
		}
		req := m.request(e, do)
		if i < n-1 {
			req.HardLink()
		} else if rnd.IntN(2) == 0 {
			req.SkipSuccess() // has no effect here
		}
	}
}

func (m *model) timeout(s step) {
	d := time.Duration(m.rnd(s).IntN(1000)) * time.Microsecond
	m.request(expect{name: "timeout", check: m.failed(unix.ETIME)},
		func(cb Callback) Request { return m.l.Timeout(d, 0, 0, cb) })
}

// timeoutRemove takes a timeout back, or has it come sooner.
func (m *model) timeoutRemove(s step) {
	sooner := m.rnd(s).IntN(2) == 0
	e := expect{name: "long timeout", check: m.cancelled}
	if sooner {
		e.check = m.failed(unix.ETIME)
	}
	token := m.request(e, func(cb Callback) Request { return m.l.Timeout(time.Hour, 0, 0, cb) }).Token()
	m.request(expect{name: "change of a timeout", check: m.success}, func(cb Callback) Request {
		if sooner {
			return m.l.TimeoutUpdate(time.Millisecond, token, 0, cb)
		}
		return m.l.TimeoutRemove(token, 0, cb)
	})
}

// linkTimeout has a timeout watch a request that is late, or one that is not.
func (m *model) linkTimeout(s step) {
	rnd := m.rnd(s)
	late := rnd.IntN(2) == 0
	d := time.Hour
	watched, timeout, do := expect{name: "in time", check: m.success}, expect{name: "spare timeout", check: m.cancelled}, m.l.Nop
	if late {
		d = time.Duration(rnd.IntN(500)) * time.Microsecond
		watched, do = expect{name: "late", check: m.cancelled}, m.readOf(m.silent)
		timeout = expect{name: "link timeout", check: m.failed(unix.ETIME)}
	}
	m.request(watched, do).Link()
	m.request(timeout, func(cb Callback) Request { return m.l.LinkTimeout(d, 0, cb) })
}

func (m *model) deadline(s step) {
	d := time.Duration(m.rnd(s).IntN(500)) * time.Microsecond
	m.request(expect{name: "deadline", check: m.cancelled}, m.readOf(m.silent)).Deadline(d)
}

// linkedDeadline has a chain go on behind a deadline: it does if that is kept.
func (m *model) linkedDeadline(s step) {
	rnd := m.rnd(s)
	first, next, do, d := expect{name: "in time", check: m.success}, m.success, m.l.Nop, time.Hour
	if rnd.IntN(2) == 0 {
		first, next, do, d = expect{name: "late", check: m.cancelled}, m.cancelled, m.readOf(m.silent), time.Duration(rnd.IntN(500))*time.Microsecond
	}
	req := m.request(first, do)
	if rnd.IntN(2) == 0 {
		req.Deadline(d).Link()
	} else {
		req.Link().Deadline(d)
	}
	m.request(expect{name: "behind a deadline", check: next}, m.l.Nop)
}

// context makes a request whose context ends before it is made, soon, or when a
// function is posted.
func (m *model) context(s step) {
	ctx, want := m.contextThatEnds(m.rnd(s))
	m.request(expect{name: "with a context", check: func(c Completion) {
		require.ErrorIs(m.t, c.Err(), want)
		require.ErrorIs(m.t, c.Err(), unix.ECANCELED)
	}}, m.readOf(m.silent)).WithContext(ctx)
}

func (m *model) contextThatEnds(rnd *rand.Rand) (ctx context.Context, why error) {
	why = context.Canceled
	ctx, cancel := context.WithCancel(context.Background())
	switch rnd.IntN(3) {
	case 0:
		cancel()
	case 1:
		m.l.Post(cancel)
	default:
		why = context.DeadlineExceeded
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(rnd.IntN(500))*time.Microsecond)
	}
	m.ends = append(m.ends, cancel)
	return ctx, why
}

// linkedContext makes a chain in which some have a context that ends: those that
// have begun then end, and those that have not are cancelled with the chain.
func (m *model) linkedContext(s step) {
	rnd := m.rnd(s)
	n := 2 + rnd.IntN(3)
	first := rnd.IntN(n) // to wait
	for i := range n {
		e, do := expect{name: "linked", check: m.success}, m.l.Nop
		if i >= first {
			e, do = expect{name: "linked with a context", check: m.cancelled}, m.readOf(m.silent)
		}
		req := m.request(e, do)
		if i == first || i > first && rnd.IntN(2) == 0 {
			ctx, _ := m.contextThatEnds(rnd)
			req.WithContext(ctx)
		}
		if i < n-1 {
			req.Link()
		}
	}
}

// post has another goroutine post a step.
func (m *model) post(step) { m.postBy(m.step) }

// postBy has another goroutine post a function.
func (m *model) postBy(f func()) {
	m.posters.Go(func() {
		if m.l.Post(func() { m.ran++; f() }) == nil {
			m.posted.Add(1)
		}
	})
}

// fixed opens a file without a descriptor, writes to it, reads, closes it, and
// finds it closed.
func (m *model) fixed(s step) {
	m.opens++
	m.opening++
	m.request(expect{name: "open", check: func(c Completion) {
		place, err := c.Result()
		require.NoError(m.t, err)
		fd := Fixed(place).FD()
		m.writeAndReadAt(s, fd, func() { m.closeFixed(fd) })
	}}, func(cb Callback) Request {
		return m.l.OpenatDirect(unix.AT_FDCWD, m.file.Name(), unix.O_RDWR, 0, FileIndexAlloc, func(c Completion) {
			m.opening--
			cb(c)
		})
	})
}

func (m *model) closeFixed(fd int) {
	alone, opens := m.opening == 0, m.opens
	m.request(expect{name: "close", check: m.success}, func(cb Callback) Request { return m.l.CloseFD(fd, cb) }).Link()
	m.request(expect{name: "read of what was closed", check: func(c Completion) {
		if alone && opens == m.opens { // nobody has got the place since
			require.ErrorIs(m.t, c.Err(), unix.EBADF)
		}
	}}, m.readOf(fd))
}
