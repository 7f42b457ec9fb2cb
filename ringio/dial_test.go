package ringio

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A program that has net's Dialer or ListenConfig compiles with these, and what it sets gets
// to net's.
func TestDialerAndListenConfigAreNets(t *testing.T) {
	for _, of := range []struct {
		ours, theirs any
		std          func(ours any) any
	}{
		{new(Dialer), new(net.Dialer), func(d any) any { return d.(*Dialer).std() }},
		{new(ListenConfig), new(net.ListenConfig), func(lc any) any { return lc.(*ListenConfig).std() }},
	} {
		ours, theirs := reflect.ValueOf(of.ours).Elem(), reflect.TypeOf(of.theirs).Elem()
		for i := range theirs.NumField() {
			f := theirs.Field(i)
			if !f.IsExported() {
				continue
			}
			field := ours.FieldByName(f.Name)
			require.True(t, field.IsValid(), f.Name)
			require.Equal(t, f.Type, field.Type(), f.Name)
			field.Set(something(f.Type))
			got := reflect.ValueOf(of.std(of.ours)).Elem().Field(i)
			if f.Type.Kind() == reflect.Func {
				require.Equal(t, field.Pointer(), got.Pointer(), f.Name)
			} else {
				require.Equal(t, field.Interface(), got.Interface(), f.Name)
			}
		}
		for i := range reflect.TypeOf(of.theirs).NumMethod() {
			method := reflect.TypeOf(of.theirs).Method(i)
			has, ok := reflect.TypeOf(of.ours).MethodByName(method.Name)
			require.True(t, ok, method.Name)
			require.Equal(t, method.Type.NumOut(), has.Type.NumOut(), method.Name)
			for arg := 1; arg < method.Type.NumIn(); arg++ {
				require.Equal(t, method.Type.In(arg), has.Type.In(arg), method.Name)
			}
		}
	}
}

// something returns a value that is not zero.
func something(of reflect.Type) reflect.Value {
	switch of.Kind() {
	case reflect.Func:
		return reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value { panic("not to be called") })
	case reflect.Chan:
		return reflect.MakeChan(reflect.ChanOf(reflect.BothDir, of.Elem()), 0).Convert(of)
	case reflect.Pointer:
		return reflect.New(of.Elem())
	case reflect.Bool:
		return reflect.ValueOf(true)
	case reflect.Int64:
		return reflect.ValueOf(int64(7)).Convert(of)
	}
	v := map[reflect.Type]any{
		reflect.TypeFor[time.Time](): time.Unix(7, 0), reflect.TypeFor[net.Addr](): new(net.TCPAddr),
		reflect.TypeFor[net.KeepAliveConfig](): net.KeepAliveConfig{Enable: true},
	}[of]
	return reflect.ValueOf(v)
}

func TestMultipathTCPIsSet(t *testing.T) {
	for _, use := range []bool{true, false} {
		d, lc := new(Dialer), new(ListenConfig)
		d.SetMultipathTCP(use)
		lc.SetMultipathTCP(use)
		require.Equal(t, use, d.MultipathTCP())
		require.Equal(t, use, d.std().MultipathTCP())
		require.Equal(t, use, lc.MultipathTCP())
		require.Equal(t, use, lc.std().MultipathTCP())
	}
	require.Equal(t, new(net.Dialer).MultipathTCP(), new(Dialer).MultipathTCP())
	require.Equal(t, new(net.ListenConfig).MultipathTCP(), new(ListenConfig).MultipathTCP())
}

// The connections of Dialer's methods for addresses work, and where there is an error there is
// no connection.
func TestDialersMethodsForAddresses(t *testing.T) {
	ctx := t.Context()
	for _, e := range []*Engine{nil, ownEngine(t, Options{}), ownEngine(t, Options{NoRing: true})} {
		d, lc := &Dialer{Engine: e}, &ListenConfig{Engine: e}
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		at := l.Addr().(*net.TCPAddr).AddrPort()
		tcp, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, at)
		require.NoError(t, err)
		defer tcp.Close()
		theirs, err := l.Accept()
		require.NoError(t, err)
		defer theirs.Close()
		echoes(t, tcp, theirs)

		there, err := lc.ListenPacket(ctx, "udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer there.Close()
		udp, err := d.DialUDP(ctx, "udp", netip.AddrPort{}, there.LocalAddr().(*net.UDPAddr).AddrPort())
		require.NoError(t, err)
		defer udp.Close()
		_, err = there.WriteTo([]byte("to it"), udp.LocalAddr())
		require.NoError(t, err)
		n, err := udp.Read(make([]byte, 100))
		require.NoError(t, err)
		require.Equal(t, 5, n)

		u, err := lc.Listen(ctx, "unix", filepath.Join(t.TempDir(), "s"))
		require.NoError(t, err)
		defer u.Close()
		chat, err := d.DialUnix(ctx, "unix", nil, u.Addr().(*net.UnixAddr))
		require.NoError(t, err)
		defer chat.Close()
		theirs, err = u.Accept()
		require.NoError(t, err)
		defer theirs.Close()
		echoes(t, chat, theirs)

		ended, cancel := context.WithCancel(ctx)
		cancel()
		tcp, err = d.DialTCP(ended, "tcp", netip.AddrPort{}, at)
		require.Error(t, err)
		require.Nil(t, tcp)
		udp, err = d.DialUDP(ctx, "tcp", netip.AddrPort{}, at)
		require.Error(t, err)
		require.Nil(t, udp)
		chat, err = d.DialUnix(ctx, "tcp", nil, u.Addr().(*net.UnixAddr))
		require.Error(t, err)
		require.Nil(t, chat)
		ip, err := d.DialIP(ctx, "tcp", netip.Addr{}, at.Addr())
		require.Error(t, err)
		require.Nil(t, ip)
	}
}

// echoes has a connection's ends say something to each other.
func echoes(t testing.TB, a, b net.Conn) {
	buf := make([]byte, 100)
	for range 3 {
		for _, ends := range [][2]net.Conn{{a, b}, {b, a}} {
			_, err := ends[0].Write([]byte("text"))
			require.NoError(t, err)
			n, err := ends[1].Read(buf)
			require.NoError(t, err)
			require.Equal(t, "text", string(buf[:n]))
		}
	}
}
