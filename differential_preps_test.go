//go:build linux && cgo

package liburing

import (
	"unsafe"
)

// preps has a line for each function that changes an entry: it calls the Go side
// with random arguments and returns those of C, without the entry.
var preps = map[string]func(s *SQE, g *random) []uint64{
	"io_uring_prep_rw": func(s *SQE, g *random) []uint64 {
		op, fd, a, n, off := g.u8(), g.fd(), g.u64(), g.u32(), g.u64()
		s.PrepRW(Op(op), fd, a, n, off)
		// C has the entry second.
		return []uint64{uint64(op), entry, word(fd), a, uint64(n), off}
	},
	"io_uring_prep_nop":    func(s *SQE, g *random) []uint64 { s.PrepNop(); return nil },
	"io_uring_prep_nop128": func(s *SQE, g *random) []uint64 { s.PrepNop128(); return nil },
	"io_uring_prep_read": func(s *SQE, g *random) []uint64 {
		fd, b, off := g.fd(), g.buf(), g.u64()
		s.PrepRead(fd, b, off)
		return []uint64{word(fd), first(b), size(b), off}
	},
	"io_uring_prep_write": func(s *SQE, g *random) []uint64 {
		fd, b, off := g.fd(), g.buf(), g.u64()
		s.PrepWrite(fd, b, off)
		return []uint64{word(fd), first(b), size(b), off}
	},
	"io_uring_prep_readv": func(s *SQE, g *random) []uint64 {
		fd, v, off := g.fd(), some[Iovec](g), g.u64()
		s.PrepReadv(fd, v, off)
		return []uint64{word(fd), first(v), size(v), off}
	},
	"io_uring_prep_writev": func(s *SQE, g *random) []uint64 {
		fd, v, off := g.fd(), some[Iovec](g), g.u64()
		s.PrepWritev(fd, v, off)
		return []uint64{word(fd), first(v), size(v), off}
	},
	"io_uring_prep_readv2": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl := g.fd(), some[Iovec](g), g.u64(), g.int()
		s.PrepReadv2(fd, v, off, fl)
		return []uint64{word(fd), first(v), size(v), off, word(fl)}
	},
	"io_uring_prep_writev2": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl := g.fd(), some[Iovec](g), g.u64(), g.int()
		s.PrepWritev2(fd, v, off, fl)
		return []uint64{word(fd), first(v), size(v), off, word(fl)}
	},
	"io_uring_prep_read_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, off, i := g.fd(), g.buf(), g.u64(), g.place()
		s.PrepReadFixed(fd, b, off, i)
		return []uint64{word(fd), first(b), size(b), off, word(i)}
	},
	"io_uring_prep_write_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, off, i := g.fd(), g.buf(), g.u64(), g.place()
		s.PrepWriteFixed(fd, b, off, i)
		return []uint64{word(fd), first(b), size(b), off, word(i)}
	},
	"io_uring_prep_readv_fixed": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl, i := g.fd(), some[Iovec](g), g.u64(), g.int(), g.place()
		s.PrepReadvFixed(fd, v, off, fl, i)
		return []uint64{word(fd), first(v), size(v), off, word(fl), word(i)}
	},
	"io_uring_prep_writev_fixed": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl, i := g.fd(), some[Iovec](g), g.u64(), g.int(), g.place()
		s.PrepWritevFixed(fd, v, off, fl, i)
		return []uint64{word(fd), first(v), size(v), off, word(fl), word(i)}
	},
	"io_uring_prep_read_multishot": func(s *SQE, g *random) []uint64 {
		fd, n, off, bg := g.fd(), g.u32(), g.u64(), g.u16()
		s.PrepReadMultishot(fd, n, off, bg)
		return []uint64{word(fd), uint64(n), off, uint64(bg)}
	},
	"io_uring_prep_fsync": func(s *SQE, g *random) []uint64 {
		fd, fl := g.fd(), g.u32()
		s.PrepFsync(fd, FsyncFlags(fl))
		return []uint64{word(fd), uint64(fl)}
	},
	"io_uring_prep_sync_file_range": func(s *SQE, g *random) []uint64 {
		fd, n, off, fl := g.fd(), g.u32(), g.u64(), g.int()
		s.PrepSyncFileRange(fd, n, off, fl)
		return []uint64{word(fd), uint64(n), off, word(fl)}
	},
	"io_uring_prep_fallocate": func(s *SQE, g *random) []uint64 {
		fd, mode, off, n := g.fd(), g.int(), g.u64(), g.u64()
		s.PrepFallocate(fd, mode, off, n)
		return []uint64{word(fd), word(mode), off, n}
	},
	"io_uring_prep_ftruncate": func(s *SQE, g *random) []uint64 {
		fd, n := g.fd(), g.u64()
		s.PrepFtruncate(fd, int64(n))
		return []uint64{word(fd), n}
	},
	"io_uring_prep_fadvise": func(s *SQE, g *random) []uint64 {
		fd, off, n, adv := g.fd(), g.u64(), g.u32(), g.int()
		s.PrepFadvise(fd, off, n, adv)
		return []uint64{word(fd), off, uint64(n), word(adv)}
	},
	"io_uring_prep_fadvise64": func(s *SQE, g *random) []uint64 {
		fd, off, n, adv := g.fd(), g.u64(), g.u64(), g.int()
		s.PrepFadvise64(fd, off, int64(n), adv)
		return []uint64{word(fd), off, n, word(adv)}
	},
	"io_uring_prep_madvise": func(s *SQE, g *random) []uint64 {
		b, adv := g.buf(), g.int()
		s.PrepMadvise(b, adv)
		return []uint64{first(b), size(b), word(adv)}
	},
	"io_uring_prep_madvise64": func(s *SQE, g *random) []uint64 {
		b, adv := g.buf(), g.int()
		s.PrepMadvise64(b, adv)
		return []uint64{first(b), size(b), word(adv)}
	},
	"io_uring_prep_splice": func(s *SQE, g *random) []uint64 {
		in, offIn, out, offOut, n, fl := g.fd(), g.u64(), g.fd(), g.u64(), g.u32(), g.u32()
		s.PrepSplice(in, int64(offIn), out, int64(offOut), n, SpliceFlags(fl))
		return []uint64{word(in), offIn, word(out), offOut, uint64(n), uint64(fl)}
	},
	"io_uring_prep_tee": func(s *SQE, g *random) []uint64 {
		in, out, n, fl := g.fd(), g.fd(), g.u32(), g.u32()
		s.PrepTee(in, out, n, SpliceFlags(fl))
		return []uint64{word(in), word(out), uint64(n), uint64(fl)}
	},
	"io_uring_prep_open": func(s *SQE, g *random) []uint64 {
		p, fl, mode := g.path(), g.int(), g.u32()
		s.PrepOpen(p, fl, mode)
		return []uint64{at(p), word(fl), uint64(mode)}
	},
	"io_uring_prep_open_direct": func(s *SQE, g *random) []uint64 {
		p, fl, mode, i := g.path(), g.int(), g.u32(), g.index()
		s.PrepOpenDirect(p, fl, mode, i)
		return []uint64{at(p), word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat": func(s *SQE, g *random) []uint64 {
		fd, p, fl, mode := g.fd(), g.path(), g.int(), g.u32()
		s.PrepOpenat(fd, p, fl, mode)
		return []uint64{word(fd), at(p), word(fl), uint64(mode)}
	},
	"io_uring_prep_openat_direct": func(s *SQE, g *random) []uint64 {
		fd, p, fl, mode, i := g.fd(), g.path(), g.int(), g.u32(), g.index()
		s.PrepOpenatDirect(fd, p, fl, mode, i)
		return []uint64{word(fd), at(p), word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat2": func(s *SQE, g *random) []uint64 {
		fd, p, how := g.fd(), g.path(), orNil[OpenHow](g)
		s.PrepOpenat2(fd, p, how)
		return []uint64{word(fd), at(p), at(how)}
	},
	"io_uring_prep_openat2_direct": func(s *SQE, g *random) []uint64 {
		fd, p, how, i := g.fd(), g.path(), orNil[OpenHow](g), g.index()
		s.PrepOpenat2Direct(fd, p, how, i)
		return []uint64{word(fd), at(p), at(how), uint64(i)}
	},
	"io_uring_prep_close": func(s *SQE, g *random) []uint64 {
		fd := g.fd()
		s.PrepClose(fd)
		return []uint64{word(fd)}
	},
	"io_uring_prep_close_direct": func(s *SQE, g *random) []uint64 {
		i := g.index()
		s.PrepCloseDirect(i)
		return []uint64{uint64(i)}
	},
	"io_uring_prep_statx": func(s *SQE, g *random) []uint64 {
		fd, p, fl, mask, st := g.fd(), g.path(), g.int(), g.u32(), orNil[Statx](g)
		s.PrepStatx(fd, p, fl, mask, st)
		return []uint64{word(fd), at(p), word(fl), uint64(mask), at(st)}
	},
	"io_uring_prep_unlink": func(s *SQE, g *random) []uint64 {
		p, fl := g.path(), g.int()
		s.PrepUnlink(p, fl)
		return []uint64{at(p), word(fl)}
	},
	"io_uring_prep_unlinkat": func(s *SQE, g *random) []uint64 {
		fd, p, fl := g.fd(), g.path(), g.int()
		s.PrepUnlinkat(fd, p, fl)
		return []uint64{word(fd), at(p), word(fl)}
	},
	"io_uring_prep_rename": func(s *SQE, g *random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepRename(p, q)
		return []uint64{at(p), at(q)}
	},
	"io_uring_prep_renameat": func(s *SQE, g *random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.u32()
		s.PrepRenameat(fd, p, to, q, fl)
		return []uint64{word(fd), at(p), word(to), at(q), uint64(fl)}
	},
	"io_uring_prep_mkdir": func(s *SQE, g *random) []uint64 {
		p, mode := g.path(), g.u32()
		s.PrepMkdir(p, mode)
		return []uint64{at(p), uint64(mode)}
	},
	"io_uring_prep_mkdirat": func(s *SQE, g *random) []uint64 {
		fd, p, mode := g.fd(), g.path(), g.u32()
		s.PrepMkdirat(fd, p, mode)
		return []uint64{word(fd), at(p), uint64(mode)}
	},
	"io_uring_prep_symlink": func(s *SQE, g *random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepSymlink(p, q)
		return []uint64{at(p), at(q)}
	},
	"io_uring_prep_symlinkat": func(s *SQE, g *random) []uint64 {
		p, fd, q := g.path(), g.fd(), g.path()
		s.PrepSymlinkat(p, fd, q)
		return []uint64{at(p), word(fd), at(q)}
	},
	"io_uring_prep_link": func(s *SQE, g *random) []uint64 {
		p, q, fl := g.path(), g.path(), g.int()
		s.PrepLink(p, q, fl)
		return []uint64{at(p), at(q), word(fl)}
	},
	"io_uring_prep_linkat": func(s *SQE, g *random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.int()
		s.PrepLinkat(fd, p, to, q, fl)
		return []uint64{word(fd), at(p), word(to), at(q), word(fl)}
	},
	"io_uring_prep_getxattr": func(s *SQE, g *random) []uint64 {
		name, v, p := g.path(), g.buf(), g.path()
		s.PrepGetxattr(name, v, p)
		return []uint64{at(name), first(v), at(p), size(v)}
	},
	"io_uring_prep_setxattr": func(s *SQE, g *random) []uint64 {
		name, v, p, fl := g.path(), g.buf(), g.path(), g.int()
		s.PrepSetxattr(name, v, p, fl)
		return []uint64{at(name), first(v), at(p), word(fl), size(v)}
	},
	"io_uring_prep_fgetxattr": func(s *SQE, g *random) []uint64 {
		fd, name, v := g.fd(), g.path(), g.buf()
		s.PrepFgetxattr(fd, name, v)
		return []uint64{word(fd), at(name), first(v), size(v)}
	},
	"io_uring_prep_fsetxattr": func(s *SQE, g *random) []uint64 {
		fd, name, v, fl := g.fd(), g.path(), g.buf(), g.int()
		s.PrepFsetxattr(fd, name, v, fl)
		return []uint64{word(fd), at(name), first(v), word(fl), size(v)}
	},
	"io_uring_prep_pipe": func(s *SQE, g *random) []uint64 {
		fds, fl := orNil[[2]int32](g), g.int()
		s.PrepPipe(fds, fl)
		return []uint64{at(fds), word(fl)}
	},
	"io_uring_prep_pipe_direct": func(s *SQE, g *random) []uint64 {
		fds, fl, i := orNil[[2]int32](g), g.int(), g.index()
		s.PrepPipeDirect(fds, fl, i)
		return []uint64{at(fds), word(fl), uint64(i)}
	},
	"io_uring_prep_cmd_discard": func(s *SQE, g *random) []uint64 {
		fd, off, n := g.fd(), g.u64(), g.u64()
		s.PrepCmdDiscard(fd, off, n)
		return []uint64{word(fd), off, n}
	},
	"io_uring_prep_socket": func(s *SQE, g *random) []uint64 {
		d, typ, proto, fl := g.int(), g.int(), g.int(), g.u32()
		s.PrepSocket(d, typ, proto, fl)
		return []uint64{word(d), word(typ), word(proto), uint64(fl)}
	},
	"io_uring_prep_socket_direct": func(s *SQE, g *random) []uint64 {
		d, typ, proto, i, fl := g.int(), g.int(), g.int(), g.index(), g.u32()
		s.PrepSocketDirect(d, typ, proto, i, fl)
		return []uint64{word(d), word(typ), word(proto), uint64(i), uint64(fl)}
	},
	"io_uring_prep_socket_direct_alloc": func(s *SQE, g *random) []uint64 {
		d, typ, proto, fl := g.int(), g.int(), g.int(), g.u32()
		s.PrepSocketDirectAlloc(d, typ, proto, fl)
		return []uint64{word(d), word(typ), word(proto), uint64(fl)}
	},
	"io_uring_prep_bind": func(s *SQE, g *random) []uint64 {
		fd, a := g.fd(), g.sockaddr()
		s.PrepBind(fd, a)
		return []uint64{word(fd), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_connect": func(s *SQE, g *random) []uint64 {
		fd, a := g.fd(), g.sockaddr()
		s.PrepConnect(fd, a)
		return []uint64{word(fd), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_listen": func(s *SQE, g *random) []uint64 {
		fd, n := g.fd(), g.int()
		s.PrepListen(fd, n)
		return []uint64{word(fd), word(n)}
	},
	"io_uring_prep_accept": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepAccept(fd, a, fl)
		return []uint64{word(fd), sockaddrAt(a), socklenAt(a), word(fl)}
	},
	"io_uring_prep_accept_direct": func(s *SQE, g *random) []uint64 {
		fd, a, fl, i := g.fd(), g.sockaddr(), g.int(), g.index()
		s.PrepAcceptDirect(fd, a, fl, i)
		return []uint64{word(fd), sockaddrAt(a), socklenAt(a), word(fl), uint64(i)}
	},
	"io_uring_prep_multishot_accept": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAccept(fd, a, fl)
		return []uint64{word(fd), sockaddrAt(a), socklenAt(a), word(fl)}
	},
	"io_uring_prep_multishot_accept_direct": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAcceptDirect(fd, a, fl)
		return []uint64{word(fd), sockaddrAt(a), socklenAt(a), word(fl)}
	},
	"io_uring_prep_shutdown": func(s *SQE, g *random) []uint64 {
		fd, how := g.fd(), g.int()
		s.PrepShutdown(fd, how)
		return []uint64{word(fd), word(how)}
	},
	"io_uring_prep_send": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepSend(fd, b, fl)
		return []uint64{word(fd), first(b), size(b), word(fl)}
	},
	"io_uring_prep_send_bundle": func(s *SQE, g *random) []uint64 {
		fd, n, fl := g.fd(), g.u32(), g.int()
		s.PrepSendBundle(fd, n, fl)
		return []uint64{word(fd), uint64(n), word(fl)}
	},
	"io_uring_prep_send_set_addr": func(s *SQE, g *random) []uint64 {
		a := g.sockaddr()
		s.PrepSendSetAddr(a)
		return []uint64{sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_sendto": func(s *SQE, g *random) []uint64 {
		fd, b, fl, a := g.fd(), g.buf(), g.int(), g.sockaddr()
		s.PrepSendto(fd, b, fl, a)
		return []uint64{word(fd), first(b), size(b), word(fl), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_send_zc": func(s *SQE, g *random) []uint64 {
		fd, b, fl, zc := g.fd(), g.buf(), g.int(), g.u32()
		s.PrepSendZC(fd, b, fl, RecvSendFlags(zc))
		return []uint64{word(fd), first(b), size(b), word(fl), uint64(zc)}
	},
	"io_uring_prep_send_zc_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, fl, zc, i := g.fd(), g.buf(), g.int(), g.u32(), g.place()
		s.PrepSendZCFixed(fd, b, fl, RecvSendFlags(zc), i)
		return []uint64{word(fd), first(b), size(b), word(fl), uint64(zc), word(i)}
	},
	"io_uring_prep_sendmsg": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), orNil[Msghdr](g), g.u32()
		s.PrepSendmsg(fd, m, fl)
		return []uint64{word(fd), at(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), orNil[Msghdr](g), g.u32()
		s.PrepSendmsgZC(fd, m, fl)
		return []uint64{word(fd), at(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc_fixed": func(s *SQE, g *random) []uint64 {
		fd, m, fl, i := g.fd(), orNil[Msghdr](g), g.u32(), g.place()
		s.PrepSendmsgZCFixed(fd, m, fl, i)
		return []uint64{word(fd), at(m), uint64(fl), word(i)}
	},
	"io_uring_prep_recv": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepRecv(fd, b, fl)
		return []uint64{word(fd), first(b), size(b), word(fl)}
	},
	"io_uring_prep_recv_multishot": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepRecvMultishot(fd, b, fl)
		return []uint64{word(fd), first(b), size(b), word(fl)}
	},
	"io_uring_prep_recvmsg": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), orNil[Msghdr](g), g.u32()
		s.PrepRecvmsg(fd, m, fl)
		return []uint64{word(fd), at(m), uint64(fl)}
	},
	"io_uring_prep_recvmsg_multishot": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), orNil[Msghdr](g), g.u32()
		s.PrepRecvmsgMultishot(fd, m, fl)
		return []uint64{word(fd), at(m), uint64(fl)}
	},
	"io_uring_prep_cmd_sock": func(s *SQE, g *random) []uint64 {
		op, fd, level, name, v := g.int(), g.fd(), g.int(), g.int(), g.buf()
		s.PrepCmdSock(SocketOp(op), fd, level, name, v)
		return []uint64{word(op), word(fd), word(level), word(name), first(v), size(v)}
	},
	"io_uring_prep_cmd_getsockname": func(s *SQE, g *random) []uint64 {
		fd, a, peer := g.fd(), g.sockaddr(), g.int()
		s.PrepCmdGetsockname(fd, a, peer)
		return []uint64{word(fd), sockaddrAt(a), socklenAt(a), word(peer)}
	},
	"io_uring_prep_timeout": func(s *SQE, g *random) []uint64 {
		ts, n, fl := orNil[Timespec](g), g.u32(), g.u32()
		s.PrepTimeout(ts, n, TimeoutFlags(fl))
		return []uint64{at(ts), uint64(n), uint64(fl)}
	},
	"io_uring_prep_timeout_remove": func(s *SQE, g *random) []uint64 {
		d, fl := g.u64(), g.u32()
		s.PrepTimeoutRemove(d, TimeoutFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_prep_timeout_update": func(s *SQE, g *random) []uint64 {
		ts, d, fl := orNil[Timespec](g), g.u64(), g.u32()
		s.PrepTimeoutUpdate(ts, d, TimeoutFlags(fl))
		return []uint64{at(ts), d, uint64(fl)}
	},
	"io_uring_prep_link_timeout": func(s *SQE, g *random) []uint64 {
		ts, fl := orNil[Timespec](g), g.u32()
		s.PrepLinkTimeout(ts, TimeoutFlags(fl))
		return []uint64{at(ts), uint64(fl)}
	},
	"io_uring_prep_poll_add": func(s *SQE, g *random) []uint64 {
		fd, mask := g.fd(), g.u32()
		s.PrepPollAdd(fd, mask)
		return []uint64{word(fd), uint64(mask)}
	},
	"io_uring_prep_poll_multishot": func(s *SQE, g *random) []uint64 {
		fd, mask := g.fd(), g.u32()
		s.PrepPollMultishot(fd, mask)
		return []uint64{word(fd), uint64(mask)}
	},
	"io_uring_prep_poll_remove": func(s *SQE, g *random) []uint64 {
		d := g.u64()
		s.PrepPollRemove(d)
		return []uint64{d}
	},
	"io_uring_prep_poll_update": func(s *SQE, g *random) []uint64 {
		d, n, mask, fl := g.u64(), g.u64(), g.u32(), g.u32()
		s.PrepPollUpdate(d, n, mask, PollFlags(fl))
		return []uint64{d, n, uint64(mask), uint64(fl)}
	},
	"io_uring_prep_cancel64": func(s *SQE, g *random) []uint64 {
		d, fl := g.u64(), g.u32()
		s.PrepCancel64(d, CancelFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_prep_cancel_fd": func(s *SQE, g *random) []uint64 {
		fd, fl := g.fd(), g.u32()
		s.PrepCancelFD(fd, CancelFlags(fl))
		return []uint64{word(fd), uint64(fl)}
	},
	"io_uring_prep_waitid": func(s *SQE, g *random) []uint64 {
		typ, id, info, opt, fl := g.int(), g.int(), orNil[Siginfo](g), g.int(), g.u32()
		s.PrepWaitid(typ, id, info, opt, fl)
		return []uint64{word(typ), word(id), at(info), word(opt), uint64(fl)}
	},
	"io_uring_prep_futex_wake": func(s *SQE, g *random) []uint64 {
		f, val, mask, ffl, fl := orNil[uint32](g), g.u64(), g.u64(), g.u32(), g.u32()
		s.PrepFutexWake(f, val, mask, Futex2Flags(ffl), fl)
		return []uint64{at(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_wait": func(s *SQE, g *random) []uint64 {
		f, val, mask, ffl, fl := orNil[uint32](g), g.u64(), g.u64(), g.u32(), g.u32()
		s.PrepFutexWait(f, val, mask, Futex2Flags(ffl), fl)
		return []uint64{at(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_waitv": func(s *SQE, g *random) []uint64 {
		v, fl := some[FutexWaitv](g), g.u32()
		s.PrepFutexWaitv(v, fl)
		return []uint64{first(v), size(v), uint64(fl)}
	},
	"io_uring_prep_epoll_ctl": func(s *SQE, g *random) []uint64 {
		ep, fd, op, ev := g.fd(), g.fd(), g.int(), orNil[EpollEvent](g)
		s.PrepEpollCtl(ep, fd, op, ev)
		return []uint64{word(ep), word(fd), word(op), at(ev)}
	},
	"io_uring_prep_epoll_wait": func(s *SQE, g *random) []uint64 {
		ep, ev, fl := g.fd(), some[EpollEvent](g), g.u32()
		s.PrepEpollWait(ep, ev, fl)
		return []uint64{word(ep), first(ev), size(ev), uint64(fl)}
	},
	"io_uring_prep_msg_ring": func(s *SQE, g *random) []uint64 {
		fd, n, d, fl := g.fd(), g.u32(), g.u64(), g.u32()
		s.PrepMsgRing(fd, n, d, MsgRingFlags(fl))
		return []uint64{word(fd), uint64(n), d, uint64(fl)}
	},
	"io_uring_prep_msg_ring_cqe_flags": func(s *SQE, g *random) []uint64 {
		fd, n, d, fl, cfl := g.fd(), g.u32(), g.u64(), g.u32(), g.u32()
		s.PrepMsgRingCQEFlags(fd, n, d, MsgRingFlags(fl), CQEFlags(cfl))
		return []uint64{word(fd), uint64(n), d, uint64(fl), uint64(cfl)}
	},
	"io_uring_prep_msg_ring_fd": func(s *SQE, g *random) []uint64 {
		fd, src, i, d, fl := g.fd(), g.fd(), g.index(), g.u64(), g.u32()
		s.PrepMsgRingFD(fd, src, i, d, MsgRingFlags(fl))
		return []uint64{word(fd), word(src), uint64(i), d, uint64(fl)}
	},
	"io_uring_prep_msg_ring_fd_alloc": func(s *SQE, g *random) []uint64 {
		fd, src, d, fl := g.fd(), g.fd(), g.u64(), g.u32()
		s.PrepMsgRingFDAlloc(fd, src, d, MsgRingFlags(fl))
		return []uint64{word(fd), word(src), d, uint64(fl)}
	},
	"io_uring_prep_files_update": func(s *SQE, g *random) []uint64 {
		fds, off := some[int32](g), g.int()
		s.PrepFilesUpdate(fds, off)
		return []uint64{first(fds), size(fds), word(off)}
	},
	"io_uring_prep_fixed_fd_install": func(s *SQE, g *random) []uint64 {
		fd, fl := g.fd(), g.u32()
		s.PrepFixedFDInstall(fd, FixedFDInstallFlags(fl))
		return []uint64{word(fd), uint64(fl)}
	},
	"io_uring_prep_provide_buffers": func(s *SQE, g *random) []uint64 {
		b, n, bg, bid := g.buf(), 1+g.IntN(5000), g.u16(), g.u16()
		nr := g.IntN(len(b)/n + 1)
		s.PrepProvideBuffers(b, n, nr, bg, bid)
		return []uint64{first(b), word(n), word(nr), uint64(bg), uint64(bid)}
	},
	"io_uring_prep_remove_buffers": func(s *SQE, g *random) []uint64 {
		nr, bg := g.int(), g.u16()
		s.PrepRemoveBuffers(nr, bg)
		return []uint64{word(nr), uint64(bg)}
	},
	"io_uring_prep_uring_cmd": func(s *SQE, g *random) []uint64 {
		op, fd := g.u32(), g.fd()
		s.PrepURingCmd(op, fd)
		return []uint64{uint64(op), word(fd)}
	},
	"io_uring_prep_uring_cmd128": func(s *SQE, g *random) []uint64 {
		op, fd := g.u32(), g.fd()
		s.PrepURingCmd128(op, fd)
		return []uint64{uint64(op), word(fd)}
	},
	"io_uring_sqe_set_data64": func(s *SQE, g *random) []uint64 {
		d := g.u64()
		s.SetData64(d)
		return []uint64{d}
	},
	"io_uring_sqe_set_flags": func(s *SQE, g *random) []uint64 {
		fl := g.u8()
		s.SetFlags(SQEFlags(fl))
		return []uint64{uint64(fl)}
	},
	"io_uring_sqe_set_buf_group": func(s *SQE, g *random) []uint64 {
		bg := g.u16()
		s.SetBufGroup(bg)
		return []uint64{uint64(bg)}
	},
	"io_uring_initialize_sqe": func(s *SQE, g *random) []uint64 { s.initialize(); return nil },
	// The forms that take a pointer do what those with a number do.
	"io_uring_prep_cancel": func(s *SQE, g *random) []uint64 {
		d, fl := g.u64(), g.u32()
		s.PrepCancel64(d, CancelFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_sqe_set_data": func(s *SQE, g *random) []uint64 {
		d := g.u64()
		s.SetData64(d)
		return []uint64{d}
	},
}

// entry stands for the entry's address where that is not C's first argument.
const entry = 0xe4715e4715

// What C gets is worked out without the functions that are tested.

func word(n int) uint64 { return uint64(uint32(n)) }

func first[T any](s []T) uint64 { return at(unsafe.SliceData(s)) }

func size[T any](s []T) uint64 { return uint64(len(s)) }

func sockaddrAt(a *Sockaddr) uint64 { return at(a) } // its bytes come first

// at is the address of what C is given. A goroutine's stack may move, so nothing
// of it must lie there.
func at[T any](p *T) uint64 {
	onHeap = unsafe.Pointer(p)
	return uint64(uintptr(onHeap))
}

var onHeap unsafe.Pointer

func socklenAt(a *Sockaddr) uint64 {
	if a == nil {
		return 0
	}
	return at(&a.len)
}

func socklen(a *Sockaddr) uint64 {
	if a == nil {
		return 0
	}
	return uint64(a.len)
}
