// Echo-gnet is a TCP echo server with gnet: one event loop over epoll.
package main

import (
	"flag"
	"log"

	"github.com/panjf2000/gnet/v2"
)

type server struct{ gnet.BuiltinEventEngine }

func (*server) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Next(-1)
	if err == nil {
		_, err = c.Write(buf)
	}
	if err != nil {
		return gnet.Close
	}
	return gnet.None
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "the address to listen on")
	flag.Parse()
	log.Fatal(gnet.Run(&server{}, "tcp://"+*addr, gnet.WithNumEventLoop(1)))
}
