//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// requireHint requires a request to fail for a reason that its error tells.
func requireHint(t *testing.T, l *liburing.Loop, errno unix.Errno, hint string, request func(liburing.Callback) liburing.Request) {
	t.Helper()
	requireHintOf(t, ringtest.Do(t, l, request)[0], errno, hint)
}

func requireHintOf(t *testing.T, c liburing.Completion, errno unix.Errno, hint string) {
	t.Helper()
	err := c.Err()
	require.ErrorIs(t, err, errno)
	var e *liburing.OpError
	require.ErrorAs(t, err, &e)
	require.Equal(t, hint, e.Hint)
	if hint != "" {
		e.Path, e.NewPath, e.Addr = "", "", "" // tests/loop looks at them
		require.Equal(t, fmt.Sprintf("%s: %s: %s", c.Op(), errno.Error(), hint), err.Error())
	}
}

// What a descriptor can't do its error says, and what can be done instead.
func TestErrorOfDescriptor(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	file := int(ringtest.TempFile(t, make([]byte, 4096)).Fd())
	reading, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(reading)
	dir, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(dir)
	name, err := unix.Open(t.TempDir(), unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(name)
	r, w := ringtest.Pipe(t)
	a, _ := ringtest.SocketPair(t)
	listener, at := ringtest.Listener(t)
	event, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(event)
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(epoll)
	buf := make([]byte, 64)
	is := func(fd int, what string) string { return fmt.Sprintf("descriptor %d is %s", fd, what) }

	for _, c := range []struct {
		op      liburing.Op
		errno   unix.Errno
		hint    string
		request func(liburing.Callback) liburing.Request
	}{
		{liburing.OpReadMultishot, unix.EBADFD, is(file, "a regular file, which can't be polled: use Read"),
			func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(file, 0, 0, 1, cb) }},
		{liburing.OpRead, unix.EISDIR, is(dir, "a directory, which can't be read"),
			func(cb liburing.Callback) liburing.Request { return l.Read(dir, buf, 0, cb) }},
		{liburing.OpRead, unix.EBADF, is(w, "open for writing only"),
			func(cb liburing.Callback) liburing.Request { return l.Read(w, buf, 0, cb) }},
		{liburing.OpWrite, unix.EBADF, is(r, "open for reading only"),
			func(cb liburing.Callback) liburing.Request { return l.Write(r, buf, 0, cb) }},
		{liburing.OpRead, unix.ESPIPE, is(a, "a Unix socket, which has no position: read at CurrentPosition"),
			func(cb liburing.Callback) liburing.Request { return l.Read(a, buf, 7, cb) }},
		{liburing.OpRead, unix.EBADF, fmt.Sprintf("descriptor %d was opened with O_PATH, which gives it a place and no content", name),
			func(cb liburing.Callback) liburing.Request { return l.Read(name, buf, 0, cb) }},
		{liburing.OpRead, unix.EBADF, is(999, "not open"),
			func(cb liburing.Callback) liburing.Request { return l.Read(999, buf, 0, cb) }},
		{liburing.OpRecv, unix.ENOTSOCK, is(r, "the read end of a pipe, which is no socket: use Read"),
			func(cb liburing.Callback) liburing.Request { return l.Recv(r, buf, 0, cb) }},
		{liburing.OpSend, unix.ENOTSOCK, is(w, "the write end of a pipe, which is no socket: use Write"),
			func(cb liburing.Callback) liburing.Request { return l.Send(w, buf, 0, cb) }},
		{liburing.OpRecv, unix.ENOTCONN, is(listener, "a listening socket, from which connections are accepted (Accept)"),
			func(cb liburing.Callback) liburing.Request { return l.Recv(listener, buf, 0, cb) }},
		{liburing.OpAccept, unix.EINVAL, is(a, "a socket that does not listen"),
			func(cb liburing.Callback) liburing.Request { return l.Accept(a, nil, 0, cb) }},
		{liburing.OpFallocate, unix.EBADF, is(reading, "open for reading only"),
			func(cb liburing.Callback) liburing.Request { return l.Fallocate(reading, 0, 0, 1, cb) }},
		{liburing.OpFtruncate, unix.EINVAL, is(reading, "open for reading only"),
			func(cb liburing.Callback) liburing.Request { return l.Ftruncate(reading, 1, cb) }},
		{liburing.OpFsync, unix.EOPNOTSUPP, "fsync takes no provided buffers",
			func(cb liburing.Callback) liburing.Request {
				r := l.Fsync(file, 0, cb)
				r.SQE().Flags |= liburing.SQEBufferSelect
				return r
			}},
		{liburing.OpFsync, unix.EINVAL, is(r, "the read end of a pipe, which has nothing to flush"),
			func(cb liburing.Callback) liburing.Request { return l.Fsync(r, 0, cb) }},
		{liburing.OpRead, unix.EINVAL, is(event, "an eventfd, from which at least 8 bytes are read"),
			func(cb liburing.Callback) liburing.Request { return l.Read(event, buf[:4], 0, cb) }},
		{liburing.OpWrite, unix.EINVAL, is(event, "an eventfd, to which 8 bytes are written, not 4"),
			func(cb liburing.Callback) liburing.Request { return l.Write(event, buf[:4], 0, cb) }},
		{liburing.OpSplice, unix.EINVAL, "one of the two descriptors has to be a pipe",
			func(cb liburing.Callback) liburing.Request { return l.Splice(file, 0, a, -1, 64, 0, cb) }},
		{liburing.OpTee, unix.EINVAL, is(file, "a regular file, and Tee is for two pipes"),
			func(cb liburing.Callback) liburing.Request { return l.Tee(file, w, 64, 0, cb) }},
		{liburing.OpEpollCtl, unix.EPERM, is(file, "a regular file, which can't be waited for: it is ready always"),
			func(cb liburing.Callback) liburing.Request {
				return l.EpollCtl(epoll, file, unix.EPOLL_CTL_ADD, &liburing.EpollEvent{}, cb)
			}},
		{liburing.OpEpollWait, unix.EINVAL, is(r, "the read end of a pipe, and no epoll"),
			func(cb liburing.Callback) liburing.Request {
				return l.EpollWait(r, make([]liburing.EpollEvent, 1), 0, cb)
			}},
		{liburing.OpMsgRing, unix.EBADFD, is(a, "a Unix socket, and no ring"),
			func(cb liburing.Callback) liburing.Request { return l.MsgRing(a, 0, 0, 0, cb) }},
		{liburing.OpSendZC, unix.EOPNOTSUPP, is(a, "a Unix socket, which can't send without a copy: use Send"),
			func(cb liburing.Callback) liburing.Request { return l.SendZC(a, buf, 0, 0, cb) }},
		{liburing.OpOpenat, unix.ENOTDIR, is(r, "the read end of a pipe, and no directory, at which a path could begin"),
			func(cb liburing.Callback) liburing.Request { return l.Openat(r, "x", 0, 0, cb) }},
		{liburing.OpBind, unix.EINVAL, is(listener, "a listening socket, which has an address"),
			func(cb liburing.Callback) liburing.Request { return l.Bind(listener, at, cb) }},
	} {
		t.Run(fmt.Sprintf("%s %s", c.op, unix.ErrnoName(c.errno)), func(t *testing.T) {
			ringtest.NeedsOps(t, c.op)
			requireHint(t, l, c.errno, c.hint, c.request)
		})
	}
}

