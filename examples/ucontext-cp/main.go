// Ucontext-cp copies files at the same time, each in a goroutine of its own that reads,
// writes and waits as if those were system calls. It is the counterpart of liburing's
// examples/ucontext-cp.c, where contexts that the program switches by hand do what
// goroutines do here, and prints the same steps.
//
// It teaches how goroutines use a Loop: they post their requests to it and wait on a
// channel for the callback's result. A thousand that wait take no thread.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/filecopy"
)

const (
	entries   = 64
	blockSize = 1024 // as small as in C: it is about many steps, not speed
)

func main() {
	wait := flag.Duration("wait", time.Second, "how long to wait after each block but the last")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: ucontext-cp [-wait DURATION] FROM TO [FROM TO ...]\n\nCopies files through io_uring, a goroutine for each.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := checkArguments(flag.Args(), *wait); err != nil {
		fmt.Fprintln(os.Stderr, "ucontext-cp:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := copyAll(ctx, flag.Args(), *wait); err != nil {
		fmt.Fprintln(os.Stderr, "ucontext-cp:", err)
		os.Exit(1)
	}
}

func checkArguments(names []string, wait time.Duration) error {
	if len(names) == 0 || len(names)%2 != 0 {
		return fmt.Errorf("pairs of file names are needed, not %d names", len(names))
	}
	if wait < 0 {
		return fmt.Errorf("-wait is below 0: %v", wait)
	}
	return nil
}

// copyAll copies the files that names has in pairs. One that fails does not keep
// the others from being copied.
func copyAll(ctx context.Context, names []string, wait time.Duration) error {
	loop, err := liburing.NewLoop(entries)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- loop.Run(running) }()

	errs := make([]error, len(names)/2)
	fmt.Printf("copying %d files...\n", len(errs))
	var all sync.WaitGroup
	for i := range errs {
		c := copier{loop: loop, name: names[2*i] + " -> " + names[2*i+1], wait: wait}
		all.Go(func() {
			errs[i] = filecopy.Copy(names[2*i], names[2*i+1], func(in, out int, size int64) error {
				return c.copy(ctx, in, out, int(size))
			})
		})
	}
	all.Wait()
	stop()
	err = <-stopped
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	report(errs)
	return errors.Join(errors.Join(errs...), err, loop.Close(context.Background()))
}

func report(errs []error) {
	failures := 0
	for _, err := range errs {
		if err != nil {
			failures++
		}
	}
	fmt.Printf("finished with %d success(es) and %d failure(s)\n", len(errs)-failures, failures)
}

// copier copies one file.
type copier struct {
	loop *liburing.Loop
	name string // of the copy, in what is printed
	wait time.Duration
}

// copy copies a file from block to block. This is what it is all about: one step
// after the other, although every step is a request and a completion.
func (c *copier) copy(ctx context.Context, in, out, size int) error {
	buf := make([]byte, blockSize)
	for off := 0; ; {
		n, err := c.read(ctx, in, buf, off)
		if err != nil {
			return err
		}
		if n == 0 && off < size {
			return fmt.Errorf("the file became shorter while it was copied: %w", io.ErrUnexpectedEOF)
		}
		if err := c.write(ctx, out, buf[:n], off); err != nil {
			return err
		}
		if off += n; off >= size {
			c.say("done")
			return nil
		}
		if err := c.sleep(ctx); err != nil {
			return err
		}
	}
}

func (c *copier) say(format string, args ...any) {
	fmt.Printf("%s: %s\n", c.name, fmt.Sprintf(format, args...))
}

func (c *copier) read(ctx context.Context, fd int, buf []byte, off int) (int, error) {
	c.say("read %d bytes from %d", len(buf), off)
	return c.await(ctx, func(cb liburing.Callback) liburing.Request {
		return c.loop.Read(fd, buf, uint64(off), cb)
	})
}

// write writes all of buf.
func (c *copier) write(ctx context.Context, fd int, buf []byte, off int) error {
	for len(buf) > 0 {
		c.say("write %d bytes from %d", len(buf), off)
		n, err := c.await(ctx, func(cb liburing.Callback) liburing.Request {
			return c.loop.Write(fd, buf, uint64(off), cb)
		})
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
		buf, off = buf[n:], off+n
	}
	return nil
}

// sleep waits by a request too.
func (c *copier) sleep(ctx context.Context) error {
	c.say("wait %v", c.wait)
	_, err := c.await(ctx, func(cb liburing.Callback) liburing.Request {
		return c.loop.Timeout(c.wait, 0, 0, cb)
	})
	if errors.Is(err, syscall.ETIME) { // that is how a timeout says that it is over
		return nil
	}
	return err
}

// await has the loop make a request, which is cancelled when ctx ends, and
// returns its result. The goroutine is parked meanwhile; the loop's own thread
// goes on. It comes back whatever happens: a posted function is called, and the
// callback too, if only to say that the loop is closed.
func (c *copier) await(ctx context.Context, request func(cb liburing.Callback) liburing.Request) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1) // the callback must not wait for us
	err := c.loop.Post(func() {
		request(func(completion liburing.Completion) {
			n, err := completion.Result()
			done <- result{n, err}
		}).WithContext(ctx)
	})
	if err != nil {
		return 0, err
	}
	r := <-done
	return r.n, r.err
}
