// Zcrx receives TCP streams into its own memory without copying: the network
// card itself puts the bytes there. It is the counterpart of liburing's
// examples/zcrx.c.
//
// It teaches registering a receive queue of a card with the memory that data lands in,
// receiving from it with completions that say where the data is, and giving the memory
// back through a queue shared with the kernel. It needs a card that can do that, with
// the connections steered to one of its queues:
//
//	ethtool -G eth0 tcp-data-split on
//	ethtool -X eth0 equal 1                                        # all else to queue 0
//	ethtool -N eth0 flow-type tcp6 dst-port 8000 action 1          # these to queue 1
//	zcrx -if eth0 -queue 1
//
// If something is missing it says what.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
)

// settings are what the flags say.
type settings struct {
	addr      netip.AddrPort
	ifName    string
	queue     int
	areaSize  int
	rqEntries int
	verify    bool
}

func main() {
	var s settings
	flag.TextVar(&s.addr, "addr", netip.MustParseAddrPort("[::]:8000"), "the `address` to listen on; port 0 picks one")
	flag.StringVar(&s.ifName, "if", "", "the network `interface`")
	flag.IntVar(&s.queue, "queue", -1, "the `number` of the interface's receive queue")
	flag.IntVar(&s.areaSize, "area", 64<<20, "`bytes` of memory to receive into")
	flag.IntVar(&s.rqEntries, "refill", 8192, "entries of the queue that gives memory back, a power of two")
	flag.BoolVar(&s.verify, "verify", false, "check that each connection brings the alphabet, again and again")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: zcrx [flags] -if INTERFACE -queue NUMBER\n\nReceives over TCP without copying.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if bad := s.check(flag.Args()); bad != "" {
		fmt.Fprintln(os.Stderr, "zcrx:", bad)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, s); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "zcrx:", err)
		os.Exit(1)
	}
}

// check says what is wrong with the arguments.
func (s *settings) check(args []string) string {
	switch {
	case len(args) != 0:
		return fmt.Sprintf("unexpected argument %q", args[0])
	case s.ifName == "":
		return "-if must name the network interface to receive from"
	case s.queue < 0:
		return "-queue must say which of the interface's receive queues to take"
	case s.areaSize < os.Getpagesize():
		return fmt.Sprintf("-area must be a page (%d bytes) at least", os.Getpagesize())
	case s.rqEntries < 1 || s.rqEntries > 1<<15 || s.rqEntries&(s.rqEntries-1) != 0:
		return "-refill must be a power of two, at most 32768"
	}
	return ""
}
