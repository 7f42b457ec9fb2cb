package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/go-liburing/liburing/internal/httpd"
	"golang.org/x/sys/unix"
)

const aboutServe = `Serves the files of a folder on the web (HTTP/1.1), until it is interrupted.
What is being sent then is sent to its end; a second interrupt breaks it off.
Nothing outside of the folder is served, also where symbolic links lead there.`

func serve(args []string) error {
	flags := newFlags("serve", "[-addr ADDRESS] [-max N] [-timeout D] [-v] DIR", aboutServe)
	o := httpd.Options{Errors: func(err error) { complain("serve", err) }}
	addr := flags.String("addr", "127.0.0.1:8080", "the `address` to listen on; :8080 is all of this machine's, and port 0 picks one")
	flags.IntVar(&o.MaxConns, "max", 1000, "the `number` of clients at a time; more have to wait")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long a client may keep the server waiting")
	verbose := flags.Bool("v", false, "print a line for each answer")
	if err := parse(flags, args, 1, 1); err != nil {
		return err
	}
	switch {
	case o.MaxConns < 1:
		return badUsage(flags, "-max must be 1 at least")
	case o.Timeout <= 0:
		return badUsage(flags, "-timeout must be above zero, such as 30s")
	}
	signal.Ignore(unix.SIGPIPE) // whoever reads the log may go, and clients be served on
	out := new(log)
	if *verbose {
		o.Log = out.entry
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	s, err := httpd.Listen(*addr, flags.Arg(0), o)
	if err != nil {
		return err
	}
	out.print("listening on http://%s\n", s.Addr())
	return s.Serve(ctx)
}

// log is what is printed on the standard output while clients are served.
type log struct {
	failing bool
}

// print prints a line. Once it cannot, it says so, and the server goes on.
func (l *log) print(format string, args ...any) {
	_, err := fmt.Printf(format, args...)
	if err != nil && !l.failing {
		complain("serve", fmt.Errorf("lines of the log are lost: %w", err))
	}
	l.failing = err != nil
}

// entry prints who asked for what, and what came of it. What clients send is
// quoted: a terminal must not obey it.
func (l *log) entry(e httpd.Entry) {
	end := ""
	if e.Err != nil {
		end = fmt.Sprintf(", broken off: %v", e.Err)
	}
	l.print("%s %s %q %d %d bytes%s\n", time.Now().Format(time.TimeOnly), e.Client, e.Method+" "+e.Target, e.Status, e.Sent, end)
}
