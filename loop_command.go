package liburing

import "unsafe"

// What the commands of drivers need beside other requests.

// Pointer returns the address of what p points to, for the bytes of a driver's
// command that are to have one: no goroutine's stack holds it then, so it stays where
// it is. Keep it, until the command's terminal completion: of an address among its bytes
// the loop does not know.
func Pointer[T any](p *T) uint64 { return addr(p) }

// CmdBytes sets what a driver's command has in the entry: 16 bytes, 80 on a loop with
// SetupSQE128 and of URingCmd128. They are copied; the rest is zero, and so are all
// without this call. More than there is room for are refused (EINVAL). What
// addresses among them (Pointer) lead to has to be kept alive: Keep it. Requests that are
// no commands are left as they are.
func (r Request) CmdBytes(cmd []byte) Request {
	sqe := r.open()
	if sqe == nil || !sqe.Opcode.isCommand() {
		return r
	}
	room := sqe.CmdBytes(r.loop.ring.mem.sqePlaces(sqe) > 1)
	if len(cmd) > len(room) {
		r.loop.spoil(sqe, badInput(sqe.Opcode.String(), "the command has %d bytes, and the entry room for %d: 80 need SetupSQE128, "+
			"or SetupSQEMixed and URingCmd128", len(cmd), len(room)))
		return r
	}
	clear(room[copy(room, cmd):])
	return r
}

// FixedBuffer has a driver's command use the registered buffer index, within which the
// memory must lie that it names (IORING_URING_CMD_FIXED). EFAULT if it does not. Drivers
// that don't know the flag ignore it, or refuse it. Other operations, which have forms
// of their own for registered buffers, are left as they are. Needs Linux 6.1.
func (r Request) FixedBuffer(index int) Request {
	if sqe := r.open(); sqe != nil && sqe.Opcode.isCommand() {
		sqe.OpFlags |= uint32(URingCmdFixed)
		sqe.BufIndex = bufPlace(index)
	}
	return r
}

// ReadFixedRange is ReadFixed into n bytes of the registered buffer bufIndex that has no
// address in this process, from the place at on: the kernel's own buffers, which a
// driver has registered (that of a request to a ublk server). Of a buffer that was
// registered by its memory, at is the address. EFAULT if the range does not lie within
// it. Needs Linux 5.1, and for buffers without an address 6.15.
func (l *Loop) ReadFixedRange(fd int, at uint64, n int, offset uint64, bufIndex int, cb Callback) Request {
	return l.fixedRange(OpReadFixed, fd, at, n, offset, bufIndex, cb)
}

// WriteFixedRange is WriteFixed from such a range of a registered buffer; see
// ReadFixedRange.
func (l *Loop) WriteFixedRange(fd int, at uint64, n int, offset uint64, bufIndex int, cb Callback) Request {
	return l.fixedRange(OpWriteFixed, fd, at, n, offset, bufIndex, cb)
}

func (l *Loop) fixedRange(op Op, fd int, at uint64, n int, offset uint64, bufIndex int, cb Callback) Request {
	if l.refuses() {
		return l.refuse(op, cb)
	}
	if why := badCount("n", n); why != "" {
		return l.queueBadArgs(op, cb, why)
	}
	l.mayBlock = true
	sqe, r := l.queue(op, kindPlain, cb, nil)
	sqe.PrepRW(op, fd, at, uint32(n), offset)
	sqe.BufIndex = bufPlace(bufIndex)
	sqe.useFixed(fd)
	return r
}

// isCommand reports whether the operation is a driver's command.
func (v Op) isCommand() bool { return v == OpURingCmd || v == OpURingCmd128 }

// clearHalf clears the second half of a big entry, which may have the bytes of a
// command: queue does so with the first alone.
func (l *Loop) clearHalf(sqe *SQE) {
	if l.ring.mem.sqeSize > unsafe.Sizeof(*sqe) {
		*(*SQE)(unsafe.Add(unsafe.Pointer(sqe), unsafe.Sizeof(*sqe))) = SQE{}
	}
}
