package ringio

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// limit is a direction's deadline on a file that has deadlines: a pipe, a FIFO. A
// context that ends sets it to the past until its call is back. That no other call ends
// by this, only one at a time is in os. os has the others wait, too; here they leave when
// their own contexts end.
type limit struct {
	mu    sync.Mutex
	at    time.Time     // as the user has set it
	ended bool          // the context of the call that is in os
	turn  chan struct{} // one place: for that call
	gone  chan struct{} // closed with the file
}

var longAgo = time.Unix(1, 0)

// SetDeadline sets both deadlines, as os.File does.
func (f *File) SetDeadline(t time.Time) error {
	if err := f.SetReadDeadline(t); err != nil {
		return err
	}
	return f.SetWriteDeadline(t)
}

// SetReadDeadline sets when reads end, as os.File does, on files that have deadlines,
// such as pipes.
func (f *File) SetReadDeadline(t time.Time) error {
	if f == nil {
		return f.std().SetReadDeadline(t)
	}
	return f.reads.set(f, t, &osRead)
}

// SetWriteDeadline sets when writes end, as os.File does, on files that have deadlines,
// such as pipes.
func (f *File) SetWriteDeadline(t time.Time) error {
	if f == nil {
		return f.std().SetWriteDeadline(t)
	}
	return f.writes.set(f, t, &osWrite)
}

// osCall is a call of one direction on an os.File, and the deadline that ends it.
type osCall struct {
	op   string
	set  func(*os.File, time.Time) error
	call func(*os.File, []byte) (int, error)
}

var (
	osRead  = osCall{"read", (*os.File).SetReadDeadline, (*os.File).Read}
	osWrite = osCall{"write", (*os.File).SetWriteDeadline, (*os.File).Write}
)

func (l *limit) set(f *File, t time.Time, d *osCall) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := t
	if l.ended {
		now = longAgo // until that call is back
	}
	err := d.set(f.osFile, now)
	if err == nil {
		l.at = t
	}
	return err
}

// passed reports whether the user's deadline is over.
func (l *limit) passed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.at.IsZero() && !time.Now().Before(l.at)
}

// take takes the turn. It fails if ctx ends, or the file is closed, before it comes.
func (l *limit) take(ctx context.Context) bool {
	turn, gone := l.queue()
	select {
	case turn <- struct{}{}:
		return true
	default:
	}
	select {
	case turn <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-gone:
	}
	return false
}

// queue returns turn and gone, which are made when they are needed first.
func (l *limit) queue() (turn, gone chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == nil {
		l.turn, l.gone = make(chan struct{}, 1), make(chan struct{})
	}
	return l.turn, l.gone
}

func (l *limit) leave() { <-l.turn }

// close lets go of those who wait for their turn. The file is closed: whoever comes later
// is not kept in os.
func (l *limit) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil {
		close(l.gone)
	}
}

// do calls a read or a write of the os.File and ends it when ctx ends.
func (l *limit) do(ctx context.Context, f *File, d *osCall, b []byte) (int, error) {
	if err := f.ended(ctx, d.op); err != nil {
		return 0, err
	}
	if !l.take(ctx) {
		if err := f.ended(ctx, d.op); err != nil {
			return 0, err
		}
		return d.call(f.osFile, b) // which says that the file is closed
	}
	defer l.leave()
	if ctx.Done() == nil || len(b) == 0 {
		return d.call(f.osFile, b)
	}
	if waits, pipe := blocks(f.osFile); waits {
		return f.callWhenReady(ctx, d, b, pipe)
	}
	defer l.watch(ctx, f, d)()
	n, err := d.call(f.osFile, b)
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil && !l.passed() {
		return n, f.ended(ctx, d.op)
	}
	return n, err
}

// callWhenReady is for descriptors that no deadline reaches. It waits for readiness
// before it calls, and writes to a pipe only what that takes without waiting.
func (f *File) callWhenReady(ctx context.Context, d *osCall, b []byte, pipe bool) (n int, err error) {
	write, piece := d == &osWrite, len(b)
	if write && pipe {
		piece = pipeAtomic()
	}
	for {
		if err := awaitReady(ctx, f.osFile, write); err != nil {
			return n, &fs.PathError{Op: d.op, Path: f.Name(), Err: err}
		}
		m, err := d.call(f.osFile, b[n:min(n+piece, len(b))])
		n += m
		if err != nil || n == len(b) || !write {
			return n, err
		}
	}
}

// watch has the deadline pass when ctx ends, until the function that it returns is
// called.
func (l *limit) watch(ctx context.Context, f *File, d *osCall) (done func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = true
		d.set(f.osFile, longAgo)
	})
	return func() {
		if stop() {
			return
		}
		<-over
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = false
		d.set(f.osFile, l.at)
	}
}
