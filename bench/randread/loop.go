package main

import (
	"context"
	"errors"
	"time"

	"github.com/go-liburing/liburing"
)

const (
	setupFlags  = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupSubmitAll
	ringEntries = 128 // at least, as in C
)

// loopReader keeps depth reads in flight, each in a registered buffer of its
// own, of the file that is the registered one.
type loopReader struct {
	*work
	loop  *liburing.Loop
	slots []func() // each begins a read
	rand  random
	end   time.Time
	reads uint64
	over  bool
	err   error
}

func openLoop(w *work) (reader, error) {
	loop, err := liburing.NewLoop(max(w.depth, ringEntries), liburing.WithFlags(setupFlags))
	if err != nil {
		return nil, err
	}
	l := &loopReader{work: w, loop: loop, rand: 1}
	err = loop.Control(func(r *liburing.Ring) error {
		return errors.Join(r.RegisterFiles([]int{int(w.file.Fd())}), r.RegisterBuffers(w.pool.Buffers()))
	})
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	for i, buf := range w.pool.Buffers() {
		l.slots = append(l.slots, l.slot(i, buf))
	}
	return l, nil
}

// slot returns a function that begins a read into the buffer, which begins the
// next when it is done.
func (l *loopReader) slot(index int, buf []byte) func() {
	var done liburing.Callback
	begin := func() {
		l.loop.ReadFixed(0, buf, l.offset(&l.rand), index, done).FixedFile()
	}
	done = func(c liburing.Completion) {
		if c.Res != blockSize {
			l.err = errors.Join(l.err, checkRead(c.Result()))
			l.over = true
			return
		}
		l.reads++
		if l.reads%lookEvery == 0 && !time.Now().Before(l.end) {
			l.over = true
		}
		if !l.over {
			begin()
		}
	}
	return begin
}

func (l *loopReader) readUntil(end time.Time) (uint64, error) {
	l.end, l.reads, l.over = end, 0, false
	for _, begin := range l.slots {
		begin()
	}
	err := l.loop.RunUntilIdle(context.Background())
	return l.reads, errors.Join(err, l.err)
}

func (l *loopReader) close() error { return l.loop.Close(context.Background()) }
