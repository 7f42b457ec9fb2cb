package liburing

import (
	"strconv"
	"strings"
)

// The constants themselves stand in zz_constants.go, generated from liburing's
// headers. Each keeps the words of its C name, which a comment beside it tells:
// the namespace (IORING_, IO_URING_, IOU_, LIBURING_) is dropped, IOSQE_ becomes
// SQE, SOCKET_URING_ and BLOCK_URING_ lose URING_, and the rest is written in
// CamelCase with Go's initialisms. IORING_SETUP_SQPOLL is SetupSQPoll,
// IOSQE_IO_LINK is SQEIOLink.

//go:generate go run ./internal/genconst

// BlockCmdDiscard is the command that discards a range of a block device. It is
// an ioctl number, which differs by architecture, so it is not generated.
const BlockCmdDiscard = blockIoctl // BLOCK_URING_CMD_DISCARD

// Op is a request's opcode, IORING_OP_*.
type Op uint8

// SQEFlags are the flags of any request, IOSQE_*.
type SQEFlags uint8

// CQEFlags are the flags of a completion, IORING_CQE_F_*. With CQEFBuffer set,
// the upper 16 bits hold the ID of the buffer that was used.
type CQEFlags uint32

// NotifUsage tells how a zero-copy send went, IORING_NOTIF_USAGE_*.
type NotifUsage uint32

// SetupFlags are the flags of a new ring, IORING_SETUP_*.
type SetupFlags uint32

// Features are what the kernel can do, IORING_FEAT_*.
type Features uint32

// EnterFlags are the flags of the io_uring_enter system call, IORING_ENTER_*.
type EnterFlags uint32

// RegisterOp is an operation of the io_uring_register system call,
// IORING_REGISTER_* or IORING_UNREGISTER_*.
type RegisterOp uint32

// SQRingFlags are the submission queue's flags, set by the kernel, IORING_SQ_*.
type SQRingFlags uint32

// CQRingFlags are the completion queue's flags, set by the application,
// IORING_CQ_*.
type CQRingFlags uint32

// RWAttrFlags tell which attributes a read or write carries,
// IORING_RW_ATTR_FLAG_*.
type RWAttrFlags uint64

// FsyncFlags are the flags of an fsync request, IORING_FSYNC_*.
type FsyncFlags uint32

// TimeoutFlags are the flags of timeout requests, IORING_TIMEOUT_* and
// IORING_LINK_TIMEOUT_*. With TimeoutImmediateArg an entry holds nanoseconds instead of
// the address of a Timespec; a Loop's methods don't need that flag and ignore it.
type TimeoutFlags uint32

// SpliceFlags are the flags of splice and tee requests, SPLICE_F_*. Those of
// splice(2) may be added.
type SpliceFlags uint32

// PollFlags are the flags of poll requests, IORING_POLL_*.
type PollFlags uint32

// CancelFlags tell what a cancellation matches, IORING_ASYNC_CANCEL_*.
type CancelFlags uint32

// RecvSendFlags are the flags of send and receive requests, IORING_RECVSEND_*,
// IORING_RECV_* and IORING_SEND_*.
type RecvSendFlags uint16

// AcceptFlags are the flags of accept requests, IORING_ACCEPT_*.
type AcceptFlags uint16

// MsgRingCmd is the kind of a message to another ring, IORING_MSG_*.
type MsgRingCmd uint64

// MsgRingFlags are the flags of a message to another ring, IORING_MSG_RING_*.
type MsgRingFlags uint32

// FixedFDInstallFlags are the flags of a request that turns a direct descriptor
// into a file descriptor, IORING_FIXED_FD_*.
type FixedFDInstallFlags uint32

// NopFlags are the flags of a no-op request, IORING_NOP_*.
type NopFlags uint32

// URingCmdFlags are the flags of a driver's command, IORING_URING_CMD_*.
type URingCmdFlags uint32

// SocketOp is a command that a socket carries out, SOCKET_URING_OP_*.
type SocketOp uint32

// Futex2Flags are a futex's size and place, FUTEX2_*.
type Futex2Flags uint32

// IOWQType is a kind of the kernel's worker threads, IO_WQ_*.
type IOWQType uint32

