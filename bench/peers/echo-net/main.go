// Echo-net is a TCP echo server with Go's net: a goroutine for each connection.
package main

import (
	"flag"
	"log"
	"net"
)

const bufferSize = 4096

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "the address to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, bufferSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
