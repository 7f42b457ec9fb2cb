package liburing

import (
	"fmt"
	"math"
	"syscall"
	"unsafe"
)

// Request is a request that was made on a loop. Its setters change what goes to the
// kernel: call them right away, in the function that queued it.
type Request struct {
	// At most four words: more, and the compiler hands it over in memory, which
	// costs a tenth of a no-op.

	loop  *Loop
	sqe   *SQE
	token Token  // 0: refused
	epoch uint32 // of the queue's memory that sqe lies in
}

// Token returns the name of the request, for Cancel.
func (r Request) Token() Token { return r.token }

// Err returns why the loop refused the request, nil if it did not: ErrClosed if it is
// closed. The callback of such a request is called all the same, with that error, so
// there is no need to ask here.
func (r Request) Err() error {
	switch {
	case r.token != 0:
		return nil
	case r.loop == nil:
		return errNoRequest
	}
	return ErrClosed
}

// Flags adds flags to the request (IOSQE_*): SQEFixedFile, SQEAsync, SQEIODrain, ….
// SQECQESkipSuccess is ignored: the loop has to learn of every completion, and a nil
// callback is just as quiet. While a request drains the ring, everything queued behind
// it waits, even a Cancel; before Linux 6.16 that begins when the draining request
// does, and on 6.18 what comes later waits for it in turn. Contexts, Stop and Close
// still reach what is in flight (on Linux 6.0 and later). A loop that has drained once
// needs more system calls to wait and to cancel from then on. With SetupSQPoll the loop
// does the draining itself: it holds back what has to wait.
func (r Request) Flags(flags SQEFlags) Request {
	sqe := r.open()
	if sqe == nil {
		return r
	}
	sqe.Flags |= flags &^ SQECQESkipSuccess
	if h := r.loop.table.handle(r.token); h != nil && sqe.linked() {
		h.marks |= markLinked
	}
	if sqe.Opcode == OpTimeout && sqe.linked() {
		r.loop.letKernelCount(sqe)
	}
	if flags&SQEIODrain != 0 {
		r.loop.drain()
	}
	return r
}

// LinkNext holds the next queued request back until this one has succeeded
// (IOSQE_IO_LINK); if this one fails, the next completes with ECANCELED. A read or
// write of fewer bytes than asked for counts as failed, a receive or send only with
// MSG_WAITALL. A driver's command (URingCmd) that its device refuses does not count as
// failed if the result is a positive status, as from an NVMe drive: what is linked
// after it runs, so make that request in its callback instead. Nor does the kernel
// (Linux 6.1 to 7.3; 5.10 is right) count as failed an Fsync or SyncFileRange,
// Fallocate, Ftruncate, Renameat, Unlinkat, Mkdirat, Linkat, Symlinkat, Statx,
// Shutdown, Madvise, or a call for extended attributes: a rename linked after an Fsync
// is done even if the Fsync has lost what was written. The loop hands a chain to the
// kernel as a whole; one that is longer than the loop's queue fails, and if the turn
// ends before the next request is queued, the chain ends too. Needs Linux 5.3.
func (r Request) LinkNext() Request { return r.link(SQEIOLink) }

// HardLinkNext is LinkNext, but the next request runs however this one ends
// (IOSQE_IO_HARDLINK). Needs Linux 5.5.
func (r Request) HardLinkNext() Request { return r.link(SQEIOHardlink) }

// link sets one of the flags, also on the request's Deadline, behind which the
// chain goes on.
func (r Request) link(flag SQEFlags) Request {
	if sqe := r.open(); sqe != nil && r.loop.deadline != nil && r.loop.deadline.of == r.token {
		if timeout := r.loop.deadline.timeout.open(); timeout != nil {
			timeout.Flags |= flag
		}
	}
	return r.Flags(flag)
}

// FixedFile says that the descriptor is an index of the registered files
// (IOSQE_FIXED_FILE). With Fixed it is not needed.
func (r Request) FixedFile() Request { return r.Flags(SQEFixedFile) }

// PollFirst makes a receive, a send or an accept wait for its socket before it tries,
// which saves the attempt if nothing can be there yet (IORING_RECVSEND_POLL_FIRST,
// IORING_ACCEPT_POLL_FIRST). On other operations it does nothing, nor on a multishot
// receive, which would miss a reset that comes right behind bytes (Linux 6.18). Needs
// Linux 5.19, for an accept 6.10.
func (r Request) PollFirst() Request {
	if sqe := r.open(); sqe != nil {
		switch sqe.Opcode {
		case OpAccept:
			sqe.IOPrio |= uint16(AcceptPollFirst)
		case OpRecv, OpRecvmsg, OpSend, OpSendmsg, OpSendZC, OpSendmsgZC:
			if sqe.IOPrio&uint16(RecvMultishot) == 0 {
				sqe.IOPrio |= uint16(RecvSendPollFirst)
			}
		}
	}
	return r
}

