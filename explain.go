package liburing

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
)

// Why a request has failed. What the kernel had of it is still in the submission queue as
// a rule, so a loop keeps nothing for requests that succeed: when one fails whose error
// may have a reason that can be known, a copy is made, and looked at when somebody asks
// for the error (Completion.Err).

// failure is what is known of a request that has failed.
type failure struct {
	sqe    SQE          // as the kernel had it; without user data if that is not known any more
	behind *brokenLink  // what broke the chain that it stood in
	fixed  fixedBuffers // the ring's, if it names one of them
	ring   []Restriction
	polled bool // the ring has SetupIOPoll
	filter bool // the ring has filters, or its thread has
	short  bool // the request in front of it in its chain has not failed
	closed bool // the loop was being closed
}

// brokenLink is a request that has failed, and with it those linked behind it.
type brokenLink struct {
	op    Op
	of    *named // what it was for, nil for most
	errno syscall.Errno
}

// String returns its error.
func (b *brokenLink) String() string {
	e := OpError{Op: b.op.String(), Err: b.errno}
	if b.of != nil {
		e.Path, e.NewPath, e.Addr = b.of.path, b.of.newPath, b.of.addr
	}
	return e.Error()
}

// fixedBuffers is what the ring had registered.
type fixedBuffers struct {
	count int    // of the table
	base  uint64 // of the buffer that the request names; 0 if it is not known
	size  int
}

// explained has the errors whose reason may be known, a bit each.
var explained = func() (set [3]uint64) {
	for _, errno := range []syscall.Errno{
		syscall.EPERM, syscall.EBADF, syscall.ENOMEM, syscall.EACCES, syscall.EFAULT, syscall.ENODEV, syscall.EISDIR,
		syscall.ENOTDIR, syscall.EINVAL, syscall.ESPIPE, errnoBADFD, syscall.ENOTSOCK, syscall.EOPNOTSUPP, syscall.ENOBUFS, syscall.ENOTCONN,
	} {
		if errno < 64*3 {
			set[errno/64] |= 1 << (errno % 64)
		}
	}
	return set
}()

// explained reports whether a reason of the request's error may be known.
func (s *SQE) explained(errno syscall.Errno) bool {
	switch errno {
	case syscall.EAGAIN:
		return s.Opcode == OpSplice || s.Opcode == OpTee
	case syscall.ECANCELED:
		return s.Opcode < OpLast && s.Opcode.facts().worker
	case syscall.ENFILE:
		return s.picksPlace()
	case syscall.ENXIO:
		return s.namesPlace()
	}
	return errno < 64*3 && explained[errno/64]&(1<<(errno%64)) != 0
}

// errnoBADFD is EBADFD, which not every system has.
const errnoBADFD = syscall.Errno(77)

// kernelKnown is what the kernel knows, asked when the first loop is made: later a
// sandbox may kill a program that asks.
var kernelKnown struct {
	sync.Once
	probe   *Probe // nil if it can't be asked
	release string
}

func askKernel(r *Ring) {
	kernelKnown.Do(func() {
		kernelKnown.release = kernelRelease()
		if p, err := r.GetProbe(); err == nil {
			kernelKnown.probe = p
		}
	})
}

// closing is for requests that the loop's Close has cancelled.
var closing = &detail{failure: &failure{closed: true}}

// remember keeps what may be asked for of a request that has failed.
func (l *Loop) remember(token Token, h *handle, c *Completion) {
	errno := syscall.Errno(-c.Res)
	sqe := l.submitted(token, h)
	behind := l.breakChain(token, sqe, c)
	var f *failure
	switch {
	case behind != nil:
		f = &failure{behind: behind}
	case errno == syscall.ECANCELED && l.closing.Load():
		if c.detail == nil && h.group == 0 { // as most: nothing is made for them
			c.detail = closing
			return
		}
		f = closing.failure
	case errno == syscall.ECANCELED && l.mayBeShort(h, sqe):
		f = &failure{short: true}
	case sqe == nil && errno == syscall.ENFILE:
		f = &failure{sqe: SQE{Opcode: h.op}}
	case sqe == nil || !sqe.explained(errno) || errno == syscall.ENOBUFS && h.group != 0:
		return
	default:
		f = &failure{
			sqe: *sqe, fixed: l.ring.fixedBuffers(sqe), ring: l.ring.restricted, filter: l.ring.filtered,
			polled: l.ring.mem.flags&SetupIOPoll != 0,
		}
	}
	d := detail{failure: f}
	if c.detail != nil {
		d = *c.detail
		d.failure = f
	} else if h.group != 0 {
		d.group = l.groups[h.group-1]
	}
	c.detail = &d
}

