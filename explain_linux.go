package liburing

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-liburing/liburing/internal/fdkind"
	"golang.org/x/sys/unix"
)

// What needs the system: the kernel's version and the kind of a descriptor.

// newer are parts of operations that came later than those, and that kernels without
// them refuse.
var newer = []struct {
	what   string
	kernel string
	used   func(s *SQE) bool
}{
	{"bundles", "6.10", func(s *SQE) bool { return s.isOf(OpRecv, OpSend) && s.IOPrio&uint16(RecvSendBundle) != 0 }},
	{"multishot receives", "6.0", func(s *SQE) bool { return s.isOf(OpRecv, OpRecvmsg) && s.IOPrio&uint16(RecvMultishot) != 0 }},
	{"polling first", "5.19", func(s *SQE) bool {
		return s.isOf(OpRecv, OpRecvmsg, OpSend, OpSendmsg) && s.IOPrio&uint16(RecvSendPollFirst) != 0
	}},
	{"a Send to an address", "6.1", func(s *SQE) bool { return s.isOf(OpSend) && s.Off != 0 }},
	{"polling first and not waiting of an accept", "6.10", func(s *SQE) bool {
		return s.isOf(OpAccept) && s.IOPrio&uint16(AcceptPollFirst|AcceptDontwait) != 0
	}},
	{"multishot accepts", "5.19", func(s *SQE) bool { return s.isOf(OpAccept) && s.IOPrio&uint16(AcceptMultishot) != 0 }},
	{"multishot polls", "5.13", func(s *SQE) bool { return s.isOf(OpPollAdd) && s.Len&uint32(PollAddMulti) != 0 }},
	{"multishot timeouts", "6.4", func(s *SQE) bool { return s.isOf(OpTimeout) && s.OpFlags&uint32(TimeoutMultishot) != 0 }},
	{"TimeoutEtimeSuccess", "5.16", func(s *SQE) bool { return s.isOf(OpTimeout) && s.OpFlags&uint32(TimeoutEtimeSuccess) != 0 }},
	{"clocks of timeouts", "5.15", func(s *SQE) bool {
		return s.isOf(OpTimeout, OpLinkTimeout) && s.OpFlags&uint32(TimeoutBoottime|TimeoutRealtime) != 0
	}},
	{"registered files as the result", "5.15", func(s *SQE) bool { return s.isOf(OpOpenat, OpOpenat2, OpAccept) && s.FileIndex != 0 }},
	{"registered buffers of several parts", "6.15", func(s *SQE) bool { return s.isOf(OpSendmsgZC) && s.usesFixedBuffer() }},
	{"SQECQESkipSuccess", "5.17", func(s *SQE) bool { return s.Flags&SQECQESkipSuccess != 0 }},
}

func (s *SQE) isOf(ops ...Op) bool {
	for _, op := range ops {
		if s.Opcode == op {
			return true
		}
	}
	return false
}

// whyUnknown is for what the kernel does not know.
func (f *failure) whyUnknown() string {
	p, release := kernelKnown.probe, kernelKnown.release
	if p == nil {
		return ""
	}
	if op := f.sqe.Opcode; op < OpLast && !p.OpcodeSupported(op) {
		return fmt.Sprintf("this kernel (%s) does not know %s (Linux %s)", release, op, op.facts().kernel)
	}
	for _, n := range newer {
		if n.used(&f.sqe) && kernelLacks(p, n.kernel, release) {
			return fmt.Sprintf("this kernel (%s) does not know %s (Linux %s)", release, n.what, n.kernel)
		}
	}
	return ""
}

// whyCancelled is for what the kernel cancels by itself: what takes a worker thread, where
// there is none and none can be made. Up to Linux 6.18 signals are a reason, too: it gives
// up after a few tries that find one pending.
func (f *failure) whyCancelled() string {
	names, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil || len(names) == 0 {
		return ""
	}
	for _, name := range names {
		if comm, _ := os.ReadFile(name); strings.HasPrefix(string(comm), "iou-wrk-") {
			return ""
		}
	}
	return "it takes a worker thread of the kernel's, and there is none: if it was not cancelled, none could be made; raise the limit of " +
		"tasks (pids.max of the control group, TasksMax= in systemd, --pids-limit in Docker, `ulimit -u`), or make the request again " +
		"if the process gets many signals (up to Linux 6.18)"
}

// kernelLacks reports whether the kernel is older than what came with version. Distributions
// give old kernels a newer io_uring: the operations of which tell.
func kernelLacks(p *Probe, version, release string) bool {
	if !olderThan(release, version) {
		return false
	}
	for op := Op(0); op < OpLast; op++ {
		if !olderThan(op.facts().kernel, version) && p.OpcodeSupported(op) {
			return false
		}
	}
	return true
}

// subject is a descriptor of a request, with the names of what is done to it in docs/descriptors.md.
type subject struct {
	fd  int32
	ops []string
}