// DontWait makes an accept fail with EAGAIN if no connection is waiting
// (IORING_ACCEPT_DONTWAIT). Sends and receives have MSG_DONTWAIT for that; on other
// operations it does nothing. Needs Linux 6.10.
func (r Request) DontWait() Request {
	if sqe := r.open(); sqe != nil && sqe.Opcode == OpAccept {
		sqe.IOPrio |= uint16(AcceptDontwait)
	}
	return r
}

// To gives a Send or SendZC a destination, for sockets without a connection; the loop
// keeps it (io_uring_prep_send_set_addr). Needs Linux 6.0 for SendZC, 6.1 for Send.
func (r Request) To(addr *Sockaddr) Request {
	sqe := r.open()
	switch {
	case sqe == nil:
	case addr == nil || sqe.Opcode != OpSend && sqe.Opcode != OpSendZC:
		r.loop.spoil(sqe, badInput(sqe.Opcode.String(), "To gives a Send or SendZC an address, which may not be nil"))
	default:
		sqe.PrepSendSetAddr(addr)
		r.Keep(addr)
	}
	return r
}

// SQE returns the entry, to set what has no setter here; nil if the request has been
// handed to the kernel. Don't change UserData. The loop does not know of memory whose
// address is written into the entry: Keep it. Don't change afterwards what was set by
// setters such as Buffers.
func (r Request) SQE() *SQE { return r.open() }

// open returns the entry as long as it is this request's and the kernel has not
// been told of it.
func (r Request) open() *SQE {
	if r.token == 0 || r.loop.ring.mem == nil {
		return nil
	}
	r.loop.checkCaller()
	if r.epoch != r.loop.epoch { // the queue has other memory since
		return r.loop.entry(r.token)
	}
	if r.sqe.UserData != uint64(r.token) || r.loop.ring.mem.handedOver(r.sqe) {
		return nil
	}
	return r.sqe
}

// State is how far a request has got.
type State uint8

const (
	StateDone     State = iota // it has had its last completion, or never was
	StateQueued                // it waits for the loop's next submission
	StateInFlight              // the kernel has it
)

