// Package cname is the one place that says how liburing's C names become Go
// names. The generators and the parity program use it, so that a name can be
// worked out in only one way.
//
// A C name loses its namespace prefix, its words are joined in CamelCase, and
// a small dictionary spells the words that are acronyms or compounds:
//
//	IORING_SETUP_SQPOLL       → SetupSQPoll
//	IOSQE_CQE_SKIP_SUCCESS    → SQECQESkipSuccess
//	io_uring_prep_read        → PrepRead
//	io_uring_register_ring_fd → RegisterRingFD
package cname

import "strings"

// prefixes are the namespaces of the headers and what a Go name begins with in
// their place. The first one that matches counts.
var prefixes = []struct{ c, words string }{
	{"IORING_", ""},
	{"IO_URING_", ""},
	{"IOURING_", ""},
	{"IOU_", ""},
	{"LIBURING_", ""},
	{"IOSQE_", "SQE_"},
	// The kernel puts URING between the kind of file and what it offers.
	{"SOCKET_URING_", "SOCKET_"},
	{"BLOCK_URING_", "BLOCK_"},
}

// dictionary spells the words that are not simply a capital and small letters.
// Digits before or after a word are cut off before it is looked up.
var dictionary = map[string]string{
	"bpf":       "BPF",
	"cpu":       "CPU",
	"cq":        "CQ",
	"cqe":       "CQE",
	"cqes":      "CQEs",
	"cqring":    "CQRing",
	"cqsize":    "CQSize",
	"dmabuf":    "DMABuf",
	"fd":        "FD",
	"fds":       "FDs",
	"getevents": "GetEvents",
	"hw":        "HW",
	"id":        "ID",
	"ifq":       "IFQ",
	"io":        "IO",
	"iopoll":    "IOPoll",
	"iowq":      "IOWQ",
	"napi":      "NAPI",
	"numa":      "NUMA",
	"pi":        "PI",
	"recvsend":  "RecvSend",
	"rq":        "RQ",
	"rw":        "RW",
	"rx":        "RX",
	"scq":       "SCQ",
	"siocinq":   "SIOCINQ",
	"siocoutq":  "SIOCOUTQ",
	"sq":        "SQ",
	"sqarray":   "SQArray",
	"sqe":       "SQE",
	"sqes":      "SQEs",
	"sqpoll":    "SQPoll",
	"sqring":    "SQRing",
	"ts":        "TS",
	"tx":        "TX",
	"uring":     "URing",
	"wq":        "WQ",
	"zc":        "ZC",
	"zcrx":      "ZCRX",
}

// GoConst returns the Go name of a C macro or enumerator. Leading underscores,
// which C uses for "not for you" and Go has no use for, are dropped.
func GoConst(c string) string {
	c = strings.TrimLeft(c, "_")
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(c, p.c); ok {
			return camel(p.words + rest)
		}
	}
	return camel(c)
}

// GoFunc returns the Go name of a C function. A function whose name begins with
// two underscores is the bare form of one that does not, and gets the suffix
// Raw: __io_uring_get_cqe → GetCQERaw.
func GoFunc(c string) string {
	if rest, ok := strings.CutPrefix(c, "__io_uring_"); ok {
		return camel(rest) + "Raw"
	}
	return camel(strings.TrimPrefix(c, "io_uring_"))
}

// GoMethod returns the name of a C function that is a method of the Go type
// receiver. The C name's own mention of the receiver is dropped when something
// is left to tell: io_uring_sqe_set_data64 → (*SQE).SetData64, but
// io_uring_cqe_seen, which takes a ring, stays (*Ring).CQESeen.
func GoMethod(c, receiver string) string {
	name := GoFunc(c)
	// struct io_uring_recvmsg_out's functions are called io_uring_recvmsg_….
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(receiver, "Out"))
	if !ok || rest == "" || rest[0] < 'A' || rest[0] > 'Z' {
		return name
	}
	return rest
}

// camel joins the words of a C name.
func camel(c string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(c, "_") {
		b.WriteString(spell(strings.ToLower(word)))
	}
	return b.String()
}

// spell writes one lower-case word as it stands in a Go name.
func spell(word string) string {
	const digits = "0123456789"
	tail := strings.TrimLeft(word, digits)
	head := word[:len(word)-len(tail)]
	stem := strings.TrimRight(tail, digits)
	tail = tail[len(stem):]
	if stem == "" {
		return word
	}
	if s, ok := dictionary[stem]; ok {
		return head + s + tail
	}
	return head + strings.ToUpper(stem[:1]) + stem[1:] + tail
}
