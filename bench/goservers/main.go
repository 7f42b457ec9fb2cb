// Goservers are servers as most Go services are written, a goroutine for each
// connection: on net, or with the same code on ringio.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/go-liburing/liburing/ringio"

	_ "github.com/go-liburing/liburing/bench/mark"
)

func main() {
	on := flag.String("on", "ringio", "what the connections are of: net or ringio")
	kind := flag.String("kind", "echo", "what to serve: echo; waiting, which is echo without a buffer while it waits; answers, requests one by one; gathered, the same with the answers written together; or http")
	procs := flag.Int("procs", 0, "GOMAXPROCS, 0 to leave it")
	addr := flag.String("addr", "127.0.0.1:8000", "the address to listen on")
	flag.Parse()
	listen := map[string]func(network, address string) (net.Listener, error){
		"net":    net.Listen,
		"ringio": func(network, address string) (net.Listener, error) { return ringio.Listen(network, address) },
	}[*on]
	serve := map[string]func(net.Listener) error{
		"echo":     forEach(echo),
		"waiting":  forEach(echoWaiting),
		"answers":  forEach(answer),
		"gathered": forEach(answerTogether),
		"http":     serveHTTP,
	}[*kind]
	if listen == nil || serve == nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*procs)
	l, err := listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	log.Fatal(serve(l))
}

const bufferSize = 4096

// forEach has a goroutine serve each connection.
func forEach(serve func(net.Conn)) func(net.Listener) error {
	return func(l net.Listener) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go serve(conn)
		}
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

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// echoWaiting is echo where connections that wait have no buffer.
func echoWaiting(conn net.Conn) {
	defer conn.Close()
	for ringio.WaitReadable(conn) == nil {
		buf := buffers.Get().(*[bufferSize]byte)
		n, err := conn.Read(buf[:])
		if err == nil {
			_, err = conn.Write(buf[:n])
		}
		buffers.Put(buf)
		if err != nil {
			return
		}
	}
}

// requestSize is that of the requests of bench/c/echo-client -size 32.
const requestSize = 32

// answer reads requests and answers each when it has it, as most protocols' servers do.
func answer(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, bufferSize)
	var request [requestSize]byte
	for {
		if _, err := io.ReadFull(in, request[:]); err != nil {
			return
		}
		if _, err := conn.Write(request[:]); err != nil {
			return
		}
	}
}

// answerTogether is answer that writes when it has no request left.
func answerTogether(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReaderSize(conn, bufferSize), bufio.NewWriterSize(conn, bufferSize)
	var request [requestSize]byte
	for {
		if _, err := io.ReadFull(in, request[:]); err != nil {
			return
		}
		out.Write(request[:])
		if in.Buffered() < requestSize && out.Flush() != nil {
			return
		}
	}
}

// page is what the web server answers with.
var page = make([]byte, 1024)

func serveHTTP(l net.Listener) error {
	for i := range page {
		page[i] = 'a' + byte(i%26)
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		w.Write(page)
	}))
}
