// Command malloc uses rings while C's allocations fail, one after the other.
package main

// void fail_at(int);
// int not_failed(void);
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/go-liburing/liburing"
)

func main() {
	runtime.LockOSThread()
	if r, w, err := os.Pipe(); err == nil { // the runtime opens its poller
		r.Close()
		w.Close()
	}
	failed := 0
	for n := C.int(1); ; n++ {
		C.fail_at(n)
		err := use()
		if C.not_failed() != 0 {
			break
		}
		failed++
		if err != nil && !errors.Is(err, syscall.ENOMEM) {
			quit("allocation %d: %v", n, err)
		}
		if err := use(); err != nil {
			quit("after allocation %d: %v", n, err)
		}
	}
	fmt.Println(failed, "allocations have failed")
}

// use has every call that liburing allocates for, and looks for what is left.
func use() (err error) {
	before := descriptors()
	defer func() {
		if after := descriptors(); after != before {
			quit("there were %d descriptors, and are %d, after %v", before, after, err)
		}
	}()
	r, err := liburing.New(8)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := liburing.GetProbe(); err != nil {
		return err
	}
	if _, err := r.GetProbe(); err != nil {
		return err
	}
	br, err := r.SetupBufRing(8, 1, 0)
	if err != nil {
		return err
	}
	if err := br.Free(); err != nil {
		return err
	}
	r.GetSQE().PrepNop()
	_, err = r.SubmitAndWait(1)
	return err
}

func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		quit("%v", err)
	}
	return len(all)
}

func quit(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
