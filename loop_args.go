package liburing

import (
	"fmt"
	"math"
)

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
