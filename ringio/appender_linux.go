//go:build linux

package ringio

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// durably returns how an Appender writes.
func (f *File) durably() durably {
	if f.disk == nil {
		return f.plainly
	}
	d := &durableWrite{disk: f.disk, file: f}
	d.hold = d.all
	return d.write
}

// durableWrite writes and syncs in one call (RWF_DSYNC), which is less than two and
// syncs no more than what it wrote. One is under way at a time.
type durableWrite struct {
	*disk
	file  *File
	bytes [1][]byte // what is left
	off   int64
	err   error
	hold  func(uintptr) // all, made once
}

func (d *durableWrite) write(b []byte, off int64) error {
	d.bytes[0], d.off, d.err = b, off, nil
	if d.conn.Control(d.hold) != nil {
		d.err = fs.ErrClosed
	}
	d.bytes[0] = nil
	switch d.err {
	case nil:
		return nil
	case unix.EOPNOTSUPP:
		return d.file.plainly(b, off)
	}
	return &fs.PathError{Op: "write", Path: d.name, Err: d.err}
}

func (d *durableWrite) all(fd uintptr) {
	for len(d.bytes[0]) != 0 && d.err == nil {
		var n int
		n, d.err = d.some(int(fd))
		if d.err == nil && n == 0 {
			d.err = io.ErrUnexpectedEOF
		}
		d.bytes[0] = d.bytes[0][max(n, 0):]
		d.off += int64(max(n, 0))
	}
}

// some writes by a plain call if nobody else wants anything, else by the ring.
func (d *durableWrite) some(fd int) (int, error) {
	defer d.engine.syncs.Add(-1)
	if d.engine.syncs.Add(1); !d.engine.syncsPlainly() {
		if n, err := d.byRing(fd); err != unix.ECANCELED && err != unix.EINTR {
			return n, err
		}
	}
	for {
		n, err := unix.Pwritev2(fd, d.bytes[:], d.off, unix.RWF_DSYNC)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (d *durableWrite) byRing(fd int) (int, error) {
	o := d.engine.acquire()
	defer d.engine.release(o)
	sqe := o.entry()
	sqe.PrepWrite(fd, d.bytes[0], uint64(d.off))
	sqe.OpFlags = unix.RWF_DSYNC
	if d.engine.submit(o) != nil {
		return 0, unix.ECANCELED
	}
	res, _ := d.engine.wait(o, nil)
	if res < 0 {
		return 0, unix.Errno(-res)
	}
	return int(res), nil
}
