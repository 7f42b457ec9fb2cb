//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// kind is a sort of descriptor.
type kind struct {
	name string // in the table

	// open makes a descriptor; it registers with the cell what is to be undone.
	open func(c *cell) int

	// wake makes a descriptor ready, to be read from and written to. Without it the
	// descriptor is in one state only: ready always, or never if idle is set.
	wake func(c *cell)
	idle bool

	settle func(c *cell) // called some time later while it is not to be ready

	size     int // how much is read and written, if not bufSize
	together int // how many cells of it there may be at once, 0 if it does not matter
}

// states returns the states that cells of the kind begin in.
func (k *kind) states() []int {
	var states []int
	switch {
	case k.wake != nil:
		states = []int{0, ready}
	case k.idle:
		states = []int{0}
	default:
		states = []int{ready}
	}
	if k.name == "O_PATH" { // which knows no flags
		return states
	}
	for _, s := range states {
		states = append(states, s|nonblocking)
	}
	return states
}

// kindOf returns the kind of a name, nil if there is none.
func kindOf(name string) *kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	return nil
}

// kinds are those of the table, in its order.
var kinds = []*kind{
	{name: "file", open: openDisk(0)},
	{name: "file O_DIRECT", open: openDisk(unix.O_DIRECT)},
	{name: "file on tmpfs", open: openTmpfs},
	{name: "memfd", open: openMemfd},
	{name: "/proc file", open: openPath("/proc/self/comm", unix.O_RDWR)},
	{name: "directory", open: func(c *cell) int { return c.must(unix.Open(c.dir(), unix.O_RDONLY, 0)) }},
	{name: "O_PATH", open: openPath("/proc/self/exe", unix.O_PATH)},
	{name: "/dev/null", open: openPath("/dev/null", unix.O_RDWR)},
	{name: "/dev/zero", open: openPath("/dev/zero", unix.O_RDWR)},
	{name: "pipe, read end", open: openPipe(0), wake: feedPeer},
	{name: "pipe, write end", open: openPipe(1), wake: drainPeer},
	{name: "FIFO", open: openFIFO, wake: feedSelf},
	{name: "pty master", open: openPty(0), wake: feedPeer},
	{name: "terminal", open: openPty(1), wake: feedPeer},
	{name: "TCP", open: openTCP, wake: exchange, settle: fillSelf},
	{name: "TCP listener", open: openListener, wake: dialListener},
	{name: "kTLS", open: openTLS, wake: exchange, settle: fillSelf},
	{name: "UDP", open: openUDP, wake: feedPeer},
	{name: "Unix stream", open: openUnix(unix.SOCK_STREAM), wake: exchange},
	{name: "Unix datagram", open: openUnix(unix.SOCK_DGRAM), wake: exchange},
	{name: "Unix seqpacket", open: openUnix(unix.SOCK_SEQPACKET), wake: exchange},
	{name: "netlink", open: openNetlink, wake: askNetlink},
	{name: "packet", open: openPacket, wake: sendPacket},
	{name: "eventfd", open: func(c *cell) int { return c.must(unix.Eventfd(0, unix.EFD_CLOEXEC)) }, wake: feedEventfd, size: 8},
	{name: "timerfd", open: openTimerfd, wake: armTimerfd},
	{name: "signalfd", open: openSignalfd, wake: raise, together: signals},
	{name: "inotify", open: openInotify, wake: touch, together: 20}, // a user may have 128
	{name: "epoll", open: openEpoll, wake: feedPeer},
	{name: "pidfd", open: openPidfd, wake: killChild},
	{name: "userfaultfd", open: openUserfaultfd, idle: true},
	{name: "io_uring", open: openRing, wake: completeNop},
}

// openPath opens what is there on every machine.
func openPath(path string, flags int) func(*cell) int {
	return func(c *cell) int { return c.must(unix.Open(path, flags|unix.O_CLOEXEC, 0)) }
}

// diskDirs are where there may be an ext4.
func diskDirs() []string { return []string{os.TempDir(), "/var/tmp", "/disk", "."} }

const ext4 = 0xef53

func openDisk(flags int) func(*cell) int {
	return func(c *cell) int {
		for _, dir := range diskDirs() {
			var fs unix.Statfs_t
			if unix.Statfs(dir, &fs) == nil && fs.Type == ext4 {
				return c.openFile(dir, flags)
			}
		}
		panic(notHere("there is no ext4 for files"))
	}
}

func openTmpfs(c *cell) int {
	var fs unix.Statfs_t
	if unix.Statfs("/dev/shm", &fs) != nil || fs.Type != unix.TMPFS_MAGIC {
		panic(notHere("/dev/shm is no tmpfs"))
	}
	return c.openFile("/dev/shm", 0)
}

// openFile opens a new file of some pages that has no name.
func (c *cell) openFile(dir string, flags int) int {
	f, err := os.CreateTemp(dir, "survey")
	c.check(err)
	defer f.Close()
	defer os.Remove(f.Name())
	c.check(f.Truncate(4 * bufSize))
	return c.must(unix.Open(f.Name(), unix.O_RDWR|unix.O_CLOEXEC|flags, 0))
}

