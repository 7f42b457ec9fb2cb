package ringio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// TCPConn is what Dial and Accept return for the networks "tcp", "tcp4" and "tcp6", as
// a net.Conn: it has the methods of *net.TCPConn, which also is a TCPConn, and is what
// they return where io_uring is not available. The methods and their errors are as in
// net.
type TCPConn interface {
	net.Conn
	syscall.Conn
	io.ReaderFrom
	io.WriterTo

	CloseRead() error
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	File() (*os.File, error)
	SetKeepAlive(keepalive bool) error
	SetKeepAlivePeriod(d time.Duration) error
	SetKeepAliveConfig(config net.KeepAliveConfig) error
	SetLinger(sec int) error
	SetNoDelay(noDelay bool) error
	MultipathTCP() (bool, error)
}

// UnixConn is what Dial, Accept and ListenPacket return for the networks "unix",
// "unixgram" and "unixpacket": it has the methods of *net.UnixConn, which also is a
// UnixConn.
type UnixConn interface {
	net.Conn
	net.PacketConn
	syscall.Conn

	CloseRead() error
	CloseWrite() error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	File() (*os.File, error)
	ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
	ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
	WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
	WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
}

// UDPConn is what Dial and ListenPacket return for the networks "udp", "udp4" and
// "udp6": it has the methods of *net.UDPConn, which also is a UDPConn.
type UDPConn interface {
	net.Conn
	net.PacketConn
	syscall.Conn

	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
	File() (*os.File, error)
	ReadFromUDP(b []byte) (int, *net.UDPAddr, error)
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
	ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
	WriteToUDP(b []byte, addr *net.UDPAddr) (int, error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
}

// SocketListener is what Listen returns as a net.Listener: *net.TCPListener and
// *net.UnixListener are such listeners too. Listeners on Unix sockets also have the
// method SetUnlinkOnClose.
type SocketListener interface {
	net.Listener
	syscall.Conn

	File() (*os.File, error)
	SetDeadline(t time.Time) error
}

// WaitReadable waits until c has something to read: bytes, the end or an error, which
// Read then returns. The read deadline ends it, and so does Close. So a goroutine needs
// a buffer only while there is something to put into it, and thousands of silent
// connections hold none:
//
//	for ringio.WaitReadable(c) == nil {
//		buf := buffers.Get().(*[4096]byte) // a sync.Pool
//		n, err := c.Read(buf[:])
//		…
//		buffers.Put(buf)
//	}
//
// c must be a connection of this package or of net; for others it returns an error that
// wraps errors.ErrUnsupported, because what wraps a connection, as crypto/tls does, may
// already hold bytes.
func WaitReadable(c net.Conn) error {
	if ours, ok := c.(interface{ waitReadable() error }); ok {
		return ours.waitReadable()
	}
	return waitNets(c)
}

// waitNets is WaitReadable for net's connections. It stands alone so that the other's
// many goroutines need little stack.
func waitNets(c net.Conn) (err error) {
	switch c := c.(type) {
	case *net.TCPConn:
		err = waitRaw(c)
	case *net.UnixConn:
		err = waitRaw(c)
	case *net.UDPConn:
		err = waitRaw(c)
	default:
		return fmt.Errorf("ringio.WaitReadable of a %T: %w", c, errors.ErrUnsupported)
	}
	if op, ok := err.(*net.OpError); ok {
		op.Op = "read"
	}
	return err
}

// WriteBuffers writes buffers to c and removes what it has written from them, as
// net.Buffers.WriteTo does, which writes many buffers with one system call only on
// net's own connections. WriteBuffers does so on both. On a datagram connection the
// buffers are one datagram.
func WriteBuffers(c net.Conn, buffers *net.Buffers) (int64, error) {
	if ours, ok := c.(interface {
		writeBuffers(*net.Buffers) (int64, error)
	}); ok {
		return ours.writeBuffers(buffers)
	}
	return buffers.WriteTo(c)
}

// ListenConfig is a net.ListenConfig whose listeners and connections use io_uring: it has the
// same fields and methods, and they mean the same, besides Engine.
type ListenConfig struct {
	// Engine serves the listener and what it accepts; nil is the one that the package's
	// functions use.
	Engine *Engine

	Control         func(network, address string, c syscall.RawConn) error
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	multipath net.ListenConfig // what SetMultipathTCP says, which net keeps to itself
}

// std returns net's ListenConfig of the same settings.
func (lc *ListenConfig) std() *net.ListenConfig {
	s := lc.multipath
	s.Control, s.KeepAlive, s.KeepAliveConfig = lc.Control, lc.KeepAlive, lc.KeepAliveConfig
	return &s
}

// MultipathTCP reports whether Listen also listens for Multipath TCP.
func (lc *ListenConfig) MultipathTCP() bool { return lc.multipath.MultipathTCP() }

// SetMultipathTCP says whether Listen also listens for Multipath TCP, as net does by
// default.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.multipath.SetMultipathTCP(use) }

// Listen listens on an address; networks, addresses and errors are those of
// net.ListenConfig.Listen. The listener is a SocketListener, and Accept's connections
// are TCPConns or UnixConns.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := lc.std().Listen(ctx, network, address)
	return takenListener(lc.Engine.orShared(), l, err, lc.acceptKeepAlive(), true)
}

