//go:build linux

package ringio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	past    = time.Unix(1, 0)
	errTest = errors.New("made for the test")
)

// socketScenarios are what goes wrong with sockets: their protocols must be the same on net
// and on ringio.
var socketScenarios = map[string]func(s stack, p *protocol){
	"dial refused": func(s stack, p *protocol) {
		l := netStack.mustListen(p.t, "tcp")
		l.Close()
		_, err := s.dial(new(net.Dialer), context.Background(), "tcp", l.Addr().String())
		p.err("dial", err)
	},
	"dial what is no network": func(s stack, p *protocol) {
		_, err := s.dial(new(net.Dialer), context.Background(), "pigeon", "127.0.0.1:1")
		p.err("dial", err)
	},
	"dial what is no address": func(s stack, p *protocol) {
		for _, a := range []string{"127.0.0.1", "127.0.0.1:x", "", "1.2.3.4:99999"} {
			_, err := s.dial(new(net.Dialer), context.Background(), "tcp", a)
			p.err("dial "+a, err)
		}
	},
	"dial a name that is not known": func(s stack, p *protocol) {
		d := &net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errTest
		}}}
		_, err := s.dial(d, context.Background(), "tcp", "nowhere.invalid:80")
		p.err("dial", err)
	},
	"dial too late": func(s stack, p *protocol) {
		_, err := s.dial(&net.Dialer{Deadline: past}, context.Background(), "tcp", "127.0.0.1:1")
		p.err("deadline", err)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = s.dial(new(net.Dialer), ctx, "tcp", "127.0.0.1:1")
		p.err("context", err)
	},
	"dial with a Control that fails": func(s stack, p *protocol) {
		d := &net.Dialer{Control: func(string, string, syscall.RawConn) error { return errTest }}
		_, err := s.dial(d, context.Background(), "tcp", "127.0.0.1:1")
		p.err("dial", err)
	},
	"dial a path that is not there": func(s stack, p *protocol) {
		for _, network := range []string{"unix", "unixpacket", "unixgram"} {
			_, err := s.dial(new(net.Dialer), context.Background(), network, filepath.Join(p.t.TempDir(), "none"))
			p.err(network, err)
		}
	},
	"dial a listener of another kind": func(s stack, p *protocol) {
		l := s.mustListen(p.t, "unix")
		_, err := s.dial(new(net.Dialer), context.Background(), "unixpacket", l.Addr().String())
		p.err("dial", err)
	},
	"listen where somebody does": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix"} {
			l := s.mustListen(p.t, network)
			_, err := s.listen(new(net.ListenConfig), network, l.Addr().String())
			p.err(network, err)
		}
	},
	"listen what is no network": func(s stack, p *protocol) {
		_, err := s.listen(new(net.ListenConfig), "udp", "127.0.0.1:0")
		p.err("listen", err)
		_, err = s.listenPacket("tcp", "127.0.0.1:0")
		p.err("listen for packets", err)
	},
	"listen at another's address": func(s stack, p *protocol) {
		_, err := s.listen(new(net.ListenConfig), "tcp", "192.0.2.1:0")
		p.err("listen", err)
		_, err = s.listenPacket("udp", "192.0.2.1:0")
		p.err("listen for packets", err)
	},
	"accept of a closed listener": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix"} {
			l := s.mustListen(p.t, network)
			p.err("close", l.Close())
			_, err := l.Accept()
			p.err("accept", err)
			p.err("close again", l.Close())
			p.err("deadline", l.(SocketListener).SetDeadline(past))
			_, err = l.(SocketListener).File()
			p.err("file", err)
		}
	},
	"accept ended by Close": func(s stack, p *protocol) {
		l := s.mustListen(p.t, "tcp")
		done := waits(p.t, func() {
			_, err := l.Accept()
			p.err("accept", err)
		})
		l.Close()
		<-done
	},
	"accept ended by its deadline": func(s stack, p *protocol) {
		l := s.mustListen(p.t, "tcp").(SocketListener)
		l.SetDeadline(past)
		_, err := l.Accept()
		p.err("passed", err)
		l.SetDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = l.Accept()
		p.err("passes", err)
		l.SetDeadline(time.Time{})
		done := waits(p.t, func() {
			_, err := l.Accept()
			p.err("set meanwhile", err)
		})
		l.SetDeadline(past)
		<-done
	},
	"a listener's raw connection": func(s stack, p *protocol) {
		l := s.mustListen(p.t, "tcp").(SocketListener)
		raw, err := l.SyscallConn()
		p.err("raw", err)
		p.err("control", raw.Control(func(uintptr) {}))
		p.err("read", raw.Read(func(uintptr) bool { return true }))
		p.err("write", raw.Write(func(uintptr) bool { return true }))
		l.Close()
		p.err("control when closed", raw.Control(func(uintptr) {}))
	},
	"use of a closed connection": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			c, _ := s.pair(p.t, network)
			p.err("close", c.Close())
			useOfClosed(p, c)
		}
	},
	"use of a closed TCP connection": func(s stack, p *protocol) {
		conn, _ := s.pair(p.t, "tcp")
		c := conn.(TCPConn)
		c.Close()
		p.err("linger", c.SetLinger(0))
		p.err("no delay", c.SetNoDelay(true))
		p.err("keep alive", c.SetKeepAlive(true))
		p.err("keep alive period", c.SetKeepAlivePeriod(time.Second))
		p.err("keep alive config", c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}))
		p.err("close read", c.CloseRead())
		p.err("close write", c.CloseWrite())
		n, err := c.ReadFrom(bytes.NewReader([]byte("x")))
		p.result("read from", int(n), err)
		n, err = c.WriteTo(new(bytes.Buffer))
		p.result("write to", int(n), err)
	},
	"reading ended by Close": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			c, _ := s.pair(p.t, network)
			done := waits(p.t, func() {
				n, err := c.Read(make([]byte, 8))
				p.result("read", n, err)
			})
			err := c.Close()
			<-done
			p.err("close", err)
		}
	},
	"writing ended by Close": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		done := waits(p.t, func() {
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					p.err("write", err)
					return
				}
			}
		})
		err := c.Close()
		<-done
		p.err("close", err)
	},
	"reading too late": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			c, other := s.pair(p.t, network)
			p.err("set", c.SetReadDeadline(past))
			n, err := c.Read(make([]byte, 8))
			p.result("passed", n, err)
			n, err = c.Read(nil)
			p.result("passed, nothing", n, err)
			other.Write([]byte("abc"))
			n, err = c.Read(make([]byte, 8))
			p.result("passed, with data there", n, err)
			c.SetReadDeadline(time.Time{})
			n, err = c.Read(make([]byte, 8))
			p.result("taken back", n, err)
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			n, err = c.Read(make([]byte, 8))
			p.result("passes", n, err)
		}
	},
	"writing too late": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		p.err("set", c.SetWriteDeadline(past))
		n, err := c.Write([]byte("x"))
		p.result("passed", n, err)
		n, err = c.Write(nil)
		p.result("passed, nothing", n, err)
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		for err = nil; err == nil; {
			_, err = c.Write(make([]byte, 1<<20))
		}
		p.err("passes", err)
		n, err = c.Write([]byte("x"))
		p.result("again", n, err)
	},
	"writing buffers too late": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for what, buffers := range []net.Buffers{{}, {nil, {}}, {nil, []byte("x")}} {
				c, _ := s.pair(p.t, network)
				n, err := WriteBuffers(c, &net.Buffers{})
				p.result("nothing", int(n), err)
				c.SetWriteDeadline(past)
				n, err = WriteBuffers(c, &buffers)
				p.result(fmt.Sprint(network, what), int(n), err)
				p.note("%d are left", len(buffers))
				c.Close()
				n, err = WriteBuffers(c, &buffers)
				p.result("closed", int(n), err)
			}
		}
	},
	"both deadlines": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "unix")
		p.err("set", c.SetDeadline(past))
		n, err := c.Read(make([]byte, 1))
		p.result("read", n, err)
		n, err = c.Write(make([]byte, 1))
		p.result("write", n, err)
	},
	"the peer has closed": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			c, other := s.pair(p.t, network)
			other.Write([]byte("last"))
			other.Close()
			n, err := c.Read(make([]byte, 8))
			p.result("data", n, err)
			for range 2 {
				n, err = c.Read(make([]byte, 8))
				p.result("end", n, err)
				n, err = c.Read(nil)
				p.result("nothing", n, err)
			}
		}
	},
	"the peer has reset, read": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		other.Write([]byte("last"))
		reset(p.t, other)
		waitReset(p.t, c)
		for range 3 {
			n, err := c.Read(make([]byte, 8))
			p.result("read", n, err)
		}
		n, err := c.Write([]byte("x"))
		p.result("write", n, err)
	},
	"the peer has reset, write": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		reset(p.t, other)
		waitReset(p.t, c)
		for range 2 {
			n, err := c.Write([]byte("x"))
			p.result("write", n, err)
		}
		n, err := c.Write(nil)
		p.result("write nothing", n, err)
		n, err = c.Read(make([]byte, 8))
		p.result("read", n, err)
	},
	"the peer resets meanwhile": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		done := waits(p.t, func() {
			n, err := c.Read(make([]byte, 8))
			p.result("read", n, err)
		})
		reset(p.t, other)
		<-done
	},
	"the peer closes, and is written to": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		other.Close()
		n, err := c.Write([]byte("x"))
		p.result("first", n, err)
		waitReset(p.t, c)
		for range 2 {
			n, err = c.Write([]byte("x"))
			p.result("then", n, err)
		}
		n, err = c.Read(make([]byte, 8))
		p.result("read", n, err)
	},
	"the peer of a Unix socket goes": func(s stack, p *protocol) {
		for _, network := range []string{"unix", "unixpacket"} {
			c, other := s.pair(p.t, network)
			c.Write([]byte("unread"))
			other.Close()
			n, err := c.Write([]byte("x"))
			p.result("write", n, err)
			for range 2 {
				n, err = c.Read(make([]byte, 8))
				p.result("read", n, err)
			}
		}
	},
	"half closed": func(s stack, p *protocol) {
		for _, network := range []string{"tcp", "unix"} {
			c, other := s.pair(p.t, network)
			half := c.(halfCloser)
			p.err("close write", half.CloseWrite())
			p.err("close write again", half.CloseWrite())
			n, err := c.Write([]byte("x"))
			p.result("write", n, err)
			n, err = c.Write(nil)
			p.result("write nothing", n, err)
			n, err = other.Read(make([]byte, 8))
			p.result("the peer reads", n, err)
			other.Write([]byte("late"))
			n, err = c.Read(make([]byte, 8))
			p.result("read", n, err)
			p.err("close read", half.CloseRead())
			n, err = c.Read(make([]byte, 8))
			p.result("read when closed", n, err)
		}
	},
	"half closed after the peer has gone": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		reset(p.t, other)
		waitReset(p.t, c)
		p.err("close write", c.(halfCloser).CloseWrite())
		p.err("close read", c.(halfCloser).CloseRead())
		p.err("close", c.Close())
	},
	"a reader that fails": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		n, err := c.(TCPConn).ReadFrom(failing{})
		p.result("read from", int(n), err)
		c, other := s.pair(p.t, "tcp")
		other.Write([]byte("abc"))
		n, err = c.(TCPConn).WriteTo(failing{})
		p.result("write to", int(n), err)
	},
	"copies to who reads by itself": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "tcp")
		other.Write([]byte("abc"))
		other.(TCPConn).CloseWrite()
		to := &gatherer{whole: true}
		n, err := io.Copy(to, c)
		p.result("to the end", int(n), err)
		p.note("%q in %d reads of its own", to.got, to.calls)
		c.SetReadDeadline(past)
		n, err = io.Copy(to, c)
		p.result("too late", int(n), err)
		c.Close()
		n, err = io.Copy(to, c)
		p.result("closed", int(n), err)
		for _, fails := range []error{errTest, io.EOF, nil} {
			c, other := s.pair(p.t, "tcp")
			other.Write([]byte("abc"))
			other.(TCPConn).CloseWrite()
			n, err = io.Copy(&gatherer{fails: fails}, c)
			p.result("it stops", int(n), err)
			buf := make([]byte, 8)
			got, err := c.Read(buf)
			p.result("the rest is left", got, err)
		}
		from, source := s.pair(p.t, "tcp")
		source.Close()
		through, sink := s.pair(p.t, "tcp")
		wrapped := struct{ TCPConn }{through.(TCPConn)}
		n, err = io.Copy(wrapped, from)
		p.result("through a wrapped connection", int(n), err)
		from.SetReadDeadline(past)
		n, err = io.Copy(wrapped, from)
		p.result("through it, too late", int(n), err)
		from.Close()
		n, err = io.Copy(wrapped, from)
		p.result("through it, closed", int(n), err)
		reset(p.t, sink)
		waitReset(p.t, through)
		from, source = s.pair(p.t, "tcp")
		source.Write([]byte("abc"))
		_, err = io.Copy(wrapped, from)
		p.note("through it, reset: %v", errors.Is(err, syscall.ECONNRESET))
	},
	"copies that can't begin": func(s stack, p *protocol) {
		for what, source := range copySources(s, p.t) {
			c, _ := s.pair(p.t, "tcp")
			c.SetWriteDeadline(past)
			n, err := c.(TCPConn).ReadFrom(source())
			p.result("too late from "+what, int(n), err)
			c.Close()
			n, err = c.(TCPConn).ReadFrom(source())
			p.result("closed, from "+what, int(n), err)
		}
		slices.Sort(p.lines)
	},
	"copies from what can't be read": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		for _, network := range []string{"tcp", "unix"} {
			from, _ := s.pair(p.t, network)
			from.SetReadDeadline(past)
			n, err := c.(TCPConn).ReadFrom(from)
			p.result("too late", int(n), err)
			n, err = c.(TCPConn).ReadFrom(io.LimitReader(from, 5))
			p.result("a part, too late", int(n), err)
			from.Close()
			n, err = c.(TCPConn).ReadFrom(from)
			p.result("closed", int(n), err)
			n, err = c.(TCPConn).ReadFrom(io.LimitReader(from, 5))
			p.result("a part, closed", int(n), err)
		}
		from, other := s.pair(p.t, "tcp")
		reset(p.t, other)
		waitReset(p.t, from)
		n, err := c.(TCPConn).ReadFrom(from)
		p.result("reset", int(n), err)
	},
	"raw connections": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		raw, err := c.(syscall.Conn).SyscallConn()
		p.err("raw", err)
		c.SetDeadline(past)
		p.err("read", raw.Read(func(uintptr) bool { return true }))
		p.err("write", raw.Write(func(uintptr) bool { return true }))
		c.SetDeadline(time.Now().Add(10 * time.Millisecond))
		p.err("read that waits", raw.Read(func(uintptr) bool { return false }))
		c.Close()
		p.err("control when closed", raw.Control(func(uintptr) {}))
		p.err("read when closed", raw.Read(func(uintptr) bool { return true }))
		p.err("write when closed", raw.Write(func(uintptr) bool { return true }))
	},
	"options that the kernel refuses": func(s stack, p *protocol) {
		c, _ := s.pair(p.t, "tcp")
		p.err("count", c.(TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Count: 100000}))
		p.err("idle", c.(TCPConn).SetKeepAlivePeriod(100000*time.Hour))
		p.err("read buffer", c.(TCPConn).SetReadBuffer(-1))
	},
	"file connections": func(s stack, p *protocol) {
		f, err := os.Open(os.DevNull)
		require.NoError(p.t, err)
		defer f.Close()
		_, err = s.fileConn(f)
		p.err("no socket", err)
		_, err = s.fileListener(f)
		p.err("no socket to listen", err)
	},
	"datagrams to a connection's peer": func(s stack, p *protocol) {
		to := s.mustListenPacket(p.t, "udp")
		c := s.mustDial(p.t, to.LocalAddr()).(UDPConn)
		n, err := c.WriteTo([]byte("x"), to.LocalAddr())
		p.result("write to", n, err)
		n, err = c.WriteToUDPAddrPort([]byte("x"), to.LocalAddr().(*net.UDPAddr).AddrPort())
		p.result("write to addr port", n, err)
		n, _, err = c.WriteMsgUDP([]byte("x"), nil, to.LocalAddr().(*net.UDPAddr))
		p.result("write message", n, err)
		n, _, err = c.WriteMsgUDPAddrPort([]byte("x"), nil, netip.AddrPort{})
		p.result("write message without address", n, err)
	},
	"datagrams without an address": func(s stack, p *protocol) {
		c := s.mustListenPacket(p.t, "udp").(UDPConn)
		n, err := c.Write([]byte("x"))
		p.result("write", n, err)
		n, err = c.WriteToUDP([]byte("x"), nil)
		p.result("write to", n, err)
		n, err = c.WriteTo([]byte("x"), &net.UnixAddr{Name: "x", Net: "unixgram"})
		p.result("write to another kind", n, err)
		n, err = c.WriteToUDPAddrPort([]byte("x"), netip.AddrPort{})
		p.result("write to addr port", n, err)
		n, _, err = c.WriteMsgUDP([]byte("x"), nil, nil)
		p.result("write message", n, err)
		n, err = c.WriteTo([]byte("x"), &net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 9})
		p.result("write to another family", n, err)
		n, err = c.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:9"))
		p.result("write to another family's addr port", n, err)
	},
	"datagrams that are too long": func(s stack, p *protocol) {
		to := s.mustListenPacket(p.t, "udp")
		c := s.mustDial(p.t, to.LocalAddr())
		n, err := c.Write(make([]byte, 70000))
		p.result("write", n, err)
		from := s.mustListenPacket(p.t, "udp")
		n, err = from.WriteTo(make([]byte, 70000), to.LocalAddr())
		p.result("write to", n, err)
	},
	"datagrams that are refused": func(s stack, p *protocol) {
		to := s.mustListenPacket(p.t, "udp")
		c := s.mustDial(p.t, to.LocalAddr())
		to.Close()
		n, err := c.Write([]byte("x"))
		p.result("write", n, err)
		n, err = c.Read(make([]byte, 8))
		p.result("read", n, err)
		n, err = c.Write([]byte("x"))
		p.result("write", n, err)
		n, err = c.Write([]byte("x"))
		p.result("write after it", n, err)
		done := waits(p.t, func() {
			c.(UDPConn).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			for range 2 {
				n, _, err := c.(UDPConn).ReadFrom(make([]byte, 8))
				p.result("read from", n, err)
			}
		})
		<-done
	},
	"reading datagrams too late": func(s stack, p *protocol) {
		for _, network := range []string{"udp", "unixgram"} {
			c := s.mustListenPacket(p.t, network)
			c.SetReadDeadline(past)
			n, a, err := c.ReadFrom(make([]byte, 8))
			p.result("passed", n, err)
			p.note("from %v", a)
			n, _, err = c.ReadFrom(nil)
			p.result("passed, nothing", n, err)
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			n, a, err = c.ReadFrom(make([]byte, 8))
			p.result("passes", n, err)
			p.note("from %v", a)
			c.SetWriteDeadline(past)
			n, err = c.WriteTo([]byte("x"), c.LocalAddr())
			p.result("write", n, err)
		}
		c := s.mustListenPacket(p.t, "udp").(UDPConn)
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, oobn, flags, from, err := c.ReadMsgUDPAddrPort(make([]byte, 8), nil)
		p.result("message", n, err)
		p.note("%d %d %v", oobn, flags, from)
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, oobn, flags, to, err := c.ReadMsgUDP(make([]byte, 8), nil)
		p.result("message", n, err)
		p.note("%d %d %v", oobn, flags, to)
		n, oobn, flags, _, err = c.ReadMsgUDP(make([]byte, 8), nil)
		p.result("message, passed", n, err)
		p.note("%d %d", oobn, flags)
		u := s.mustListenPacket(p.t, "unixgram").(UnixConn)
		u.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, oobn, flags, name, err := u.ReadMsgUnix(make([]byte, 8), nil)
		p.result("message", n, err)
		p.note("%d %d %v", oobn, flags, name)
		n, _, _, _, err = u.ReadMsgUnix(make([]byte, 8), nil)
		p.result("message, passed", n, err)
		done := waits(p.t, func() {
			u.SetReadDeadline(time.Time{})
			n, _, _, _, err := u.ReadMsgUnix(make([]byte, 8), nil)
			p.result("message, closed", n, err)
		})
		u.Close()
		<-done
	},
	"writing datagrams that nobody reads": func(s stack, p *protocol) {
		from, to := s.mustListenPacket(p.t, "unixgram").(UnixConn), s.mustListenPacket(p.t, "unixgram")
		from.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := 0, error(nil)
		for err == nil {
			n, err = from.WriteTo([]byte("x"), to.LocalAddr())
		}
		p.result("passes", n, err)
		from.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		n, oobn, err := from.WriteMsgUnix([]byte("x"), nil, to.LocalAddr().(*net.UnixAddr))
		p.result("message", n+oobn, err)
	},
	"datagrams of closed sockets": func(s stack, p *protocol) {
		for _, network := range []string{"udp", "unixgram"} {
			c := s.mustListenPacket(p.t, network)
			done := waits(p.t, func() {
				n, _, err := c.ReadFrom(make([]byte, 8))
				p.result("meanwhile", n, err)
			})
			c.Close()
			<-done
			n, a, err := c.ReadFrom(make([]byte, 8))
			p.result("read", n, err)
			p.note("from %v", a)
			n, err = c.WriteTo([]byte("x"), c.LocalAddr())
			p.result("write", n, err)
			p.err("close", c.Close())
			p.err("deadline", c.SetDeadline(past))
			useOfClosed(p, c.(net.Conn))
		}
	},
	"datagrams of Unix sockets": func(s stack, p *protocol) {
		c := s.mustListenPacket(p.t, "unixgram").(UnixConn)
		none := &net.UnixAddr{Name: filepath.Join(p.t.TempDir(), "none"), Net: "unixgram"}
		n, err := c.WriteTo([]byte("x"), none)
		p.result("no such file", n, err)
		n, err = c.WriteTo([]byte("x"), &net.UnixAddr{Name: none.Name, Net: "unix"})
		p.result("another network", n, err)
		n, err = c.WriteToUnix([]byte("x"), nil)
		p.result("no address", n, err)
		n, err = c.WriteTo([]byte("x"), &net.UDPAddr{})
		p.result("another kind", n, err)
		_, err = c.WriteToUnix([]byte("x"), &net.UnixAddr{Name: string(make([]byte, 200)), Net: "unixgram"})
		p.err("a long name", errors.Unwrap(err))
		to := s.mustListenPacket(p.t, "unixgram")
		d := s.mustDial(p.t, to.LocalAddr()).(UnixConn)
		n, err = d.WriteTo([]byte("x"), to.LocalAddr())
		p.result("connected", n, err)
		n, oobn, err := d.WriteMsgUnix([]byte("x"), nil, to.LocalAddr().(*net.UnixAddr))
		p.result("message, connected", n+oobn, err)
		to.Close()
		n, err = d.Write([]byte("x"))
		p.result("the peer has gone", n, err)
		n, err = c.WriteTo(make([]byte, 1<<22), c.LocalAddr())
		p.result("too long", n, err)
	},
	"datagrams of files' connections": func(s stack, p *protocol) {
		to := s.mustListenPacket(p.t, "udp")
		for how, c := range ofFile(s, p.t, s.mustDial(p.t, to.LocalAddr())) {
			udp := c.(UDPConn)
			p.note("%s: %v", how, udp.RemoteAddr())
			n, err := udp.WriteTo([]byte("x"), to.LocalAddr())
			p.result("write to", n, err)
			n, err = udp.WriteToUDPAddrPort([]byte("x"), to.LocalAddr().(*net.UDPAddr).AddrPort())
			p.result("write to addr port", n, err)
			n, err = udp.WriteToUDP([]byte("x"), nil)
			p.result("write to nobody", n, err)
			n, _, err = udp.WriteMsgUDP([]byte("x"), nil, to.LocalAddr().(*net.UDPAddr))
			p.result("write message", n, err)
			n, _, err = udp.WriteMsgUDP([]byte("x"), nil, nil)
			p.result("write message without address", n, err)
			n, _, err = udp.WriteMsgUDPAddrPort([]byte("x"), nil, netip.AddrPort{})
			p.result("write message without addr port", n, err)
			n, err = udp.Write([]byte("x"))
			p.result("write", n, err)
		}
		unixgram := s.mustListenPacket(p.t, "unixgram")
		for how, c := range ofFile(s, p.t, s.mustDial(p.t, unixgram.LocalAddr())) {
			p.note("%s: %v", how, c.RemoteAddr())
			writesToNames(p, c.(UnixConn), unixgram.LocalAddr().(*net.UnixAddr))
		}
	},
	"names for connections that were not dialled": func(s stack, p *protocol) {
		for _, network := range []string{"unix", "unixpacket"} {
			dialled, accepted := s.pair(p.t, network)
			name := accepted.LocalAddr().(*net.UnixAddr)
			p.note("dialled")
			writesToNames(p, dialled.(UnixConn), name)
			p.note("accepted")
			writesToNames(p, accepted.(UnixConn), name)
			p.note("of a file")
			f, err := dialled.(filer).File()
			require.NoError(p.t, err)
			defer f.Close()
			c, err := s.fileConn(f)
			require.NoError(p.t, err)
			writesToNames(p, c.(UnixConn), name)
			c.Close()
		}
	},
	"messages of Unix connections": func(s stack, p *protocol) {
		c, other := s.pair(p.t, "unix")
		other.Close()
		n, oobn, flags, from, err := c.(UnixConn).ReadMsgUnix(make([]byte, 8), make([]byte, 64))
		p.result("read", n, err)
		p.note("%d %d %v", oobn, flags, from)
		n, oobn, err = c.(UnixConn).WriteMsgUnix([]byte("x"), nil, nil)
		p.result("write", n+oobn, err)
		n, err = c.(UnixConn).WriteTo([]byte("x"), other.LocalAddr())
		p.result("write to", n, err)
	},
}