func openMemfd(c *cell) int {
	fd := c.must(unix.MemfdCreate("survey", unix.MFD_CLOEXEC))
	c.check(unix.Ftruncate(fd, 4*bufSize))
	return fd
}

func openPipe(end int) func(*cell) int {
	return func(c *cell) int {
		var p [2]int
		c.check(unix.Pipe2(p[:], unix.O_CLOEXEC))
		c.keep(p[:]...)
		c.peer = p[1-end]
		if end == 1 {
			c.fill(p[1])
		}
		return p[end]
	}
}

func openFIFO(c *cell) int {
	path := filepath.Join(c.dir(), "fifo")
	c.check(unix.Mkfifo(path, 0o600))
	return c.must(unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0))
}

func openPty(end int) func(*cell) int {
	return func(c *cell) int {
		master := c.must(unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0))
		c.check(unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0))
		n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
		c.check(err)
		slave := c.must(unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0))
		c.peer = [2]int{slave, master}[end]
		return [2]int{master, slave}[end]
	}
}

func openTCP(c *cell) int {
	fd := c.tcpPair()
	c.fill(fd)
	return fd
}

// tcpPair connects two sockets. There is more room at the sender, or each write would
// wait for a late acknowledgement.
func (c *cell) tcpPair() int {
	listener := openListener(c)
	fd := c.must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	c.check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 16*bufSize))
	c.check(unix.Connect(fd, c.at))
	peer, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	c.peer = c.must(peer, err)
	return fd
}

func openListener(c *cell) int {
	fd := c.must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	c.check(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8*bufSize))
	c.check(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	c.check(unix.Listen(fd, 8))
	var err error
	c.at, err = unix.Getsockname(fd)
	c.check(err)
	return fd
}

func dialListener(c *cell) {
	fd := c.must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0))
	if err := unix.Connect(fd, c.at); err != unix.EINPROGRESS {
		c.check(err)
	}
}

// openTLS has the kernel encrypt and decrypt both directions, with a key of zeros.
func openTLS(c *cell) int {
	fd := c.tcpPair()
	for _, end := range []int{fd, c.peer} {
		if unix.SetsockoptString(end, unix.SOL_TCP, unix.TCP_ULP, "tls") != nil {
			panic(notHere("the kernel has no TLS"))
		}
		const sendKey, receiveKey = 1, 2                  // TLS_TX, TLS_RX
		const version, aesGCM128 = "\x03\x03", "\x33\x00" // TLS 1.2, as the kernel numbers them
		crypto := version + aesGCM128 + string(make([]byte, 8+16+4+8))
		err := unix.SetsockoptString(end, unix.SOL_TLS, sendKey, crypto)
		if err == unix.ENOENT {
			panic(notHere("the kernel has no AES-GCM"))
		}
		c.check(err)
		c.check(unix.SetsockoptString(end, unix.SOL_TLS, receiveKey, crypto))
	}
	c.fill(fd)
	return fd
}

func openUDP(c *cell) int {
	var fds [2]int
	var at [2]unix.Sockaddr
	for i := range fds {
		fds[i] = c.must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
		c.check(unix.Bind(fds[i], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		var err error
		at[i], err = unix.Getsockname(fds[i])
		c.check(err)
	}
	for i := range fds {
		c.check(unix.Connect(fds[i], at[1-i]))
	}
	c.peer = fds[1]
	return fds[0]
}

func openUnix(typ int) func(*cell) int {
	return func(c *cell) int {
		p, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
		c.check(err)
		c.keep(p[:]...)
		c.peer = p[1]
		c.fill(p[0])
		return p[0]
	}
}

func openNetlink(c *cell) int {
	fd := c.must(unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE))
	c.check(unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	return fd
}

// askNetlink asks for the links: the answer makes the socket ready.
func askNetlink(c *cell) {
	const dump = 3 // NLM_F_DUMP>>8
	message := []byte{unix.SizeofNlMsghdr + 1, 4: unix.RTM_GETLINK, 6: unix.NLM_F_REQUEST, 7: dump, 16: 0}
	c.check(unix.Sendto(c.fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

var lastProtocol atomic.Uint32

// openPacket makes a socket for frames of a protocol that is the cell's own.
func openPacket(c *cell) int {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		panic(notHere("packet sockets need CAP_NET_RAW"))
	}
	c.must(fd, err)
	protocol := uint16(0x9000 + lastProtocol.Add(1)%0x1000)
	c.at = &unix.SockaddrLinklayer{Protocol: protocol>>8 | protocol<<8, Ifindex: 1}
	c.check(unix.Bind(fd, c.at))
	return fd
}

func sendPacket(c *cell) {
	protocol := c.at.(*unix.SockaddrLinklayer).Protocol
	frame := make([]byte, 64)
	frame[12], frame[13] = byte(protocol), byte(protocol>>8)
	c.check(unix.Sendto(c.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: 1}))
}

func feedEventfd(c *cell) {
	_, err := unix.Write(c.fd, []byte{1, 7: 0})
	c.check(err)
}

func openTimerfd(c *cell) int {
	return c.must(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC))
}

func armTimerfd(c *cell) {
	c.check(unix.TimerfdSettime(c.fd, 0, &unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}}, nil))
}

