//go:build linux && cgo

package differential_test

import (
	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ffi"
	"github.com/go-liburing/liburing/internal/ringtest"
)

// prep calls the Go side on an entry with random arguments, and returns C's.
type prep func(s *liburing.SQE, g random) []uint64

// preps has a line for each function that changes an entry. What it returns are C's
// arguments, without the entry.
var preps = map[string]prep{
	"io_uring_prep_rw": func(s *liburing.SQE, g random) []uint64 {
		op, fd, a, n, off := g.U8(), g.fd(), g.U64(), g.U32(), g.U64()
		s.PrepRW(liburing.Op(op), fd, a, n, off)
		// C has the entry second.
		return []uint64{uint64(op), entry, ffi.Word(fd), a, uint64(n), off}
	},
	"io_uring_prep_nop":    func(s *liburing.SQE, g random) []uint64 { s.PrepNop(); return nil },
	"io_uring_prep_nop128": func(s *liburing.SQE, g random) []uint64 { s.PrepNop128(); return nil },
	"io_uring_prep_read": func(s *liburing.SQE, g random) []uint64 {
		fd, b, off := g.fd(), g.Buf(), g.U64()
		s.PrepRead(fd, b, off)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), off}
	},
	"io_uring_prep_write": func(s *liburing.SQE, g random) []uint64 {
		fd, b, off := g.fd(), g.Buf(), g.U64()
		s.PrepWrite(fd, b, off)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), off}
	},
	"io_uring_prep_readv": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off := g.fd(), some[liburing.Iovec](g), g.U64()
		s.PrepReadv(fd, v, off)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off}
	},
	"io_uring_prep_writev": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off := g.fd(), some[liburing.Iovec](g), g.U64()
		s.PrepWritev(fd, v, off)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off}
	},
	"io_uring_prep_readv2": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off, fl := g.fd(), some[liburing.Iovec](g), g.U64(), g.int()
		s.PrepReadv2(fd, v, off, fl)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off, ffi.Word(fl)}
	},
	"io_uring_prep_writev2": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off, fl := g.fd(), some[liburing.Iovec](g), g.U64(), g.int()
		s.PrepWritev2(fd, v, off, fl)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off, ffi.Word(fl)}
	},
	"io_uring_prep_read_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, b, off, i := g.fd(), g.Buf(), g.U64(), g.place()
		s.PrepReadFixed(fd, b, off, i)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), off, ffi.Word(i)}
	},
	"io_uring_prep_write_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, b, off, i := g.fd(), g.Buf(), g.U64(), g.place()
		s.PrepWriteFixed(fd, b, off, i)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), off, ffi.Word(i)}
	},
	"io_uring_prep_readv_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off, fl, i := g.fd(), some[liburing.Iovec](g), g.U64(), g.int(), g.place()
		s.PrepReadvFixed(fd, v, off, fl, i)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off, ffi.Word(fl), ffi.Word(i)}
	},
	"io_uring_prep_writev_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, v, off, fl, i := g.fd(), some[liburing.Iovec](g), g.U64(), g.int(), g.place()
		s.PrepWritevFixed(fd, v, off, fl, i)
		return []uint64{ffi.Word(fd), ffi.First(v), ffi.Size(v), off, ffi.Word(fl), ffi.Word(i)}
	},
	"io_uring_prep_read_multishot": func(s *liburing.SQE, g random) []uint64 {
		fd, n, off, bg := g.fd(), g.U32(), g.U64(), g.U16()
		s.PrepReadMultishot(fd, n, off, bg)
		return []uint64{ffi.Word(fd), uint64(n), off, uint64(bg)}
	},
	"io_uring_prep_fsync": func(s *liburing.SQE, g random) []uint64 {
		fd, fl := g.fd(), g.U32()
		s.PrepFsync(fd, liburing.FsyncFlags(fl))
		return []uint64{ffi.Word(fd), uint64(fl)}
	},
	"io_uring_prep_sync_file_range": func(s *liburing.SQE, g random) []uint64 {
		fd, n, off, fl := g.fd(), g.U32(), g.U64(), g.int()
		s.PrepSyncFileRange(fd, n, off, fl)
		return []uint64{ffi.Word(fd), uint64(n), off, ffi.Word(fl)}
	},
	"io_uring_prep_fallocate": func(s *liburing.SQE, g random) []uint64 {
		fd, mode, off, n := g.fd(), g.int(), g.U64(), g.U64()
		s.PrepFallocate(fd, mode, off, n)
		return []uint64{ffi.Word(fd), ffi.Word(mode), off, n}
	},
	"io_uring_prep_ftruncate": func(s *liburing.SQE, g random) []uint64 {
		fd, n := g.fd(), g.U64()
		s.PrepFtruncate(fd, int64(n))
		return []uint64{ffi.Word(fd), n}
	},
	"io_uring_prep_fadvise": func(s *liburing.SQE, g random) []uint64 {
		fd, off, n, adv := g.fd(), g.U64(), g.U32(), g.int()
		s.PrepFadvise(fd, off, n, adv)
		return []uint64{ffi.Word(fd), off, uint64(n), ffi.Word(adv)}
	},
	"io_uring_prep_fadvise64": func(s *liburing.SQE, g random) []uint64 {
		fd, off, n, adv := g.fd(), g.U64(), g.U64(), g.int()
		s.PrepFadvise64(fd, off, int64(n), adv)
		return []uint64{ffi.Word(fd), off, n, ffi.Word(adv)}
	},
	"io_uring_prep_madvise": func(s *liburing.SQE, g random) []uint64 {
		b, adv := g.Buf(), g.int()
		s.PrepMadvise(b, adv)
		return []uint64{ffi.First(b), ffi.Size(b), ffi.Word(adv)}
	},
	"io_uring_prep_madvise64": func(s *liburing.SQE, g random) []uint64 {
		b, adv := g.Buf(), g.int()
		s.PrepMadvise64(b, adv)
		return []uint64{ffi.First(b), ffi.Size(b), ffi.Word(adv)}
	},
	"io_uring_prep_splice": func(s *liburing.SQE, g random) []uint64 {
		in, offIn, out, offOut, n, fl := g.fd(), g.U64(), g.fd(), g.U64(), g.U32(), g.U32()
		s.PrepSplice(in, int64(offIn), out, int64(offOut), n, liburing.SpliceFlags(fl))
		return []uint64{ffi.Word(in), offIn, ffi.Word(out), offOut, uint64(n), uint64(fl)}
	},
	"io_uring_prep_tee": func(s *liburing.SQE, g random) []uint64 {
		in, out, n, fl := g.fd(), g.fd(), g.U32(), g.U32()
		s.PrepTee(in, out, n, liburing.SpliceFlags(fl))
		return []uint64{ffi.Word(in), ffi.Word(out), uint64(n), uint64(fl)}
	},
	"io_uring_prep_open": func(s *liburing.SQE, g random) []uint64 {
		p, fl, mode := g.path(), g.int(), g.U32()
		s.PrepOpen(p, fl, mode)
		return []uint64{ffi.At(p), ffi.Word(fl), uint64(mode)}
	},
	"io_uring_prep_open_direct": func(s *liburing.SQE, g random) []uint64 {
		p, fl, mode, i := g.path(), g.int(), g.U32(), g.index()
		s.PrepOpenDirect(p, fl, mode, i)
		return []uint64{ffi.At(p), ffi.Word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat": func(s *liburing.SQE, g random) []uint64 {
		fd, p, fl, mode := g.fd(), g.path(), g.int(), g.U32()
		s.PrepOpenat(fd, p, fl, mode)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(fl), uint64(mode)}
	},
	"io_uring_prep_openat_direct": func(s *liburing.SQE, g random) []uint64 {
		fd, p, fl, mode, i := g.fd(), g.path(), g.int(), g.U32(), g.index()
		s.PrepOpenatDirect(fd, p, fl, mode, i)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat2": func(s *liburing.SQE, g random) []uint64 {
		fd, p, how := g.fd(), g.path(), orNil[liburing.OpenHow](g)
		s.PrepOpenat2(fd, p, how)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.At(how)}
	},
	"io_uring_prep_openat2_direct": func(s *liburing.SQE, g random) []uint64 {
		fd, p, how, i := g.fd(), g.path(), orNil[liburing.OpenHow](g), g.index()
		s.PrepOpenat2Direct(fd, p, how, i)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.At(how), uint64(i)}
	},
	"io_uring_prep_close": func(s *liburing.SQE, g random) []uint64 {
		fd := g.fd()
		s.PrepClose(fd)
		return []uint64{ffi.Word(fd)}
	},
	"io_uring_prep_close_direct": func(s *liburing.SQE, g random) []uint64 {
		i := g.index()
		s.PrepCloseDirect(i)
		return []uint64{uint64(i)}
	},
	"io_uring_prep_statx": func(s *liburing.SQE, g random) []uint64 {
		fd, p, fl, mask, st := g.fd(), g.path(), g.int(), g.U32(), orNil[liburing.Statx](g)
		s.PrepStatx(fd, p, fl, mask, st)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(fl), uint64(mask), ffi.At(st)}
	},
	"io_uring_prep_unlink": func(s *liburing.SQE, g random) []uint64 {
		p, fl := g.path(), g.int()
		s.PrepUnlink(p, fl)
		return []uint64{ffi.At(p), ffi.Word(fl)}
	},
	"io_uring_prep_unlinkat": func(s *liburing.SQE, g random) []uint64 {
		fd, p, fl := g.fd(), g.path(), g.int()
		s.PrepUnlinkat(fd, p, fl)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(fl)}
	},
	"io_uring_prep_rename": func(s *liburing.SQE, g random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepRename(p, q)
		return []uint64{ffi.At(p), ffi.At(q)}
	},
	"io_uring_prep_renameat": func(s *liburing.SQE, g random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.U32()
		s.PrepRenameat(fd, p, to, q, fl)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(to), ffi.At(q), uint64(fl)}
	},
	"io_uring_prep_mkdir": func(s *liburing.SQE, g random) []uint64 {
		p, mode := g.path(), g.U32()
		s.PrepMkdir(p, mode)
		return []uint64{ffi.At(p), uint64(mode)}
	},
	"io_uring_prep_mkdirat": func(s *liburing.SQE, g random) []uint64 {
		fd, p, mode := g.fd(), g.path(), g.U32()
		s.PrepMkdirat(fd, p, mode)
		return []uint64{ffi.Word(fd), ffi.At(p), uint64(mode)}
	},
	"io_uring_prep_symlink": func(s *liburing.SQE, g random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepSymlink(p, q)
		return []uint64{ffi.At(p), ffi.At(q)}
	},
	"io_uring_prep_symlinkat": func(s *liburing.SQE, g random) []uint64 {
		p, fd, q := g.path(), g.fd(), g.path()
		s.PrepSymlinkat(p, fd, q)
		return []uint64{ffi.At(p), ffi.Word(fd), ffi.At(q)}
	},
	"io_uring_prep_link": func(s *liburing.SQE, g random) []uint64 {
		p, q, fl := g.path(), g.path(), g.int()
		s.PrepLink(p, q, fl)
		return []uint64{ffi.At(p), ffi.At(q), ffi.Word(fl)}
	},
	"io_uring_prep_linkat": func(s *liburing.SQE, g random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.int()
		s.PrepLinkat(fd, p, to, q, fl)
		return []uint64{ffi.Word(fd), ffi.At(p), ffi.Word(to), ffi.At(q), ffi.Word(fl)}
	},
	"io_uring_prep_getxattr": func(s *liburing.SQE, g random) []uint64 {
		name, v, p := g.path(), g.Buf(), g.path()
		s.PrepGetxattr(name, v, p)
		return []uint64{ffi.At(name), ffi.First(v), ffi.At(p), ffi.Size(v)}
	},
	"io_uring_prep_setxattr": func(s *liburing.SQE, g random) []uint64 {
		name, v, p, fl := g.path(), g.Buf(), g.path(), g.int()
		s.PrepSetxattr(name, v, p, fl)
		return []uint64{ffi.At(name), ffi.First(v), ffi.At(p), ffi.Word(fl), ffi.Size(v)}
	},
	"io_uring_prep_fgetxattr": func(s *liburing.SQE, g random) []uint64 {
		fd, name, v := g.fd(), g.path(), g.Buf()
		s.PrepFgetxattr(fd, name, v)
		return []uint64{ffi.Word(fd), ffi.At(name), ffi.First(v), ffi.Size(v)}
	},
	"io_uring_prep_fsetxattr": func(s *liburing.SQE, g random) []uint64 {
		fd, name, v, fl := g.fd(), g.path(), g.Buf(), g.int()
		s.PrepFsetxattr(fd, name, v, fl)
		return []uint64{ffi.Word(fd), ffi.At(name), ffi.First(v), ffi.Word(fl), ffi.Size(v)}
	},
	"io_uring_prep_pipe": func(s *liburing.SQE, g random) []uint64 {
		fds, fl := orNil[[2]int32](g), g.int()
		s.PrepPipe(fds, fl)
		return []uint64{ffi.At(fds), ffi.Word(fl)}
	},
	"io_uring_prep_pipe_direct": func(s *liburing.SQE, g random) []uint64 {
		fds, fl, i := orNil[[2]int32](g), g.int(), g.index()
		s.PrepPipeDirect(fds, fl, i)
		return []uint64{ffi.At(fds), ffi.Word(fl), uint64(i)}
	},
	"io_uring_prep_cmd_discard": func(s *liburing.SQE, g random) []uint64 {
		fd, off, n := g.fd(), g.U64(), g.U64()
		s.PrepCmdDiscard(fd, off, n)
		return []uint64{ffi.Word(fd), off, n}
	},
	"io_uring_prep_socket": func(s *liburing.SQE, g random) []uint64 {
		d, typ, proto, fl := g.int(), g.int(), g.int(), g.U32()
		s.PrepSocket(d, typ, proto, fl)
		return []uint64{ffi.Word(d), ffi.Word(typ), ffi.Word(proto), uint64(fl)}
	},
	"io_uring_prep_socket_direct": func(s *liburing.SQE, g random) []uint64 {
		d, typ, proto, i, fl := g.int(), g.int(), g.int(), g.index(), g.U32()
		s.PrepSocketDirect(d, typ, proto, i, fl)
		return []uint64{ffi.Word(d), ffi.Word(typ), ffi.Word(proto), uint64(i), uint64(fl)}
	},
	"io_uring_prep_socket_direct_alloc": func(s *liburing.SQE, g random) []uint64 {
		d, typ, proto, fl := g.int(), g.int(), g.int(), g.U32()
		s.PrepSocketDirectAlloc(d, typ, proto, fl)
		return []uint64{ffi.Word(d), ffi.Word(typ), ffi.Word(proto), uint64(fl)}
	},
	"io_uring_prep_bind": func(s *liburing.SQE, g random) []uint64 {
		fd, a := g.fd(), g.sockaddr()
		s.PrepBind(fd, a)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_connect": func(s *liburing.SQE, g random) []uint64 {
		fd, a := g.fd(), g.sockaddr()
		s.PrepConnect(fd, a)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_listen": func(s *liburing.SQE, g random) []uint64 {
		fd, n := g.fd(), g.int()
		s.PrepListen(fd, n)
		return []uint64{ffi.Word(fd), ffi.Word(n)}
	},
	"io_uring_prep_accept": func(s *liburing.SQE, g random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepAccept(fd, a, fl)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklenAt(a), ffi.Word(fl)}
	},
	"io_uring_prep_accept_direct": func(s *liburing.SQE, g random) []uint64 {
		fd, a, fl, i := g.fd(), g.sockaddr(), g.int(), g.index()
		s.PrepAcceptDirect(fd, a, fl, i)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklenAt(a), ffi.Word(fl), uint64(i)}
	},
	"io_uring_prep_multishot_accept": func(s *liburing.SQE, g random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAccept(fd, a, fl)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklenAt(a), ffi.Word(fl)}
	},
	"io_uring_prep_multishot_accept_direct": func(s *liburing.SQE, g random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAcceptDirect(fd, a, fl)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklenAt(a), ffi.Word(fl)}
	},
	"io_uring_prep_shutdown": func(s *liburing.SQE, g random) []uint64 {
		fd, how := g.fd(), g.int()
		s.PrepShutdown(fd, how)
		return []uint64{ffi.Word(fd), ffi.Word(how)}
	},
	"io_uring_prep_send": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl := g.fd(), g.Buf(), g.int()
		s.PrepSend(fd, b, fl)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl)}
	},
	"io_uring_prep_send_bundle": func(s *liburing.SQE, g random) []uint64 {
		fd, n, fl := g.fd(), g.U32(), g.int()
		s.PrepSendBundle(fd, n, fl)
		return []uint64{ffi.Word(fd), uint64(n), ffi.Word(fl)}
	},
	"io_uring_prep_send_set_addr": func(s *liburing.SQE, g random) []uint64 {
		a := g.sockaddr()
		s.PrepSendSetAddr(a)
		return []uint64{sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_sendto": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl, a := g.fd(), g.Buf(), g.int(), g.sockaddr()
		s.PrepSendto(fd, b, fl, a)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl), sockaddrAt(a), socklen(a)}
	},
	"io_uring_prep_send_zc": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl, zc := g.fd(), g.Buf(), g.int(), g.U32()
		s.PrepSendZC(fd, b, fl, liburing.RecvSendFlags(zc))
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl), uint64(zc)}
	},
	"io_uring_prep_send_zc_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl, zc, i := g.fd(), g.Buf(), g.int(), g.U32(), g.place()
		s.PrepSendZCFixed(fd, b, fl, liburing.RecvSendFlags(zc), i)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl), uint64(zc), ffi.Word(i)}
	},
	"io_uring_prep_sendmsg": func(s *liburing.SQE, g random) []uint64 {
		fd, m, fl := g.fd(), orNil[liburing.Msghdr](g), g.U32()
		s.PrepSendmsg(fd, m, fl)
		return []uint64{ffi.Word(fd), ffi.At(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc": func(s *liburing.SQE, g random) []uint64 {
		fd, m, fl := g.fd(), orNil[liburing.Msghdr](g), g.U32()
		s.PrepSendmsgZC(fd, m, fl)
		return []uint64{ffi.Word(fd), ffi.At(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc_fixed": func(s *liburing.SQE, g random) []uint64 {
		fd, m, fl, i := g.fd(), orNil[liburing.Msghdr](g), g.U32(), g.place()
		s.PrepSendmsgZCFixed(fd, m, fl, i)
		return []uint64{ffi.Word(fd), ffi.At(m), uint64(fl), ffi.Word(i)}
	},
	"io_uring_prep_recv": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl := g.fd(), g.Buf(), g.int()
		s.PrepRecv(fd, b, fl)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl)}
	},
	"io_uring_prep_recv_multishot": func(s *liburing.SQE, g random) []uint64 {
		fd, b, fl := g.fd(), g.Buf(), g.int()
		s.PrepRecvMultishot(fd, b, fl)
		return []uint64{ffi.Word(fd), ffi.First(b), ffi.Size(b), ffi.Word(fl)}
	},
	"io_uring_prep_recvmsg": func(s *liburing.SQE, g random) []uint64 {
		fd, m, fl := g.fd(), orNil[liburing.Msghdr](g), g.U32()
		s.PrepRecvmsg(fd, m, fl)
		return []uint64{ffi.Word(fd), ffi.At(m), uint64(fl)}
	},
	"io_uring_prep_recvmsg_multishot": func(s *liburing.SQE, g random) []uint64 {
		fd, m, fl := g.fd(), orNil[liburing.Msghdr](g), g.U32()
		s.PrepRecvmsgMultishot(fd, m, fl)
		return []uint64{ffi.Word(fd), ffi.At(m), uint64(fl)}
	},
	"io_uring_prep_cmd_sock": func(s *liburing.SQE, g random) []uint64 {
		op, fd, level, name, v := g.int(), g.fd(), g.int(), g.int(), g.Buf()
		s.PrepCmdSock(liburing.SocketOp(op), fd, level, name, v)
		return []uint64{ffi.Word(op), ffi.Word(fd), ffi.Word(level), ffi.Word(name), ffi.First(v), ffi.Size(v)}
	},
	"io_uring_prep_cmd_getsockname": func(s *liburing.SQE, g random) []uint64 {
		fd, a, peer := g.fd(), g.sockaddr(), g.int()
		s.PrepCmdGetsockname(fd, a, peer)
		return []uint64{ffi.Word(fd), sockaddrAt(a), socklenAt(a), ffi.Word(peer)}
	},
	"io_uring_prep_timeout": func(s *liburing.SQE, g random) []uint64 {
		ts, n, fl := orNil[liburing.Timespec](g), g.U32(), g.U32()
		s.PrepTimeout(ts, n, liburing.TimeoutFlags(fl))
		return []uint64{ffi.At(ts), uint64(n), uint64(fl)}
	},
	"io_uring_prep_timeout_remove": func(s *liburing.SQE, g random) []uint64 {
		d, fl := g.U64(), g.U32()
		s.PrepTimeoutRemove(d, liburing.TimeoutFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_prep_timeout_update": func(s *liburing.SQE, g random) []uint64 {
		ts, d, fl := orNil[liburing.Timespec](g), g.U64(), g.U32()
		s.PrepTimeoutUpdate(ts, d, liburing.TimeoutFlags(fl))
		return []uint64{ffi.At(ts), d, uint64(fl)}
	},
	"io_uring_prep_link_timeout": func(s *liburing.SQE, g random) []uint64 {
		ts, fl := orNil[liburing.Timespec](g), g.U32()
		s.PrepLinkTimeout(ts, liburing.TimeoutFlags(fl))
		return []uint64{ffi.At(ts), uint64(fl)}
	},
	"io_uring_prep_poll_add": func(s *liburing.SQE, g random) []uint64 {
		fd, mask := g.fd(), g.U32()
		s.PrepPollAdd(fd, mask)
		return []uint64{ffi.Word(fd), uint64(mask)}
	},
	"io_uring_prep_poll_multishot": func(s *liburing.SQE, g random) []uint64 {
		fd, mask := g.fd(), g.U32()
		s.PrepPollMultishot(fd, mask)
		return []uint64{ffi.Word(fd), uint64(mask)}
	},
	"io_uring_prep_poll_remove": func(s *liburing.SQE, g random) []uint64 {
		d := g.U64()
		s.PrepPollRemove(d)
		return []uint64{d}
	},
	"io_uring_prep_poll_update": func(s *liburing.SQE, g random) []uint64 {
		d, n, mask, fl := g.U64(), g.U64(), g.U32(), g.U32()
		s.PrepPollUpdate(d, n, mask, liburing.PollFlags(fl))
		return []uint64{d, n, uint64(mask), uint64(fl)}
	},
	"io_uring_prep_cancel64": func(s *liburing.SQE, g random) []uint64 {
		d, fl := g.U64(), g.U32()
		s.PrepCancel64(d, liburing.CancelFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_prep_cancel_fd": func(s *liburing.SQE, g random) []uint64 {
		fd, fl := g.fd(), g.U32()
		s.PrepCancelFD(fd, liburing.CancelFlags(fl))
		return []uint64{ffi.Word(fd), uint64(fl)}
	},
	"io_uring_prep_waitid": func(s *liburing.SQE, g random) []uint64 {
		typ, id, info, opt, fl := g.int(), g.int(), orNil[liburing.Siginfo](g), g.int(), g.U32()
		s.PrepWaitid(typ, id, info, opt, fl)
		return []uint64{ffi.Word(typ), ffi.Word(id), ffi.At(info), ffi.Word(opt), uint64(fl)}
	},
	"io_uring_prep_futex_wake": func(s *liburing.SQE, g random) []uint64 {
		f, val, mask, ffl, fl := orNil[uint32](g), g.U64(), g.U64(), g.U32(), g.U32()
		s.PrepFutexWake(f, val, mask, liburing.Futex2Flags(ffl), fl)
		return []uint64{ffi.At(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_wait": func(s *liburing.SQE, g random) []uint64 {
		f, val, mask, ffl, fl := orNil[uint32](g), g.U64(), g.U64(), g.U32(), g.U32()
		s.PrepFutexWait(f, val, mask, liburing.Futex2Flags(ffl), fl)
		return []uint64{ffi.At(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_waitv": func(s *liburing.SQE, g random) []uint64 {
		v, fl := some[liburing.FutexWaitv](g), g.U32()
		s.PrepFutexWaitv(v, fl)
		return []uint64{ffi.First(v), ffi.Size(v), uint64(fl)}
	},
	"io_uring_prep_epoll_ctl": func(s *liburing.SQE, g random) []uint64 {
		ep, fd, op, ev := g.fd(), g.fd(), g.int(), orNil[liburing.EpollEvent](g)
		s.PrepEpollCtl(ep, fd, op, ev)
		return []uint64{ffi.Word(ep), ffi.Word(fd), ffi.Word(op), ffi.At(ev)}
	},
	"io_uring_prep_epoll_wait": func(s *liburing.SQE, g random) []uint64 {
		ep, ev, fl := g.fd(), some[liburing.EpollEvent](g), g.U32()
		s.PrepEpollWait(ep, ev, fl)
		return []uint64{ffi.Word(ep), ffi.First(ev), ffi.Size(ev), uint64(fl)}
	},
	"io_uring_prep_msg_ring": func(s *liburing.SQE, g random) []uint64 {
		fd, n, d, fl := g.fd(), g.U32(), g.U64(), g.U32()
		s.PrepMsgRing(fd, n, d, liburing.MsgRingFlags(fl))
		return []uint64{ffi.Word(fd), uint64(n), d, uint64(fl)}
	},
	"io_uring_prep_msg_ring_cqe_flags": func(s *liburing.SQE, g random) []uint64 {
		fd, n, d, fl, cfl := g.fd(), g.U32(), g.U64(), g.U32(), g.U32()
		s.PrepMsgRingCQEFlags(fd, n, d, liburing.MsgRingFlags(fl), liburing.CQEFlags(cfl))
		return []uint64{ffi.Word(fd), uint64(n), d, uint64(fl), uint64(cfl)}
	},
	"io_uring_prep_msg_ring_fd": func(s *liburing.SQE, g random) []uint64 {
		fd, src, i, d, fl := g.fd(), g.fd(), g.index(), g.U64(), g.U32()
		s.PrepMsgRingFD(fd, src, i, d, liburing.MsgRingFlags(fl))
		return []uint64{ffi.Word(fd), ffi.Word(src), uint64(i), d, uint64(fl)}
	},
	"io_uring_prep_msg_ring_fd_alloc": func(s *liburing.SQE, g random) []uint64 {
		fd, src, d, fl := g.fd(), g.fd(), g.U64(), g.U32()
		s.PrepMsgRingFDAlloc(fd, src, d, liburing.MsgRingFlags(fl))
		return []uint64{ffi.Word(fd), ffi.Word(src), d, uint64(fl)}
	},
	"io_uring_prep_files_update": func(s *liburing.SQE, g random) []uint64 {
		fds, off := some[int32](g), g.int()
		s.PrepFilesUpdate(fds, off)
		return []uint64{ffi.First(fds), ffi.Size(fds), ffi.Word(off)}
	},
	"io_uring_prep_fixed_fd_install": func(s *liburing.SQE, g random) []uint64 {
		fd, fl := g.fd(), g.U32()
		s.PrepFixedFDInstall(fd, liburing.FixedFDInstallFlags(fl))
		return []uint64{ffi.Word(fd), uint64(fl)}
	},
	"io_uring_prep_provide_buffers": func(s *liburing.SQE, g random) []uint64 {
		b, n, bg, bid := g.Buf(), 1+g.IntN(5000), g.U16(), g.U16()
		nr := g.IntN(len(b)/n + 1)
		s.PrepProvideBuffers(b, n, nr, bg, bid)
		return []uint64{ffi.First(b), ffi.Word(n), ffi.Word(nr), uint64(bg), uint64(bid)}
	},
	"io_uring_prep_remove_buffers": func(s *liburing.SQE, g random) []uint64 {
		nr, bg := g.int(), g.U16()
		s.PrepRemoveBuffers(nr, bg)
		return []uint64{ffi.Word(nr), uint64(bg)}
	},
	"io_uring_prep_uring_cmd": func(s *liburing.SQE, g random) []uint64 {
		op, fd := g.U32(), g.fd()
		s.PrepURingCmd(op, fd)
		return []uint64{uint64(op), ffi.Word(fd)}
	},
	"io_uring_prep_uring_cmd128": func(s *liburing.SQE, g random) []uint64 {
		op, fd := g.U32(), g.fd()
		s.PrepURingCmd128(op, fd)
		return []uint64{uint64(op), ffi.Word(fd)}
	},
	"io_uring_sqe_set_data64": func(s *liburing.SQE, g random) []uint64 {
		d := g.U64()
		s.SetData64(d)
		return []uint64{d}
	},
	"io_uring_sqe_set_flags": func(s *liburing.SQE, g random) []uint64 {
		fl := g.U8()
		s.SetFlags(liburing.SQEFlags(fl))
		return []uint64{uint64(fl)}
	},
	"io_uring_sqe_set_buf_group": func(s *liburing.SQE, g random) []uint64 {
		bg := g.U16()
		s.SetBufGroup(bg)
		return []uint64{uint64(bg)}
	},
	// The forms that take a pointer do what those with a number do.
	"io_uring_prep_cancel": func(s *liburing.SQE, g random) []uint64 {
		d, fl := g.U64(), g.U32()
		s.PrepCancel64(d, liburing.CancelFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_sqe_set_data": func(s *liburing.SQE, g random) []uint64 {
		d := g.U64()
		s.SetData64(d)
		return []uint64{d}
	},
}

// entry stands for the entry's address where that is not C's first argument.
const entry = 0xe4715e4715

// sockaddrAt is where C has an address: its bytes come first.
func sockaddrAt(a *liburing.Sockaddr) uint64 { return ffi.At(a) }

func socklenAt(a *liburing.Sockaddr) uint64 {
	if a == nil {
		return 0
	}
	return ffi.At(ringtest.SockaddrLen(a))
}

func socklen(a *liburing.Sockaddr) uint64 {
	if a == nil {
		return 0
	}
	return uint64(*ringtest.SockaddrLen(a))
}
