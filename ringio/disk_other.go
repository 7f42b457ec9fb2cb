//go:build !linux

package ringio

import (
	"context"
	"io/fs"
	"os"
	"sync"
)

// disk is a file's way through a ring, which no file has here.
type disk struct {
	position sync.Mutex
	appends  bool
}

func newDisk(*Engine, *os.File) *disk { return nil }

func (*disk) read(context.Context, []byte) (n int, err error)                     { return }
func (*disk) readAt(context.Context, *os.File, []byte, int64) (n int, err error)  { return }
func (*disk) readVAt(context.Context, [][]byte, int64) (n int, err error)         { return }
func (*disk) write(context.Context, []byte) (n int, err error)                    { return }
func (*disk) writeAt(context.Context, *os.File, []byte, int64) (n int, err error) { return }
func (*disk) writeVAt(context.Context, [][]byte, int64) (n int, err error)        { return }
func (*disk) sync(context.Context, bool) error                                    { return nil }

// mayWait reports whether an open may wait for long.
func mayWait(name string, _ int) bool {
	info, err := os.Stat(name)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

func (e *Engine) openWaiting(ctx context.Context, name string, flag int, perm fs.FileMode) (*os.File, error) {
	return openInBackground(ctx, name, flag, perm)
}

func makeWait(*os.File) {} // os knows what it has opened

// openInBackground opens where an open that waits can't be ended: it is left behind,
// and closed when it comes.
func openInBackground(ctx context.Context, name string, flag int, perm fs.FileMode) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened)
	go func() {
		f, err := os.OpenFile(name, flag, perm)
		select {
		case done <- opened{f, err}:
		case <-ctx.Done():
			f.Close()
		}
	}()
	select {
	case o := <-done:
		return o.file, o.err
	case <-ctx.Done():
		return nil, &fs.PathError{Op: "open", Path: name, Err: ctx.Err()}
	}
}