// A read or write of a file opened with O_DIRECT whose offset or length is no multiple
// of a drive's blocks.
func TestErrorOfUnaligned(t *testing.T) {
	var fs unix.Statfs_t
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, unix.Statfs(filepath.Dir(path), &fs))
	if fs.Type != unix.EXT4_SUPER_MAGIC {
		t.Skip("the temporary folder is on no ext4")
	}
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<13), 0o600))
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	l := ringtest.NewLoop(t, 8)
	buf := ringtest.Memory(t, 4096)
	requireHint(t, l, unix.EINVAL, fmt.Sprintf("descriptor %d was opened with O_DIRECT, and the length 100 is no multiple of the device's blocks, 512 bytes or more", fd),
		func(cb liburing.Callback) liburing.Request { return l.Read(fd, buf[:100], 0, cb) })
	requireHint(t, l, unix.EINVAL, fmt.Sprintf("descriptor %d was opened with O_DIRECT, and the offset 7 is no multiple of the device's blocks, 512 bytes or more", fd),
		func(cb liburing.Callback) liburing.Request { return l.Write(fd, buf, 7, cb) })
}

// What goes on needs a group of buffers.
func TestErrorOfMultishotWithoutGroup(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC) // came with multishot receives, in Linux 6.0
	l := ringtest.NewLoop(t, 8)
	a, _ := ringtest.SocketPair(t)
	requireHint(t, l, unix.EINVAL, "what receives again and again takes provided buffers: add Buffers to the request",
		func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(a, nil, 0, cb) })
}