// ofFile returns what a connection's file becomes: a connection, or a socket for datagrams.
func ofFile(s stack, t testing.TB, c net.Conn) iter.Seq2[string, net.Conn] {
	return func(yield func(string, net.Conn) bool) {
		f, err := c.(filer).File()
		require.NoError(t, err)
		defer f.Close()
		conn, err := s.fileConn(f)
		require.NoError(t, err)
		defer conn.Close()
		packets, err := s.filePacketConn(f)
		require.NoError(t, err)
		defer packets.Close()
		_ = yield("connection", conn) && yield("for datagrams", packets.(net.Conn))
	}
}

// writesToNames writes to name, and to none, what such a connection may refuse.
func writesToNames(p *protocol, c UnixConn, name *net.UnixAddr) {
	n, err := c.WriteTo([]byte("x"), name)
	p.result("write to", n, err)
	n, err = c.WriteToUnix([]byte("x"), nil)
	p.result("write to nobody", n, err)
	n, oobn, err := c.WriteMsgUnix([]byte("x"), nil, name)
	p.result("message to", n+oobn, err)
	n, oobn, err = c.WriteMsgUnix([]byte("x"), nil, nil)
	p.result("message", n+oobn, err)
	n, err = c.Write([]byte("x"))
	p.result("write", n, err)
}

