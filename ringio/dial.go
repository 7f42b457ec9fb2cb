package ringio

import (
	"context"
	"net"
	"net/netip"
	"runtime/trace"
	"syscall"
	"time"
)

// Dialer is a net.Dialer whose connections use io_uring: it has the same fields and methods, and
// they mean the same, besides Engine. net looks up names, tries addresses in turn and connects;
// the connection is then handed over to the ring.
type Dialer struct {
	// Engine serves the connections; nil is the one that the package's functions use.
	Engine *Engine

	Timeout   time.Duration
	Deadline  time.Time
	LocalAddr net.Addr

	// Deprecated: as in net.Dialer. FallbackDelay below zero turns Fast Fallback off.
	DualStack bool

	FallbackDelay   time.Duration
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig
	Resolver        *net.Resolver

	// Deprecated: as in net.Dialer. Use DialContext.
	Cancel <-chan struct{}

	Control        func(network, address string, c syscall.RawConn) error
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error

	multipath net.Dialer // what SetMultipathTCP says, which net keeps to itself
}

// std returns net's Dialer of the same settings.
func (d *Dialer) std() *net.Dialer {
	s := d.multipath
	s.Timeout, s.Deadline, s.LocalAddr, s.FallbackDelay = d.Timeout, d.Deadline, d.LocalAddr, d.FallbackDelay
	s.KeepAlive, s.KeepAliveConfig, s.Resolver = d.KeepAlive, d.KeepAliveConfig, d.Resolver
	s.Control, s.ControlContext = d.Control, d.ControlContext
	//lint:ignore SA1019 programs that have it mean it
	s.DualStack = d.DualStack
	//lint:ignore SA1019 programs that have it mean it
	s.Cancel = d.Cancel
	return &s
}

// MultipathTCP reports whether Dial uses Multipath TCP if it can.
func (d *Dialer) MultipathTCP() bool { return d.multipath.MultipathTCP() }

// SetMultipathTCP says whether Dial uses Multipath TCP if the system and the peer know it.
func (d *Dialer) SetMultipathTCP(use bool) { d.multipath.SetMultipathTCP(use) }

// Dial connects to an address. See DialContext.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to an address; networks, addresses and errors are those of
// net.Dialer.DialContext. The connection is a TCPConn, UDPConn or UnixConn.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dialled(ctx, d.Engine, func() (net.Conn, error) { return d.std().DialContext(ctx, network, address) })
}

// DialTCP connects to an address in numbers, as net.Dialer.DialTCP does.
func (d *Dialer) DialTCP(ctx context.Context, network string, laddr, raddr netip.AddrPort) (TCPConn, error) {
	return dialled(ctx, d.Engine, func() (TCPConn, error) { return d.std().DialTCP(ctx, network, laddr, raddr) })
}

// DialUDP connects to an address in numbers, as net.Dialer.DialUDP does.
func (d *Dialer) DialUDP(ctx context.Context, network string, laddr, raddr netip.AddrPort) (UDPConn, error) {
	return dialled(ctx, d.Engine, func() (UDPConn, error) { return d.std().DialUDP(ctx, network, laddr, raddr) })
}

// DialUnix connects to a Unix socket, as net.Dialer.DialUnix does.
func (d *Dialer) DialUnix(ctx context.Context, network string, laddr, raddr *net.UnixAddr) (UnixConn, error) {
	return dialled(ctx, d.Engine, func() (UnixConn, error) { return d.std().DialUnix(ctx, network, laddr, raddr) })
}

// DialIP is net.Dialer.DialIP: the ring has nothing to do with such connections.
func (d *Dialer) DialIP(ctx context.Context, network string, laddr, raddr netip.Addr) (*net.IPConn, error) {
	return d.std().DialIP(ctx, network, laddr, raddr)
}

// dialled hands over to e, which may be nil, what dial has made.
func dialled[C any](ctx context.Context, e *Engine, dial func() (C, error)) (C, error) {
	e = e.orShared()
	if e.watch.watches() {
		defer trace.StartRegion(ctx, kindRegions[kindConnect]).End()
	}
	began := e.watch.begin()
	c, err := dial()
	e.watch.end(kindConnect, began)
	return taken(e, c, err, true)
}

// orShared returns the engine that the package's functions use if there is none.
func (e *Engine) orShared() *Engine {
	if e == nil {
		return shared()
	}
	return e
}

// Dial connects to an address, as net.Dial does.
func Dial(network, address string) (net.Conn, error) {
	return new(Dialer).Dial(network, address)
}

// DialTimeout is Dial that gives up after timeout.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return (&Dialer{Timeout: timeout}).Dial(network, address)
}

// DialContext is Dial that ends with ctx: it fits http.Transport.DialContext, the
// DialFunc of database drivers and grpc.WithContextDialer.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return new(Dialer).DialContext(ctx, network, address)
}

// Dial is the function Dial by this engine. A Dialer with an Engine can do more.
func (e *Engine) Dial(network, address string) (net.Conn, error) {
	return (&Dialer{Engine: e}).Dial(network, address)
}

// DialTimeout is the function DialTimeout by this engine.
func (e *Engine) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return (&Dialer{Engine: e, Timeout: timeout}).Dial(network, address)
}

// DialContext is the function DialContext by this engine.
func (e *Engine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return (&Dialer{Engine: e}).DialContext(ctx, network, address)
}
