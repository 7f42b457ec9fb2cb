package main

import (
	"fmt"
	"strings"
)

// kind says how a group's values are written and what its String method does.
type kind int

const (
	number kind = iota // plain numbers, no String method
	enum               // one of several values: String gives its name
	flags              // a set of bits: String joins their names
)

// group is a family of constants: one block of zz_constants.go.
type group struct {
	typ  string // the Go type in constants.go; empty for untyped constants
	kind kind
	doc  string

	// A symbol belongs to the group when its enum's tag is one of enums, its
	// name is one of names, or its name begins with one of prefixes. Prefixes
	// take macros and enumerators of enums without a tag; the longest one of
	// all groups wins.
	enums    []string
	names    []string
	prefixes []string

	// trim is what String leaves out of a C name; the first that fits counts.
	trim []string
	// ownString marks a type whose String method is written by hand, on top of
	// the generated table.
	ownString bool
}

// groups is the complete list, in the order of zz_constants.go.
var groups = []group{
	{
		typ: "Op", kind: enum,
		doc:   "Request opcodes, for SQE.Opcode. OpLast is not one: it counts those that this version of liburing knows.",
		enums: []string{"io_uring_op"},
		trim:  []string{"IORING_OP_"},
	},
	{
		typ: "SQEFlags", kind: flags,
		doc:      "Flags of any request, for SQE.Flags.",
		prefixes: []string{"IOSQE_"},
		trim:     []string{"IOSQE_"},
	},
	{
		typ: "uint8", kind: number,
		doc:   "Bit numbers of the SQEFlags.",
		enums: []string{"io_uring_sqe_flags_bit"},
	},
	{
		typ: "CQEFlags", kind: flags,
		doc:       "Flags of a completion, in CQE.Flags.",
		prefixes:  []string{"IORING_CQE_F_"},
		trim:      []string{"IORING_CQE_F_"},
		ownString: true,
	},
	{
		kind:  number,
		doc:   "Where the numbers in CQE.Flags begin, beside its flags: the buffer's ID, and the timestamp's source and type.",
		names: []string{"IORING_CQE_BUFFER_SHIFT", "IORING_TIMESTAMP_HW_SHIFT", "IORING_TIMESTAMP_TYPE_SHIFT"},
	},
	{
		typ: "NotifUsage", kind: flags,
		doc:      "What a zero-copy send's notification reports in CQE.Res when SendZCReportUsage was asked for.",
		prefixes: []string{"IORING_NOTIF_USAGE_"},
		trim:     []string{"IORING_NOTIF_USAGE_"},
	},
	{
		typ: "SetupFlags", kind: flags,
		doc:      "Flags of a new ring, for Params.Flags.",
		prefixes: []string{"IORING_SETUP_"},
		trim:     []string{"IORING_SETUP_"},
	},
	{
		typ: "Features", kind: flags,
		doc:      "What the kernel can do, in Params.Features.",
		prefixes: []string{"IORING_FEAT_"},
		trim:     []string{"IORING_FEAT_"},
	},
	{
		typ: "EnterFlags", kind: flags,
		doc:      "Flags of the io_uring_enter system call.",
		prefixes: []string{"IORING_ENTER_"},
		trim:     []string{"IORING_ENTER_"},
	},
	{
		typ: "RegisterOp", kind: enum,
		doc: "Operations of the io_uring_register system call. RegisterLast is not one: it counts those that this version of liburing knows. " +
			"RegisterUseRegisteredRing is a flag that goes with any of them.",
		enums:     []string{"io_uring_register_op"},
		trim:      []string{"IORING_"},
		ownString: true,
	},
	{
		typ: "SQRingFlags", kind: flags,
		doc:      "What the kernel reports in the submission queue's flags word.",
		prefixes: []string{"IORING_SQ_"},
		trim:     []string{"IORING_SQ_"},
	},
	{
		typ: "CQRingFlags", kind: flags,
		doc:      "What the application requests in the completion queue's flags word.",
		prefixes: []string{"IORING_CQ_"},
		trim:     []string{"IORING_CQ_"},
	},
	{
		kind:     number,
		doc:      "Offsets for mmap of the ring's file descriptor.",
		prefixes: []string{"IORING_OFF_"},
	},
	{
		kind:  number,
		doc:   "As the file index of a request that makes a direct descriptor: the kernel picks a free one and returns it in CQE.Res.",
		names: []string{"IORING_FILE_INDEX_ALLOC"},
	},
	{
		typ: "uint64", kind: number,
		doc:   "The user data of a timeout that liburing itself queues on kernels without FeatExtArg.",
		names: []string{"LIBURING_UDATA_TIMEOUT"},
	},
	{
		typ: "RWAttrFlags", kind: flags,
		doc:      "Which attributes a read or write carries, for the SQE's attr_type_mask.",
		prefixes: []string{"IORING_RW_ATTR_FLAG_"},
		trim:     []string{"IORING_RW_ATTR_FLAG_"},
	},
	{
		typ: "FsyncFlags", kind: flags,
		doc:      "Flags of an fsync request.",
		prefixes: []string{"IORING_FSYNC_"},
		trim:     []string{"IORING_FSYNC_"},
	},
	{
		typ: "TimeoutFlags", kind: flags,
		doc:      "Flags of timeouts, linked timeouts, their updates and removals.",
		prefixes: []string{"IORING_TIMEOUT_", "IORING_LINK_TIMEOUT_"},
		trim:     []string{"IORING_TIMEOUT_", "IORING_"},
	},
	{
		typ: "SpliceFlags", kind: flags,
		doc:      "Flags of splice and tee requests in addition to those of splice(2).",
		prefixes: []string{"SPLICE_F_"},
		trim:     []string{"SPLICE_F_"},
	},
	{
		typ: "PollFlags", kind: flags,
		doc:      "Flags of poll requests and their updates. They go into SQE.Len.",
		prefixes: []string{"IORING_POLL_"},
		trim:     []string{"IORING_POLL_"},
	},
	{
		typ: "CancelFlags", kind: flags,
		doc:      "What a cancellation matches, asynchronous or not.",
		prefixes: []string{"IORING_ASYNC_CANCEL_"},
		trim:     []string{"IORING_ASYNC_CANCEL_"},
	},
	{
		typ: "RecvSendFlags", kind: flags,
		doc:      "Flags of send and receive requests, zero-copy or not. They go into SQE.IOPrio.",
		prefixes: []string{"IORING_RECVSEND_", "IORING_RECV_", "IORING_SEND_"},
		trim:     []string{"IORING_RECVSEND_", "IORING_"},
	},
	{
		typ: "AcceptFlags", kind: flags,
		doc:      "Flags of accept requests. They go into SQE.IOPrio.",
		prefixes: []string{"IORING_ACCEPT_"},
		trim:     []string{"IORING_ACCEPT_"},
	},
	{
		typ: "MsgRingCmd", kind: enum,
		doc:   "Kinds of messages to another ring. They go into SQE.Addr.",
		enums: []string{"io_uring_msg_ring_flags"},
		trim:  []string{"IORING_MSG_"},
	},
	{
		typ: "MsgRingFlags", kind: flags,
		doc:      "Flags of a message to another ring.",
		prefixes: []string{"IORING_MSG_RING_"},
		trim:     []string{"IORING_MSG_RING_"},
	},
	{
		typ: "FixedFDInstallFlags", kind: flags,
		doc:      "Flags of a request that turns a direct descriptor into a file descriptor.",
		prefixes: []string{"IORING_FIXED_FD_"},
		trim:     []string{"IORING_FIXED_FD_"},
	},
	{
		typ: "NopFlags", kind: flags,
		doc:      "Flags of a no-op request.",
		prefixes: []string{"IORING_NOP_"},
		trim:     []string{"IORING_NOP_"},
	},
	{
		typ: "URingCmdFlags", kind: flags,
		doc:      "Flags of a command that the file's driver carries out.",
		prefixes: []string{"IORING_URING_CMD_"},
		trim:     []string{"IORING_URING_CMD_"},
	},
	{
		typ: "SocketOp", kind: enum,
		doc:   "Commands that a socket carries out.",
		enums: []string{"io_uring_socket_op"},
		trim:  []string{"SOCKET_URING_OP_"},
	},
	{
		typ: "Futex2Flags", kind: number,
		doc:      "The size of a futex: a number, of which futex requests need exactly one, and the mask that extracts it from their flags.",
		prefixes: []string{"FUTEX2_SIZE_"},
	},
	{
		typ: "Futex2Flags", kind: flags,
		doc:       "Flags of futex requests besides the size.",
		prefixes:  []string{"FUTEX2_"},
		trim:      []string{"FUTEX2_"},
		ownString: true,
	},
	{
		kind:  number,
		doc:   "The longest list of futexes that one request waits for, and the mask that matches every wake-up.",
		names: []string{"FUTEX_WAITV_MAX", "FUTEX_BITSET_MATCH_ANY"},
	},
	{
		typ: "IOWQType", kind: enum,
		doc:   "Kinds of the kernel's worker threads: the index into the limits that RegisterIOWQMaxWorkers takes.",
		enums: []string{"io_wq_type"},
		trim:  []string{"IO_WQ_"},
	},
	{
		typ: "RsrcFlags", kind: flags,
		doc:      "Flags of a registration of files or buffers.",
		prefixes: []string{"IORING_RSRC_"},
		trim:     []string{"IORING_RSRC_"},
	},
	{
		kind:  number,
		doc:   "In an update of the registered files: leave this one as it is.",
		names: []string{"IORING_REGISTER_FILES_SKIP"},
	},
	{
		typ: "ProbeOpFlags", kind: flags,
		doc:      "What a probe tells about an opcode.",
		prefixes: []string{"IO_URING_OP_"},
		trim:     []string{"IO_URING_OP_"},
	},
	{
		typ: "RestrictionOp", kind: enum,
		doc:   "What a restriction allows or demands. RestrictionLast is not one: it counts them.",
		enums: []string{"io_uring_register_restriction_op"},
		trim:  []string{"IORING_RESTRICTION_"},
	},
	{
		typ: "CloneBuffersFlags", kind: flags,
		doc:   "Flags of a copy of another ring's registered buffers.",
		names: []string{"IORING_REGISTER_SRC_REGISTERED", "IORING_REGISTER_DST_REPLACE"},
		trim:  []string{"IORING_REGISTER_"},
	},
	{
		typ: "BufRingFlags", kind: flags,
		doc:   "Flags of a ring of provided buffers.",
		enums: []string{"io_uring_register_pbuf_ring_flags"},
		trim:  []string{"IOU_PBUF_RING_"},
	},
	{
		typ: "RegionFlags", kind: flags,
		doc:      "Who provides a region's memory.",
		prefixes: []string{"IORING_MEM_REGION_TYPE_"},
		trim:     []string{"IORING_MEM_REGION_TYPE_"},
	},
	{
		typ: "MemRegionFlags", kind: flags,
		doc:      "What a registered region is used for.",
		prefixes: []string{"IORING_MEM_REGION_"},
		trim:     []string{"IORING_MEM_REGION_"},
	},
	{
		typ: "RegWaitFlags", kind: flags,
		doc:      "What a registered wait argument holds.",
		prefixes: []string{"IORING_REG_WAIT_"},
		trim:     []string{"IORING_REG_WAIT_"},
	},
	{
		typ: "QueryOp", kind: enum,
		doc:      "What a query asks for. QueryMax is not one: it counts them.",
		prefixes: []string{"IO_URING_QUERY_", "__IO_URING_QUERY_"},
		trim:     []string{"IO_URING_QUERY_"},
	},
	{
		typ: "BPFCmd", kind: enum,
		doc:      "What a BPF registration does.",
		prefixes: []string{"IO_URING_BPF_CMD_"},
		trim:     []string{"IO_URING_BPF_CMD_"},
	},
	{
		typ: "BPFFilterFlags", kind: flags,
		doc:      "Flags of a BPF filter.",
		prefixes: []string{"IO_URING_BPF_FILTER_"},
		trim:     []string{"IO_URING_BPF_FILTER_"},
	},
	{
		kind:  number,
		doc:   "Where the area's ID stands in an offset into zero-copy receive memory.",
		names: []string{"IORING_ZCRX_AREA_SHIFT", "IORING_ZCRX_AREA_MASK"},
	},
	{
		typ: "ZCRXAreaFlags", kind: flags,
		doc:   "Flags of the memory that zero-copy receive fills.",
		enums: []string{"io_uring_zcrx_area_flags"},
		trim:  []string{"IORING_ZCRX_AREA_"},
	},
	{
		typ: "ZCRXRegFlags", kind: flags,
		doc:   "Flags of a zero-copy receive registration.",
		enums: []string{"zcrx_reg_flags"},
		trim:  []string{"ZCRX_REG_"},
	},
	{
		typ: "ZCRXFeatures", kind: flags,
		doc:   "What the kernel's zero-copy receive can do.",
		enums: []string{"zcrx_features"},
		trim:  []string{"ZCRX_FEATURE_"},
	},
	{
		typ: "ZCRXCtrlOp", kind: enum,
		doc:   "Operations on a zero-copy receive instance. ZCRXCtrlLast is not one: it counts them.",
		enums: []string{"zcrx_ctrl_op"},
		trim:  []string{"ZCRX_CTRL_"},
	},
}