// ListenPacket opens a datagram socket on an address; networks, addresses and errors
// are those of net.ListenConfig.ListenPacket. It is a UDPConn or a UnixConn.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	c, err := lc.std().ListenPacket(ctx, network, address)
	return taken(lc.Engine.orShared(), c, err, false)
}

// acceptKeepAlive returns what Accept does to connections: what the configuration says,
// if that is nothing net's defaults.
func (lc *ListenConfig) acceptKeepAlive() net.KeepAliveConfig {
	if !lc.KeepAliveConfig.Enable && lc.KeepAlive >= 0 {
		return net.KeepAliveConfig{Enable: true, Idle: lc.KeepAlive}
	}
	return lc.KeepAliveConfig
}

// Listen listens on an address, as net.Listen does, for "tcp", "tcp4", "tcp6", "unix"
// and "unixpacket".
func Listen(network, address string) (net.Listener, error) { return shared().Listen(network, address) }

// ListenPacket opens a datagram socket on an address, as net.ListenPacket does.
func ListenPacket(network, address string) (net.PacketConn, error) {
	return shared().ListenPacket(network, address)
}

// FileConn returns a connection for a copy of the file's descriptor, which must be a
// connected socket, as net.FileConn does. Close f when it is no longer needed.
func FileConn(f *os.File) (net.Conn, error) { return shared().FileConn(f) }

// FileListener is FileConn for a listening socket, such as one that systemd has opened.
func FileListener(f *os.File) (net.Listener, error) { return shared().FileListener(f) }

// FilePacketConn is FileConn for a datagram socket.
func FilePacketConn(f *os.File) (net.PacketConn, error) { return shared().FilePacketConn(f) }

// Listen is the function Listen by this engine, which serves what is accepted too. A
// ListenConfig with an Engine can do more.
func (e *Engine) Listen(network, address string) (net.Listener, error) {
	return (&ListenConfig{Engine: e}).Listen(context.Background(), network, address)
}

// ListenPacket is the function ListenPacket by this engine.
func (e *Engine) ListenPacket(network, address string) (net.PacketConn, error) {
	return (&ListenConfig{Engine: e}).ListenPacket(context.Background(), network, address)
}

// FileConn is the function FileConn by this engine.
func (e *Engine) FileConn(f *os.File) (net.Conn, error) {
	c, err := net.FileConn(f)
	return taken(e, c, err, false)
}

// FileListener is the function FileListener by this engine, which serves what is accepted
// too.
func (e *Engine) FileListener(f *os.File) (net.Listener, error) {
	l, err := net.FileListener(f)
	return takenListener(e, l, err, new(ListenConfig).acceptKeepAlive(), false)
}

// FilePacketConn is the function FilePacketConn by this engine.
func (e *Engine) FilePacketConn(f *os.File) (net.PacketConn, error) {
	c, err := net.FilePacketConn(f)
	return taken(e, c, err, false)
}