// A limit of nothing is told what it is for.
func TestErrorOfLinkTimeoutAlone(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	requireHint(t, l, unix.EINVAL,
		"it goes right behind the request that it limits, which is linked to it (LinkNext); and its time must not be below zero",
		func(cb liburing.Callback) liburing.Request { return l.LinkTimeout(time.Second, 0, cb) })
}

// Who cancels what has completed is told so, and not of a file.
func TestErrorOfCancelOfNothing(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	requireHint(t, l, unix.ENOENT, "no such request is in flight", func(cb liburing.Callback) liburing.Request { return l.Cancel(1<<63|99, 0, cb) })
}

// A ring that polls for its completions says what it takes.
func TestErrorOfPollingRing(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupIOPoll))
	a, _ := ringtest.SocketPair(t)
	requireHint(t, l, unix.EINVAL, "the ring polls (SetupIOPoll), and recv is not for such rings",
		func(cb liburing.Callback) liburing.Request { return l.Recv(a, make([]byte, 8), 0, cb) })
	requireHint(t, l, unix.EOPNOTSUPP, "the ring polls (SetupIOPoll), which takes a file opened with O_DIRECT on a device with queues for that",
		func(cb liburing.Callback) liburing.Request { return l.Read(a, make([]byte, 8), 0, cb) })
}

// What calls a Stream's callback, or a Writer's, has the reason too.
func TestErrorOfStream(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpReadMultishot)
	l := ringtest.NewLoop(t, 8)
	file := int(ringtest.TempFile(t, make([]byte, 10)).Fd())
	var last liburing.Completion
	l.Rearm(func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(file, 0, 0, 1, cb) },
		func(c liburing.Completion) { last = c })
	ringtest.RunIdle(t, l)
	requireHintOf(t, last, unix.EBADFD, fmt.Sprintf("descriptor %d is a regular file, which can't be polled: use Read", file))

	r, _ := ringtest.Pipe(t)
	var failed error
	w := loopio.NewWriter(l, r, loopio.WriterOptions{Failed: func(err error) { failed = err }})
	_, err := w.Write([]byte("x"))
	require.NoError(t, err)
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, failed, unix.EBADF)
	require.ErrorContains(t, failed, fmt.Sprintf("descriptor %d is open for reading only", r))
}

