//go:build linux

package main

import (
	"path/filepath"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// operation is a request of a descriptor.
type operation struct {
	name string // in the table
	op   liburing.Op
	prep func(s *liburing.SQE, c *cell)
}

const current = liburing.CurrentPosition

// operations are those of the table, in its order.
var operations = []*operation{
	{"Read", liburing.OpRead, func(s *liburing.SQE, c *cell) { s.PrepRead(c.fd, c.buf(), current) }},
	{"Read at 4096", liburing.OpRead, func(s *liburing.SQE, c *cell) { s.PrepRead(c.fd, c.buf(), bufSize) }},
	{"Readv", liburing.OpReadv, func(s *liburing.SQE, c *cell) { s.PrepReadv(c.fd, c.iovecs(), current) }},
	{"ReadFixed", liburing.OpReadFixed, func(s *liburing.SQE, c *cell) { s.PrepReadFixed(c.fd, c.buf(), current, 0) }},
	{"ReadvFixed", liburing.OpReadvFixed, func(s *liburing.SQE, c *cell) { s.PrepReadvFixed(c.fd, c.iovecs(), current, 0, 0) }},
	{"ReadMultishot", liburing.OpReadMultishot, func(s *liburing.SQE, c *cell) { s.PrepReadMultishot(c.fd, 0, current, c.group()) }},
	{"Write", liburing.OpWrite, func(s *liburing.SQE, c *cell) { s.PrepWrite(c.fd, c.buf(), current) }},
	{"Write at 4096", liburing.OpWrite, func(s *liburing.SQE, c *cell) { s.PrepWrite(c.fd, c.buf(), bufSize) }},
	{"Writev", liburing.OpWritev, func(s *liburing.SQE, c *cell) { s.PrepWritev(c.fd, c.iovecs(), current) }},
	{"WriteFixed", liburing.OpWriteFixed, func(s *liburing.SQE, c *cell) { s.PrepWriteFixed(c.fd, c.buf(), current, 0) }},
	{"WritevFixed", liburing.OpWritevFixed, func(s *liburing.SQE, c *cell) { s.PrepWritevFixed(c.fd, c.iovecs(), current, 0, 0) }},
	{"Fsync", liburing.OpFsync, func(s *liburing.SQE, c *cell) { s.PrepFsync(c.fd, 0) }},
	{"SyncFileRange", liburing.OpSyncFileRange, func(s *liburing.SQE, c *cell) { s.PrepSyncFileRange(c.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }},
	{"Fallocate", liburing.OpFallocate, func(s *liburing.SQE, c *cell) { s.PrepFallocate(c.fd, 0, 0, bufSize) }},
	{"Ftruncate", liburing.OpFtruncate, func(s *liburing.SQE, c *cell) { s.PrepFtruncate(c.fd, bufSize) }},
	{"Fadvise", liburing.OpFadvise, func(s *liburing.SQE, c *cell) { s.PrepFadvise(c.fd, 0, bufSize, unix.FADV_DONTNEED) }},
	{"Fgetxattr", liburing.OpFgetxattr, func(s *liburing.SQE, c *cell) { s.PrepFgetxattr(c.fd, c.name("user.survey"), c.buf()) }},
	{"Fsetxattr", liburing.OpFsetxattr, func(s *liburing.SQE, c *cell) { s.PrepFsetxattr(c.fd, c.name("user.survey"), c.buf()[:8], 0) }},
	{"Statx", liburing.OpStatx, func(s *liburing.SQE, c *cell) {
		s.PrepStatx(c.fd, c.name(""), unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, (*liburing.Statx)(unsafe.Pointer(&c.mem[0])))
	}},
	{"PollAdd", liburing.OpPollAdd, func(s *liburing.SQE, c *cell) { s.PrepPollAdd(c.fd, unix.POLLIN) }},
	{"PollAdd to write", liburing.OpPollAdd, func(s *liburing.SQE, c *cell) { s.PrepPollAdd(c.fd, unix.POLLOUT) }},
	{"PollMultishot", liburing.OpPollAdd, func(s *liburing.SQE, c *cell) { s.PrepPollMultishot(c.fd, unix.POLLIN) }},
	{"Recv", liburing.OpRecv, func(s *liburing.SQE, c *cell) { s.PrepRecv(c.fd, c.buf(), 0) }},
	{"RecvMultishot", liburing.OpRecv, func(s *liburing.SQE, c *cell) {
		s.PrepRecvMultishot(c.fd, nil, 0)
		c.choose(s)
	}},
	{"Recv, bundles", liburing.OpRecv, func(s *liburing.SQE, c *cell) {
		s.PrepRecv(c.fd, nil, 0)
		s.IOPrio |= uint16(liburing.RecvSendBundle)
		c.choose(s)
	}},
	{"Recvmsg", liburing.OpRecvmsg, func(s *liburing.SQE, c *cell) { s.PrepRecvmsg(c.fd, c.message(c.buf()), 0) }},
	{"RecvmsgMultishot", liburing.OpRecvmsg, func(s *liburing.SQE, c *cell) {
		s.PrepRecvmsgMultishot(c.fd, c.message(), 0)
		c.choose(s)
	}},
	{"Send", liburing.OpSend, func(s *liburing.SQE, c *cell) { s.PrepSend(c.fd, c.buf(), 0) }},
	{"SendBundle", liburing.OpSend, func(s *liburing.SQE, c *cell) {
		s.PrepSendBundle(c.fd, 0, 0)
		c.choose(s)
	}},
	{"Sendmsg", liburing.OpSendmsg, func(s *liburing.SQE, c *cell) { s.PrepSendmsg(c.fd, c.message(c.buf()), 0) }},
	{"SendZC", liburing.OpSendZC, func(s *liburing.SQE, c *cell) { s.PrepSendZC(c.fd, c.buf(), 0, 0) }},
	{"SendZCFixed", liburing.OpSendZC, func(s *liburing.SQE, c *cell) { s.PrepSendZCFixed(c.fd, c.buf(), 0, 0, 0) }},
	{"SendmsgZC", liburing.OpSendmsgZC, func(s *liburing.SQE, c *cell) { s.PrepSendmsgZC(c.fd, c.message(c.buf()), 0) }},
	{"Accept", liburing.OpAccept, func(s *liburing.SQE, c *cell) { s.PrepAccept(c.fd, nil, unix.SOCK_CLOEXEC) }},
	{"MultishotAccept", liburing.OpAccept, func(s *liburing.SQE, c *cell) { s.PrepMultishotAccept(c.fd, nil, unix.SOCK_CLOEXEC) }},
	{"Connect", liburing.OpConnect, func(s *liburing.SQE, c *cell) { s.PrepConnect(c.fd, c.loopback()) }},
	{"Bind", liburing.OpBind, func(s *liburing.SQE, c *cell) { s.PrepBind(c.fd, c.loopback()) }},
	{"Listen", liburing.OpListen, func(s *liburing.SQE, c *cell) { s.PrepListen(c.fd, 1) }},
	{"Shutdown", liburing.OpShutdown, func(s *liburing.SQE, c *cell) { s.PrepShutdown(c.fd, unix.SHUT_WR) }},
	{"CmdSock SIOCINQ", liburing.OpURingCmd, func(s *liburing.SQE, c *cell) { s.PrepCmdSock(liburing.SocketOpSIOCINQ, c.fd, 0, 0, nil) }},
	{"Splice from", liburing.OpSplice, func(s *liburing.SQE, c *cell) { s.PrepSplice(c.fd, -1, c.pipe(false), -1, bufSize, 0) }},
	{"Splice to", liburing.OpSplice, func(s *liburing.SQE, c *cell) { s.PrepSplice(c.pipe(true), -1, c.fd, -1, bufSize, 0) }},
	{"Tee from", liburing.OpTee, func(s *liburing.SQE, c *cell) { s.PrepTee(c.fd, c.pipe(false), bufSize, 0) }},
	{"Tee to", liburing.OpTee, func(s *liburing.SQE, c *cell) { s.PrepTee(c.pipe(true), c.fd, bufSize, 0) }},
	{"EpollCtl of it", liburing.OpEpollCtl, func(s *liburing.SQE, c *cell) {
		s.PrepEpollCtl(c.fd, c.must(unix.Eventfd(0, unix.EFD_CLOEXEC)), unix.EPOLL_CTL_ADD, c.event())
	}},
	{"EpollCtl to add it", liburing.OpEpollCtl, func(s *liburing.SQE, c *cell) {
		s.PrepEpollCtl(c.must(unix.EpollCreate1(unix.EPOLL_CLOEXEC)), c.fd, unix.EPOLL_CTL_ADD, c.event())
	}},
	{"EpollWait", liburing.OpEpollWait, func(s *liburing.SQE, c *cell) {
		s.PrepEpollWait(c.fd, unsafe.Slice(c.event(), 1), 0)
	}},
	{"Waitid", liburing.OpWaitid, func(s *liburing.SQE, c *cell) {
		s.PrepWaitid(unix.P_PIDFD, c.fd, (*liburing.Siginfo)(unsafe.Pointer(&c.mem[0])), unix.WEXITED|unix.WNOWAIT, 0)
	}},
	{"MsgRing", liburing.OpMsgRing, func(s *liburing.SQE, c *cell) { s.PrepMsgRing(c.fd, 1, 1, 0) }},
	{"FilesUpdate", liburing.OpFilesUpdate, func(s *liburing.SQE, c *cell) {
		fds := unsafe.Slice((*int32)(unsafe.Pointer(&c.mem[0])), 1)
		fds[0] = int32(c.fd)
		s.PrepFilesUpdate(fds, c.index)
	}},
	{"CancelFD", liburing.OpAsyncCancel, func(s *liburing.SQE, c *cell) { s.PrepCancelFD(c.fd, 0) }},
	{"Close", liburing.OpClose, func(s *liburing.SQE, c *cell) { s.PrepClose(c.dup()) }},
	{"Openat", liburing.OpOpenat, func(s *liburing.SQE, c *cell) { s.PrepOpenat(c.fd, c.name("."), unix.O_RDONLY|unix.O_CLOEXEC, 0) }},
	{"Openat2", liburing.OpOpenat2, func(s *liburing.SQE, c *cell) {
		s.PrepOpenat2(c.fd, c.name("."), (*liburing.OpenHow)(unsafe.Pointer(&c.mem[0])))
	}},
	{"Mkdirat", liburing.OpMkdirat, func(s *liburing.SQE, c *cell) { s.PrepMkdirat(c.fd, c.name("new"), 0o700) }},
	{"Symlinkat", liburing.OpSymlinkat, func(s *liburing.SQE, c *cell) { s.PrepSymlinkat(c.name("x"), c.fd, c.name("new")) }},
	{"Linkat", liburing.OpLinkat, func(s *liburing.SQE, c *cell) {
		s.PrepLinkat(unix.AT_FDCWD, c.name(filepath.Join(c.dir(), "old")), c.fd, c.name("new"), 0)
	}},
	{"Renameat", liburing.OpRenameat, func(s *liburing.SQE, c *cell) {
		s.PrepRenameat(unix.AT_FDCWD, c.name(filepath.Join(c.dir(), "old")), c.fd, c.name("new"), 0)
	}},
	{"Unlinkat", liburing.OpUnlinkat, func(s *liburing.SQE, c *cell) { s.PrepUnlinkat(c.fd, c.name("old"), 0) }},
}
