package liburing

import (
	"errors"
	"fmt"
)

// Which requests may take their memory from a BufGroup.

// Buffers makes the request take its memory from g: a Recv, Recvmsg or Read, or a
// multishot form of these, that was given none (IOSQE_BUFFER_SELECT). Call it after the
// other setters. For a datagram that is cut (MSG_TRUNC) Buffer returns what is there.
// Needs Linux 5.19.
//
// What would hand out bytes other than those that came is refused, with EINVAL and the
// reason:
//   - a send, because after a short one the kernel drops the rest of the buffers that
//     it had looked up (a loopio.Writer keeps it), and a request with memory of its
//     own;
//   - MSG_TRUNC on a stream (it throws the bytes away), in a bundle, or with a
//     length set on the entry or in the message's iovec;
//   - MSG_WAITALL in a bundle: the kernel writes again into buffers that it has
//     reported as full.
//
// An incremental group (PbufRingInc) also refuses what makes the kernel lose its place
// in a buffer: MSG_WAITALL, a length, MSG_TRUNC; and, unless WithMinLeft is large
// enough for them, RecvmsgMultishot and receives on anything but a stream. The kind of
// a registered file can't be determined: there it is up to the caller.
func (r Request) Buffers(g *BufGroup) Request {
	sqe := r.open()
	if sqe == nil {
		return r
	}
	h := r.loop.table.handle(r.token)
	if err := g.refuses(r.loop, sqe, h); err != nil {
		r.loop.spoil(sqe, err)
		return r
	}
	sqe.Flags |= SQEBufferSelect
	sqe.SetBufGroup(g.ring.bgid)
	if h.group != 0 {
		r.loop.groups[h.group-1].users--
	}
	g.users++
	h.group, h.special = uint16(g.place), true
	if sqe.receives() && sqe.OpFlags&msgTrunc != 0 {
		h.marks |= markTruncated
	}
	return r
}

// Bundle makes a receive that uses a BufGroup fill as many of its buffers as there is
// data for (IORING_RECVSEND_BUNDLE): see Completion.Buffers. A multishot receive ends
// whenever a bundle may have taken the kernel's last buffer, and Rearm makes it again;
// Len limits one bundle. Needs Linux 6.10.
func (r Request) Bundle() Request {
	sqe := r.open()
	if sqe == nil {
		return r
	}
	sqe.IOPrio |= uint16(RecvSendBundle)
	r.refit(sqe)
	return r
}

// Len limits each completion of a Recv or RecvMultishot that uses a BufGroup to n
// bytes. For a multishot it needs Linux 6.17.
func (r Request) Len(n int) Request {
	sqe := r.open()
	switch {
	case sqe == nil:
	case sqe.Opcode != OpRecv || n < 1 || n > maxRW:
		r.loop.spoil(sqe, badInput(sqe.Opcode.String(), "Len(%d) is for receives, from 1 byte to %d", n, maxRW))
	default:
		sqe.Len = uint32(n)
		r.refit(sqe)
	}
	return r
}

// Total ends a RecvMultishot, without an error, when it has brought n bytes: exactly
// that many in bundles, otherwise up to a buffer more. Needs Linux 6.17.
func (r Request) Total(n int) Request {
	sqe := r.open()
	switch {
	case sqe == nil:
	case sqe.Opcode != OpRecv || sqe.IOPrio&uint16(RecvMultishot) == 0 || n < 1 || n > maxRW:
		r.loop.spoil(sqe, badInput(sqe.Opcode.String(), "Total(%d) is for RecvMultishot, from 1 byte to %d", n, maxRW))
	default:
		sqe.FileIndex = uint32(n) // optlen
	}
	return r
}

// refit looks again whether the request may use its group, if it has one.
func (r Request) refit(sqe *SQE) {
	h := r.loop.table.handle(r.token)
	if h.group == 0 {
		return
	}
	if err := r.loop.groups[h.group-1].unfit(sqe, h); err != nil {
		r.loop.spoil(sqe, badInput(sqe.Opcode.String(), "%s", err))
	}
}

// refuses tells why a request of l may not use the group, nil if it may.
func (g *BufGroup) refuses(l *Loop, sqe *SQE, h *handle) error {
	op := sqe.Opcode.String()
	switch {
	case g == nil || g.loop != l || g.mem == nil:
		return badInput(op, "the group of buffers is closed, or another loop's")
	case !sqe.Opcode.facts().buffers:
		return badInput(op, "the operation does not take its memory from a group of buffers")
	case sqe.Flags&SQECQESkipSuccess != 0:
		return badInput(op, "a request that is silent can't tell which buffer it has filled")
	}
	if err := g.unfit(sqe, h); err != nil {
		return badInput(op, "%s", err)
	}
	return nil
}

