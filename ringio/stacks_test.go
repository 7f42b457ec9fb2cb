//go:build linux

package ringio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stack is net, or ringio in its place: what is tested here runs on both.
type stack struct {
	name           string
	dial           func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error)
	listen         func(lc *net.ListenConfig, network, address string) (net.Listener, error)
	listenPacket   func(network, address string) (net.PacketConn, error)
	fileConn       func(f *os.File) (net.Conn, error)
	fileListener   func(f *os.File) (net.Listener, error)
	filePacketConn func(f *os.File) (net.PacketConn, error)
	warm           bool // connections have been read before
	busy           bool // and others are
}

// What only some connections have.
type halfCloser interface {
	CloseRead() error
	CloseWrite() error
}

type bufferSizes interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

type filer interface {
	File() (*os.File, error)
}

var netStack = stack{
	name: "net",
	dial: (*net.Dialer).DialContext,
	listen: func(lc *net.ListenConfig, network, address string) (net.Listener, error) {
		return lc.Listen(context.Background(), network, address)
	},
	listenPacket:   net.ListenPacket,
	fileConn:       net.FileConn,
	fileListener:   net.FileListener,
	filePacketConn: net.FilePacketConn,
}

var ringStack = stack{
	name: "ringio",
	dial: func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error) {
		return dialerOf(d, nil).DialContext(ctx, network, address)
	},
	listen: func(lc *net.ListenConfig, network, address string) (net.Listener, error) {
		return listenConfigOf(lc, nil).Listen(context.Background(), network, address)
	},
	listenPacket:   ListenPacket,
	fileConn:       FileConn,
	fileListener:   FileListener,
	filePacketConn: FilePacketConn,
}

// stackOf is ringio with an engine of its own.
func stackOf(name string, e *Engine) stack {
	return stack{
		name: name,
		dial: func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error) {
			return dialerOf(d, e).DialContext(ctx, network, address)
		},
		listen: func(lc *net.ListenConfig, network, address string) (net.Listener, error) {
			return listenConfigOf(lc, e).Listen(context.Background(), network, address)
		},
		listenPacket:   e.ListenPacket,
		fileConn:       e.FileConn,
		fileListener:   e.FileListener,
		filePacketConn: e.FilePacketConn,
	}
}

// dialerOf returns an engine's Dialer with net's settings.
func dialerOf(d *net.Dialer, e *Engine) *Dialer {
	ours := &Dialer{Engine: e}
	copyFields(ours, d)
	return ours
}

func listenConfigOf(lc *net.ListenConfig, e *Engine) *ListenConfig {
	ours := &ListenConfig{Engine: e}
	copyFields(ours, lc)
	return ours
}

// copyFields sets the fields of the struct that to points at to those of from's that have a
// name for others, which it must have too.
func copyFields(to, from any) {
	ours, theirs := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i := range theirs.NumField() {
		if f := theirs.Type().Field(i); f.IsExported() {
			ours.FieldByName(f.Name).Set(theirs.Field(i))
		}
	}
}

// busyStack is ringio where connections are told by polls that stay, and send behind.
var busyStack = func() stack {
	s := ringStack
	s.name, s.warm, s.busy = "ringio, busy", true, true
	return s
}()

// fewStack is ringio where few connections have something to say.
func fewStack(t testing.TB) stack {
	s := stackOf("ringio, few", fewEngine(t, Options{}))
	s.warm = true
	return s
}

// fallbackStack is ringio where there is no ring.
func fallbackStack(t testing.TB) stack {
	return stackOf("fallback", ownEngine(t, Options{NoRing: true}))
}

// onStacks runs a test on net and on ringio, with a ring and without.
func onStacks(t *testing.T, test func(t *testing.T, s stack)) {
	for _, s := range []stack{netStack, ringStack, busyStack, fewStack(t), fallbackStack(t)} {
		t.Run(s.name, func(t *testing.T) {
			if s.busy {
				makeCrowd(t)
			}
			test(t, s)
		})
	}
}

// makeCrowd has many connections of the engine talk until the test ends.
func makeCrowd(t testing.TB) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 16 {
		ours, theirs := ringStack.pair(t, "tcp")
		echo := func(c net.Conn) {
			buf := make([]byte, 64)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				c.Write(buf[:n])
			}
		}
		all.Go(func() { echo(theirs) })
		all.Go(func() { echo(ours) })
		ours.Write([]byte("hello"))
		all.Go(func() {
			<-stop
			ours.Close()
		})
	}
	t.Cleanup(func() {
		close(stop)
		all.Wait()
	})
}

