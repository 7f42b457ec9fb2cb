//go:build linux && cgo

package liburing

import (
	"bufio"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing/internal/ffi"
	"github.com/stretchr/testify/require"
)

// The differential test: each function that liburing.h inlines and Go has again
// is called on both sides with the same random arguments, on an entry with the
// same stale bytes, and all bytes must be equal afterwards. liburing-ffi has the
// inlined functions as real ones.

// preps has a line for each function that prepares an entry: it calls the Go
// side with random arguments and returns those of C, without the entry.
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
		return []uint64{word(fd), data(b), size(b), off}
	},
	"io_uring_prep_write": func(s *SQE, g *random) []uint64 {
		fd, b, off := g.fd(), g.buf(), g.u64()
		s.PrepWrite(fd, b, off)
		return []uint64{word(fd), data(b), size(b), off}
	},
	"io_uring_prep_readv": func(s *SQE, g *random) []uint64 {
		fd, v, off := g.fd(), g.iovecs(), g.u64()
		s.PrepReadv(fd, v, off)
		return []uint64{word(fd), data(v), size(v), off}
	},
	"io_uring_prep_writev": func(s *SQE, g *random) []uint64 {
		fd, v, off := g.fd(), g.iovecs(), g.u64()
		s.PrepWritev(fd, v, off)
		return []uint64{word(fd), data(v), size(v), off}
	},
	"io_uring_prep_readv2": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl := g.fd(), g.iovecs(), g.u64(), g.int()
		s.PrepReadv2(fd, v, off, fl)
		return []uint64{word(fd), data(v), size(v), off, word(fl)}
	},
	"io_uring_prep_writev2": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl := g.fd(), g.iovecs(), g.u64(), g.int()
		s.PrepWritev2(fd, v, off, fl)
		return []uint64{word(fd), data(v), size(v), off, word(fl)}
	},
	"io_uring_prep_read_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, off, i := g.fd(), g.buf(), g.u64(), g.int()
		s.PrepReadFixed(fd, b, off, i)
		return []uint64{word(fd), data(b), size(b), off, word(i)}
	},
	"io_uring_prep_write_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, off, i := g.fd(), g.buf(), g.u64(), g.int()
		s.PrepWriteFixed(fd, b, off, i)
		return []uint64{word(fd), data(b), size(b), off, word(i)}
	},
	"io_uring_prep_readv_fixed": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl, i := g.fd(), g.iovecs(), g.u64(), g.int(), g.int()
		s.PrepReadvFixed(fd, v, off, fl, i)
		return []uint64{word(fd), data(v), size(v), off, word(fl), word(i)}
	},
	"io_uring_prep_writev_fixed": func(s *SQE, g *random) []uint64 {
		fd, v, off, fl, i := g.fd(), g.iovecs(), g.u64(), g.int(), g.int()
		s.PrepWritevFixed(fd, v, off, fl, i)
		return []uint64{word(fd), data(v), size(v), off, word(fl), word(i)}
	},
	"io_uring_prep_read_multishot": func(s *SQE, g *random) []uint64 {
		fd, n, off, bg := g.fd(), g.u32(), g.u64(), g.int()
		s.PrepReadMultishot(fd, n, off, bg)
		return []uint64{word(fd), uint64(n), off, word(bg)}
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
		return []uint64{data(b), size(b), word(adv)}
	},
	"io_uring_prep_madvise64": func(s *SQE, g *random) []uint64 {
		b, adv := g.buf(), g.int()
		s.PrepMadvise64(b, adv)
		return []uint64{data(b), size(b), word(adv)}
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
		return []uint64{addr(p), word(fl), uint64(mode)}
	},
	"io_uring_prep_open_direct": func(s *SQE, g *random) []uint64 {
		p, fl, mode, i := g.path(), g.int(), g.u32(), g.index()
		s.PrepOpenDirect(p, fl, mode, i)
		return []uint64{addr(p), word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat": func(s *SQE, g *random) []uint64 {
		fd, p, fl, mode := g.fd(), g.path(), g.int(), g.u32()
		s.PrepOpenat(fd, p, fl, mode)
		return []uint64{word(fd), addr(p), word(fl), uint64(mode)}
	},
	"io_uring_prep_openat_direct": func(s *SQE, g *random) []uint64 {
		fd, p, fl, mode, i := g.fd(), g.path(), g.int(), g.u32(), g.index()
		s.PrepOpenatDirect(fd, p, fl, mode, i)
		return []uint64{word(fd), addr(p), word(fl), uint64(mode), uint64(i)}
	},
	"io_uring_prep_openat2": func(s *SQE, g *random) []uint64 {
		fd, p, how := g.fd(), g.path(), new(OpenHow)
		s.PrepOpenat2(fd, p, how)
		return []uint64{word(fd), addr(p), addr(how)}
	},
	"io_uring_prep_openat2_direct": func(s *SQE, g *random) []uint64 {
		fd, p, how, i := g.fd(), g.path(), new(OpenHow), g.index()
		s.PrepOpenat2Direct(fd, p, how, i)
		return []uint64{word(fd), addr(p), addr(how), uint64(i)}
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
		fd, p, fl, mask, st := g.fd(), g.path(), g.int(), g.u32(), new(Statx)
		s.PrepStatx(fd, p, fl, mask, st)
		return []uint64{word(fd), addr(p), word(fl), uint64(mask), addr(st)}
	},
	"io_uring_prep_unlink": func(s *SQE, g *random) []uint64 {
		p, fl := g.path(), g.int()
		s.PrepUnlink(p, fl)
		return []uint64{addr(p), word(fl)}
	},
	"io_uring_prep_unlinkat": func(s *SQE, g *random) []uint64 {
		fd, p, fl := g.fd(), g.path(), g.int()
		s.PrepUnlinkat(fd, p, fl)
		return []uint64{word(fd), addr(p), word(fl)}
	},
	"io_uring_prep_rename": func(s *SQE, g *random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepRename(p, q)
		return []uint64{addr(p), addr(q)}
	},
	"io_uring_prep_renameat": func(s *SQE, g *random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.u32()
		s.PrepRenameat(fd, p, to, q, fl)
		return []uint64{word(fd), addr(p), word(to), addr(q), uint64(fl)}
	},
	"io_uring_prep_mkdir": func(s *SQE, g *random) []uint64 {
		p, mode := g.path(), g.u32()
		s.PrepMkdir(p, mode)
		return []uint64{addr(p), uint64(mode)}
	},
	"io_uring_prep_mkdirat": func(s *SQE, g *random) []uint64 {
		fd, p, mode := g.fd(), g.path(), g.u32()
		s.PrepMkdirat(fd, p, mode)
		return []uint64{word(fd), addr(p), uint64(mode)}
	},
	"io_uring_prep_symlink": func(s *SQE, g *random) []uint64 {
		p, q := g.path(), g.path()
		s.PrepSymlink(p, q)
		return []uint64{addr(p), addr(q)}
	},
	"io_uring_prep_symlinkat": func(s *SQE, g *random) []uint64 {
		p, fd, q := g.path(), g.fd(), g.path()
		s.PrepSymlinkat(p, fd, q)
		return []uint64{addr(p), word(fd), addr(q)}
	},
	"io_uring_prep_link": func(s *SQE, g *random) []uint64 {
		p, q, fl := g.path(), g.path(), g.int()
		s.PrepLink(p, q, fl)
		return []uint64{addr(p), addr(q), word(fl)}
	},
	"io_uring_prep_linkat": func(s *SQE, g *random) []uint64 {
		fd, p, to, q, fl := g.fd(), g.path(), g.fd(), g.path(), g.int()
		s.PrepLinkat(fd, p, to, q, fl)
		return []uint64{word(fd), addr(p), word(to), addr(q), word(fl)}
	},
	"io_uring_prep_getxattr": func(s *SQE, g *random) []uint64 {
		name, v, p := g.path(), g.buf(), g.path()
		s.PrepGetxattr(name, v, p)
		return []uint64{addr(name), data(v), addr(p), size(v)}
	},
	"io_uring_prep_setxattr": func(s *SQE, g *random) []uint64 {
		name, v, p, fl := g.path(), g.buf(), g.path(), g.int()
		s.PrepSetxattr(name, v, p, fl)
		return []uint64{addr(name), data(v), addr(p), word(fl), size(v)}
	},
	"io_uring_prep_fgetxattr": func(s *SQE, g *random) []uint64 {
		fd, name, v := g.fd(), g.path(), g.buf()
		s.PrepFgetxattr(fd, name, v)
		return []uint64{word(fd), addr(name), data(v), size(v)}
	},
	"io_uring_prep_fsetxattr": func(s *SQE, g *random) []uint64 {
		fd, name, v, fl := g.fd(), g.path(), g.buf(), g.int()
		s.PrepFsetxattr(fd, name, v, fl)
		return []uint64{word(fd), addr(name), data(v), word(fl), size(v)}
	},
	"io_uring_prep_pipe": func(s *SQE, g *random) []uint64 {
		fds, fl := new([2]int32), g.int()
		s.PrepPipe(fds, fl)
		return []uint64{addr(fds), word(fl)}
	},
	"io_uring_prep_pipe_direct": func(s *SQE, g *random) []uint64 {
		fds, fl, i := new([2]int32), g.int(), g.index()
		s.PrepPipeDirect(fds, fl, i)
		return []uint64{addr(fds), word(fl), uint64(i)}
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
		return []uint64{word(fd), a.addr(), uint64(a.length())}
	},
	"io_uring_prep_connect": func(s *SQE, g *random) []uint64 {
		fd, a := g.fd(), g.sockaddr()
		s.PrepConnect(fd, a)
		return []uint64{word(fd), a.addr(), uint64(a.length())}
	},
	"io_uring_prep_listen": func(s *SQE, g *random) []uint64 {
		fd, n := g.fd(), g.int()
		s.PrepListen(fd, n)
		return []uint64{word(fd), word(n)}
	},
	"io_uring_prep_accept": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepAccept(fd, a, fl)
		return []uint64{word(fd), a.addr(), a.addrLenAddr(), word(fl)}
	},
	"io_uring_prep_accept_direct": func(s *SQE, g *random) []uint64 {
		fd, a, fl, i := g.fd(), g.sockaddr(), g.int(), g.index()
		s.PrepAcceptDirect(fd, a, fl, i)
		return []uint64{word(fd), a.addr(), a.addrLenAddr(), word(fl), uint64(i)}
	},
	"io_uring_prep_multishot_accept": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAccept(fd, a, fl)
		return []uint64{word(fd), a.addr(), a.addrLenAddr(), word(fl)}
	},
	"io_uring_prep_multishot_accept_direct": func(s *SQE, g *random) []uint64 {
		fd, a, fl := g.fd(), g.sockaddr(), g.int()
		s.PrepMultishotAcceptDirect(fd, a, fl)
		return []uint64{word(fd), a.addr(), a.addrLenAddr(), word(fl)}
	},
	"io_uring_prep_shutdown": func(s *SQE, g *random) []uint64 {
		fd, how := g.fd(), g.int()
		s.PrepShutdown(fd, how)
		return []uint64{word(fd), word(how)}
	},
	"io_uring_prep_send": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepSend(fd, b, fl)
		return []uint64{word(fd), data(b), size(b), word(fl)}
	},
	"io_uring_prep_send_bundle": func(s *SQE, g *random) []uint64 {
		fd, n, fl := g.fd(), g.u32(), g.int()
		s.PrepSendBundle(fd, n, fl)
		return []uint64{word(fd), uint64(n), word(fl)}
	},
	"io_uring_prep_send_set_addr": func(s *SQE, g *random) []uint64 {
		a := g.sockaddr()
		s.PrepSendSetAddr(a)
		return []uint64{a.addr(), uint64(a.length())}
	},
	"io_uring_prep_sendto": func(s *SQE, g *random) []uint64 {
		fd, b, fl, a := g.fd(), g.buf(), g.int(), g.sockaddr()
		s.PrepSendto(fd, b, fl, a)
		return []uint64{word(fd), data(b), size(b), word(fl), a.addr(), uint64(a.length())}
	},
	"io_uring_prep_send_zc": func(s *SQE, g *random) []uint64 {
		fd, b, fl, zc := g.fd(), g.buf(), g.int(), g.u32()
		s.PrepSendZC(fd, b, fl, RecvSendFlags(zc))
		return []uint64{word(fd), data(b), size(b), word(fl), uint64(zc)}
	},
	"io_uring_prep_send_zc_fixed": func(s *SQE, g *random) []uint64 {
		fd, b, fl, zc, i := g.fd(), g.buf(), g.int(), g.u32(), g.u32()
		s.PrepSendZCFixed(fd, b, fl, RecvSendFlags(zc), i)
		return []uint64{word(fd), data(b), size(b), word(fl), uint64(zc), uint64(i)}
	},
	"io_uring_prep_sendmsg": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), new(Msghdr), g.u32()
		s.PrepSendmsg(fd, m, fl)
		return []uint64{word(fd), addr(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), new(Msghdr), g.u32()
		s.PrepSendmsgZC(fd, m, fl)
		return []uint64{word(fd), addr(m), uint64(fl)}
	},
	"io_uring_prep_sendmsg_zc_fixed": func(s *SQE, g *random) []uint64 {
		fd, m, fl, i := g.fd(), new(Msghdr), g.u32(), g.u32()
		s.PrepSendmsgZCFixed(fd, m, fl, i)
		return []uint64{word(fd), addr(m), uint64(fl), uint64(i)}
	},
	"io_uring_prep_recv": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepRecv(fd, b, fl)
		return []uint64{word(fd), data(b), size(b), word(fl)}
	},
	"io_uring_prep_recv_multishot": func(s *SQE, g *random) []uint64 {
		fd, b, fl := g.fd(), g.buf(), g.int()
		s.PrepRecvMultishot(fd, b, fl)
		return []uint64{word(fd), data(b), size(b), word(fl)}
	},
	"io_uring_prep_recvmsg": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), new(Msghdr), g.u32()
		s.PrepRecvmsg(fd, m, fl)
		return []uint64{word(fd), addr(m), uint64(fl)}
	},
	"io_uring_prep_recvmsg_multishot": func(s *SQE, g *random) []uint64 {
		fd, m, fl := g.fd(), new(Msghdr), g.u32()
		s.PrepRecvmsgMultishot(fd, m, fl)
		return []uint64{word(fd), addr(m), uint64(fl)}
	},
	"io_uring_prep_cmd_sock": func(s *SQE, g *random) []uint64 {
		op, fd, level, name, v := g.int(), g.fd(), g.int(), g.int(), g.buf()
		s.PrepCmdSock(SocketOp(op), fd, level, name, v)
		return []uint64{word(op), word(fd), word(level), word(name), data(v), size(v)}
	},
	"io_uring_prep_cmd_getsockname": func(s *SQE, g *random) []uint64 {
		fd, a, peer := g.fd(), g.sockaddr(), g.int()
		s.PrepCmdGetsockname(fd, a, peer)
		return []uint64{word(fd), a.addr(), a.addrLenAddr(), word(peer)}
	},
	"io_uring_prep_timeout": func(s *SQE, g *random) []uint64 {
		ts, n, fl := new(Timespec), g.u32(), g.u32()
		s.PrepTimeout(ts, n, TimeoutFlags(fl))
		return []uint64{addr(ts), uint64(n), uint64(fl)}
	},
	"io_uring_prep_timeout_remove": func(s *SQE, g *random) []uint64 {
		d, fl := g.u64(), g.u32()
		s.PrepTimeoutRemove(d, TimeoutFlags(fl))
		return []uint64{d, uint64(fl)}
	},
	"io_uring_prep_timeout_update": func(s *SQE, g *random) []uint64 {
		ts, d, fl := new(Timespec), g.u64(), g.u32()
		s.PrepTimeoutUpdate(ts, d, TimeoutFlags(fl))
		return []uint64{addr(ts), d, uint64(fl)}
	},
	"io_uring_prep_link_timeout": func(s *SQE, g *random) []uint64 {
		ts, fl := new(Timespec), g.u32()
		s.PrepLinkTimeout(ts, TimeoutFlags(fl))
		return []uint64{addr(ts), uint64(fl)}
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
		typ, id, info, opt, fl := g.int(), g.int(), new(Siginfo), g.int(), g.u32()
		s.PrepWaitid(typ, id, info, opt, fl)
		return []uint64{word(typ), word(id), addr(info), word(opt), uint64(fl)}
	},
	"io_uring_prep_futex_wake": func(s *SQE, g *random) []uint64 {
		f, val, mask, ffl, fl := new(uint32), g.u64(), g.u64(), g.u32(), g.u32()
		s.PrepFutexWake(f, val, mask, Futex2Flags(ffl), fl)
		return []uint64{addr(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_wait": func(s *SQE, g *random) []uint64 {
		f, val, mask, ffl, fl := new(uint32), g.u64(), g.u64(), g.u32(), g.u32()
		s.PrepFutexWait(f, val, mask, Futex2Flags(ffl), fl)
		return []uint64{addr(f), val, mask, uint64(ffl), uint64(fl)}
	},
	"io_uring_prep_futex_waitv": func(s *SQE, g *random) []uint64 {
		v, fl := make([]FutexWaitv, g.IntN(4)), g.u32()
		s.PrepFutexWaitv(v, fl)
		return []uint64{data(v), size(v), uint64(fl)}
	},
	"io_uring_prep_epoll_ctl": func(s *SQE, g *random) []uint64 {
		ep, fd, op, ev := g.fd(), g.fd(), g.int(), new(EpollEvent)
		s.PrepEpollCtl(ep, fd, op, ev)
		return []uint64{word(ep), word(fd), word(op), addr(ev)}
	},
	"io_uring_prep_epoll_wait": func(s *SQE, g *random) []uint64 {
		ep, ev, fl := g.fd(), make([]EpollEvent, g.IntN(4)), g.u32()
		s.PrepEpollWait(ep, ev, fl)
		return []uint64{word(ep), data(ev), size(ev), uint64(fl)}
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
		fds, off := make([]int32, g.IntN(4)), g.int()
		s.PrepFilesUpdate(fds, off)
		return []uint64{data(fds), size(fds), word(off)}
	},
	"io_uring_prep_fixed_fd_install": func(s *SQE, g *random) []uint64 {
		fd, fl := g.fd(), g.u32()
		s.PrepFixedFDInstall(fd, FixedFDInstallFlags(fl))
		return []uint64{word(fd), uint64(fl)}
	},
	"io_uring_prep_provide_buffers": func(s *SQE, g *random) []uint64 {
		b, n, nr, bg, bid := g.buf(), g.int(), g.int(), g.int(), g.int()
		s.PrepProvideBuffers(b, n, nr, bg, bid)
		return []uint64{data(b), word(n), word(nr), word(bg), word(bid)}
	},
	"io_uring_prep_remove_buffers": func(s *SQE, g *random) []uint64 {
		nr, bg := g.int(), g.int()
		s.PrepRemoveBuffers(nr, bg)
		return []uint64{word(nr), word(bg)}
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
		bg := uint16(g.u32())
		s.SetBufGroup(bg)
		return []uint64{uint64(bg)}
	},
}

// pointerForms take a pointer where Go has the 64-bit form.
var pointerForms = map[string]string{
	"io_uring_prep_cancel":  "io_uring_prep_cancel64",
	"io_uring_sqe_set_data": "io_uring_sqe_set_data64",
}

// entry stands for the entry's address where that is not C's first argument.
const entry = 0xe4715e4715

func word(n int) uint64        { return uint64(uint32(n)) }
func size[T any](s []T) uint64 { return uint64(len(s)) }

// random makes arguments, with a taste for the edges.
type random struct {
	*rand.Rand
	mem  []byte
	vecs []Iovec
}

func newRandom(seed1, seed2 uint64) *random {
	return &random{rand.New(rand.NewPCG(seed1, seed2)), make([]byte, 1<<16), make([]Iovec, 16)}
}

func (g *random) u64() uint64 {
	if g.IntN(8) == 0 {
		return []uint64{0, 1, ^uint64(0), 1 << 63, 1<<32 - 1, 1 << 32}[g.IntN(6)]
	}
	return g.Uint64()
}

func (g *random) u32() uint32 { return uint32(g.u64()) }
func (g *random) u8() uint8   { return uint8(g.u64()) }
func (g *random) int() int    { return int(int32(g.u64())) }
func (g *random) fd() int     { return g.int() }

func (g *random) index() uint32 {
	if g.IntN(4) == 0 {
		return FileIndexAlloc
	}
	return g.u32()
}

func (g *random) buf() []byte {
	if g.IntN(8) == 0 {
		return nil
	}
	i := g.IntN(len(g.mem))
	return g.mem[i : i+g.IntN(len(g.mem)-i)]
}

func (g *random) iovecs() []Iovec {
	if g.IntN(8) == 0 {
		return nil
	}
	i := g.IntN(len(g.vecs))
	return g.vecs[i : i+g.IntN(len(g.vecs)-i)]
}

func (g *random) path() *byte { return &g.mem[g.IntN(len(g.mem))] }

func (g *random) sockaddr() *Sockaddr {
	if g.IntN(8) == 0 {
		return nil
	}
	return &Sockaddr{len: uint32(g.IntN(1 << 16))}
}

// loadFFI makes a shared library of the vendored liburing-ffi and opens it.
func loadFFI(t testing.TB) ffi.Library {
	t.Helper()
	const archive = "third_party/liburing/lib/liburing-ffi.a"
	if _, err := os.Stat(archive); err != nil {
		t.Skip("the differential test needs the vendored liburing-ffi.a: run scripts/vendor-liburing.sh")
	}
	lib := filepath.Join(t.TempDir(), "ffi.so")
	out, err := exec.Command(cCompiler(), "-shared", "-o", lib, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive").CombinedOutput()
	require.NoError(t, err, "%s", out)
	l, err := ffi.Open(lib)
	require.NoError(t, err)
	return l
}

// mapSymbols returns the names in liburing-ffi.map that a pattern matches.
func mapSymbols(t *testing.T, pattern string) (names []string) {
	f, err := os.Open("third_party/liburing/src/src/liburing-ffi.map")
	require.NoError(t, err)
	defer f.Close()
	re := regexp.MustCompile(`^\s*(` + pattern + `);`)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m := re.FindStringSubmatch(lines.Text()); m != nil {
			names = append(names, m[1])
		}
	}
	require.NotEmpty(t, names)
	return names
}

// bothSides prepares one entry in Go and one in C and returns their bytes.
func bothSides(f ffi.Func, prep func(*SQE, *random) []uint64, g *random) (ours, theirs [2]SQE) {
	a, b := new([2]SQE), new([2]SQE)
	for i := range unsafe.Sizeof(*a) {
		*(*byte)(unsafe.Add(unsafe.Pointer(a), i)) = byte(g.Uint32())
	}
	*b = *a
	args := prep(&a[0], g)
	if len(args) > 1 && args[1] == entry {
		args[1] = addr(&b[0])
	} else {
		args = append([]uint64{addr(&b[0])}, args...)
	}
	f.Call(args...)
	return *a, *b
}

// Every prep function of the linked liburing has a line, every line a function,
// and both sides write the same bytes.
func TestPrepsWriteWhatCWrites(t *testing.T) {
	lib := loadFFI(t)
	const cases = 10_000
	for _, name := range mapSymbols(t, `io_uring_(?:prep|sqe_set)_\w+`) {
		if pointerForms[name] != "" {
			continue
		}
		require.Contains(t, preps, name, "no line for a function of liburing")
	}
	compared := 0
	for name, prep := range preps {
		f, ok := lib.Func(name)
		if !ok {
			require.NotEqual(t, "2.15", Version(), "liburing has no %s", name)
			continue
		}
		compared++
		g := newRandom(1, uint64(len(name)))
		for range cases {
			ours, theirs := bothSides(f, prep, g)
			if ours != theirs {
				require.Equal(t, theirs, ours, name)
			}
		}
	}
	t.Logf("%d functions, %d cases each", compared, cases)
}

func FuzzPrep(f *testing.F) {
	lib := loadFFI(f)
	var names []string
	for name := range preps {
		if _, ok := lib.Func(name); ok {
			names = append(names, name)
		}
	}
	f.Add(uint64(1), uint64(2), uint16(3))
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64, which uint16) {
		name := names[int(which)%len(names)]
		fn, _ := lib.Func(name)
		ours, theirs := bothSides(fn, preps[name], newRandom(seed1, seed2))
		require.Equal(t, theirs, ours, name)
	})
}

