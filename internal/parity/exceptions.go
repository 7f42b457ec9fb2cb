package main

import (
	"fmt"

	"github.com/go-liburing/liburing/internal/optable"
)

// tables hold what the naming rule does not cover. The first two are to stay
// short, so the program refuses longer ones, and every entry that has no reason
// any more.
type tables struct {
	exceptions []exception
	renamed    []rename
	forms      optable.Forms // of Prep methods, for the Loop
}

const tableLimit = 12

// exception is a C symbol that Go has no use for.
type exception struct {
	c       string
	reason  string // why it makes no sense in Go
	instead string // what a Go user does
}

// rename is a C symbol whose Go function has another name than the rule gives.
type rename struct {
	c      string
	goName string
	reason string
}

var exceptions = []exception{
	{"io_uring_free_probe", "it frees the memory of a probe", "a Probe is an ordinary Go value"},
	{"io_uring_sqe_set_data", "it stores a pointer, which the collector would not see", "SQE.SetData64 with a key of one's own, or the Loop, which keeps the callback"},
	{"io_uring_cqe_get_data", "it returns a pointer, which the collector would not have seen", "CQE.GetData64 with a key of one's own, or the Loop, which keeps the callback"},
	{"io_uring_prep_cancel", "it names the request by a pointer", "SQE.PrepCancel64 names it by its user data"},
	{"io_uring_queue_mmap", "it maps the queues of a descriptor into a struct that C programs allocate", "QueueInitParams and QueueInitMem set up and map in one"},
	{"io_uring_cqe_iter_init", "it is a part of the macro io_uring_for_each_cqe", "Ring.CQEs is the loop"},
	{"io_uring_cqe_iter_next", "it is a part of the macro io_uring_for_each_cqe", "Ring.CQEs is the loop"},
	{"__io_uring_get_cqe", "it is liburing's own, exported for its inline functions", "Ring.WaitCQENr, Ring.SubmitAndWait"},
	{"__io_uring_peek_cqe", "it is liburing's own, exported for its inline functions", "Ring.PeekCQE"},
	{"__io_uring_sqring_wait", "it is liburing's own, the slow half of io_uring_sqring_wait", "Ring.SQRingWait"},
	{"io_uring_register_wait_reg", "since liburing 2.9 it only returns EINVAL", "Ring.RegisterWaitRegion"},
}

var renamed = []rename{
	{"io_uring_queue_exit", "(*Ring).Close", "Go's name for giving a resource up"},
	{"io_uring_for_each_cqe", "(*Ring).CQEs", "an iterator for range"},
	{"io_uring_get_probe_ring", "(*Ring).GetProbe", "the ring is the receiver"},
	{"io_uring_free_buf_ring", "(*BufRing).Free", "the ring of buffers is the receiver"},
	{"io_uring_register_region", "(*Ring).RegisterWaitRegion", "waits are the one thing that regions are for"},
	{"io_uring_register_query", "GetQueryOpcode", "RegisterQuery is a constant, and each question has its own answer"},
}

// check returns what is wrong with the tables themselves.
func (t tables) check(lib *library, pkg *goPackage) (problems []string) {
	if n := len(t.exceptions); n > tableLimit {
		problems = append(problems, fmt.Sprintf("%d exceptions, at most %d are allowed: give some of them a Go function", n, tableLimit))
	}
	if n := len(t.renamed); n > tableLimit {
		problems = append(problems, fmt.Sprintf("%d renamed functions, at most %d are allowed: give some of them the rule's name", n, tableLimit))
	}
	seen := map[string]bool{}
	for _, e := range t.exceptions {
		problems = append(problems, checkSymbol(lib, seen, "exception", e.c)...)
		for _, f := range pkg.counterparts(e.c) {
			problems = append(problems, fmt.Sprintf("exception %s: %s is its counterpart, so drop the exception", e.c, f))
		}
	}
	for _, r := range t.renamed {
		problems = append(problems, checkSymbol(lib, seen, "renamed", r.c)...)
		for _, f := range pkg.byRule(r.c) {
			if f.mentions(r.c) && f.String() != r.goName {
				problems = append(problems, fmt.Sprintf("renamed %s: %s has the rule's name, so drop the entry", r.c, f))
			}
		}
	}
	return problems
}

func checkSymbol(lib *library, seen map[string]bool, table, c string) (problems []string) {
	if !lib.has(c) {
		problems = append(problems, fmt.Sprintf("%s %s: liburing has no such function", table, c))
	}
	if seen[c] {
		problems = append(problems, fmt.Sprintf("%s %s: listed twice", table, c))
	}
	seen[c] = true
	return problems
}
