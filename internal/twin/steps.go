//go:build linux

package main

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
)

// kind is how a request ends.
type kind int

const (
	completes kind = iota
	stops          // completes, and ends the submission
	stays          // does not complete
)

func (t *twin) step() {
	switch n := t.IntN(20); {
	case n < 7:
		t.prepare()
	case n < 10:
		t.submit()
	case n < 13:
		t.wait()
	case n < 16:
		t.take()
	default:
		t.register()
	}
}

// sqe returns an entry, submitting for it if there is none left.
func (t *twin) sqe() *liburing.SQE {
	if t.IntN(8) != 0 {
		return t.ring.GetSQE()
	}
	sqe, err := t.ring.SubmitGetSQE()
	t.printf("SubmitGetSQE: %v\n", err)
	if sqe != nil {
		t.left(t.ring.SQReady() - 1)
	}
	return sqe
}

// left forgets what the kernel has taken.
func (t *twin) left(n int) { t.queued = t.queued[len(t.queued)-min(n, len(t.queued)):] }

// sure returns how many completions there will be when what is queued is submitted.
func (t *twin) sure() int {
	n := 0
	for _, k := range t.queued {
		if k != stays {
			n++
		}
		if k == stops {
			break
		}
	}
	return n
}

func (t *twin) prepare() {
	for range 1 + t.IntN(5) {
		sqe := t.sqe()
		if sqe == nil {
			t.printf("no entry\n")
			return
		}
		t.queued = append(t.queued, t.request(sqe))
		t.next++
		sqe.UserData = t.next
		if last := &t.queued[len(t.queued)-1]; *last == completes && t.IntN(6) == 0 {
			// Not links: when a chain goes on is the kernel's affair.
			sqe.Flags |= liburing.SQECQESkipSuccess
			*last = stays
		}
		t.printf("%v %d %v\n", sqe.Opcode, sqe.UserData, sqe.Flags)
	}
}

func (t *twin) request(sqe *liburing.SQE) kind {
	buf := t.mem[t.IntN(1<<15):][:t.IntN(1<<10)]
	switch t.IntN(9) {
	case 0:
		sqe.PrepNop()
		sqe.Len, sqe.OpFlags = uint32(one(t, 7, -5, -125)), uint32(liburing.NopInjectResult)
	case 1:
		sqe.PrepRead(t.zero, buf, uint64(t.IntN(1<<14)))
	case 2:
		sqe.PrepRead(-1, buf, 0)
	case 3:
		sqe.PrepWrite(t.null, buf, 0)
	case 4:
		sqe.PrepNop()
		sqe.Opcode = 200
		return stops
	case 5:
		hour := (*liburing.Timespec)(unsafe.Pointer(&t.mem[1<<17]))
		hour.Sec = 3600
		sqe.PrepTimeout(hour, 0, 0)
		return stays
	case 6:
		sqe.PrepCancel64(t.next-uint64(t.IntN(8)), 0)
	default:
		sqe.PrepNop()
	}
	return completes
}

func (t *twin) submit() {
	name, n, err := "Submit", 0, error(nil)
	switch t.IntN(3) {
	case 0:
		n, err = t.ring.Submit()
	case 1:
		name = "SubmitAndGetEvents"
		n, err = t.ring.SubmitAndGetEvents()
	case 2:
		name = "SubmitAndWait"
		n, err = t.ring.SubmitAndWait(min(t.IntN(4), t.sure()+t.ring.CQReady()))
	}
	t.left(t.ring.SQReady())
	t.printf("%s: %d %v\n", name, n, err)
}

// wait waits for more than is there for a moment only.
func (t *twin) wait() {
	n := t.IntN(5)
	moment, least := time.Millisecond, 300*time.Microsecond
	if n <= t.ring.CQReady() {
		moment = time.Hour
	}
	var name string
	var cqe *liburing.CQE
	var err error
	switch t.IntN(8) {
	case 0:
		name = "PeekCQE"
		cqe, err = t.ring.PeekCQE()
	case 1:
		name = "WaitCQEs"
		cqe, err = t.ring.WaitCQEs(n, moment)
	case 2:
		name = "WaitCQEsMinTimeout"
		cqe, err = t.ring.WaitCQEsMinTimeout(n, moment, least)
	case 3:
		name = "SubmitAndWaitTimeout"
		cqe, err = t.ring.SubmitAndWaitTimeout(n, time.Millisecond)
	case 4:
		name = "SubmitAndWaitMinTimeout"
		cqe, err = t.ring.SubmitAndWaitMinTimeout(n, time.Millisecond, least)
	case 5:
		name = "GetEvents"
		err = t.ring.GetEvents()
	case 6:
		name, n = "WaitCQENr", min(n, t.ring.CQReady())
		cqe, err = t.ring.WaitCQENr(n)
	default:
		name = "SubmitAndWaitReg"
		cqe, err = t.ring.SubmitAndWaitReg(n, t.IntN(2))
	}
	t.left(t.ring.SQReady())
	t.printf("%s %d: %v", name, n, err)
	if cqe != nil {
		t.printf(" %s", t.completion(cqe))
	}
	t.printf("\n")
}

func (t *twin) take() {
	t.printf("%d ready, overflow %v:", t.ring.CQReady(), t.ring.CQHasOverflow())
	switch t.IntN(3) {
	case 0:
		for cqe := range t.ring.CQEs() {
			t.printf(" %s", t.completion(cqe))
		}
	case 1:
		batch := make([]*liburing.CQE, 1+t.IntN(8))
		n := t.ring.PeekBatchCQE(batch)
		for _, cqe := range batch[:n] {
			t.printf(" %s", t.completion(cqe))
			t.ring.CQESeen(cqe)
		}
	case 2:
		t.ring.CQAdvance(t.IntN(3))
	}
	t.printf("\n")
}

func (t *twin) completion(cqe *liburing.CQE) string {
	return fmt.Sprintf("{%d %d %v}", cqe.UserData, cqe.Res, cqe.Flags)
}

// poll is a program for a ring whose requests a thread of the kernel takes. As it is
// not certain when, each round waits for all of them, and the memory is not looked at.
func (t *twin) poll() {
	for range 5 {
		n := 1 + t.IntN(min(t.ring.SQEntries(), t.ring.CQEntries()))
		for i := range n {
			sqe, err := t.ring.SubmitGetSQE()
			if err != nil {
				t.printf("SubmitGetSQE: %v\n", err)
				return
			}
			sqe.PrepNop()
			sqe.UserData = uint64(i)
		}
		_, err := t.ring.Submit() // the thread may have taken some before they are counted
		t.printf("Submit: %v\n", err)
		if err != nil {
			return
		}
		t.printf("SQRingWait: %v\n", t.ring.SQRingWait())
		_, err = t.ring.WaitCQEs(n, 10*time.Second)
		for limit := time.Now().Add(10 * time.Second); t.ring.SQReady() != 0 && time.Now().Before(limit); {
			runtime.Gosched() // the kernel tells completions before it moves the queue's head
		}
		t.printf("%d, %v:", t.ring.CQReady(), err)
		for cqe := range t.ring.CQEs() {
			t.printf(" %s", t.completion(cqe))
		}
		t.printf("\n")
	}
}
