//go:build linux

package ringio

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// mayWait reports whether an open may wait for long: for a FIFO's other end.
func mayWait(name string, flag int) bool {
	if flag&unix.O_NONBLOCK != 0 {
		return false
	}
	var stat unix.Stat_t
	return unix.Stat(name, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}

// openWaiting opens what may wait for long. What a name means, and who may open it, another
// thread may be told otherwise: it may have a namespace or a user of its own. So it is the
// caller's that asks, by an open that does not wait. It succeeds for one who reads, who
// then waits for another to write; for one who writes it says that nobody reads. One who
// does both waits for nobody.
func (e *Engine) openWaiting(ctx context.Context, name string, flag int, perm fs.FileMode) (*os.File, error) {
	fd, err := openNow(name, flag, perm)
	access := flag & unix.O_ACCMODE
	if err == unix.ENXIO && access == unix.O_WRONLY {
		fd, err = e.openForReader(ctx, name, flag, perm)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	if access == unix.O_RDONLY && isFIFO(fd) {
		if err := e.awaitWriter(ctx, f, fd); err != nil {
			f.Close()
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	return f, nil
}

// makeWait has a file that openWaiting has opened let its callers wait.
func makeWait(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { unix.SetNonblock(int(fd), false) })
	}
}

// openNow opens without waiting for a FIFO's other end.
func openNow(name string, flag int, perm fs.FileMode) (fd int, err error) {
	for {
		fd, err = unix.Open(name, flag|unix.O_NONBLOCK|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func isFIFO(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}

// awaitWriter returns when somebody writes the FIFO that f reads, or has done so: f is
// enough for a writer's open to end, and one that is quick has closed the FIFO before
// another open, which tells that there is a writer, begins to wait.
func (e *Engine) awaitWriter(ctx context.Context, f *os.File, fd int) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	var watcher sync.WaitGroup
	watcher.Go(func() {
		if awaitLeft(f) {
			stop()
		}
	})
	again, err := e.reopen(waiting, fd, unix.O_RDONLY)
	f.SetReadDeadline(longAgo) // ends the watcher
	watcher.Wait()
	f.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		unix.Close(again)
		return nil
	case writerLeft(fd):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return askForWriter(ctx, fd)
}

// awaitLeft returns true when writerLeft does, and false when f's deadline passes.
func awaitLeft(f *os.File) bool {
	conn, err := f.SyscallConn()
	return err == nil && conn.Read(func(fd uintptr) bool { return writerLeft(int(fd)) }) == nil
}

// writerLeft reports whether there is no writer, but was one since fd was opened. Bytes in
// the FIFO are no sign of that: an earlier writer may have left them for another reader.
func writerLeft(fd int) bool {
	now := [1]unix.PollFd{{Fd: int32(fd)}}
	n, _ := unix.Poll(now[:], 0)
	return n == 1 && now[0].Revents&unix.POLLHUP != 0
}

// askForWriter is awaitWriter where no ring can wait. An open that waits in a goroutine
// would be one more reader that nobody could end, and take what is written next with it.
// So this asks by copying a byte: that fails if there is none, but a writer. If there is
// one, it is enough: it can be read.
func askForWriter(ctx context.Context, fd int) error {
	var into [2]int
	if err := unix.Pipe2(into[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(into[0])
	defer unix.Close(into[1])
	return askAgain(ctx, func() bool {
		n, err := unix.Tee(fd, into[1], 1, unix.SPLICE_F_NONBLOCK)
		return int32(n) > 0 || err == unix.EAGAIN || writerLeft(fd) // on 386 the upper half is none of the result
	})
}

// askAgain asks until the answer is yes or ctx ends.
func askAgain(ctx context.Context, ask func() bool) error {
	for pause := time.Millisecond; !ask(); pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// openForReader opens a FIFO for writing when somebody reads it.
func (e *Engine) openForReader(ctx context.Context, name string, flag int, perm fs.FileMode) (int, error) {
	if found, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC|flag&unix.O_NOFOLLOW, 0); err == nil {
		fd, err := e.reopen(ctx, found, flag&^(unix.O_NOFOLLOW|unix.O_CREAT|unix.O_EXCL))
		unix.Close(found)
		if err == nil {
			return fd, unix.SetNonblock(fd, true)
		}
	}
	fd, err := -1, error(nil)
	if ended := askAgain(ctx, func() bool {
		fd, err = openNow(name, flag, perm)
		return err != unix.ENXIO || !mayWait(name, flag)
	}); ended != nil {
		return -1, ended
	}
	return fd, err
}

// reopen opens what fd is by a ring. It fails where there is none, no /proc, or no thread of
// the kernel's to be had. With SQPoll all requests share the few of one thread: opens that wait
// there would keep others, and reads and syncs, from theirs.
func (e *Engine) reopen(ctx context.Context, fd, flag int) (int, error) {
	ring := e.pick()
	if ring == nil || ring.sqPoll {
		return -1, errNoRing
	}
	self := ring.registerSelf()
	defer ring.unregister(self)
	return ring.open(ctx, fdPath(fd), flag, self)
}

// fdPath is where a descriptor can be opened again.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// registerSelf has the ring know who the thread is, for requests that another one submits,
// and returns the name of that, which is zero if the kernel refuses.
func (e *engine) registerSelf() (personality uint16) {
	e.mu.Lock()
	defer e.unlock()
	if !e.ended {
		personality, _ = e.ring.RegisterPersonality()
	}
	return personality
}

func (e *engine) unregister(personality uint16) {
	e.mu.Lock()
	defer e.unlock()
	if !e.ended && personality != 0 {
		e.ring.UnregisterPersonality(personality)
	}
}

// open opens a path as the one that personality names, and returns the descriptor. It keeps the
// thread meanwhile, which must not end: the kernel would still have its workers carry out what
// they were given, and could not end that any more. A thread has few workers, too: opens that
// share one would wait for each other.
func (e *engine) open(ctx context.Context, path string, flag int, personality uint16) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	zeroed := append([]byte(path), 0)
	for tries := 0; ; tries++ {
		o := e.acquire()
		o.hold(zeroed)
		sqe := o.entry()
		sqe.PrepOpenat(unix.AT_FDCWD, &zeroed[0], flag|unix.O_CLOEXEC|unix.O_LARGEFILE, 0)
		sqe.Personality = personality
		o.forContext()
		res, err := int32(0), e.submitHere(o)
		if err == nil {
			res = e.waitContext(ctx, o)
		}
		e.release(o)
		switch errno := unix.Errno(-res); {
		case err != nil:
			return -1, err
		case res >= 0:
			return int(res), nil
		case ctx.Err() != nil && (errno == unix.ECANCELED || errno == unix.EINTR):
			return -1, ctx.Err()
		case errno != unix.EINTR && (errno != unix.ECANCELED || tries >= mostRemade):
			return -1, errno
		}
	}
}
