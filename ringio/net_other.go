//go:build !linux

package ringio

import "net"

// Where there is no io_uring, net's own connections are returned as they are.

func taken[C any](_ *Engine, c C, err error, _ bool) (C, error) {
	if err != nil { // c may be a pointer that is nil, which is something as an interface
		var none C
		return none, err
	}
	return c, nil
}

func takenListener(_ *Engine, l net.Listener, err error, _ net.KeepAliveConfig, _ bool) (net.Listener, error) {
	return l, err
}