// signals is how many signals there are for cells; firstSignal is the first of them.
const (
	signals     = 20
	firstSignal = 40
)

func (c *cell) signal() int { return firstSignal + c.index%signals }

// openSignalfd is for a signal that only this thread may get, which blocks it. The thread
// ends with its goroutine, and the signals that nobody has read with it.
func openSignalfd(c *cell) int {
	var set unix.Sigset_t
	set.Val[0] = 1 << (c.signal() - 1)
	c.check(unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
	return c.must(unix.Signalfd(-1, &set, unix.SFD_CLOEXEC))
}

func raise(c *cell) {
	c.check(unix.Tgkill(os.Getpid(), unix.Gettid(), unix.Signal(c.signal())))
}

func openInotify(c *cell) int {
	fd := c.must(unix.InotifyInit1(unix.IN_CLOEXEC))
	_, err := unix.InotifyAddWatch(fd, c.dir(), unix.IN_CREATE)
	c.check(err)
	return fd
}

func touch(c *cell) {
	f, err := os.CreateTemp(c.dir(), "")
	c.check(err)
	f.Close()
}

func openEpoll(c *cell) int {
	epfd := c.must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	c.peer = c.must(unix.Eventfd(0, unix.EFD_CLOEXEC))
	c.check(unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, c.peer, &unix.EpollEvent{Events: unix.EPOLLIN}))
	return epfd
}

// company is what cells that are tried together share: a child that lives until cells are
// to be ready, and one for those that are from the beginning.
type company struct{ children [2]*exec.Cmd }

func (c *cell) child() *exec.Cmd {
	at := &c.company.children[0]
	if c.ready {
		at = &c.company.children[1]
	}
	if *at == nil {
		*at = exec.Command("sleep", "600")
		c.check((*at).Start())
	}
	return *at
}

func (m *company) end() {
	for _, child := range m.children {
		if child != nil {
			child.Process.Kill()
			child.Wait()
		}
	}
}

func openPidfd(c *cell) int { return c.must(unix.PidfdOpen(c.child().Process.Pid, 0)) }

func killChild(c *cell) {
	pid := c.child().Process.Pid
	c.check(unix.Kill(pid, unix.SIGKILL))
	var info unix.Siginfo
	for { // until it is dead
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			c.check(err)
			return
		}
	}
}

func openUserfaultfd(c *cell) int {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		panic(notHere("userfaultfd: " + errno.Error()))
	}
	c.keep(int(fd))
	api := [3]uint64{0xaa}
	c.check(ioctl(int(fd), 0xc018aa3f, &api)) // UFFDIO_API
	return int(fd)
}

func openRing(c *cell) int {
	r, err := liburing.New(4)
	c.check(err)
	c.atEnd(func() { r.Close() })
	c.ring = r
	return r.FD()
}

func completeNop(c *cell) {
	c.ring.GetSQE().PrepNop()
	_, err := c.ring.Submit()
	c.check(err)
}

// feedPeer writes to the other end, feedSelf to the descriptor itself.
func feedPeer(c *cell) { c.feed(c.peer) }
func feedSelf(c *cell) { c.feed(c.fd) }

func (c *cell) feed(fd int) {
	_, err := unix.Write(fd, []byte("survey\n\n"))
	c.check(err)
}

// drainPeer reads all that is in the other end, and what TCP still brings there.
func drainPeer(c *cell) {
	c.check(unix.SetNonblock(c.peer, true))
	buf := make([]byte, 1<<16)
	for empty := 0; empty < 2; {
		_, err := unix.Read(c.peer, buf)
		switch {
		case err == unix.EAGAIN && c.kind.settle == nil:
			return
		case err == unix.EAGAIN:
			empty++
			time.Sleep(time.Millisecond)
		default:
			c.check(err)
		}
	}
}

// exchange makes room in both directions and writes to the other end.
func exchange(c *cell) {
	drainPeer(c)
	feedPeer(c)
}

// fill writes until there is no room, unless there is to be some. Of what TCP has some goes on to the other end
// afterwards, until that sends a late acknowledgement: there settle fills again.
func (c *cell) fill(fd int) {
	if c.ready {
		return
	}
	c.check(unix.SetNonblock(fd, true))
	for buf := make([]byte, bufSize); len(buf) > 0; {
		_, err := unix.Write(fd, buf)
		if err == unix.EAGAIN {
			buf = buf[:len(buf)/bufSize] // once more with one byte
			continue
		}
		c.check(err)
	}
	c.check(unix.SetNonblock(fd, c.nonblock))
}

func fillSelf(c *cell) { c.fill(c.fd) }