// submitted returns the entry of a request that is or was in the submission queue, as long
// as no other has its place there.
func (l *Loop) submitted(token Token, h *handle) *SQE {
	if sqe := l.ring.mem.sqe(uint32(h.pos)); sqe.UserData == uint64(token) {
		return sqe
	}
	return nil
}

// breakChain notes what a request that has failed does to the one linked behind it, and
// returns what has done so to this one.
func (l *Loop) breakChain(token Token, sqe *SQE, c *Completion) (behind *brokenLink) {
	if b, ok := l.broken[token]; ok {
		delete(l.broken, token)
		if c.Res == -int32(syscall.ECANCELED) {
			behind = b
		}
	}
	if sqe == nil || sqe.links() == 0 || behind == nil && (sqe.Flags&SQEIOLink == 0 || sqe.timesOutWell()) {
		return behind
	}
	next := l.ring.mem.behind(sqe)
	if l.table.handle(Token(next.UserData)) == nil {
		return behind
	}
	b := behind
	if b == nil {
		b = &brokenLink{op: c.op, of: c.of(), errno: syscall.Errno(-c.Res)}
	}
	if l.broken == nil || len(l.broken) > maxBroken {
		l.broken = map[Token]*brokenLink{}
	}
	l.broken[Token(next.UserData)] = b
	return behind
}

// timesOutWell reports whether the request is a timeout for which its time is no failure.
func (s *SQE) timesOutWell() bool {
	return s.Opcode == OpTimeout && s.OpFlags&uint32(TimeoutEtimeSuccess) != 0
}

// mayBeShort reports whether a request that is cancelled stands behind a link which has
// completed. It has not failed, or that would be known.
func (l *Loop) mayBeShort(h *handle, sqe *SQE) bool {
	m := l.ring.mem
	if sqe == nil || m.mixed() || m.sqe(uint32(h.pos)) != sqe {
		return false
	}
	// In the place in front may be a newer one by now, but none that is linked to its next,
	// which would be in this place.
	front := m.sqe(uint32(h.pos) - 1)
	return front.Flags&SQEIOLink != 0 && front.transfers() && l.table.handle(Token(front.UserData)) == nil
}

// transfers reports whether the request moves bytes, of which there may be fewer.
func (s *SQE) transfers() bool {
	switch s.Opcode {
	case OpRecv, OpRecvmsg, OpSend, OpSendmsg, OpSendZC, OpSendmsgZC, OpSplice, OpTee:
		return true
	}
	return s.positions()
}

// maxBroken bounds the memory of chains whose ends, against all that is known of
// kernels, do not come.
const maxBroken = 1 << 12

// fixedBuffers returns what there is to know of the buffer that a request names.
func (r *Ring) fixedBuffers(sqe *SQE) fixedBuffers {
	f := fixedBuffers{count: len(r.buffers)}
	if i := int(sqe.BufIndex); sqe.usesFixedBuffer() && i < len(r.buffers) && len(r.buffers[i]) > 0 {
		f.base, f.size = data(r.buffers[i]), len(r.buffers[i])
	}
	return f
}

// usesFixedBuffer reports whether the request names a registered buffer.
func (s *SQE) usesFixedBuffer() bool {
	switch s.Opcode {
	case OpReadFixed, OpWriteFixed, OpReadvFixed, OpWritevFixed:
		return true
	case OpSendZC, OpSendmsgZC:
		return s.IOPrio&uint16(RecvSendFixedBuf) != 0
	}
	return false
}

// of returns what the request was for, nil if that is nothing with a name.
func (c *Completion) of() *named {
	if c.detail == nil {
		return nil
	}
	return c.detail.named
}

