// Kdigest lets the kernel hash a file, with any algorithm of its crypto API: blocks are
// read out of order and sent in order to a socket (AF_ALG), from which the digest is
// received. It is the counterpart of liburing's examples/kdigest.c and prints the same
// line.
//
// It teaches bundles: the next blocks go into a ring of provided buffers, and one
// request sends them all. On kernels without bundles (before Linux 6.10), linked
// requests keep the order.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/filecopy"
	"golang.org/x/sys/unix"
)

func main() {
	linked := flag.Bool("linked", false, "send by linked requests even if the kernel has bundles")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: kdigest [-linked] ALGORITHM FILE\n\nHas the kernel hash a file, by an algorithm of /proc/crypto such as sha256, through io_uring.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := checkArguments(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kdigest:", err)
		flag.Usage()
		os.Exit(2)
	}
	if err := printDigest(flag.Arg(0), flag.Arg(1), *linked); err != nil {
		fmt.Fprintln(os.Stderr, "kdigest:", err)
		os.Exit(1)
	}
}

// nameMax is the longest name that an address of AF_ALG has room for.
const nameMax = 63

func checkArguments(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("an algorithm and a file name are needed, not %d arguments", len(args))
	}
	if n := len(args[0]); n == 0 || n > nameMax {
		return fmt.Errorf("an algorithm's name has 1 to %d bytes, not %d", nameMax, n)
	}
	return nil
}

func printDigest(algorithm, name string, linked bool) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := filecopy.Size(file)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the ring has a single issuer
	defer runtime.UnlockOSThread()
	ring, err := newRing()
	if err != nil {
		return err
	}
	defer ring.Close()
	hash, err := openHash(ring, algorithm)
	if err != nil {
		return err
	}
	defer unix.Close(hash)

	bundled := !linked && ring.Features()&liburing.FeatRecvSendBundle != 0
	sum, err := digest(ring, liburing.FD(file), hash, size, bundled)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", algorithm, name, err)
	}
	how := ""
	if bundled {
		how = "bundled "
	}
	fmt.Printf("uring %s%s(%s) returned(len=%d): %x\n", how, algorithm, name, len(sum), sum)
	return nil
}

// newRing returns a ring for this thread alone, with completions only when it
// asks for them, or one as older kernels have it.
func newRing() (*liburing.Ring, error) {
	ring, err := liburing.New(entries, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	if errors.Is(err, syscall.EINVAL) {
		return liburing.New(entries)
	}
	return ring, err
}