// GetSQE hands out the entry that C hands out, with the same bytes cleared of
// what a former request left.
func TestGetSQEClearsWhatCClears(t *testing.T) {
	lib := loadFFI(t)
	get, ok := lib.Func("io_uring_get_sqe")
	require.True(t, ok)
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			r := newRing(t, 8, s.opts...)
			g := newRandom(2, 2)
			for range 1000 {
				tail := g.Uint32()%8 + r.mem.sq.sqeTail - r.mem.sq.sqeTail%8
				stale := func() {
					r.mem.sq.sqeTail = tail % 8
					p := unsafe.Pointer(r.mem.sqe(0))
					for i := range 8 * unsafe.Sizeof(SQE{}) << r.mem.sqeShift {
						*(*byte)(unsafe.Add(p, i)) = byte(i*7) + byte(tail)
					}
				}
				stale()
				ours := r.GetSQE()
				bytes := *ours
				stale()
				theirs := get.Call(addr(r.mem))
				require.Equal(t, theirs, addr(ours), "the entry")
				require.Equal(t, *ours, bytes)
			}
			r.mem.sq.sqeTail = r.mem.sq.sqeHead
		})
	}
}

func cCompiler() string {
	if cc := strings.TrimSpace(os.Getenv("CC")); cc != "" {
		return cc
	}
	return "gcc"
}
