package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// patience is how long a request of a trial may take.
const patience = 5 * time.Second

// complete makes one request and waits for its completion.
func complete(ring *liburing.Ring, prep func(*liburing.SQE)) (result int32, err error) {
	sqe := ring.GetSQE()
	if sqe == nil {
		return 0, errors.New("the submission queue is full")
	}
	prep(sqe)
	if _, err := ring.Submit(); err != nil {
		return 0, err
	}
	cqe, err := ring.WaitCQETimeout(patience)
	// On a ring that polls for completions the kernel waits for none that it
	// does not poll for, such as the refusal of a disk that cannot.
	for end := time.Now().Add(patience); errors.Is(err, unix.ETIME) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		cqe, err = ring.WaitCQETimeout(patience)
	}
	if err != nil {
		return 0, err
	}
	defer ring.CQESeen(cqe)
	return cqe.Res, cqe.Err()
}

// checkNop has a request that does nothing go through a ring.
func (d *Diagnosis) checkNop() {
	d.add(trialFinding("no-op", "a request went through a ring", tryNop()))
}

func tryNop(opts ...liburing.Option) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(2, opts...)
	if err != nil {
		return err
	}
	defer ring.Close()
	_, err = complete(ring, (*liburing.SQE).PrepNop)
	return err
}

func trialFinding(check, worked string, err error) Finding {
	f := Finding{Check: check, Status: OK, Found: "works", Means: worked}
	if err != nil {
		f.Status, f.Found = Fail, err.Error()
		f.Means, f.Do = "a ring can be set up, but this does not work", "read the error: it says why"
	}
	return f
}

// checkSQPoll finds out whether the kernel can poll for requests.
func (d *Diagnosis) checkSQPoll() {
	f := Finding{Check: "SQPOLL", Status: OK, Found: "available", Means: "a kernel thread can take requests without a system call"}
	if err := tryNop(liburing.WithSQPoll(10 * time.Millisecond)); err != nil {
		f.Status, f.Found = Warn, err.Error()
		f.Means = "a kernel thread cannot take requests without a system call; before Linux 5.13 that needs privileges"
		f.Do = "use rings without SetupSQPoll"
	}
	d.add(f)
}

// fileContent is what the file contains that is read for a trial.
var fileContent = bytes.Repeat([]byte("io_uring"), 4096/8)

// checkFiles reads a file in a folder in two ways: as every program does, and
// polling the disk for the completion (IOPOLL).
func (d *Diagnosis) checkFiles(dir string) {
	name, err := makeFile(dir)
	if err != nil {
		d.add(Finding{Check: "read", Status: Warn, Found: err.Error(),
			Means: "reading a file was not tried", Do: "name a folder that can be written to (-dir)"})
		return
	}
	defer os.Remove(name)
	d.add(trialFinding("read", "a file in "+dir+" was read through a ring", tryRead(name, 0)))
	d.add(iopollFinding(dir, tryRead(name, unix.O_DIRECT, liburing.WithFlags(liburing.SetupIOPoll))))
}

// makeFile makes a file whose content is on the disk.
func makeFile(dir string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".uring-doctor-*")
	if err != nil {
		return "", fmt.Errorf("cannot make a file in %s: %w", dir, cause(err))
	}
	_, err = f.Write(fileContent)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

// tryRead reads the file through a ring of the given options.
func tryRead(name string, openFlags int, opts ...liburing.Option) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f, err := os.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	pool, err := liburing.NewBufferPool(1, len(fileContent))
	if err != nil {
		return err
	}
	defer pool.Close()
	buf, _ := pool.Get()
	defer pool.Put(buf)
	ring, err := liburing.New(2, opts...)
	if err != nil {
		return err
	}
	defer ring.Close()
	n, err := complete(ring, func(s *liburing.SQE) { s.PrepRead(liburing.FD(f), buf.Bytes, 0) })
	if err == nil && !bytes.Equal(buf.Bytes[:n], fileContent) {
		err = fmt.Errorf("%d bytes were read that are not those of the file", n)
	}
	return err
}

func iopollFinding(dir string, err error) Finding {
	f := Finding{Check: "IOPOLL", Status: OK, Found: "available for " + dir, Means: "completions of its disk can be polled for"}
	if err != nil {
		f.Status, f.Found = Warn, err.Error()
		f.Means = "completions of reads in " + dir + " cannot be polled for: that takes a disk whose driver has poll queues, such as NVMe"
		f.Do = "use rings without SetupIOPoll there, or another folder (-dir)"
	}
	return f
}

// cause returns the errno of an error if it has one.
func cause(err error) error {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return err
}