// A request of a registered buffer says how it misses it.
func TestErrorOfFixedBuffer(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	mem := ringtest.Memory(t, 3*4096)
	file := int(ringtest.TempFile(t, make([]byte, 4096)).Fd())
	read := func(buf []byte, index int) func(liburing.Callback) liburing.Request {
		return func(cb liburing.Callback) liburing.Request { return l.ReadFixed(file, buf, 0, index, cb) }
	}
	requireHint(t, l, unix.EFAULT, "no buffers are registered (Ring.RegisterBuffers)", read(mem[:8], 0))
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		return r.RegisterBuffers([][]byte{mem[:4096], mem[4096:8192]})
	}))
	requireHint(t, l, unix.EFAULT, "there is no registered buffer 2: the table has 2", read(mem[:8], 2))
	requireHint(t, l, unix.EFAULT, "the registered buffer 1 has 4096 bytes, and the request reaches to 8192", read(mem[4096:], 1))
	requireHint(t, l, unix.EFAULT, "its memory does not lie in the registered buffer 1", read(mem[:8], 1))
	n := ringtest.One(t, l, read(mem[:8], 0))
	require.Equal(t, 8, n)
}

const fullTable = "no place is free in the ring's table of registered files: make a larger one (Ring.RegisterFilesSparse), " +
	"or close some; or the system has no file left (fs.file-max)"

// A request that finds no place among the registered files says so, since the kernel's
// error speaks of the system's files.
func TestErrorOfFullTable(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ringtest.SparseFiles(t, l, 1)
		socket := func(cb liburing.Callback) liburing.Request {
			return l.SocketDirectAlloc(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0, cb)
		}
		require.Zero(t, ringtest.One(t, l, socket))
		requireHint(t, l, unix.ENFILE, fullTable, socket)
		requireHint(t, l, unix.ENFILE, fullTable, func(cb liburing.Callback) liburing.Request {
			return l.Openat2Direct(unix.AT_FDCWD, "/dev/null", &unix.OpenHow{}, liburing.FileIndexAlloc, cb)
		})
		requireHint(t, l, unix.ENFILE, fullTable, func(cb liburing.Callback) liburing.Request {
			return l.FilesUpdate([]int{0}, liburing.FileIndexAlloc, cb)
		})
		if !ringtest.Knows(t, liburing.OpSendZC) { // came with files for other rings, in Linux 6.0
			return
		}
		to := ringtest.NewRing(t, 8)
		require.NoError(t, to.RegisterFiles([]int{0}))
		requireHint(t, l, unix.ENFILE, strings.Replace(fullTable, "the ring's", "the other ring's", 1), func(cb liburing.Callback) liburing.Request {
			return l.MsgRingFDAlloc(to.FD(), 0, 0, 0, cb)
		})
	})
}

// So does a stream of accepts, whose entry in the queue other requests have had since.
func TestErrorOfFullTableOfStream(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.SparseFiles(t, l, 1)
	door, at := ringtest.Listener(t)
	var refused liburing.Completion
	accepts := l.Rearm(func(cb liburing.Callback) liburing.Request {
		return l.MultishotAcceptDirect(door, nil, 0, cb)
	}, func(c liburing.Completion) {
		if c.Res < 0 && c.More() {
			refused = c
		}
	})
	nops := 0
	for range 32 {
		l.Nop(func(liburing.Completion) { nops++ })
	}
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return nops == 32 })
	for range 2 {
		client, err := net.Dial("tcp", at.String())
		require.NoError(t, err)
		defer client.Close()
	}
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return refused.Res != 0 })
	requireHintOf(t, refused, unix.ENFILE, fullTable)
	accepts.Stop()
	ringtest.RunIdle(t, l)
}

// A request whose chain has broken says where.
func TestErrorBehindLink(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var second, third liburing.Completion
		l.Openat(unix.AT_FDCWD, "/none/such", 0, 0, nil).LinkNext()
		l.Nop(func(c liburing.Completion) { second = c }).LinkNext()
		l.Nop(func(c liburing.Completion) { third = c })
		ringtest.RunIdle(t, l)
		const hint = `it was linked behind a request that failed: openat "/none/such": no such file or directory`
		requireHintOf(t, second, unix.ECANCELED, hint)
		requireHintOf(t, third, unix.ECANCELED, hint)
	})
}