// hint returns why the request has failed, and what to do about it, "" if that is not
// known.
func (c Completion) hint() string {
	errno := syscall.Errno(-c.Res)
	d := c.detail
	switch {
	case errno == syscall.ENOENT && (c.op == OpAsyncCancel || c.op == OpPollRemove || c.op == OpTimeoutRemove):
		return "no such request is in flight"
	case d == nil || c.Res >= 0:
		return ""
	case errno == syscall.ENOBUFS && d.group != nil:
		return fmt.Sprintf("none of the %d buffers of its group is left: give them back sooner (Borrowed.Release), "+
			"make the group larger, or have Rearm wait for them", len(d.group.bufs))
	case d.failure == nil:
		return ""
	case d.failure.behind != nil:
		return fmt.Sprintf("it was linked behind a request that failed: %v", d.failure.behind)
	case d.failure.closed:
		return "the loop is being closed"
	case d.failure.short:
		return "the request that it is linked behind was cut short, or it was cancelled itself"
	}
	if of := c.of(); errno == syscall.ENOTDIR && (of == nil || strings.HasPrefix(of.path, "/")) {
		return "" // the path is at fault, or may be
	}
	return d.failure.why(errno)
}

// why looks at what can be known without the descriptor, then at that.
func (f *failure) why(errno syscall.Errno) string {
	switch errno {
	case syscall.EACCES:
		return f.whyDenied()
	case syscall.EFAULT:
		return f.whyFault()
	case syscall.ENOBUFS:
		return f.whyNoBuffers()
	case syscall.ENOMEM:
		return f.whyNoMemory()
	case syscall.ENFILE:
		return f.whyNoPlace()
	case syscall.ENXIO:
		return f.whyNoTable()
	case syscall.ECANCELED:
		return f.whyCancelled()
	case syscall.EINVAL, syscall.EOPNOTSUPP:
		if hint := f.whyUnknown(); hint != "" {
			return hint
		}
		if hint := f.whyRefused(errno); hint != "" {
			return hint
		}
	}
	return f.whyDescriptor(errno)
}

// whyDenied is for rings with restrictions, which are the only reason for an operation
// that is not among those allowed, and for those with filters, which do not tell.
func (f *failure) whyDenied() string {
	switch hint := f.whyRestricted(); {
	case hint != "":
		return hint
	case f.filter:
		return "the ring or its thread has filters (RegisterBPFFilter), and this is how they deny a request"
	}
	return ""
}

func (f *failure) whyRestricted() string {
	named, allowed, flags := false, false, SQEFlags(0)
	for _, r := range f.ring {
		named = named || r.Opcode != RestrictionRegisterOp
		switch {
		case r.Opcode == RestrictionSQEOp && Op(r.Value) == f.sqe.Opcode:
			allowed = true
		case r.Opcode == RestrictionSQEFlagsAllowed:
			flags |= SQEFlags(r.Value)
		case r.Opcode == RestrictionSQEFlagsRequired:
			flags |= SQEFlags(r.Value)
			if missing := SQEFlags(r.Value) &^ f.sqe.Flags; missing != 0 {
				return fmt.Sprintf("the ring's restrictions require %v", missing)
			}
		}
	}
	switch more := f.sqe.Flags &^ flags; {
	case !named: // Linux 7.x restricts no requests then
		return ""
	case !allowed:
		return fmt.Sprintf("the ring's restrictions don't allow %s", f.sqe.Opcode)
	case more != 0:
		return fmt.Sprintf("the ring's restrictions don't allow %v", more)
	}
	return ""
}

// whyRefused is for what an operation, or a ring that polls, does not take.
func (f *failure) whyRefused(errno syscall.Errno) string {
	op := f.sqe.Opcode
	switch {
	case errno == syscall.EOPNOTSUPP && f.sqe.Flags&SQEBufferSelect != 0 && op < OpLast && !op.facts().buffers:
		return fmt.Sprintf("%s takes no provided buffers", op)
	case errno == syscall.EINVAL && f.sqe.lacksGroup():
		return "what receives again and again takes provided buffers: add Buffers to the request"
	case errno == syscall.EINVAL && op == OpLinkTimeout:
		return "it goes right behind the request that it limits, which is linked to it (LinkNext); and its time must not be below zero"
	case !f.polled:
	case errno == syscall.EOPNOTSUPP && f.sqe.positions():
		return "the ring polls (SetupIOPoll), which takes a file opened with O_DIRECT on a device with queues for that"
	case errno == syscall.EINVAL && f.sqe.waits():
		return fmt.Sprintf("the ring polls (SetupIOPoll), and %s is not for such rings", op)
	}
	return ""
}