// ignored are the symbols of the headers that are no constants of the Go
// package, each with the reason.
var ignored = map[string]string{
	"IOURINGINLINE":          "how C inlines",
	"_LOCAL_INLINE":          "how C inlines",
	"LIBURING_NOEXCEPT":      "for C++",
	"__maybe_unused":         "a compiler attribute",
	"__NR_io_uring_setup":    "a system call's number: differs by architecture, and liburing makes the call",
	"__NR_io_uring_enter":    "a system call's number: differs by architecture, and liburing makes the call",
	"__NR_io_uring_register": "a system call's number: differs by architecture, and liburing makes the call",
	"IO_URING_VERSION_MAJOR": "the version of the linked liburing is asked at run time",
	"IO_URING_VERSION_MINOR": "the version of the linked liburing is asked at run time",
	"FUTEX_32":               "the older name of FUTEX2_SIZE_U32, from liburing's configure",
	"UAPI_LINUX_IO_URING_H_SKIP_LINUX_TIME_TYPES_H": "tells io_uring.h what compat.h included",
	"BLOCK_URING_CMD_DISCARD":                       "differs by architecture: written by hand in constants.go",
}

// groupOf returns the index of the group that a symbol belongs to, or -1 for an
// ignored one. A symbol that no rule covers is an error, so that a new kind of
// constant cannot be lost.
func groupOf(s symbol) (int, error) {
	if ignored[s.name] != "" {
		return -1, nil
	}
	best, length := -1, 0
	for i, g := range groups {
		if s.enum != "" {
			for _, tag := range g.enums {
				if tag == s.enum {
					return i, nil
				}
			}
			continue
		}
		for _, name := range g.names {
			if name == s.name {
				return i, nil
			}
		}
		for _, p := range g.prefixes {
			if len(p) > length && strings.HasPrefix(s.name, p) {
				best, length = i, len(p)
			}
		}
	}
	if best >= 0 {
		return best, nil
	}
	what := "macro or enumerator"
	if s.enum != "" {
		what = "enum " + s.enum + ","
	}
	return -1, fmt.Errorf("%s: no group for %s %s: add one to groups, or the name with a reason to ignored, in internal/genconst/rules.go", s.header, what, s.name)
}

// isCount tells the names that end an enumeration: they count its values and
// are none of them.
func isCount(c string) bool {
	return strings.HasSuffix(c, "_LAST") || strings.HasSuffix(c, "_MAX") && strings.HasPrefix(c, "__")
}