// warmUp has both ends of a connection read so often that they would have a readPoll.
func warmUp(t testing.TB, a, b net.Conn) {
	for range warmReads + 2 {
		for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				n, err := c[0].Read(make([]byte, 8))
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}()
			time.Sleep(200 * time.Microsecond) // it waits
			c[1].Write([]byte("x"))
			<-done
		}
	}
}

var anyAddress = map[string]string{"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "udp": "127.0.0.1:0", "udp6": "[::1]:0"}

// address returns one to listen on.
func address(t testing.TB, network string) string {
	if a := anyAddress[network]; a != "" {
		return a
	}
	return filepath.Join(t.TempDir(), "s")
}

// mustListen listens until the test ends.
func (s stack) mustListen(t testing.TB, network string) net.Listener {
	t.Helper()
	l, err := s.listen(new(net.ListenConfig), network, address(t, network))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func (s stack) mustDial(t testing.TB, to net.Addr) net.Conn {
	t.Helper()
	c, err := s.dial(new(net.Dialer), context.Background(), to.Network(), to.String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// pair returns both ends of a connection: ours is the stack's, dialled, and theirs the
// one that it has accepted.
func (s stack) pair(t testing.TB, network string) (ours, theirs net.Conn) {
	t.Helper()
	l := s.mustListen(t, network)
	ours = s.mustDial(t, l.Addr())
	theirs, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	if s.warm && (strings.HasPrefix(network, "tcp") || network == "unix") {
		warmUp(t, ours, theirs)
	}
	return ours, theirs
}

func (s stack) mustListenPacket(t testing.TB, network string) net.PacketConn {
	t.Helper()
	c, err := s.listenPacket(network, address(t, network))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// protocol is what a scenario saw, in words that are the same on both stacks.
type protocol struct {
	t     testing.TB
	lines []string
}

func (p *protocol) note(format string, args ...any) {
	p.lines = append(p.lines, anonymous(fmt.Sprintf(format, args...)))
}

// err notes an error by all that a program can see of it.
func (p *protocol) err(what string, err error) {
	p.lines = append(p.lines, what+": "+anonymous(describe(err)))
}

// result notes what a read or a write has returned.
func (p *protocol) result(what string, n int, err error) {
	p.err(fmt.Sprintf("%s %d", what, n), err)
}

var (
	ports    = regexp.MustCompile(`(127\.0\.0\.1|\[::ffff:127\.0\.0\.1\]|\[::1\]|\[::\]):\d+`)
	tempDirs = regexp.MustCompile(`/[^ ]*/Test[^ ]*?/\d+`)
)

// anonymous leaves ports and folders out, which are others each time.
func anonymous(s string) string {
	return tempDirs.ReplaceAllString(ports.ReplaceAllString(s, "$1:PORT"), "DIR")
}

func describe(err error) string {
	if err == nil {
		return "no error"
	}
	var types []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		types = append(types, fmt.Sprintf("%T", e))
	}
	words := []string{fmt.Sprintf("%q", err.Error()), strings.Join(types, ">")}
	if op, ok := err.(*net.OpError); ok {
		words = append(words, fmt.Sprintf("op=%s net=%s source=%v addr=%v", op.Op, op.Net, kindOf(op.Source), kindOf(op.Addr)))
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		words = append(words, "call="+sys.Syscall)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		words = append(words, fmt.Sprintf("errno=%d", int(errno)))
	}
	if ne, ok := err.(interface{ Timeout() bool }); ok {
		words = append(words, fmt.Sprintf("timeout=%v", ne.Timeout()))
	}
	if ne, ok := err.(interface{ Temporary() bool }); ok {
		words = append(words, fmt.Sprintf("temporary=%v", ne.Temporary()))
	}
	for name, is := range map[string]error{
		"closed": net.ErrClosed, "deadline": os.ErrDeadlineExceeded, "EOF": io.EOF, "canceled": context.Canceled,
		"context deadline": context.DeadlineExceeded,
	} {
		if errors.Is(err, is) {
			words = append(words, "is "+name)
		}
	}
	return strings.Join(words[:1], " ") + " " + strings.Join(sorted(words[1:]), " ")
}

func kindOf(a net.Addr) string {
	if a == nil || reflect.ValueOf(a).Kind() == reflect.Pointer && reflect.ValueOf(a).IsNil() {
		return "none"
	}
	return a.Network()
}

func sorted(s []string) []string {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s
}

// within calls f, which must return soon.
func within(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("it does not return")
	}
}

// waits reports that f is still not back after a moment.
func waits(t testing.TB, f func()) (done chan struct{}) {
	t.Helper()
	done = make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
		t.Error("it does not wait")
	case <-time.After(20 * time.Millisecond):
	}
	return done
}