// positions reports whether the request is a read or write of the kinds that a ring may
// poll for.
func (s *SQE) positions() bool {
	switch s.Opcode {
	case OpRead, OpReadv, OpReadFixed, OpReadvFixed, OpWrite, OpWritev, OpWriteFixed, OpWritevFixed:
		return true
	}
	return false
}

// lacksGroup reports whether the request is a multishot one that needs provided buffers and
// has none.
func (s *SQE) lacksGroup() bool {
	multishot := s.Opcode == OpReadMultishot ||
		(s.Opcode == OpRecv || s.Opcode == OpRecvmsg) && s.IOPrio&uint16(RecvMultishot) != 0
	return multishot && s.Flags&SQEBufferSelect == 0
}

// waits reports whether the request waits for something else than a device.
func (s *SQE) waits() bool {
	switch s.Opcode {
	case OpRecv, OpRecvmsg, OpSend, OpSendmsg, OpSendZC, OpSendmsgZC, OpAccept, OpConnect, OpPollAdd, OpTimeout:
		return true
	}
	return false
}

// whyFault is for registered buffers.
func (f *failure) whyFault() string {
	s, b := &f.sqe, f.fixed
	if !s.usesFixedBuffer() {
		return ""
	}
	vectors := s.Opcode == OpReadvFixed || s.Opcode == OpWritevFixed || s.Opcode == OpSendmsgZC
	end := b.base + uint64(b.size)
	switch {
	case b.count == 0:
		return "no buffers are registered (Ring.RegisterBuffers)"
	case int(s.BufIndex) >= b.count:
		return fmt.Sprintf("there is no registered buffer %d: the table has %d", s.BufIndex, b.count)
	case b.base == 0 || vectors:
		return ""
	case s.Addr < b.base || s.Addr > end:
		return fmt.Sprintf("its memory does not lie in the registered buffer %d", s.BufIndex)
	case s.Addr+uint64(s.Len) > end:
		return fmt.Sprintf("the registered buffer %d has %d bytes, and the request reaches to %d", s.BufIndex, b.size, s.Addr+uint64(s.Len)-b.base)
	}
	return ""
}

// whyNoBuffers is for groups that are no BufGroup.
func (f *failure) whyNoBuffers() string {
	if f.sqe.Flags&SQEBufferSelect == 0 {
		return ""
	}
	return fmt.Sprintf("the group %d of provided buffers has none left, or there is no such group", f.sqe.BufIndex)
}

// picksPlace reports whether the kernel is to pick a place of the registered files.
func (s *SQE) picksPlace() bool {
	switch s.Opcode {
	case OpAccept, OpSocket, OpOpenat, OpOpenat2, OpPipe, OpMsgRing:
		return s.FileIndex == FileIndexAlloc
	case OpFilesUpdate:
		return uint32(s.Off) == FileIndexAlloc
	}
	return false
}

// namesPlace reports whether the request puts something into the registered files, or takes
// it from there.
func (s *SQE) namesPlace() bool {
	switch s.Opcode {
	case OpAccept, OpSocket, OpOpenat, OpOpenat2, OpPipe, OpClose:
		return s.FileIndex != 0
	}
	return s.Opcode == OpFilesUpdate
}

// whyNoTable is for requests that need registered files where there are none.
func (f *failure) whyNoTable() string {
	hint := "no files are registered: make a table first (Ring.RegisterFiles, Ring.RegisterFilesSparse)"
	if f.sqe.Opcode == OpOpenat || f.sqe.Opcode == OpOpenat2 {
		hint += "; or the path is of a device or a pipe with nothing behind it"
	}
	return hint
}

// whyNoPlace is also for requests whose entry is gone, as that of a multishot accept is
// by the time that the table is full: these may have asked for descriptors.
func (f *failure) whyNoPlace() string {
	whose := "the ring's"
	if f.sqe.Opcode == OpMsgRing {
		whose = "the other ring's"
	}
	return "no place is free in " + whose + " table of registered files: make a larger one (Ring.RegisterFilesSparse), " +
		"or close some; or the system has no file left (fs.file-max)"
}

// whyNoMemory is for what counts as locked memory while it is sent.
func (f *failure) whyNoMemory() string {
	_, limited := memlockLimit()
	if limited && os.Geteuid() != 0 && (f.sqe.Opcode == OpSendZC || f.sqe.Opcode == OpSendmsgZC) {
		return "what is sent without a copy is locked meanwhile; " + explainLimit()
	}
	return ""
}
