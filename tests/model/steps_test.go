//go:build linux

package model_test

import (
	"errors"
	"slices"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// step does the next step of the program.
func (m *model) step() {
	if m.next >= len(m.program.steps) || m.broken() {
		return
	}
	if m.next == m.program.close && !m.closing {
		m.close()
		return
	}
	s := m.program.steps[m.next]
	m.next++
	s.do(m, s)
}

func (m *model) nop(step) {
	m.request(expect{name: "nop", check: m.success}, m.l.Nop)
}

// big makes a no-op with a big entry, or a big completion, where the ring has them.
func (m *model) big(s step) {
	const second, third = 11, 22
	e := expect{name: "big nop", check: m.success}
	do := m.l.Nop
	if m.flags&liburing.SetupSQEMixed != 0 {
		do = m.l.Nop128
	}
	if m.flags&(liburing.SetupCQE32|liburing.SetupCQEMixed) == 0 || ringtest.KernelBefore(6, 18) || m.rnd(s).IntN(2) == 0 {
		m.request(e, do)
		return
	}
	e.check = func(c liburing.Completion) {
		m.success(c)
		require.Equal(m.t, [2]uint64{second, third}, c.BigCQE())
	}
	req := m.request(e, do)
	if sqe := req.SQE(); sqe != nil {
		sqe.OpFlags, sqe.Off, sqe.Addr = uint32(liburing.NopCQE32), second, third
	}
}

// writeAndRead writes to a region of its own and reads it back.
func (m *model) writeAndRead(s step) { m.writeAndReadAt(s, int(m.file.Fd()), func() {}) }

func (m *model) writeAndReadAt(s step, fd int, then func()) {
	n := 1 + m.rnd(s).IntN(8000)
	off := m.region()
	want := ringtest.Pattern(n, byte(s.seed))
	read := func() {
		got := make([]byte, n)
		m.request(expect{name: "read", check: func(c liburing.Completion) {
			require.NoError(m.t, c.Err())
			require.Equal(m.t, want, got)
			then()
		}}, func(cb liburing.Callback) liburing.Request { return m.l.Read(fd, got, off, cb) })
	}
	m.request(expect{name: "write", check: func(c liburing.Completion) {
		require.EqualValues(m.t, n, c.Res)
		read()
	}}, func(cb liburing.Callback) liburing.Request {
		return m.l.Write(fd, ringtest.Pattern(n, byte(s.seed)), off, cb)
	})
}

// region returns the start of a part of the file that nobody else has.
func (m *model) region() uint64 {
	m.regions++
	return uint64(m.regions) * 8192
}

// wait makes a read that ends by a cancel only.
func (m *model) wait(step) {
	req := m.request(expect{name: "waiting read", check: m.cancelled}, m.readOf(m.silent))
	m.waiting = append(m.waiting, req.Token())
}

func (m *model) readOf(fd int) func(liburing.Callback) liburing.Request {
	return func(cb liburing.Callback) liburing.Request { return m.l.Read(fd, make([]byte, 64), 0, cb) }
}

// cancelOne cancels a waiting request, or one that does not exist.
func (m *model) cancelOne(s step) {
	rnd := m.rnd(s)
	if len(m.waiting) == 0 {
		nobody := liburing.Token(999999)<<32 | liburing.Token(rnd.IntN(100)) // as if that often a request had been there
		m.request(expect{name: "cancel of nobody", check: m.failed(unix.ENOENT)},
			func(cb liburing.Callback) liburing.Request { return m.l.Cancel(nobody, 0, cb) })
		return
	}
	i := rnd.IntN(len(m.waiting))
	token := m.waiting[i]
	m.waiting = slices.Delete(m.waiting, i, i+1)
	m.request(expect{name: "cancel", check: m.found},
		func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
}

// found is right for a cancel of a request that waits. EALREADY: it is being
// completed at this moment.
func (m *model) found(c liburing.Completion) {
	require.True(m.t, c.Err() == nil || errors.Is(c.Err(), unix.EALREADY), "%v", c.Err())
}

// waitOrCancelFD makes reads of a descriptor, and cancels all of them at once.
func (m *model) waitOrCancelFD(s step) {
	if m.rnd(s).IntN(3) != 0 {
		m.request(expect{name: "read", check: m.cancelled}, func(cb liburing.Callback) liburing.Request {
			m.onFD++
			m.fresh++
			return m.readOf(m.other)(func(c liburing.Completion) {
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
	m.request(expect{name: "cancel of a descriptor's", check: func(c liburing.Completion) {
		require.GreaterOrEqual(m.t, int(c.Res), least)
		require.LessOrEqual(m.t, int(c.Res), most)
	}}, func(cb liburing.Callback) liburing.Request { return m.l.CancelFD(m.other, liburing.AsyncCancelAll, cb) })
}

func (m *model) timeout(s step) {
	d := time.Duration(m.rnd(s).IntN(1000)) * time.Microsecond
	m.request(expect{name: "timeout", check: m.failed(unix.ETIME)},
		func(cb liburing.Callback) liburing.Request { return m.l.Timeout(d, 0, 0, cb) })
}

// timeoutRemove takes a timeout back, or has it come sooner.
func (m *model) timeoutRemove(s step) {
	sooner := m.rnd(s).IntN(2) == 0
	e := expect{name: "long timeout", check: m.cancelled}
	if sooner {
		e.check = m.failed(unix.ETIME)
	}
	token := m.request(e, func(cb liburing.Callback) liburing.Request { return m.l.Timeout(time.Hour, 0, 0, cb) }).Token()
	m.request(expect{name: "change of a timeout", check: m.success}, func(cb liburing.Callback) liburing.Request {
		if sooner {
			return m.l.TimeoutUpdate(time.Millisecond, token, 0, cb)
		}
		return m.l.TimeoutRemove(token, 0, cb)
	})
}

// post has another goroutine post a step.
func (m *model) post(step) {
	m.posters.Go(func() { m.postTo(m, m.step) })
}

// postTo posts a function to a loop, this model's or a peer's, and counts it.
func (m *model) postTo(to *model, f func()) bool {
	posted := to.l.Post(func() { to.ran++; f() }) == nil
	if posted {
		to.posted.Add(1)
	}
	return posted
}
