// Cat-raw writes files to the standard output like cat, but directly on the kernel's
// interface: without liburing, and without this module's packages.
//
// It teaches what a library saves you. ring.go sets a ring up, maps it, and moves its
// indexes by hand, with the memory barriers that this takes; and it leaves out what a
// real program needs besides: more than one request, a full queue, an overflow, memory
// that must not move or be freed.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

const blockSize = 128 << 10

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: cat-raw FILE...\n\nWrites the files to the standard output through a ring that is made by hand.\n")
	}
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "cat-raw: name a file")
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range flag.Args() {
		if err := cat(name, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "cat-raw:", err)
			os.Exit(1)
		}
	}
}

func cat(name string, out *os.File) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := newRing()
	if err != nil {
		return fmt.Errorf("set up a ring: %w", err)
	}
	defer r.close()

	buf := make([]byte, blockSize)
	// The collector does not know that the kernel writes to it; large slices lie
	// on the heap and do not move, so it is enough that this one is reachable.
	defer runtime.KeepAlive(&buf)
	for {
		n, err := r.read(int(in.Fd()), buf)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if n == 0 {
			return nil
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
	}
}
