package liburing

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
// there is none and none can be made.
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
		"tasks (pids.max of the control group, TasksMax= in systemd, --pids-limit in Docker, `ulimit -u`)"
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

// subject is a descriptor of a request, with the names of what is done to it in neverWorks.
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

// surveyed returns the names in neverWorks of what is done to SQE.FD.
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

// remarks are what can't be done, and what can: the first whose operation begins so, of
// the same error, and of the kind if it names one.
var remarks = []struct {
	op    string
	errno syscall.Errno
	kind  string
	text  string
}{
	{"ReadMultishot", unix.EBADFD, "", "which can't be polled: use Read"},
	{"ReadvFixed", unix.EINVAL, "inotify", "which can't be read into parts of registered buffers: use ReadFixed or Readv"},
	{"Read at", unix.ESPIPE, "", "which has no position: read at CurrentPosition"},
	{"Read", unix.ENOTCONN, "", "from which connections are accepted (Accept)"},
	{"Read", unix.EINVAL, "epoll", "which can't be read: use EpollWait or PollAdd"},
	{"Read", unix.EINVAL, "pidfd", "which can't be read: use Waitid or PollAdd"},
	{"Read", unix.EINVAL, "", "which can't be read: use PollAdd"},
	{"Read", 0, "", "which can't be read"},
	{"Write at", unix.ESPIPE, "", "which has no position: write at CurrentPosition"},
	{"WritevFixed", unix.EINVAL, "eventfd", "which can't be written to from parts of registered buffers: use WriteFixed or Writev"},
	{"Write", 0, "", "which can't be written to"},
	{"Fsync", 0, "", "which has nothing to flush"},
	{"SyncFileRange", 0, "", "which has nothing to flush"},
	{"Fallocate", 0, "", "which has no space to reserve"},
	{"Ftruncate", 0, "", "which has no length to set"},
	{"RecvMultishot", unix.ENOTSOCK, "", "which is no socket: use ReadMultishot or Read"},
	{"Recv", unix.ENOTSOCK, "", "which is no socket: use Read"},
	{"Recv", unix.ENOTCONN, "", "from which connections are accepted (Accept)"},
	{"SendZC", unix.EOPNOTSUPP, "", "which can't send without a copy: use Send"},
	{"SendmsgZC", unix.EOPNOTSUPP, "", "which can't send without a copy: use Sendmsg"},
	{"Send", unix.ENOTSOCK, "", "which is no socket: use Write"},
	{"Send", unix.EOPNOTSUPP, "kTLS", "which can't do that: use Send"},
	{"Accept", unix.EOPNOTSUPP, "", "which has no connections to accept"},
	{"MultishotAccept", unix.EOPNOTSUPP, "", "which has no connections to accept"},
	{"Bind", unix.EINVAL, "TCP", "which has an address"},
	{"Bind", unix.EINVAL, "TCP listener", "which has an address"},
	{"Bind", unix.EINVAL, "UDP", "which has an address"},
	{"Listen", unix.EINVAL, "", "which is connected"},
	{"Listen", unix.EOPNOTSUPP, "", "which has no connections to accept"},
	{"Splice", unix.EINVAL, "", "which can't be spliced: use Read and Write"},
	{"Splice from", unix.EBADF, "", "which can't be read"},
	{"Splice to", unix.EBADF, "", "which can't be written to"},
	{"Tee", 0, "", "and Tee is for two pipes"},
	{"EpollCtl of it", unix.EINVAL, "", "and no epoll"},
	{"EpollCtl to add it", unix.EPERM, "", "which can't be waited for: it is ready always"},
	{"EpollWait", unix.EINVAL, "", "and no epoll"},
	{"Waitid", unix.EBADF, "", "and no pidfd"},
	{"MsgRing", unix.EBADFD, "", "and no ring"},
	{"Close", unix.EBADF, "io_uring", "which no request can close: use Ring.Close"},
	{"", unix.ENOTDIR, "", "and no directory, at which a path could begin"},
	{"", unix.ENOTSOCK, "", "which is no socket"},
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

// whyNever looks at the table of what never works.
func (s subject) whyNever(errno syscall.Errno) string {
	kind := kindOfDescriptor(int(s.fd))
	if kind < 0 {
		return ""
	}
	for _, op := range s.ops {
		for _, n := range neverWorks {
			if n.op == op && n.errno == errno && n.kinds&(1<<kind) != 0 {
				return s.remark(op, errno, descriptorKinds[kind])
			}
		}
	}
	return ""
}

// remark puts it into words.
func (s subject) remark(op string, errno syscall.Errno, kind string) string {
	if kind == "O_PATH" && errno == unix.EBADF {
		return fmt.Sprintf("descriptor %d was opened with O_PATH, which gives it a place and no content", s.fd)
	}
	for _, r := range remarks {
		if strings.HasPrefix(op, r.op) && (r.errno == 0 || r.errno == errno) && (r.kind == "" || r.kind == kind) {
			return fmt.Sprintf("descriptor %d is %s, %s", s.fd, kindsInWords[kind], r.text)
		}
	}
	return ""
}

var kindsInWords = map[string]string{
	"O_PATH":          "opened with O_PATH",
	"file":            "a regular file",
	"file O_DIRECT":   "a regular file",
	"file on tmpfs":   "a regular file",
	"memfd":           "a memfd",
	"/proc file":      "a file of /proc",
	"directory":       "a directory",
	"/dev/null":       "/dev/null",
	"/dev/zero":       "/dev/zero",
	"pipe, read end":  "the read end of a pipe",
	"pipe, write end": "the write end of a pipe",
	"FIFO":            "a FIFO",
	"pty master":      "a terminal's master",
	"terminal":        "a terminal",
	"TCP":             "a TCP socket",
	"TCP listener":    "a listening socket",
	"kTLS":            "a socket that the kernel encrypts",
	"UDP":             "a UDP socket",
	"Unix stream":     "a Unix socket",
	"Unix datagram":   "a Unix socket for datagrams",
	"Unix seqpacket":  "a Unix socket for packets",
	"netlink":         "a netlink socket",
	"packet":          "a packet socket",
	"eventfd":         "an eventfd",
	"timerfd":         "a timerfd",
	"signalfd":        "a signalfd",
	"inotify":         "an inotify descriptor",
	"epoll":           "an epoll",
	"pidfd":           "a pidfd",
	"userfaultfd":     "a userfaultfd",
	"io_uring":        "an io_uring",
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
	case err != nil || flags&unix.O_PATH != 0 || kindOfDescriptor(int(s.fd)) == kindNamed("directory"):
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
var leastSizes = map[string]uint32{"eventfd": 8, "timerfd": 8, "signalfd": 128}

// whySize is for reads and writes of a wrong number of bytes.
func (f *failure) whySize(fd int32) string {
	kind := kindOfDescriptor(int(fd))
	if kind < 0 {
		return ""
	}
	s, name := &f.sqe, descriptorKinds[kind]
	least := leastSizes[name]
	switch s.Opcode {
	case OpRead, OpReadFixed:
		if s.Len < least {
			return fmt.Sprintf("descriptor %d is %s, from which at least %d bytes are read", fd, kindsInWords[name], least)
		}
		if name == "inotify" {
			return fmt.Sprintf("descriptor %d is %s, whose next event takes more than %d bytes", fd, kindsInWords[name], s.Len)
		}
	case OpWrite, OpWriteFixed:
		if name == "eventfd" && (s.Len < least || s.Len > least && !olderThan(kernelKnown.release, "6.18")) { // 6.1 takes more
			return fmt.Sprintf("descriptor %d is an eventfd, to which 8 bytes are written, not %d", fd, s.Len)
		}
	}
	if name == "file O_DIRECT" && s.isOf(OpRead, OpReadFixed, OpWrite, OpWriteFixed) {
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
		kind := kindOfDescriptor(int(s.fd))
		if kind < 0 || bits.OnesCount32(pipeKinds&(1<<kind)) != 0 {
			return ""
		}
	}
	if len(all) < 2 {
		return ""
	}
	return "one of the two descriptors has to be a pipe"
}

var pipeKinds = uint32(1<<kindNamed("pipe, read end") | 1<<kindNamed("pipe, write end") | 1<<kindNamed("FIFO"))

// kindNamed returns the place of a kind in descriptorKinds.
func kindNamed(name string) int {
	for i, k := range descriptorKinds {
		if k == name {
			return i
		}
	}
	return -1
}

// kindOfDescriptor returns the place of a descriptor's kind in descriptorKinds, -1 if it
// is of none that is known for sure.
func kindOfDescriptor(fd int) int {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if fd < 0 || err != nil || unix.Fstat(fd, &st) != nil {
		return -1
	}
	if flags&unix.O_PATH != 0 {
		return kindNamed("O_PATH")
	}
	link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return kindNamed("directory")
	case unix.S_IFREG:
		if strings.HasPrefix(link, "anon_inode:[pidfd]") || strings.HasPrefix(link, "pidfd:") {
			return kindNamed("pidfd")
		}
		return kindNamed(kindOfFile(fd, flags, link))
	case unix.S_IFIFO:
		return kindNamed(kindOfPipe(flags))
	case unix.S_IFSOCK:
		return kindNamed(kindOfSocket(fd))
	case unix.S_IFCHR:
		return kindNamed(kindOfDevice(uint64(st.Rdev)))
	}
	return kindNamed(anonymous[strings.Trim(strings.TrimPrefix(link, "anon_inode:"), "[]")])
}

// anonymous are the kinds of descriptors that have no file, by the names of theirs.
var anonymous = map[string]string{
	"eventfd": "eventfd", "timerfd": "timerfd", "signalfd": "signalfd", "inotify": "inotify", "eventpoll": "epoll",
	"pidfd": "pidfd", "userfaultfd": "userfaultfd", "io_uring": "io_uring",
}

func kindOfPipe(flags int) string {
	switch flags & unix.O_ACCMODE {
	case unix.O_RDONLY:
		return "pipe, read end"
	case unix.O_WRONLY:
		return "pipe, write end"
	}
	return "FIFO"
}

func kindOfFile(fd, flags int, link string) string {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return ""
	}
	switch uint32(fs.Type) {
	case unix.PROC_SUPER_MAGIC:
		return "/proc file"
	case unix.TMPFS_MAGIC:
		if strings.HasPrefix(link, "/memfd:") {
			return "memfd"
		}
		return "file on tmpfs"
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC:
		if flags&unix.O_DIRECT != 0 {
			return "file O_DIRECT"
		}
	}
	return "file" // what never works with one of ext4 does not with another
}

