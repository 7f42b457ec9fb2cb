// Package ringio_test runs what other modules have for connections on those of ringio.
package ringio_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

// ends are how a pair of connections can be made: who dials and who listens.
var ends = map[string]struct {
	dial   func(network, address string) (net.Conn, error)
	listen func(network, address string) (net.Listener, error)
}{
	"ringio":             {ringio.Dial, ringio.Listen},
	"ringio to net":      {ringio.Dial, net.Listen},
	"net to ringio":      {net.Dial, ringio.Listen},
	"ringio, no ring":    {withoutRing.Dial, withoutRing.Listen},
	"net, to hold it to": {net.Dial, net.Listen},
}

// withoutRing is an engine as it is where io_uring is forbidden.
var withoutRing = func() *ringio.Engine {
	e, err := ringio.New(ringio.Options{NoRing: true})
	if err != nil {
		panic(err)
	}
	return e
}()

// dialers are what clients of databases may be given.
var dialers = map[string]func(ctx context.Context, network, address string) (net.Conn, error){
	"net": new(net.Dialer).DialContext, "ringio": ringio.DialContext, "ringio, no ring": withoutRing.DialContext,
}

func TestConn(t *testing.T) {
	for name, end := range ends {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+"/"+network, func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(t.TempDir(), "s")
					}
					l, err := end.listen(network, address)
					if err != nil {
						return nil, nil, nil, err
					}
					defer l.Close()
					c1, err = end.dial(network, l.Addr().String())
					if err != nil {
						return nil, nil, nil, err
					}
					c2, err = l.Accept()
					return c1, c2, func() { c1.Close(); c2.Close() }, err
				})
			})
		}
	}
}

// What it is about: the ring, where there is one.
func TestConnectionsAreNotNets(t *testing.T) {
	l, err := ringio.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, is := l.(*net.TCPListener)
	require.False(t, is)
}
