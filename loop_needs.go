package liburing

import (
	"syscall"
	"time"
)

// What a loop itself needs of its ring, and what it does where the ring refuses that:
// restrictions, filters, or SetupIOPoll, which knows no cancels.

// LoopNeeds returns what a restricted ring (RegisterRestrictions) has to allow for a
// loop on it to be at its best, beside the program's own requests: add them to the list.
// BPF filters should allow the same operations.
//
// Without OpRead the loop waits for posts outside of the ring, by an eventfd that it
// registers; without that too it looks for posts up to every 16 ms. Without OpTimeout
// streams that bring nothing are made again without a pause. Without OpAsyncCancel contexts, Stop
// and Close cancel by RegisterSyncCancel; where that is refused as well contexts and
// Stop have no effect, and Close gives up what does not end by itself, as it says.
//
// What this kernel does not know is not in the list, because it would refuse all of it.
func LoopNeeds() []Restriction {
	list := []Restriction{
		{Opcode: RestrictionSQEOp, Value: uint8(OpRead)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpTimeout)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpLinkTimeout)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpAsyncCancel)},
		{Opcode: RestrictionSQEFlagsAllowed, Value: uint8(SQEAsync | SQEIOLink)},
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterEnableRings)},
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterEventfd)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterEventfd)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterFiles)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterBuffers)},
	}
	for _, newer := range []struct {
		op   RegisterOp
		with Op // came with the same kernel
	}{
		{UnregisterPbufRing, OpSocket}, // Linux 5.19
		{RegisterSyncCancel, OpSendZC}, // 6.0
	} {
		if p, err := GetProbe(); err == nil && p.OpcodeSupported(newer.with) {
			list = append(list, Restriction{Opcode: RestrictionRegisterOp, Value: uint8(newer.op)})
		}
	}
	return list
}

// lacks says which of its own requests the ring has refused to a loop.
type lacks struct {
	read   bool
	cancel bool
}

// refusedByRing reports whether a request of the loop's own was refused, which it
// will be each time.
func (c Completion) refusedByRing() bool {
	switch syscall.Errno(-c.Res) {
	case syscall.EACCES, syscall.EPERM, syscall.EINVAL, syscall.EOPNOTSUPP:
		return true
	}
	return false
}

// waitOutside waits without a read of the waker, which the kernel tells of
// completions too meanwhile, no longer than limit unless that is negative.
func (l *Loop) waitOutside(limit time.Duration) error {
	m := l.ring.mem
	// Kernels that can't register a ring (before 5.18) wait for all requests before
	// they change an eventfd.
	if l.armed || m.enterFlags()&EnterRegisteredRing == 0 || !l.ring.CQEventfdEnabled() ||
		cRegisterEventfd(m, int32(l.mail.wake.fd)) < 0 {
		return l.waitLooking(limit)
	}
	defer cUnregisterEventfd(m)
	return l.waitForWaker(limit)
}

// waitLooking waits for completions and looks for posts, less often the longer there
// is neither.
func (l *Loop) waitLooking(limit time.Duration) error {
	m := l.ring.mem
	l.look = max(l.look, shortestLook)
	look := l.look
	if limit >= 0 {
		look = min(look, limit)
	}
	err := l.enterError(cSubmitAndWaitTimeout(m, 1, look))
	l.look = min(2*l.look, longestLook)
	if m.cqReady() != 0 || l.mail.attention.Load() {
		l.look = shortestLook
	}
	return err
}

// How long posts may have to wait where the loop has to look for them itself.
const (
	shortestLook = time.Millisecond
	longestLook  = 16 * time.Millisecond
)
