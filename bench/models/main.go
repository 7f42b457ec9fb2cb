// Models is one small HTTP server in the ways that servers on Linux have been written:
// one client after the other, processes, threads, poll, epoll, io_uring, goroutines.
// Whatever the model, the answers are the same, so that what differs is what the model
// costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// models are what -model can be, in the order of their history.
var models = []model{
	{"iterative", "one client after the other", iterative},
	{"forking", "a process for each connection", forking},
	{"preforked", "a number of processes that share the listening socket", preforked},
	{"threads", "a thread for each connection", threads},
	{"threadpool", "a number of threads that share the listening socket", threadPool},
	{"poll", "one thread that polls all connections", poll},
	{"epoll", "one thread that the kernel tells of ready connections", epoll},
	{"iouring", "one thread with a loop over io_uring", ioURing},
	{"goroutines", "a goroutine for each connection, on package net", goroutines},
}

// model is a way to write a server. Its serve function answers until ctx ends
// and leaves no process behind; threads end with the program.
type model struct {
	name, about string
	serve       func(ctx context.Context, s server) error
}

// server is what all models start with.
type server struct {
	listener int
	workers  int // processes or threads, for the models with a fixed number
}

func main() {
	name := flag.String("model", "epoll", "the `model`")
	listen := flag.String("listen", "127.0.0.1:0", "the `address` to listen on; port 0 picks one")
	workers := flag.Int("workers", 16, "how many processes preforked has, or threads threadpool")
	list := flag.Bool("list", false, "print the models' names and end")
	inherited := flag.String("inherit", "", "what descriptor 3 is, listener or connection: so the models with processes start them")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() != 0 || *workers < 1 {
		badUsage("there are no arguments beside flags, and -workers is above zero")
	}
	if *list {
		printNames()
		return
	}
	if *inherited != "" {
		end(context.Background(), serveInherited(*inherited))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	place := slices.IndexFunc(models, func(m model) bool { return m.name == *name })
	if place < 0 {
		badUsage(fmt.Sprintf("there is no model %q", *name))
	}
	at, err := netip.ParseAddrPort(*listen)
	if err != nil || !at.Addr().Is4() {
		badUsage(fmt.Sprintf("-listen %s is not like 127.0.0.1:8000", *listen))
	}
	listener, err := listenTCP(at)
	if err != nil {
		end(ctx, fmt.Errorf("listen on %v: %w", at, err))
	}
	end(ctx, models[place].serve(ctx, server{listener: listener, workers: *workers}))
}

func printNames() {
	for _, m := range models {
		fmt.Println(m.name)
	}
}

// end ends the program: without an error if it was told to end.
func end(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "models:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprint(out, "usage: models [flags]\n\nAnswers HTTP requests with a few bytes, as a server of the chosen model, and prints its address:\n")
	for _, m := range models {
		fmt.Fprintf(out, "  %-12s%s\n", m.name, m.about)
	}
	fmt.Fprint(out, "\nflags:\n")
	flag.PrintDefaults()
}

func badUsage(why string) {
	fmt.Fprintln(os.Stderr, "models:", why)
	usage()
	os.Exit(2)
}

// untilDone has something run that can't be interrupted, and goes without it
// when ctx ends.
func untilDone(ctx context.Context, serve func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- serve() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// serveInherited is what a process does that a model has started.
func serveInherited(what string) error {
	const inherited = 3 // the first descriptor after the standard ones
	unix.CloseOnExec(inherited)
	switch what {
	case "connection":
		converse(inherited)
		return nil
	case "listener":
		return answerEach(inherited)
	}
	return errors.New("-inherit is listener or connection")
}