// unfit tells why the kernel would put other bytes into the group's buffers than it
// says, nil if it would not.
func (g *BufGroup) unfit(sqe *SQE, h *handle) error {
	flags := uint32(0)
	if sqe.receives() {
		flags = sqe.OpFlags
	}
	bundle := sqe.Opcode == OpRecv && sqe.IOPrio&uint16(RecvSendBundle) != 0
	limited := limit(sqe, h) != 0
	switch {
	case sqe.Opcode == OpSend:
		return errors.New("a group's buffers are received into, not sent from, because the kernel drops what a short send leaves of them: keep what came (Completion.Keep) and send it by a loopio.Writer, or with Send")
	case sqe.Opcode == OpReadv, sqe.Opcode != OpRecvmsg && sqe.Addr != 0 && sqe.Len != 0:
		return errors.New("it has memory of its own: give it none (nil), or no group")
	case flags&msgTrunc != 0 && bundle:
		return errors.New("of a bundle that is cut (MSG_TRUNC) the kernel does not tell how many buffers it took")
	case flags&msgTrunc != 0 && limited:
		return errors.New("with MSG_TRUNC and a length nothing tells how much is in the buffer")
	case flags&msgTrunc != 0 && sqe.socketType() == sockStream:
		return errors.New("MSG_TRUNC throws the bytes of a stream away")
	case flags&msgWaitall != 0 && bundle:
		return errors.New("with MSG_WAITALL the kernel writes again into the buffers of a bundle that it has said are full")
	case g.incremental:
		return g.unfitBitByBit(sqe, h, flags, limited)
	}
	return nil
}

// unfitBitByBit is unfit for what concerns incremental groups alone. The kernel moves
// on in a buffer by a request's result, or by its length before it begins; and it
// begins in what is left.
func (g *BufGroup) unfitBitByBit(sqe *SQE, h *handle, flags uint32, limited bool) error {
	header := headerOf(sqe, h)
	switch {
	case !sqe.receives() && sqe.Opcode != OpRead && sqe.Opcode != OpReadMultishot:
		return errors.New("only receives and reads use the buffers of an incremental group")
	case flags&msgWaitall != 0:
		return errors.New("with MSG_WAITALL others would write into the buffer of an incremental group that it still fills")
	case limited:
		return errors.New("a length would have the kernel lose its place in the buffers of an incremental group")
	case flags&msgTrunc != 0 && header == 0:
		return errors.New("of a datagram that is cut (MSG_TRUNC) the kernel skips as much of an incremental group's next buffers")
	case header > g.minLeft:
		return fmt.Errorf("a recvmsg that is multishot needs %d bytes and the payload's in one piece: make the group WithMinLeft, or not incremental", header)
	case g.minLeft == 0 && !sqe.mayStream():
		return errors.New("a datagram would be cut where a buffer ends: make the group WithMinLeft, or not incremental")
	}
	return nil
}

// usedBitByBit reports whether a request fills the buffers of an incremental group.
func (l *Loop) usedBitByBit(h *handle) bool {
	return h.group != 0 && l.groups[h.group-1].incremental
}

// receives reports whether it is a receive.
func (s *SQE) receives() bool { return s.Opcode.facts().cuts }

// socketType returns the type of the request's socket, sockUnknown if it is none or a
// registered file.
func (s *SQE) socketType() int {
	if s.Flags&SQEFixedFile != 0 {
		return sockUnknown
	}
	return socketType(int(s.FD))
}

// mayStream reports whether the request's file may be a stream: a connection, or what
// is no socket.
func (s *SQE) mayStream() bool {
	kind := s.socketType()
	return kind == sockStream || kind == sockUnknown
}

// limit returns how many bytes a request takes at most, 0 for as many as there are.
func limit(sqe *SQE, h *handle) uint64 {
	if sqe.Opcode != OpRecvmsg {
		return uint64(sqe.Len)
	}
	if msg := message(sqe, h); msg != nil && msg.Iovlen > 0 && msg.Iov != nil {
		return uint64(msg.Iov.Len)
	}
	return 0
}

// headerOf returns what a recvmsg that is multishot writes before the payload, 0 for
// other requests.
func headerOf(sqe *SQE, h *handle) uint32 {
	if sqe.Opcode != OpRecvmsg || sqe.IOPrio&uint16(RecvMultishot) == 0 {
		return 0
	}
	size := uint64(RecvmsgOutSize)
	if msg := message(sqe, h); msg != nil {
		size += uint64(msg.Namelen) + uint64(msg.Controllen)
	}
	return uint32(min(size, 1<<31))
}

// message returns what a recvmsg was made with.
func message(sqe *SQE, h *handle) *Msghdr {
	if h.kind != kindPlain || uint64(uintptr(h.mem)) != sqe.Addr {
		return nil
	}
	return (*Msghdr)(h.mem)
}