// RsrcFlags are the flags of a registration of files or buffers, IORING_RSRC_*.
type RsrcFlags uint32

// ProbeOpFlags are what a probe tells of an opcode, IO_URING_OP_*.
type ProbeOpFlags uint16

// RestrictionOp is what a restriction allows or demands, IORING_RESTRICTION_*.
type RestrictionOp uint16

// CloneBuffersFlags are the flags of a copy of another ring's registered
// buffers, IORING_REGISTER_SRC_* and IORING_REGISTER_DST_*.
type CloneBuffersFlags uint32

// BufRingFlags are the flags of a ring of provided buffers, IOU_PBUF_RING_*.
type BufRingFlags uint16

// RegionFlags tell who provides a region's memory, IORING_MEM_REGION_TYPE_*.
type RegionFlags uint32

// MemRegionFlags tell what a registered region is for, IORING_MEM_REGION_*.
type MemRegionFlags uint64

// RegWaitFlags tell what a registered wait argument holds, IORING_REG_WAIT_*.
type RegWaitFlags uint32

// QueryOp is what a query asks for, IO_URING_QUERY_*.
type QueryOp uint32

// BPFCmd is what a BPF registration does, IO_URING_BPF_CMD_*.
type BPFCmd uint16

// BPFFilterFlags are the flags of a BPF filter, IO_URING_BPF_FILTER_*.
type BPFFilterFlags uint32

// ZCRXAreaFlags are the flags of the memory that zero-copy receive fills,
// IORING_ZCRX_AREA_*.
type ZCRXAreaFlags uint32

// ZCRXRegFlags are the flags of a zero-copy receive registration, ZCRX_REG_*.
type ZCRXRegFlags uint32

// ZCRXFeatures are what the kernel's zero-copy receive can do, ZCRX_FEATURE_*.
type ZCRXFeatures uint32

// ZCRXCtrlOp is an operation on a zero-copy receive instance, ZCRX_CTRL_*.
type ZCRXCtrlOp uint32

// String returns liburing's names of the set bits, in lower case and without
// the prefix, and tells the buffer's ID when there is one.
func (v CQEFlags) String() string {
	if v&CQEFBuffer == 0 {
		return flagString(uint64(v), namesOfCQEFlags[:])
	}
	const low = 1<<CQEBufferShift - 1
	return flagString(uint64(v&low), namesOfCQEFlags[:]) + "|bid=" + strconv.Itoa(int(v>>CQEBufferShift))
}

// String returns liburing's name in lower case, without IORING_, and says
// when the ring is named by its registered index.
func (v RegisterOp) String() string {
	name := enumString("RegisterOp", uint64(v&^RegisterUseRegisteredRing), namesOfRegisterOp[:])
	if v&RegisterUseRegisteredRing != 0 {
		name += "|use_registered_ring"
	}
	return name
}

// String returns liburing's names in lower case, without FUTEX2_. The size is
// always told: it is a number, not a set.
func (v Futex2Flags) String() string {
	sizes := [...]string{"size_u8", "size_u16", "size_u32", "size_u64"}
	name := sizes[v&Futex2SizeMask]
	if rest := v &^ Futex2SizeMask; rest != 0 {
		name += "|" + flagString(uint64(rest), namesOfFutex2Flags[:])
	}
	return name
}

// flagName is one bit of a set and what it is called.
type flagName struct {
	bit  uint64
	name string
}

// flagString joins the names of the bits of v with "|". Bits without a name
// follow as one hexadecimal number, no bit at all is "0".
func flagString(v uint64, names []flagName) string {
	if v == 0 {
		return "0"
	}
	var parts []string
	for _, n := range names {
		if v&n.bit != 0 {
			parts = append(parts, n.name)
			v &^= n.bit
		}
	}
	if v != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(v, 16))
	}
	return strings.Join(parts, "|")
}

// enumString returns the name of a value, or the type and the number of one
// that this version of liburing does not know.
func enumString(typ string, v uint64, names []string) string {
	if v < uint64(len(names)) && names[v] != "" {
		return names[v]
	}
	return typ + "(" + strconv.FormatUint(v, 10) + ")"
}
