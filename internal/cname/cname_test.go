package cname

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGoConst(t *testing.T) {
	for c, want := range map[string]string{
		"IORING_SETUP_SQPOLL":             "SetupSQPoll",
		"IORING_SETUP_DEFER_TASKRUN":      "SetupDeferTaskrun",
		"IORING_SETUP_CQSIZE":             "SetupCQSize",
		"IORING_SETUP_SQE128":             "SetupSQE128",
		"IORING_SETUP_NO_SQARRAY":         "SetupNoSQArray",
		"IORING_SETUP_REGISTERED_FD_ONLY": "SetupRegisteredFDOnly",
		"IORING_OP_READV":                 "OpReadv",
		"IORING_OP_READ_FIXED":            "OpReadFixed",
		"IORING_OP_OPENAT2":               "OpOpenat2",
		"IORING_OP_NOP128":                "OpNop128",
		"IORING_OP_URING_CMD128":          "OpURingCmd128",
		"IORING_OP_SENDMSG_ZC":            "OpSendmsgZC",
		"IORING_FEAT_EXT_ARG":             "FeatExtArg",
		"IORING_FEAT_POLL_32BITS":         "FeatPoll32Bits",
		"IORING_CQE_F_MORE":               "CQEFMore",
		"IORING_CQE_F_32":                 "CQEF32",
		"IORING_OFF_SQES":                 "OffSQEs",
		"IOSQE_FIXED_FILE":                "SQEFixedFile",
		"IOSQE_FIXED_FILE_BIT":            "SQEFixedFileBit",
		"IOSQE_IO_LINK":                   "SQEIOLink",
		"IOSQE_CQE_SKIP_SUCCESS":          "SQECQESkipSuccess",
		"IORING_REGISTER_PBUF_RING":       "RegisterPbufRing",
		"IORING_REGISTER_IOWQ_AFF":        "RegisterIOWQAff",
		"IORING_UNREGISTER_RING_FDS":      "UnregisterRingFDs",
		"IORING_ENTER_EXT_ARG":            "EnterExtArg",
		"IORING_ENTER_GETEVENTS":          "EnterGetEvents",
		"IORING_ENTER_NO_IOWAIT":          "EnterNoIowait",
		"IORING_TIMEOUT_ABS":              "TimeoutAbs",
		"IORING_ASYNC_CANCEL_ALL":         "AsyncCancelAll",
		"IORING_RECVSEND_POLL_FIRST":      "RecvSendPollFirst",
		"IO_URING_OP_SUPPORTED":           "OpSupported",
		"IO_URING_BPF_FILTER_SZ_STRICT":   "BPFFilterSzStrict",
		"IO_WQ_UNBOUND":                   "IOWQUnbound",
		"IOU_PBUF_RING_INC":               "PbufRingInc",
		"LIBURING_UDATA_TIMEOUT":          "UdataTimeout",
		"SOCKET_URING_OP_SIOCINQ":         "SocketOpSIOCINQ",
		"BLOCK_URING_CMD_DISCARD":         "BlockCmdDiscard",
		"SPLICE_F_FD_IN_FIXED":            "SpliceFFDInFixed",
		"FUTEX2_SIZE_U32":                 "Futex2SizeU32",
		"__IO_URING_QUERY_MAX":            "QueryMax",
		"__ZCRX_CTRL_LAST":                "ZCRXCtrlLast",
	} {
		assert.Equal(t, want, GoConst(c), c)
	}
}

func TestGoFunc(t *testing.T) {
	for c, want := range map[string]string{
		"io_uring_prep_read":                "PrepRead",
		"io_uring_prep_readv2":              "PrepReadv2",
		"io_uring_prep_uring_cmd":           "PrepURingCmd",
		"io_uring_prep_msg_ring_cqe_flags":  "PrepMsgRingCQEFlags",
		"io_uring_prep_fadvise64":           "PrepFadvise64",
		"io_uring_register_buffers":         "RegisterBuffers",
		"io_uring_register_iowq_aff":        "RegisterIOWQAff",
		"io_uring_register_bpf_filter_task": "RegisterBPFFilterTask",
		"io_uring_get_sqe":                  "GetSQE",
		"io_uring_get_sqe128":               "GetSQE128",
		"io_uring_cqe_get_data64":           "CQEGetData64",
		"io_uring_wait_cqes":                "WaitCQEs",
		"io_uring_sqring_wait":              "SQRingWait",
		"io_uring_set_iowait":               "SetIowait",
		"io_uring_close_ring_fd":            "CloseRingFD",
		"io_uring_queue_init":               "QueueInit",
		"__io_uring_get_cqe":                "GetCQERaw",
		"__io_uring_buf_ring_cq_advance":    "BufRingCQAdvanceRaw",
	} {
		assert.Equal(t, want, GoFunc(c), c)
	}
}

func TestGoMethod(t *testing.T) {
	for _, tc := range []struct{ c, receiver, want string }{
		{"io_uring_prep_read", "SQE", "PrepRead"},
		{"io_uring_sqe_set_data64", "SQE", "SetData64"},
		{"io_uring_cqe_get_data", "CQE", "GetData"},
		{"io_uring_cqe_seen", "Ring", "CQESeen"},
		{"io_uring_ring_dontfork", "Ring", "Dontfork"},
		{"io_uring_buf_ring_add", "BufRing", "Add"},
		{"__io_uring_buf_ring_cq_advance", "BufRing", "CQAdvanceRaw"},
		{"io_uring_recvmsg_payload_length", "RecvmsgOut", "PayloadLength"},
		// Only a whole word is dropped, and never the whole name.
		{"io_uring_sqes", "SQE", "SQEs"},
		{"io_uring_sqe", "SQE", "SQE"},
	} {
		assert.Equal(t, tc.want, GoMethod(tc.c, tc.receiver), tc.c)
	}
}