// The same of a quiet chain, and of one that waited in the backlog.
func TestErrorBehindQuietLink(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var second liburing.Completion
	l.Openat(unix.AT_FDCWD, "/none/such", 0, 0, nil).LinkNext()
	l.Nop(func(c liburing.Completion) { second = c }).SkipSuccess()
	ringtest.RunIdle(t, l)
	requireHintOf(t, second, unix.ECANCELED, `it was linked behind a request that failed: openat "/none/such": no such file or directory`)
}

// A timeout for which its time is no failure breaks no chain.
func TestErrorBehindTimeout(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 16)
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	var c liburing.Completion
	l.Timeout(time.Microsecond, 0, liburing.TimeoutEtimeSuccess, nil).LinkNext()
	token := l.PollAdd(r, unix.POLLIN, func(d liburing.Completion) { c = d }).Token()
	l.Timeout(5*time.Millisecond, 0, 0, func(liburing.Completion) { l.Cancel(token, 0, nil) })
	ringtest.RunIdle(t, l)
	requireHintOf(t, c, unix.ECANCELED, "")

	l.Timeout(time.Microsecond, 0, 0, nil).LinkNext()
	l.Nop(func(d liburing.Completion) { c = d })
	ringtest.RunIdle(t, l)
	requireHintOf(t, c, unix.ECANCELED, "it was linked behind a request that failed: timeout: timer expired")
}

// A transfer that is cut short breaks its chain too, and has no error that tells.
func TestErrorBehindShort(t *testing.T) {
	l := ringtest.NewLoop(t, 4)
	file := int(ringtest.TempFile(t, make([]byte, 10)).Fd())
	const hint = "the request that it is linked behind was cut short, or it was cancelled itself"
	for range 5 { // the places of the queue have their turn
		var c liburing.Completion
		l.Read(file, make([]byte, 64), 0, nil).LinkNext()
		l.Nop(func(d liburing.Completion) { c = d })
		ringtest.RunIdle(t, l)
		requireHintOf(t, c, unix.ECANCELED, hint)
		l.Nop(nil)
		ringtest.RunIdle(t, l)
	}
}

// A request that was cancelled has no other reason.
func TestErrorOfCancelled(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	var c liburing.Completion
	token := l.PollAdd(r, unix.POLLIN, func(d liburing.Completion) { c = d }).Token()
	l.Cancel(token, 0, nil)
	ringtest.RunIdle(t, l)
	requireHintOf(t, c, unix.ECANCELED, "")

	ctx, cancel := context.WithCancel(context.Background())
	l.PollAdd(r, unix.POLLIN, func(d liburing.Completion) { c = d }).WithContext(ctx)
	cancel()
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, c.Err(), context.Canceled)

	l.PollAdd(r, unix.POLLIN, func(d liburing.Completion) { c = d })
	require.NoError(t, l.Close(context.Background()))
	requireHintOf(t, c, unix.ECANCELED, "the loop is being closed")
}

// A group that has run dry.
func TestErrorOfDryGroup(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 2, 64, 0)
	a, b := ringtest.SocketPair(t)
	_, err := unix.Write(b, make([]byte, 256))
	require.NoError(t, err)
	var kept []liburing.Borrowed
	var last liburing.Completion
	l.RecvMultishot(a, nil, 0, func(c liburing.Completion) {
		if last = c; c.Res > 0 {
			kept = append(kept, c.Keep())
		}
	}).Buffers(g)
	ringtest.RunIdle(t, l)
	requireHintOf(t, last, unix.ENOBUFS, "none of the 2 buffers of its group is left: give them back sooner (Borrowed.Release), "+
		"make the group larger, or have Rearm wait for them")
	for _, k := range kept {
		require.NoError(t, k.Release())
	}
	requireHint(t, l, unix.ENOBUFS, "the group 77 of provided buffers has none left, or there is no such group", func(cb liburing.Callback) liburing.Request {
		r := l.Recv(a, nil, 0, cb)
		r.SQE().Flags |= liburing.SQEBufferSelect
		r.SQE().BufIndex = 77
		return r
	})
}