// copySources are what a connection may copy from.
func copySources(s stack, t testing.TB) map[string]func() io.Reader {
	text := []byte("text")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	open := func() io.Reader {
		f, err := os.Open(file)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	conn := func(network string) func() io.Reader {
		return func() io.Reader {
			c, other := s.pair(t, network)
			other.Write(text)
			return c
		}
	}
	return map[string]func() io.Reader{
		"memory": func() io.Reader { return bytes.NewReader(text) }, "buffers": func() io.Reader { return &net.Buffers{text, text} },
		"a file": open, "a part of a file": func() io.Reader { return io.LimitReader(open(), 2) },
		"a connection": conn("tcp"), "a part of a connection": func() io.Reader { return io.LimitReader(conn("tcp")(), 2) },
		"a Unix connection": conn("unix"),
	}
}

// useOfClosed tries what there is to be tried on a connection that is closed.
func useOfClosed(p *protocol, c net.Conn) {
	n, err := c.Read(make([]byte, 8))
	p.result("read", n, err)
	n, err = c.Read(nil)
	p.result("read nothing", n, err)
	n, err = c.Write([]byte("x"))
	p.result("write", n, err)
	n, err = c.Write(nil)
	p.result("write nothing", n, err)
	p.err("deadline", c.SetDeadline(past))
	p.err("read deadline", c.SetReadDeadline(past))
	p.err("write deadline", c.SetWriteDeadline(past))
	p.err("read buffer", c.(bufferSizes).SetReadBuffer(4096))
	p.err("write buffer", c.(bufferSizes).SetWriteBuffer(4096))
	_, err = c.(filer).File()
	p.err("file", err)
	_, err = c.(syscall.Conn).SyscallConn()
	p.err("raw", err)
	p.err("close", c.Close())
	if half, ok := c.(halfCloser); ok {
		p.err("close read", half.CloseRead())
		p.err("close write", half.CloseWrite())
	}
	p.note("%v %v", c.LocalAddr(), c.RemoteAddr())
}

// gatherer is a writer that reads by itself: all, or one byte and then it fails.
type gatherer struct {
	got   []byte
	calls int
	whole bool
	fails error
}

func (g *gatherer) Write([]byte) (int, error) { return 0, errors.New("it reads by itself") }

func (g *gatherer) ReadFrom(r io.Reader) (int64, error) {
	g.calls++
	if _, ok := r.(io.WriterTo); ok {
		return 0, errors.New("it would be called again")
	}
	if g.whole {
		got, err := io.ReadAll(r)
		g.got = append(g.got, got...)
		return int64(len(got)), err
	}
	n, _ := r.Read(make([]byte, 1))
	return int64(n), g.fails
}

// failing fails to read and to write.
type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errTest }
func (failing) Write([]byte) (int, error) { return 0, errTest }

