package main

import (
	"context"
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
)

// log keeps the commands that have changed something, one behind the other, so that
// to read it again is to carry them out again.
type log struct {
	server  *server
	file    *os.File
	size    int64
	next    []byte    // what the next commit takes
	asking  []*client // who waits for it
	busy    []byte    // what is on its way to the disk
	waiting []*client // who waits for that
	commit  bool      // one is on its way
}

// openLog carries out what a log has, and goes on with it. A command that was cut
// short, by a crash, was never confirmed: it is cut off.
func openLog(name string, s *server) (*log, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	l := &log{server: s, file: file, size: int64(len(text))}
	for replay := (&client{server: s}); err == nil && len(text) > 0; {
		args, rest, bad := parse(text)
		if bad != nil || args == nil {
			l.size -= int64(len(text))
			err = file.Truncate(l.size)
			break
		}
		replay.do(args)
		replay.answers.Reset()
		text = rest
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// append adds a command to the next commit.
func (l *log) append(command []byte) {
	l.next = append(l.next, command...)
	if !l.commit {
		l.commit = true
		l.server.loop.Nop(func(liburing.Completion) { l.write() }) // with what others say in this turn
	}
}

// tell has a client told of the next commit.
func (l *log) tell(c *client) { l.asking = append(l.asking, c) }

// write begins a commit.
func (l *log) write() {
	l.busy, l.next = l.next, l.busy[:0]
	l.waiting, l.asking = l.asking, l.waiting[:0]
	loop, fd := l.server.loop, liburing.FD(l.file)
	loop.WriteAll(context.Background(), fd, l.busy, uint64(l.size), func(n int, err error) {
		if err != nil {
			l.server.fail(fmt.Errorf("%s: %w", l.file.Name(), err))
			return
		}
		loop.Fsync(fd, liburing.FsyncDatasync, l.synced)
	})
}

// synced tells those who waited, and goes on with what has come meanwhile.
func (l *log) synced(c liburing.Completion) {
	if err := c.Err(); err != nil { // nothing more may be confirmed
		l.server.fail(fmt.Errorf("%s: %w", l.file.Name(), err))
		return
	}
	l.size += int64(len(l.busy))
	for _, client := range l.waiting {
		client.committed()
	}
	if l.commit = len(l.next) > 0; l.commit {
		l.write()
	}
}
