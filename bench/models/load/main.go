// Load has clients ask a server of the models for as much as it can answer, and
// prints how much that was.
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// options are what the command line chooses.
type options struct {
	server    netip.AddrPort
	clients   int
	time      time.Duration
	keepAlive bool
}

func main() {
	var o options
	address := flag.String("server", "", "the server's `address`, such as 127.0.0.1:8000")
	flag.IntVar(&o.clients, "clients", 10, "how many clients there are at the same time")
	seconds := flag.Float64("seconds", 0.8, "how long to measure, after a warm-up")
	flag.BoolVar(&o.keepAlive, "keepalive", false, "keep connections, instead of a new one for each request")
	flag.Usage = usage
	flag.Parse()
	o.time = time.Duration(*seconds * float64(time.Second))
	var err error
	if o.server, err = netip.ParseAddrPort(*address); err != nil || !o.server.Addr().Is4() {
		badUsage("-server must be an address such as 127.0.0.1:8000")
	}
	if flag.NArg() != 0 || o.clients < 1 || o.time <= 0 {
		badUsage("-clients and -seconds must be above zero, and there are no arguments beside flags")
	}
	result, err := measure(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	fmt.Println(result)
	if result.why != nil {
		fmt.Fprintln(os.Stderr, "load: the first failure:", result.why)
	}
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `usage: load -server ADDRESS [flags]

Sends requests to an HTTP server from a number of clients, each of which waits
for its answer before it asks again, and prints what came of it: answers per
second, failures, and the clients that never got an answer.

flags:
`)
	flag.PrintDefaults()
}

func badUsage(why string) {
	fmt.Fprintln(os.Stderr, "load:", why)
	usage()
	os.Exit(2)
}
