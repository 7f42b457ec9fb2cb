// Command ringsum prints a file's SHA-256 in sha256sum's format, the file read through io_uring.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
)

// entries makes a ring that needs more memory than a 64 KiB RLIMIT_MEMLOCK leaves.
const entries = 1024

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ringsum FILE")
		os.Exit(2)
	}
	path := os.Args[1]
	sum, err := sumFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringsum:", err)
		os.Exit(1)
	}
	fmt.Printf("%x  %s\n", sum, path)
}

func sumFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()

	loop, err := liburing.NewLoop(entries)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	sum, err := sumThrough(ctx, loop, liburing.FD(file))
	if closeErr := loop.Close(ctx); err == nil {
		err = closeErr
	}
	return sum, err
}

// sumThrough reads fd from its start to its end, one read at a time: each read's callback queues the next.
// At the end, or after a failed read, none is queued and the loop is idle.
func sumThrough(ctx context.Context, loop *liburing.Loop, fd int) ([]byte, error) {
	hash := sha256.New()
	buf := make([]byte, 64<<10)
	var offset uint64
	var readErr error

	var onRead func(c liburing.Completion)
	onRead = func(c liburing.Completion) {
		n, err := c.Result()
		if err != nil || n == 0 {
			readErr = err
			return
		}
		hash.Write(buf[:n])
		offset += uint64(n)
		loop.Read(fd, buf, offset, onRead)
	}
	loop.Read(fd, buf, offset, onRead)

	if err := loop.RunUntilIdle(ctx); err != nil {
		return nil, err
	}
	return hash.Sum(nil), readErr
}
