// Probe tells what this machine's io_uring can do: the kernel's features and
// the operations that it knows. -v lists the operations.
//
// It teaches the feature flags of a ring and the probe.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	verbose := flag.Bool("v", false, "list the operations")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: probe [-v]\n\nTells what this kernel's io_uring can do.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintf(os.Stderr, "probe: it takes no argument but -v, not %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	if err := report(*verbose); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func report(verbose bool) error {
	ring, err := liburing.New(2)
	if err != nil {
		return err
	}
	defer ring.Close()
	probe, err := ring.GetProbe()
	if err != nil {
		return err
	}
	var known, unknown []string
	for op := range liburing.OpLast {
		if probe.OpcodeSupported(op) {
			known = append(known, op.String())
		} else {
			unknown = append(unknown, op.String())
		}
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	fmt.Printf("kernel      Linux %s\n", unix.ByteSliceToString(uts.Release[:]))
	fmt.Printf("liburing    %s\n", liburing.Version())
	fmt.Printf("features    %s\n", strings.ReplaceAll(ring.Features().String(), "|", " "))
	fmt.Printf("operations  %d of the %d that liburing knows\n", len(known), len(known)+len(unknown))
	if verbose {
		fmt.Printf("known       %s\n", strings.Join(known, " "))
		fmt.Printf("unknown     %s\n", strings.Join(unknown, " "))
	}
	return nil
}
