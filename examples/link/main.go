// Link writes a line to a file, syncs it, reads it back and closes the file, in
// one submission: each request begins when the one before it has succeeded.
//
// It teaches chains. With -fail the write goes to a file that is open for reading only,
// and what is linked after it is cancelled. With -quiet only the last request of the
// chain completes, or the first that fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
)

func main() {
	fail := flag.Bool("fail", false, "open the file for reading only")
	quiet := flag.Bool("quiet", false, "hear of the last request only")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: link [-fail] [-quiet] FILE\n\nOverwrites the file's beginning with a line and reads it back, by linked requests.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintf(os.Stderr, "link: one file name is needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *fail, *quiet); err != nil {
		fmt.Fprintln(os.Stderr, "link:", err)
		os.Exit(1)
	}
}

func run(name string, readOnly, quiet bool) (err error) {
	mode := os.O_RDWR | os.O_CREATE
	if readOnly {
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(name, mode, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	loop, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()

	c := chain{loop: loop, fd: liburing.FD(file)}
	c.queue(quiet)
	return errors.Join(loop.RunUntilIdle(context.Background()), c.err)
}

// chain is four requests that follow each other.
type chain struct {
	loop *liburing.Loop
	fd   int
	err  error // of the request that broke it
}

func (c *chain) queue(quiet bool) {
	line := []byte("written, synced and read in one go\n")
	back := make([]byte, len(line))

	c.loop.Write(c.fd, line, 0, c.tell("write")).LinkNext()
	c.loop.Fsync(c.fd, 0, c.tell("fsync")).LinkNext()
	c.loop.Read(c.fd, back, 0, c.tell("read")).LinkNext()
	last := c.loop.Nop(func(done liburing.Completion) {
		c.tell("nop")(done)
		if done.Err() == nil {
			fmt.Printf("%s", back)
		}
	})
	if quiet {
		last.SkipSuccess()
	}
}

// tell returns a callback that prints how a request has ended.
func (c *chain) tell(name string) liburing.Callback {
	return func(done liburing.Completion) {
		n, err := done.Result()
		if err == nil {
			fmt.Printf("%-5s %d\n", name, n)
			return
		}
		fmt.Printf("%-5s %v\n", name, err)
		if c.err == nil {
			c.err = err
		}
	}
}
