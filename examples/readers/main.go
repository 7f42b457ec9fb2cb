// Readers reads a file with many goroutines at once, and prints its checksum.
//
// It teaches how goroutines share a loop: an io.ReaderAt whose ReadAt posts a request
// and waits on a channel, so that whatever takes an io.ReaderAt can use the loop; a
// context that ends one goroutine's read; and that the loop may be closed while
// thousands of them read, because each is told.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
)

const blockSize = 16 << 10

func main() {
	count := flag.Int("goroutines", 1000, "the `number` of goroutines")
	times := flag.Int("times", 1, "how many `times` the file is read")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: readers [flags] FILE\n\nReads a file with many goroutines.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 || *count < 1 || *times < 1 {
		fmt.Fprintln(os.Stderr, "readers: one file, and numbers from 1 on")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := read(ctx, flag.Arg(0), *count, *times); err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

// read reads the file, and closes the loop as soon as ctx ends, whoever may read.
func read(ctx context.Context, name string, count, times int) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	loop, err := liburing.NewLoop(256)
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- loop.Run(ctx) }()
	defer context.AfterFunc(ctx, func() { loop.Close(context.Background()) })()

	fmt.Println("reading", name)
	from := &readerAt{loop: loop, file: file}
	sums := make([]uint32, (info.Size()+blockSize-1)/blockSize)
	if err := sum(from, sums, count, times); err != nil {
		return err
	}
	loop.Stop()
	if err := <-ran; err != nil {
		return err
	}
	fmt.Printf("%d bytes, sum of blocks %08x\n", info.Size(), total(sums))
	return loop.Close(context.Background())
}

// sum has goroutines take a block at a time, and stores the blocks' checksums.
func sum(from io.ReaderAt, sums []uint32, count, times int) error {
	var all sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, count)
	for i := range errs {
		all.Go(func() {
			buf := make([]byte, blockSize)
			for block := next.Add(1) - 1; block < int64(len(sums)*times); block = next.Add(1) - 1 {
				place := block % int64(len(sums))
				n, err := from.ReadAt(buf, place*blockSize)
				if err != nil && err != io.EOF {
					errs[i] = err
					return
				}
				atomic.StoreUint32(&sums[place], crc32.ChecksumIEEE(buf[:n]))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil { // one tells for all
			return err
		}
	}
	return nil
}

func total(sums []uint32) uint32 {
	h := crc32.NewIEEE()
	for _, sum := range sums {
		fmt.Fprintf(h, "%08x", sum)
	}
	return h.Sum32()
}

// readerAt reads from a file through a loop, for any number of goroutines.
type readerAt struct {
	loop *liburing.Loop
	file *os.File
}

// result is what a callback tells a goroutine.
type result struct {
	n   int
	err error
}

// channels are used again.
var channels = sync.Pool{New: func() any { return make(chan result, 1) }} // the callback must not wait

// ReadAt reads as io.ReaderAt has it. It returns also when the loop is closed: then
// Post does not take the function, or the callback is called with the error.
func (r *readerAt) ReadAt(buf []byte, offset int64) (int, error) {
	done := channels.Get().(chan result)
	err := r.loop.Post(func() {
		loopio.ReadFull(context.Background(), r.loop, liburing.FD(r.file), buf, uint64(offset), func(n int, err error) { done <- result{n, err} })
	})
	if err != nil {
		return 0, err
	}
	got := <-done
	channels.Put(done)
	if errors.Is(got.err, io.ErrUnexpectedEOF) {
		got.err = io.EOF
	}
	return got.n, got.err
}