// subjects returns the descriptors of a request, but for registered files, whose number
// does not tell which they are.
func (s *SQE) subjects() (all []subject) {
	if ops := s.surveyed(); len(ops) > 0 && s.Flags&SQEFixedFile == 0 {
		all = append(all, subject{s.FD, ops})
	}
	switch s.Opcode {
	case OpSplice, OpTee:
		if s.OpFlags&uint32(SpliceFFDInFixed) == 0 {
			all = append(all, subject{int32(s.FileIndex), []string{map[Op]string{OpSplice: "Splice from", OpTee: "Tee from"}[s.Opcode]}})
		}
	case OpEpollCtl:
		if s.Len == unix.EPOLL_CTL_ADD {
			all = append(all, subject{int32(s.Off), []string{"EpollCtl to add it"}})
		}
	}
	return all
}

// surveyed returns the names in docs/descriptors.md of what is done to SQE.FD.
func (s *SQE) surveyed() []string {
	multishot := func(flag uint16, name, plain string) []string {
		if s.IOPrio&flag != 0 {
			return []string{name}
		}
		return []string{plain}
	}
	switch s.Opcode {
	case OpRead, OpReadv, OpReadFixed, OpReadvFixed:
		return s.positioned("Read at 4096", map[Op]string{OpRead: "Read", OpReadv: "Readv", OpReadFixed: "ReadFixed", OpReadvFixed: "ReadvFixed"})
	case OpWrite, OpWritev, OpWriteFixed, OpWritevFixed:
		return s.positioned("Write at 4096", map[Op]string{OpWrite: "Write", OpWritev: "Writev", OpWriteFixed: "WriteFixed", OpWritevFixed: "WritevFixed"})
	case OpRecv:
		return multishot(uint16(RecvMultishot), "RecvMultishot", "Recv")
	case OpRecvmsg:
		return multishot(uint16(RecvMultishot), "RecvmsgMultishot", "Recvmsg")
	case OpSend:
		return multishot(uint16(RecvSendBundle), "SendBundle", "Send")
	case OpSendZC:
		return multishot(uint16(RecvSendFixedBuf), "SendZCFixed", "SendZC")
	case OpAccept:
		return multishot(uint16(AcceptMultishot), "MultishotAccept", "Accept")
	case OpWaitid:
		if s.Len != unix.P_PIDFD {
			return nil
		}
	case OpClose:
		if s.FileIndex != 0 {
			return nil
		}
	}
	if name := surveyedNames[s.Opcode]; name != "" {
		return []string{name}
	}
	return nil
}

// positioned returns the names of a read or write.
func (s *SQE) positioned(at string, names map[Op]string) []string {
	if s.Off != 0 && s.Off != CurrentPosition {
		return []string{at, names[s.Opcode]}
	}
	return []string{names[s.Opcode]}
}

var surveyedNames = map[Op]string{
	OpReadMultishot: "ReadMultishot",
	OpOpenat:        "Openat",
	OpOpenat2:       "Openat2",
	OpMkdirat:       "Mkdirat",
	OpUnlinkat:      "Unlinkat",
	OpFsync:         "Fsync",
	OpSyncFileRange: "SyncFileRange",
	OpFallocate:     "Fallocate",
	OpFtruncate:     "Ftruncate",
	OpFadvise:       "Fadvise",
	OpFgetxattr:     "Fgetxattr",
	OpFsetxattr:     "Fsetxattr",
	OpPollAdd:       "PollAdd",
	OpSendmsg:       "Sendmsg",
	OpSendmsgZC:     "SendmsgZC",
	OpConnect:       "Connect",
	OpBind:          "Bind",
	OpListen:        "Listen",
	OpShutdown:      "Shutdown",
	OpSplice:        "Splice to",
	OpTee:           "Tee to",
	OpEpollCtl:      "EpollCtl of it",
	OpEpollWait:     "EpollWait",
	OpWaitid:        "Waitid",
	OpMsgRing:       "MsgRing",
	OpClose:         "Close",
}

// whyDescriptor is for what the descriptor can't do.
func (f *failure) whyDescriptor(errno syscall.Errno) string {
	if errno == unix.EBADF && f.sqe.Flags&SQEFixedFile != 0 {
		return fmt.Sprintf("place %d of the registered files is empty or beyond the table, or its file is not open for that", f.sqe.FD)
	}
	for _, s := range f.sqe.subjects() {
		hint := f.whyNotOpen(s, errno)
		if hint == "" {
			hint = whyState(s, errno)
		}
		if hint == "" {
			hint = s.whyNever(errno)
		}
		if hint == "" && errno == unix.EINVAL {
			hint = f.whySize(s.fd)
		}
		if hint != "" {
			return hint
		}
	}
	if errno == unix.EINVAL && f.sqe.Opcode == OpSplice {
		return f.whyNoPipe()
	}
	return ""
}

