// Webserver serves the files of a folder over HTTP/1.1, for any number of clients in
// one thread. The server is package internal/httpd, best read together with this; here
// is what turns it into a program.
//
// It teaches how a protocol becomes a chain of callbacks: receive, open, stat, read,
// send, one request after the other for each connection and thousands of connections
// side by side; the timeouts of all clients with one timer; what the ring has no
// request for, done in a goroutine that posts its result; and stopping without cutting
// off what is being sent.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/internal/httpd"
)

func main() {
	var o httpd.Options
	addr := flag.String("addr", "127.0.0.1:8080", "the `address` to listen on; port 0 picks one")
	flag.IntVar(&o.MaxConns, "max", 1000, "the `number` of clients at a time; more have to wait")
	flag.DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long a client may keep the server waiting")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: webserver [flags] DIR\n\nServes the files of a folder on the web.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if why := badArguments(o); why != "" {
		fmt.Fprintln(os.Stderr, "webserver:", why)
		flag.Usage()
		os.Exit(2)
	}
	o.Errors = func(err error) { fmt.Fprintln(os.Stderr, "webserver:", err) }
	if err := serve(*addr, flag.Arg(0), o); err != nil {
		fmt.Fprintln(os.Stderr, "webserver:", err)
		os.Exit(1)
	}
}

// badArguments tells what is wrong with the command line.
func badArguments(o httpd.Options) string {
	switch {
	case flag.NArg() != 1:
		return "name one folder"
	case o.MaxConns < 1:
		return "-max must be 1 at least"
	case o.Timeout <= 0:
		return "-timeout must be above zero"
	}
	return ""
}

// serve serves until the first signal, and is gone at once at the second.
func serve(addr, dir string, o httpd.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	s, err := httpd.Listen(addr, dir, o)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", s.Addr())
	return s.Serve(ctx)
}
