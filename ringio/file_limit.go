package ringio

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"
)

// limit is a direction's deadline on a file that has deadlines: a pipe, a FIFO. A
// context that ends sets it to the past for a moment, and others that wait under it try
// again.
type limit struct {
	mu sync.Mutex
	at time.Time // as the user has set it
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
	return f.reads.set(f, t, (*os.File).SetReadDeadline)
}

// SetWriteDeadline sets when writes end, as os.File does, on files that have deadlines,
// such as pipes.
func (f *File) SetWriteDeadline(t time.Time) error {
	if f == nil {
		return f.std().SetWriteDeadline(t)
	}
	return f.writes.set(f, t, (*os.File).SetWriteDeadline)
}

type setDeadline func(*os.File, time.Time) error

func (l *limit) set(f *File, t time.Time, set setDeadline) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := set(f.osFile, t)
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

// do calls a read or a write of the os.File and ends it when ctx ends.
func (l *limit) do(ctx context.Context, f *File, op string, set setDeadline, call func() (int, error)) (n int, err error) {
	if err := f.ended(ctx, op); err != nil {
		return 0, err
	}
	if ctx.Done() != nil {
		defer l.watch(ctx, f, set)()
	}
	for {
		m, err := call()
		n += m
		if !errors.Is(err, os.ErrDeadlineExceeded) || l.passed() {
			return n, err
		}
		if ctx.Err() != nil {
			return n, &fs.PathError{Op: op, Path: f.Name(), Err: ctx.Err()}
		}
		if m != 0 {
			return n, err // of a write, which would begin anew
		}
		runtime.Gosched() // another's context has ended
	}
}

// watch has the deadline pass when ctx ends, until the function that it returns is
// called.
func (l *limit) watch(ctx context.Context, f *File, set setDeadline) (done func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		l.mu.Lock()
		defer l.mu.Unlock()
		set(f.osFile, longAgo)
	})
	return func() {
		if stop() {
			return
		}
		<-over
		l.mu.Lock()
		defer l.mu.Unlock()
		set(f.osFile, l.at)
	}
}