// String returns the state in words.
func (s State) String() string {
	switch s {
	case StateDone:
		return "done"
	case StateQueued:
		return "queued"
	case StateInFlight:
		return "in flight"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// State tells how far the request that t names has got. Call it where requests are
// made.
func (l *Loop) State(t Token) State {
	h := l.table.handle(t)
	switch {
	case h == nil:
		return StateDone
	case h.marks&markWaits != 0 || l.queued(t, h) != nil:
		return StateQueued
	}
	return StateInFlight
}

// What a request needs to stay alive that is no memory of the kernel's: above all
// the Go object that owns its descriptor.

// FD returns the descriptor of a file, a connection or a listener, as requests take it,
// or -1 if it is closed: requests on that fail with EBADF.
//
//	loop.Read(liburing.FD(file), buf, 0, cb).Keep(file)
//
// A descriptor is only a number: the collector closes a file that nothing else refers
// to, and the number becomes another file's. So Keep the owner, or hold a reference as
// long as its requests are in flight, and don't close it before they have completed.
//
// FD leaves the file as it is. The method Fd of an os.File makes a file that os or net
// had made non-blocking (a pipe, a FIFO, a terminal, a socket) blocking, and with it
// every other descriptor of the same open file. After conn.File() and Fd the connection
// or listener itself has no deadlines any more, and its Close does not end a waiting
// Read or Accept; os.Pipe and the pipes of os/exec lose SetDeadline. No request needs
// that: the kernel waits on a non-blocking file too.
func FD(owner syscall.Conn) int {
	fd := -1
	if owner == nil {
		return fd
	}
	conn, err := owner.SyscallConn()
	if err != nil {
		return fd
	}
	if conn.Control(func(n uintptr) { fd = int(n) }) != nil {
		return -1
	}
	return fd
}

// Keep makes the loop hold x until the request has had its terminal completion: the
// owner of its descriptor (see FD), or anything else that must not be collected. A
// request may keep several things. One that has completed, or was refused, keeps
// nothing.
func (r Request) Keep(x any) Request {
	if r.token == 0 {
		return r
	}
	r.loop.checkCaller()
	if t := &r.loop.table; t.handle(r.token) != nil {
		a := t.withAside(r.token)
		a.kept = append(a.kept, x)
	}
	return r
}

// What the commands of drivers need beside other requests.

// Pointer returns the address of what p points to, for a driver's command whose bytes
// contain an address: what p points to is moved off the goroutine's stack, so it stays
// where it is. Keep it until the command's terminal completion: the loop does not know
// of addresses among those bytes.
func Pointer[T any](p *T) uint64 { return addr(p) }

// CmdBytes sets the data of a driver's command in the entry: up to 16 bytes, or 80 on a
// loop with SetupSQE128 and for URingCmd128. They are copied; the rest is zero, and so
// is everything without this call. More than there is room for is refused (EINVAL).
// Keep what addresses among them (Pointer) point to. On other requests it does nothing.
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

// FixedBuffer makes a driver's command use the registered buffer index; the memory that
// the command names must lie within that (IORING_URING_CMD_FIXED). EFAULT if it does
// not. Drivers that don't know the flag ignore it, or refuse it. On other operations,
// which have forms of their own for registered buffers, it does nothing. Needs Linux
// 6.1.
func (r Request) FixedBuffer(index int) Request {
	if sqe := r.open(); sqe != nil && sqe.Opcode.isCommand() {
		sqe.OpFlags |= uint32(URingCmdFixed)
		sqe.BufIndex = bufPlace(index)
	}
	return r
}

// ReadFixedRange is ReadFixed into n bytes, from the offset at on, of a registered
// buffer that has no address in this process: one of the kernel's own, which a driver
// has registered (for a request to a ublk server). For a buffer that was registered by
// its memory, at is the address. EFAULT if the range does not lie within it. Needs
// Linux 5.1, and for buffers without an address 6.15.
func (l *Loop) ReadFixedRange(fd int, at uint64, n int, offset uint64, bufIndex int, cb Callback) Request {
	return l.fixedRange(OpReadFixed, fd, at, n, offset, bufIndex, cb)
}

// WriteFixedRange is WriteFixed from a range of a registered buffer; see
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

// Which arguments of its methods the Loop takes for bad: counts that the kernel can't
// be told, and flags that change what another argument means, which the method
// fills in as it is without them. internal/gen has badX look at the arguments of
// the method X, by their names; what it returns is the reason.

// queueBadArgs is queueBad with the reason in words.
func (l *Loop) queueBadArgs(op Op, cb Callback, why string) Request {
	return l.queueBad(op, cb, badInput(op.String(), "%s", why))
}

// badCount is for all counts, which are 32 bits in the kernel.
func badCount(name string, n int) string {
	if uint64(n) <= math.MaxUint32 {
		return ""
	}
	return fmt.Sprintf("%s (%d) must be 0 to %d", name, n, uint32(math.MaxUint32))
}

func badCancel(flags CancelFlags) string {
	if flags&(AsyncCancelFD|AsyncCancelFDFixed) != 0 {
		return "flags ask for a descriptor's requests: use CancelFD"
	}
	return namesOp(flags)
}

func badCancelFD(flags CancelFlags) string {
	if flags&AsyncCancelUserdata != 0 {
		return "flags ask for a descriptor's request of a token, which is not given: use Cancel"
	}
	return namesOp(flags)
}

// namesOp is for flags of cancels that are not by operation.
func namesOp(flags CancelFlags) string {
	if flags&AsyncCancelOp != 0 {
		return "flags ask for an operation's requests (AsyncCancelOp), and the operation is not given: use CancelOp"
	}
	return ""
}

func badTimeoutRemove(flags TimeoutFlags) string {
	if flags&TimeoutUpdateMask != 0 {
		return "flags ask for another time: use TimeoutUpdate"
	}
	return ""
}

func badPollUpdate(flags PollFlags) string {
	switch {
	case flags&PollUpdateUserData != 0:
		return "a request keeps its token: PollUpdateUserData is not for a Loop"
	case flags&PollUpdateEvents == 0:
		return "flags lack PollUpdateEvents: without it the poll request would be removed, for which there is PollRemove"
	}
	return ""
}

func badSendZC(zcFlags RecvSendFlags) string {
	if zcFlags&RecvSendFixedBuf != 0 {
		return "zcFlags ask for a registered buffer: use SendZCFixed"
	}
	return badSendZCFixed(zcFlags)
}

func badSendZCFixed(zcFlags RecvSendFlags) string {
	if zcFlags&SendVectorized != 0 {
		return "zcFlags say that buf holds iovecs (SendVectorized): use SendmsgZC"
	}
	return ""
}

func badCmdSock(op SocketOp) string {
	switch op {
	case SocketOpGetsockname:
		return "the command stores an address: use CmdGetsockname"
	case SocketOpTXTimestamp:
		return "the command has other arguments: use URingCmd"
	}
	return ""
}

func badFutexWake(futexFlags Futex2Flags) string {
	if futexFlags&Futex2NUMA != 0 {
		return "futexFlags say that the futex is two words (Futex2NUMA), and there is one"
	}
	return ""
}

func badFutexWait(futexFlags Futex2Flags) string { return badFutexWake(futexFlags) }

func badFutexWaitv(futexes []FutexWaitv) string {
	for _, f := range futexes {
		if why := badFutexWake(f.Flags); why != "" {
			return why
		}
	}
	return ""
}

// boolArg is what C has for a bool.
func boolArg(b bool) int {
	if b {
		return 1
	}
	return 0
}

// badMsgRing is for messages between rings: the receiver may be a loop.
func badMsgRing(data uint64) string {
	if data&tokenBit != 0 {
		return "data has the highest bit set, as the tokens of a Loop's requests have: it could end one"
	}
	return ""
}

func badMsgRingCQEFlags(data uint64) string { return badMsgRing(data) }
func badMsgRingFD(data uint64) string       { return badMsgRing(data) }
func badMsgRingFDAlloc(data uint64) string  { return badMsgRing(data) }
