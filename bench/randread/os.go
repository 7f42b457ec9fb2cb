package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// osReader has a goroutine for each read in flight, and Go's runtime a thread.
type osReader struct{ *work }

func openOS(w *work) (reader, error) { return osReader{w}, nil }

func (o osReader) readUntil(end time.Time) (uint64, error) {
	var all sync.WaitGroup
	var reads atomic.Uint64
	errs := make([]error, o.depth)
	for i, buf := range o.pool.Buffers() {
		all.Go(func() {
			n, err := o.readAlone(buf, random(i+1), end)
			reads.Add(n)
			errs[i] = err
		})
	}
	all.Wait()
	return reads.Load(), errors.Join(errs...)
}

// readAlone is what one goroutine does.
func (o osReader) readAlone(buf []byte, rand random, end time.Time) (reads uint64, err error) {
	for {
		n, err := o.file.ReadAt(buf[:blockSize], int64(o.offset(&rand)))
		if err := checkRead(n, err); err != nil {
			return reads, err
		}
		reads++
		if reads%lookEvery == 0 && !time.Now().Before(end) {
			return reads, nil
		}
	}
}

func (o osReader) close() error { return nil }
