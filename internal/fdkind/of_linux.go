package fdkind

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is the kind of a descriptor, by its name in docs/descriptors.md.
type Kind string

// IsPipe reports whether it is an end of a pipe.
func (k Kind) IsPipe() bool { return k == "pipe, read end" || k == "pipe, write end" || k == "FIFO" }

// String returns the kind as errors name it, with its article.
func (k Kind) String() string { return words[k] }

// words are the kinds as errors name them.
var words = map[Kind]string{
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

// Of returns a descriptor's kind, "" if it is of none that is known for sure.
func Of(fd int) Kind {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if fd < 0 || err != nil || unix.Fstat(fd, &st) != nil {
		return ""
	}
	if flags&unix.O_PATH != 0 {
		return "O_PATH"
	}
	link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFREG:
		if strings.HasPrefix(link, "anon_inode:[pidfd]") || strings.HasPrefix(link, "pidfd:") {
			return "pidfd"
		}
		return kindOfFile(fd, flags, link)
	case unix.S_IFIFO:
		return kindOfPipe(flags)
	case unix.S_IFSOCK:
		return kindOfSocket(fd)
	case unix.S_IFCHR:
		return kindOfDevice(uint64(st.Rdev))
	}
	return anonymous[strings.Trim(strings.TrimPrefix(link, "anon_inode:"), "[]")]
}

// anonymous are the kinds of descriptors that have no file, by the names of theirs.
var anonymous = map[string]Kind{
	"eventfd": "eventfd", "timerfd": "timerfd", "signalfd": "signalfd", "inotify": "inotify", "eventpoll": "epoll",
	"pidfd": "pidfd", "userfaultfd": "userfaultfd", "io_uring": "io_uring",
}

func kindOfPipe(flags int) Kind {
	switch flags & unix.O_ACCMODE {
	case unix.O_RDONLY:
		return "pipe, read end"
	case unix.O_WRONLY:
		return "pipe, write end"
	}
	return "FIFO"
}

func kindOfFile(fd, flags int, link string) Kind {
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

func kindOfDevice(device uint64) Kind {
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
func kindOfSocket(fd int) Kind {
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
		return map[bool]Kind{true: "TCP listener"}[domain != unix.AF_UNIX && typ == unix.SOCK_STREAM]
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return ""
	}
	if domain == unix.AF_UNIX {
		return map[int]Kind{unix.SOCK_STREAM: "Unix stream", unix.SOCK_DGRAM: "Unix datagram", unix.SOCK_SEQPACKET: "Unix seqpacket"}[typ]
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