func kindOfDevice(device uint64) string {
	switch major, minor := unix.Major(device), unix.Minor(device); {
	case major == 1 && minor == 3:
		return "/dev/null"
	case major == 1 && minor == 5:
		return "/dev/zero"
	case major == 5 && minor == 2:
		return "pty master"
	case major >= 136 && major <= 143:
		return "terminal"
	}
	return ""
}

// kindOfSocket tells sockets that are connected and listeners. Those that are neither
// yet are of no kind.
func kindOfSocket(fd int) string {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	typ, err2 := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || err2 != nil {
		return ""
	}
	switch domain {
	case unix.AF_NETLINK:
		return "netlink"
	case unix.AF_PACKET:
		return "packet"
	case unix.AF_UNIX, unix.AF_INET, unix.AF_INET6:
	default:
		return ""
	}
	if listens, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); listens != 0 {
		return map[bool]string{true: "TCP listener"}[domain != unix.AF_UNIX && typ == unix.SOCK_STREAM]
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return ""
	}
	if domain == unix.AF_UNIX {
		return map[int]string{unix.SOCK_STREAM: "Unix stream", unix.SOCK_DGRAM: "Unix datagram", unix.SOCK_SEQPACKET: "Unix seqpacket"}[typ]
	}
	protocol, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	switch protocol {
	case unix.IPPROTO_UDP:
		return "UDP"
	case unix.IPPROTO_TCP:
		if name, err := unix.GetsockoptString(fd, unix.SOL_TCP, unix.TCP_ULP); err == nil && strings.TrimRight(name, "\x00") == "tls" {
			return "kTLS"
		}
		return "TCP"
	}
	return ""
}