// reset has a connection's peer see a reset.
func reset(t testing.TB, c net.Conn) {
	require.NoError(t, c.(TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
}

// waitReset waits until the kernel has heard of the end of the connection.
func waitReset(t testing.TB, c net.Conn) {
	raw, err := c.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	for range 5000 {
		state := byte(0)
		raw.Control(func(fd uintptr) { state = tcpState(int(fd)) })
		if state == 7 { // TCP_CLOSE
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no reset comes")
}

func TestErrorsAreThoseOfNet(t *testing.T) {
	for name, scenario := range socketScenarios {
		t.Run(name, func(t *testing.T) {
			var protocols [5][]string
			warm := busyStack // without a crowd, which has a write told of an error by the next
			for i, s := range []stack{netStack, ringStack, warm, fallbackStack(t), fewStack(t)} {
				p := &protocol{t: t}
				within(t, func() { scenario(s, p) })
				protocols[i] = p.lines
			}
			require.NotEmpty(t, protocols[0])
			require.Equal(t, protocols[0], protocols[1])
			require.Equal(t, protocols[0], protocols[2], "with busy connections")
			require.Equal(t, protocols[0], protocols[3], "without a ring")
			require.Equal(t, protocols[0], protocols[4], "with connections in the poller")
		})
	}
}
