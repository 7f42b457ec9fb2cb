// Ringio-web serves the files of a folder with net/http, on connections and files of
// package ringio.
//
// It teaches that a program only changes its imports: http.Serve takes the listener,
// http.FS the folder. Where io_uring is missing or forbidden the same program runs on
// net and os.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/ringio"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the `address` to listen on; port 0 picks one")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: ringio-web [flags] DIR\n\nServes the files of a folder on the web.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "ringio-web: name one folder")
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*addr, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "ringio-web:", err)
		os.Exit(1)
	}
}

// patience is how long answers that have begun may take when a signal comes. For five
// seconds net/http waits for a connection that was never asked anything.
const patience = 10 * time.Second

// serve serves until a signal comes, and lets answers that have begun end.
func serve(addr, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := ringio.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", l.Addr())
	server := &http.Server{
		Handler:           http.FileServerFS(ringio.DirFS(dir)),
		ReadHeaderTimeout: 30 * time.Second,
	}
	down := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		soon, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err := server.Shutdown(soon)
		if err != nil { // the rest is broken off
			server.Close()
		}
		down <- err
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errors.Join(<-down, ringio.Shutdown(context.Background()))
}
