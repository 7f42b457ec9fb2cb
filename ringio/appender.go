package ringio

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
)

// Appender appends to a file for many goroutines at a time, durably: what they append
// while the disk is busy goes together, with one write and one sync for all of it
// (group commit).
//
//	log, err := ringio.NewAppender(file)
//	off, err := log.Append(record) // from any goroutine; it is on the disk now
//
// Nothing else may write to the file's end meanwhile; it may be read. An Appender needs
// no Close: that of the file ends it, and an Append that comes later fails with
// os.ErrClosed. After a crash the file's end may have a part of what no Append had
// returned of yet, so let a record tell whether it is whole.
type Appender struct {
	file    *File
	durably durably

	mu      sync.Mutex
	room    sync.Cond // a group that was full has gone
	filling *group    // what is being filled
	spare   *group
	tail    int64 // where the group that is being filled begins
	busy    bool  // a group is being written
	err     error // what no group after it can undo
}

// group is what goes to the disk together.
type group struct {
	bytes []byte
	done  sync.Cond // written, or somebody is wanted to write it
	round uint64    // counts how often it was written
	err   error     // of the last time
}

// maxGroup is how many bytes a group takes before it is full.
const maxGroup = 1 << 20

// durably writes b at the file's end and has the disk keep it.
type durably func(b []byte, off int64) error

var errAppenderFile = errors.New("ringio: an Appender needs an open file")

// NewAppender returns an Appender for a file that is open for writing. It begins at
// the file's end. What can't be appended to (a folder, a pipe, a file that is open for
// reading only) is refused by the first Append.
func NewAppender(f *File) (*Appender, error) {
	if f == nil {
		return nil, errAppenderFile
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a := &Appender{file: f, tail: info.Size(), durably: f.durably()}
	a.filling, a.spare = a.newGroup(), a.newGroup()
	a.room.L = &a.mu
	return a, nil
}

func (a *Appender) newGroup() *group { return &group{done: sync.Cond{L: &a.mu}} }

// Append appends b and returns where it begins in the file, once it is on the disk. It
// does not keep b. After an Append has failed all fail with the same error, because what
// is at the file's end is then unknown.
func (a *Appender) Append(b []byte) (off int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.filling.bytes) >= maxGroup && a.err == nil {
		a.room.Wait()
	}
	if a.err != nil {
		return 0, a.err
	}
	g := a.filling
	round := g.round
	off = a.tail + int64(len(g.bytes))
	g.bytes = append(g.bytes, b...)
	for g.round == round {
		if a.busy {
			g.done.Wait()
		} else {
			a.write(g)
		}
	}
	return off, g.errOf(round)
}

// errOf returns the error of a round. A group that fails is not used again.
func (g *group) errOf(round uint64) error {
	if g.round == round+1 {
		return g.err
	}
	return nil
}

// write writes the group that is being filled, for all who are in it. Those whom the
// one before has woken are let in first: it is they who are about to append.
func (a *Appender) write(g *group) {
	a.busy = true
	for before := 0; before != len(g.bytes) && len(g.bytes) < maxGroup; {
		before = len(g.bytes)
		a.mu.Unlock()
		runtime.Gosched()
		a.mu.Lock()
	}
	off := a.tail
	a.tail += int64(len(g.bytes))
	a.filling, a.spare = a.spare, nil
	a.mu.Unlock()
	s := a.file.engine.watch.start(context.Background(), kindWrite)
	err := a.durably(g.bytes, off)
	s.end()
	a.mu.Lock()
	a.end(g, err)
}

// end tells those in a group that it is written.
func (a *Appender) end(g *group, err error) {
	a.busy = false
	g.round++
	g.err = err
	g.bytes = g.bytes[:0]
	if cap(g.bytes) > 2*maxGroup {
		g.bytes = nil
	}
	next := a.filling
	if err != nil {
		a.err = err
		a.fail(next)
		a.spare = a.newGroup()
	} else {
		a.spare = g
	}
	g.done.Broadcast()
	next.done.Signal() // to write it, if anybody is in it
	a.room.Broadcast()
}

// fail tells those in a group that it can't be written any more.
func (a *Appender) fail(g *group) {
	g.round++
	g.err = a.err
	g.bytes = g.bytes[:0]
	g.done.Broadcast()
}

// plainly is durably by os.File alone.
func (f *File) plainly(b []byte, off int64) error {
	write := func() (int, error) { return f.std().WriteAt(b, off) }
	if _, err := f.std().WriteAt(nil, 0); err != nil { // opened with O_APPEND
		write = func() (int, error) { return f.std().Write(b) }
	}
	n, err := write()
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	return f.std().Sync()
}
