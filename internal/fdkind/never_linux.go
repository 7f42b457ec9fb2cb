package fdkind

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Never reports whether an operation always fails with an error on descriptors of a kind,
// and puts it into words that follow on "descriptor 3", as far as there is something to
// say. Operations have the names that docs/descriptors.md has for them.
func (k Kind) Never(op string, errno syscall.Errno) (why string, known bool) {
	bit := slices.Index(kinds[:], k)
	if bit < 0 {
		return "", false
	}
	for _, n := range never {
		if n.op == op && n.errno == errno && n.kinds&(1<<bit) != 0 {
			return k.remark(op, errno), true
		}
	}
	return "", false
}

func (k Kind) remark(op string, errno syscall.Errno) string {
	if k == "O_PATH" && errno == unix.EBADF {
		return "was opened with O_PATH, which gives it a place and no content"
	}
	for _, r := range remarks {
		if strings.HasPrefix(op, r.op) && (r.errno == 0 || r.errno == errno) && (r.kind == "" || r.kind == k) {
			return fmt.Sprintf("is %v, %s", k, r.text)
		}
	}
	return ""
}

// remarks are what can't be done, and what can: the first whose operation begins so, of
// the same error, and of the kind if it names one.
var remarks = []struct {
	op    string
	errno syscall.Errno
	kind  Kind
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
