package main

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing/ringio"
)

// goroutines has a goroutine for each read in flight. With an os.File Go's runtime has a
// thread for each of them too, with a ringio.File it has not.
type goroutines struct {
	*work
	file io.ReaderAt
	end  func() error
}

func openOS(w *work) (reader, error) {
	return goroutines{w, w.file, func() error { return nil }}, nil
}

func openRingio(w *work) (reader, error) {
	file, err := ringio.OpenFile(w.file.Name(), w.flags, 0)
	if err != nil {
		return nil, err
	}
	return goroutines{w, file, file.Close}, nil
}

func (g goroutines) readUntil(end time.Time) (uint64, error) {
	var all sync.WaitGroup
	var reads atomic.Uint64
	errs := make([]error, g.depth)
	for i, buf := range g.pool.Buffers() {
		all.Go(func() {
			n, err := g.readAlone(buf, random(i+1), end)
			reads.Add(n)
			errs[i] = err
		})
	}
	all.Wait()
	return reads.Load(), errors.Join(errs...)
}

// readAlone is what one goroutine does.
func (g goroutines) readAlone(buf []byte, rand random, end time.Time) (reads uint64, err error) {
	for {
		n, err := g.file.ReadAt(buf[:blockSize], int64(g.offset(&rand)))
		if err := checkRead(n, err); err != nil {
			return reads, err
		}
		reads++
		if reads%lookEvery == 0 && !time.Now().Before(end) {
			return reads, nil
		}
	}
}

func (g goroutines) close() error { return g.end() }