// whyNever looks at what works on no descriptor of its kind.
func (s subject) whyNever(errno syscall.Errno) string {
	kind := fdkind.Of(int(s.fd))
	for _, op := range s.ops {
		switch why, known := kind.Never(op, errno); {
		case why != "":
			return fmt.Sprintf("descriptor %d %s", s.fd, why)
		case known:
			return ""
		}
	}
	return ""
}

// whyNotOpen is for descriptors that are closed, or not opened for that.
func (f *failure) whyNotOpen(s subject, errno syscall.Errno) string {
	if errno != unix.EBADF && (errno != unix.EINVAL || f.sqe.Opcode != OpFtruncate) {
		return ""
	}
	flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0)
	switch mode := flags & unix.O_ACCMODE; {
	case s.fd < 0 || err == unix.EBADF:
		return fmt.Sprintf("descriptor %d is not open", s.fd)
	case err != nil || flags&unix.O_PATH != 0 || fdkind.Of(int(s.fd)) == "directory":
		return ""
	case mode == unix.O_WRONLY && s.is("Read", "Splice from", "Tee from"):
		return fmt.Sprintf("descriptor %d is open for writing only", s.fd)
	case mode == unix.O_RDONLY && s.is("Write", "Splice to", "Tee to", "Fallocate", "Ftruncate"):
		return fmt.Sprintf("descriptor %d is open for reading only", s.fd)
	}
	return ""
}

// is reports whether what is done to the descriptor begins with one of the names.
func (s subject) is(names ...string) bool {
	for _, name := range names {
		if strings.HasPrefix(s.ops[0], name) {
			return true
		}
	}
	return false
}

// whyState is for what the descriptor's state forbids: seals, O_NONBLOCK, which splices keep
// to, and a socket that does not listen.
func whyState(s subject, errno syscall.Errno) string {
	switch errno {
	case unix.EAGAIN:
		if flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK != 0 {
			return fmt.Sprintf("descriptor %d is nonblocking, and splices don't wait then: poll first, or make it blocking", s.fd)
		}
	case unix.EPERM:
		seals, err := unix.FcntlInt(uintptr(s.fd), unix.F_GET_SEALS, 0)
		if err == nil && seals&(unix.F_SEAL_WRITE|unix.F_SEAL_FUTURE_WRITE) != 0 && s.is("Write") {
			return fmt.Sprintf("descriptor %d is sealed against writing (F_SEAL_WRITE)", s.fd)
		}
	case unix.EINVAL:
		listens, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err == nil && listens == 0 && s.is("Accept", "MultishotAccept") {
			return fmt.Sprintf("descriptor %d is a socket that does not listen", s.fd)
		}
	}
	return ""
}

// leastSizes are what must be asked of some kinds at once, at least.
var leastSizes = map[fdkind.Kind]uint32{"eventfd": 8, "timerfd": 8, "signalfd": 128}

// whySize is for reads and writes of a wrong number of bytes.
func (f *failure) whySize(fd int32) string {
	kind := fdkind.Of(int(fd))
	if kind == "" {
		return ""
	}
	s, least := &f.sqe, leastSizes[kind]
	switch s.Opcode {
	case OpRead, OpReadFixed:
		if s.Len < least {
			return fmt.Sprintf("descriptor %d is %v, from which at least %d bytes are read", fd, kind, least)
		}
		if kind == "inotify" {
			return fmt.Sprintf("descriptor %d is %v, whose next event takes more than %d bytes", fd, kind, s.Len)
		}
	case OpWrite, OpWriteFixed:
		if kind == "eventfd" && (s.Len < least || s.Len > least && !olderThan(kernelKnown.release, "6.18")) { // 6.1 takes more
			return fmt.Sprintf("descriptor %d is an eventfd, to which 8 bytes are written, not %d", fd, s.Len)
		}
	}
	if kind == "file O_DIRECT" && s.isOf(OpRead, OpReadFixed, OpWrite, OpWriteFixed) {
		return whyUnaligned(fd, s)
	}
	return ""
}

// sector is the least unit of drives.
const sector = 512

// whyUnaligned is for files opened with O_DIRECT.
func whyUnaligned(fd int32, s *SQE) string {
	what, n := "", uint64(0)
	switch {
	case s.Off != CurrentPosition && s.Off%sector != 0:
		what, n = "offset", s.Off
	case s.Len%sector != 0:
		what, n = "length", uint64(s.Len)
	default:
		return ""
	}
	return fmt.Sprintf("descriptor %d was opened with O_DIRECT, and the %s %d is no multiple of the device's blocks, %d bytes or more", fd, what, n, sector)
}

// whyNoPipe is for splices of two descriptors of which none is a pipe.
func (f *failure) whyNoPipe() string {
	all := f.sqe.subjects()
	for _, s := range all {
		if kind := fdkind.Of(int(s.fd)); kind == "" || kind.IsPipe() {
			return ""
		}
	}
	if len(all) < 2 {
		return ""
	}
	return "one of the two descriptors has to be a pipe"
}