// A registered file that does not exist, a sealed memfd, a splice that does not wait.
func TestErrorOfFlags(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1}) }))
	requireHint(t, l, unix.EBADF, "place 5 of the registered files is empty or beyond the table, or its file is not open for that",
		func(cb liburing.Callback) liburing.Request {
			return l.Recv(liburing.Fixed(5).FD(), make([]byte, 8), 0, cb)
		})

	sealed, err := unix.MemfdCreate("", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(sealed)
	_, err = unix.FcntlInt(uintptr(sealed), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	require.NoError(t, err)
	requireHint(t, l, unix.EPERM, fmt.Sprintf("descriptor %d is sealed against writing (F_SEAL_WRITE)", sealed),
		func(cb liburing.Callback) liburing.Request { return l.Write(sealed, make([]byte, 8), 0, cb) })

	r, _ := ringtest.Pipe(t)
	_, w := ringtest.Pipe(t)
	require.NoError(t, unix.SetNonblock(r, true))
	requireHint(t, l, unix.EAGAIN, fmt.Sprintf("descriptor %d is nonblocking, and splices don't wait then: poll first, or make it blocking", r),
		func(cb liburing.Callback) liburing.Request { return l.Splice(r, -1, w, -1, 64, 0, cb) })
	a, _ := ringtest.SocketPair(t)
	requireHint(t, l, unix.EAGAIN, "", func(cb liburing.Callback) liburing.Request { return l.Recv(a, make([]byte, 8), unix.MSG_DONTWAIT, cb) })
}

// A send without a copy of more than may be locked.
func TestErrorOfLockedMemory(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	if ringtest.KernelBefore(6, 2) {
		t.Skip("this kernel does not count what is sent without a copy")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	out := setupUnder(t, "locked send")
	require.Contains(t, out, "send_zc: cannot allocate memory: what is sent without a copy is locked meanwhile; memory that the kernel locks ")
	require.Contains(t, out, "is 64 KiB: raise it")
}

// sendLocked sends more than may be locked, and prints what comes of it.
func sendLocked() error {
	limit := unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}
	if err := errors.Join(unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit), syscall.Setuid(100000+os.Getpid())); err != nil {
		return err
	}
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	l.SendZC(liburing.FD(conn.(*net.TCPConn)), make([]byte, 1<<20), 0, 0, func(c liburing.Completion) {
		if c.Flags&liburing.CQEFNotif == 0 {
			fmt.Println(c.Err())
		}
	})
	fmt.Println(l.RunUntilIdle(context.Background()))
	os.Exit(0)
	return nil
}

// Filters deny without a word: the error says that there are some.
func TestErrorOfFilter(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	deny := []liburing.BPFInstruction{{Code: unix.BPF_RET | unix.BPF_K}}
	err := l.Control(func(r *liburing.Ring) error {
		return r.RegisterBPFFilter(&liburing.BPFFilter{Op: liburing.OpNop, Program: deny})
	})
	if err != nil {
		t.Skipf("this kernel has no filters, they came with Linux 7.0: %v", err)
	}
	requireHint(t, l, unix.EACCES, "the ring or its thread has filters (RegisterBPFFilter), and this is how they deny a request",
		func(cb liburing.Callback) liburing.Request { return l.Nop(cb) })
}

// A ring that was restricted says so.
func TestErrorOfRestriction(t *testing.T) {
	l := restricted(t)
	defer ringtest.CloseLoop(t, l)
	requireHint(t, l, unix.EACCES, "the ring's restrictions don't allow nop", func(cb liburing.Callback) liburing.Request { return l.Nop(cb) })
	r, _ := ringtest.Pipe(t)
	requireHint(t, l, unix.EACCES, "the ring's restrictions don't allow io_drain", func(cb liburing.Callback) liburing.Request {
		req := l.PollAdd(r, unix.POLLIN, cb)
		req.SQE().Flags |= liburing.SQEIODrain
		return req
	})
}

