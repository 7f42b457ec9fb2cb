//go:build linux

package model_test

import (
	"math/rand/v2"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// chain links a few requests; from a bad one on they are cancelled. Half of the
// chains are quiet.
func (m *model) chain(s step) {
	rnd := m.rnd(s)
	n := m.chainLength(rnd)
	bad := rnd.IntN(2 * n) // none, half of the time
	quiet := rnd.IntN(2) == 0
	for i := range n {
		e := expect{name: "linked", check: m.success, silent: quiet && i < n-1}
		do := m.l.Nop
		switch {
		case i == bad:
			e.check, do = m.bad()
		case i > bad:
			e.check = m.cancelled
		}
		if i >= bad {
			e.silent = false
		}
		req := m.request(e, do)
		if i < n-1 {
			req.LinkNext()
		} else if quiet {
			req.SkipSuccess()
		}
	}
}

// chainLength returns how many requests a chain is to have.
func (m *model) chainLength(rnd *rand.Rand) int {
	n := 2 + rnd.IntN(4)
	if m.program.tight {
		return 2
	}
	return n
}

// bad is a request that fails. Kernels before 5.19 look at the descriptors of a
// chain before they begin it, so theirs is not bad.
func (m *model) bad() (check func(liburing.Completion), do func(liburing.Callback) liburing.Request) {
	if oldKernel() {
		return m.failed(unix.EINVAL), func(cb liburing.Callback) liburing.Request { return m.l.Fsync(m.silent, 0, cb) }
	}
	return m.failed(unix.EBADF), m.readOf(-1)
}

// hardChain links requests that run even behind a bad one.
func (m *model) hardChain(s step) {
	rnd := m.rnd(s)
	n := m.chainLength(rnd)
	bad := rnd.IntN(n)
	for i := range n {
		e, do := expect{name: "hard linked", check: m.success}, m.l.Nop
		if i == bad {
			e.check, do = m.bad()
		}
		req := m.request(e, do)
		if i < n-1 {
			req.HardLinkNext()
		} else if rnd.IntN(2) == 0 {
			req.SkipSuccess() // has no effect here
		}
	}
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
	m.request(watched, do).LinkNext()
	m.request(timeout, func(cb liburing.Callback) liburing.Request { return m.l.LinkTimeout(d, 0, cb) })
}
