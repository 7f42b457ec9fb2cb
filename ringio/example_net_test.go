package ringio_test

import (
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/go-liburing/liburing/ringio"
)

// An echo server, a goroutine for each connection, as it would be written with net.
func ExampleListen() {
	l, err := ringio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()

	c, err := ringio.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello")
	c.(ringio.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Println(string(answer), err)
	// Output: hello <nil>
}

// A web server: http.Serve takes the listener as it is.
func ExampleListen_http() {
	l, err := ringio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", r.URL.Path)
	})}
	go server.Serve(l)
	defer server.Close()

	r, err := http.Get("http://" + l.Addr().String() + "/you")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	fmt.Println(string(body), err)
	// Output: hello /you <nil>
}

// An HTTP client whose connections are on the ring: DialContext is what the Transport
// wants, as do database drivers and gRPC.
func ExampleDialContext() {
	l, err := ringio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Handler: http.NotFoundHandler()}
	go server.Serve(l)
	defer server.Close()

	client := http.Client{Transport: &http.Transport{DialContext: ringio.DialContext}}
	r, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	r.Body.Close()
	fmt.Println(r.Status)
	// Output: 404 Not Found
}