// What the library does not know it does not say, also of what it might have mistaken
// for something else.
func TestErrorUnknown(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	file := int(ringtest.TempFile(t, make([]byte, 4096)).Fd())
	unconnected, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(unconnected)
	requireHint(t, l, unix.EINVAL, "", func(cb liburing.Callback) liburing.Request { return l.Fallocate(file, 0, 0, 0, cb) })
	requireHint(t, l, unix.ENOTDIR, "", func(cb liburing.Callback) liburing.Request { return l.Openat(file, "/dev/null/x", 0, 0, cb) })
	requireHint(t, l, unix.ENOENT, "", func(cb liburing.Callback) liburing.Request { return l.Openat(unix.AT_FDCWD, "/none/such", 0, 0, cb) })
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{unconnected}) }))
	requireHint(t, l, unix.ESPIPE, "", func(cb liburing.Callback) liburing.Request { return l.Read(0, make([]byte, 8), 7, cb).FixedFile() })
	// Errors of completions that are made up, or were made long ago.
	require.NoError(t, liburing.Completion{}.Err())
	require.EqualError(t, liburing.Completion{Res: -int32(unix.EINVAL)}.Err(), "nop: invalid argument")
}

// A kernel that is too old for an operation, or for a flag of one, says so.
func TestErrorOfOldKernel(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	a, _ := ringtest.SocketPair(t)
	tried := false
	if !ringtest.Knows(t, liburing.OpReadMultishot) {
		tried = true
		c := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(a, 0, 0, 1, cb) })
		require.ErrorContains(t, c.Err(), ") does not know read_multishot (Linux 6.7)")
	}
	if ringtest.KernelBefore(6, 10) && !ringtest.Knows(t, liburing.OpBind) {
		tried = true
		c := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request {
			r := l.Recv(a, nil, 0, cb)
			r.SQE().IOPrio |= uint16(liburing.RecvSendBundle)
			r.SQE().Flags |= liburing.SQEBufferSelect
			return r
		})
		require.ErrorContains(t, c.Err(), ") does not know bundles (Linux 6.10)")
	}
	if !tried {
		t.Skip("this kernel knows all of it")
	}
}

// To say so takes no call that a program may have forbidden itself by then.
func TestErrorTakesNoSetup(t *testing.T) {
	if ringtest.Knows(t, liburing.OpNop128) {
		t.Skip("this kernel knows all of it")
	}
	require.Contains(t, setupUnder(t, "late setup"), ") does not know nop128 (Linux 6.19)\n")
}

func explainWithoutSetup() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	if err := l.Control(func(*liburing.Ring) error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.EPERM) }); err != nil {
		return err
	}
	l.Nop(func(c liburing.Completion) { fmt.Println(c.Err()) }).SQE().Opcode = liburing.OpNop128
	fmt.Println(l.RunUntilIdle(context.Background()))
	os.Exit(0)
	return nil
}

// A kernel lacks what is newer than it and than all operations that it knows: those of
// distributions have newer ones than their version says.
func TestKernelLacks(t *testing.T) {
	p, err := liburing.GetProbe()
	require.NoError(t, err)
	last := liburing.Op(0)
	for op := range liburing.OpLast {
		if p.OpcodeSupported(op) {
			last = op
		}
	}
	require.False(t, liburing.KernelLacks(p, last.Kernel(), "3.10.0-1160.el7"))
	require.True(t, liburing.KernelLacks(p, "99.0", "6.18.44"))
	require.False(t, liburing.KernelLacks(p, "6.0", "6.0"))
	require.False(t, liburing.KernelLacks(p, "5.9", "6.0.1-generic"))
}
