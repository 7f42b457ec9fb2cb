package main

import (
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
)

// swallow receives what a client sends, and drops it.
func (p *proxy) swallow(client int) {
	buffers, err := p.getBuffers()
	if err != nil {
		p.log(err)
		p.loop.CloseFD(client, nil)
		return
	}
	bytes := 0
	p.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return p.loop.RecvMultishot(client, nil, 0, cb).Buffers(buffers)
	}, func(c liburing.Completion) {
		if c.Res > 0 {
			bytes += int(c.Res)
			return
		}
		if p.verbose {
			fmt.Fprintf(os.Stderr, "connection: %d bytes dropped\n", bytes)
		}
		p.giveBack(buffers)
		p.loop.CloseFD(client, nil)
	})
}
