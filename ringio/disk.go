//go:build linux

package ringio

import (
	"context"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// disk is the way of a regular file or a block device through a ring.
type disk struct {
	engine  *engine
	watch   *watch
	conn    syscall.RawConn // keeps the descriptor while it is used
	name    string
	reading atomic.Uint32 // a way
	score   atomic.Int32  // of the page cache, see hit and miss
	slow    bool          // writes wait for the disk
	appends bool          // writes go to the end

	position sync.Mutex // whoever moves the file's position, see moveAtPosition
	number   uint64     // of the disk, for the order in which two positions are locked
	syncs    [2]sharing // of all and of the data
}

// The ways of reading. Which is right the first read tells.
const (
	fromCache uint32 = iota // ask the page cache, and the ring if it has not all
	straight                // O_DIRECT: there is no cache
	plain                   // the file system can't be asked
)

var disks atomic.Uint64

// newDisk returns the way of f through one of the engine's rings, nil if f goes without.
func newDisk(e *Engine, f *os.File) *disk {
	ring := e.pick()
	if ring == nil {
		return nil
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	d := &disk{engine: ring, watch: &e.watch, conn: conn, name: f.Name(), number: disks.Add(1)}
	itIs := false
	conn.Control(func(fd uintptr) { itIs = d.look(int(fd)) })
	if !itIs {
		return nil
	}
	return d
}

// look finds out what the file is, and reports whether the ring is for it.
func (d *disk) look(fd int) bool {
	var stat unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || unix.Fstat(fd, &stat) != nil {
		return false
	}
	d.appends = flags&unix.O_APPEND != 0
	d.slow = flags&(unix.O_DIRECT|unix.O_DSYNC) != 0 // which is a part of O_SYNC
	if flags&unix.O_DIRECT != 0 {
		d.reading.Store(straight)
		// It would not be aligned: nothing is read.
		if _, err := unix.Preadv2(fd, [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT); err == unix.EOPNOTSUPP {
			d.reading.Store(plain)
		}
	}
	kind := stat.Mode & unix.S_IFMT
	return kind == unix.S_IFREG || kind == unix.S_IFBLK
}

// The page cache is asked as long as the answers differ. Where it has had all for long,
// reads are plain calls, which cost less, and where it has had nothing the ring's; one
// in a few asks all the same.
const (
	trusted  = 256 // hits in a row
	hopeless = -32
	doubt    = 128 // one of so many reads asks where the page cache is trusted
	hope     = 16  // and of so many where it is hopeless
)

func (d *disk) hit() {
	if score := d.score.Load(); score < trusted {
		d.score.Store(max(score, 0) + 1)
	}
}

func (d *disk) miss() {
	if score := d.score.Load(); score > hopeless {
		d.score.Store(min(score, 1) - 1)
	}
}

// oneOf is true once in n times.
func oneOf(n uint32) bool { return rand.Uint32()%n == 0 }

// readsPlainly reports whether a read is os.File's to do.
func (d *disk) readsPlainly(ctx context.Context) bool {
	return ctx.Done() == nil && !d.watch.watches() && (d.reading.Load() == plain || d.trustsCache())
}

// trustsCache reports whether to take for granted that the page cache has what is read.
// Where that is wrong the read keeps a thread while it waits, so only so many may at a
// time. They are more than there are processors: threads that the kernel has put aside in
// the middle of a read count, too.
func (d *disk) trustsCache() bool {
	return d.score.Load() >= trusted && d.engine.plainReads.Load() < d.engine.threads && !oneOf(doubt)
}

func (d *disk) read(ctx context.Context, b []byte) (int, error) {
	t := newTransfer(d, ctx, toRead, -1)
	t.plainly = d.readsPlainly(ctx)
	t.take(b)
	return t.do()
}

func (d *disk) readAt(ctx context.Context, f *os.File, b []byte, off int64) (int, error) {
	if d.readsPlainly(ctx) {
		d.engine.plainReads.Add(1)
		n, err := f.ReadAt(b, off)
		d.engine.plainReads.Add(-1)
		return n, err
	}
	t := newTransfer(d, ctx, toRead, off)
	t.take(b)
	return t.do()
}

func (d *disk) readVAt(ctx context.Context, bufs [][]byte, off int64) (int, error) {
	t := newTransfer(d, ctx, toRead, off)
	t.take(bufs...)
	return t.do()
}

// writesPlainly reports whether a write is os.File's to do.
func (d *disk) writesPlainly(ctx context.Context) bool {
	return !d.slow && ctx.Done() == nil && !d.watch.watches()
}

func (d *disk) write(ctx context.Context, b []byte) (int, error) {
	t := newTransfer(d, ctx, toWrite, -1)
	t.take(b)
	return t.do()
}

func (d *disk) writeAt(ctx context.Context, f *os.File, b []byte, off int64) (int, error) {
	if d.writesPlainly(ctx) {
		return f.WriteAt(b, off)
	}
	t := newTransfer(d, ctx, toWrite, off)
	t.take(b)
	return t.do()
}

func (d *disk) writeVAt(ctx context.Context, bufs [][]byte, off int64) (int, error) {
	t := newTransfer(d, ctx, toWrite, off)
	t.take(bufs...)
	return t.do()
}

// direction is what a transfer does.
type direction struct {
	op      string // in errors
	region  string // in traces
	kind    kind
	writes  bool
	nothing error // what it means that no byte went
	// The plain calls: of several buffers, of one, and of one at the position, which the kernel
	// has the least to do for.
	vector func(fd int, bufs [][]byte, off int64, flags int) (int, error)
	at     func(fd int, b []byte, off int64) (int, error)
	here   func(fd int, b []byte) (int, error)
}

var (
	toRead = &direction{op: "read", region: "ringio.read", kind: kindRead, nothing: io.EOF,
		vector: unix.Preadv2, at: unix.Pread, here: unix.Read}
	toWrite = &direction{op: "write", region: "ringio.write", kind: kindWrite, writes: true, nothing: io.ErrUnexpectedEOF,
		vector: unix.Pwritev2, at: unix.Pwrite, here: unix.Write}
)

// transfer is one call of a read or a write. They are used again, so that none is
// allocated.
type transfer struct {
	*disk
	*direction
	ctx  context.Context
	room [][]byte // all buffers
	bufs [][]byte // what is left of them
	off  int64    // below zero: at the position
	n    int
	err  error
	iovs []liburing.Iovec
	moves

	plainly bool // it is a read that is trusted to the page cache, or can't be asked
	cached  bool // what came last is what the page cache had: there may be more
}

// moves are what a transfer does with the descriptor, made once.
type moves struct {
	all        func(fd uintptr)
	atPosition func(fd uintptr) bool
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.moves = moves{t.move, t.moveAtPosition}
	return t
}}

func newTransfer(d *disk, ctx context.Context, way *direction, off int64) *transfer {
	t := transfers.Get().(*transfer)
	t.disk, t.direction, t.ctx, t.off = d, way, ctx, off
	return t
}

// take has the transfer move these buffers.
func (t *transfer) take(bufs ...[]byte) {
	t.room = append(t.room, bufs...)
	t.bufs = t.room
}

// do carries the transfer out while the descriptor is held, and gives t back.
func (t *transfer) do() (n int, err error) {
	if trace.IsEnabled() {
		defer trace.StartRegion(t.ctx, t.region).End()
	}
	began := t.watch.begin()
	if t.ctx.Err() != nil {
		t.err = t.ctx.Err()
	} else if t.hold() != nil {
		t.err = fs.ErrClosed
	}
	t.watch.end(t.kind, began)
	if n, err = t.n, t.err; err != nil && err != io.EOF {
		err = &fs.PathError{Op: t.op, Path: t.name, Err: err}
	}
	clear(t.room)
	clear(t.iovs)
	*t = transfer{room: t.room[:0], iovs: t.iovs[:0], moves: t.moves}
	transfers.Put(t)
	return n, err
}

// hold has the transfer move its bytes while the descriptor is held.
func (t *transfer) hold() error {
	switch {
	case t.off >= 0:
		return t.conn.Control(t.all)
	case t.writes:
		return t.conn.Write(t.atPosition)
	default:
		return t.conn.Read(t.atPosition)
	}
}

// moveAtPosition is move while nobody else moves the position. os.File has a lock for
// whoever reads and one for whoever writes, and net holds the first while it sends a file.
// That is taken first: who sends to a slow peer must not keep others from a Seek. But it
// does not keep readers from writers, which in os the kernel does; for that there is
// disk.position.
func (t *transfer) moveAtPosition(fd uintptr) bool {
	t.position.Lock()
	defer t.position.Unlock()
	t.move(fd)
	return true
}

// move moves all bytes, or, of a read at the position, what one call of read(2) would.
func (t *transfer) move(fd uintptr) {
	once := t.off < 0 && !t.writes
	for t.skipEmpty(); len(t.bufs) != 0; t.skipEmpty() {
		t.cached = false
		n, err := t.some(int(fd))
		if err == nil && n == 0 {
			err = t.nothing
		}
		if err != nil {
			if !once || t.n == 0 {
				t.err = err
			}
			return
		}
		t.advance(n)
		if once && !t.cached {
			return
		}
	}
}

// advance has the transfer go on behind n bytes.
func (t *transfer) advance(n int) {
	t.n += n
	if t.off >= 0 {
		t.off += int64(n)
	}
	for n > 0 {
		part := min(n, len(t.bufs[0]))
		t.bufs[0] = t.bufs[0][part:]
		n -= part
		if len(t.bufs[0]) == 0 {
			t.bufs = t.bufs[1:]
		}
	}
}

func (t *transfer) skipEmpty() {
	for len(t.bufs) != 0 && len(t.bufs[0]) == 0 {
		t.bufs = t.bufs[1:]
	}
}

// some moves some bytes in the way that is best.
func (t *transfer) some(fd int) (n int, err error) {
	if t.writes {
		if t.slow {
			return t.wait(fd)
		}
		return t.call(fd, 0)
	}
	if t.plainly {
		t.engine.plainReads.Add(1)
		defer t.engine.plainReads.Add(-1)
		return t.call(fd, 0)
	}
	switch t.reading.Load() {
	case fromCache:
		if t.score.Load() <= hopeless && !oneOf(hope) {
			return t.wait(fd)
		}
		n, err = t.call(fd, unix.RWF_NOWAIT)
		switch err {
		case unix.EAGAIN: // the disk has been asked to read ahead
			t.miss()
			return t.wait(fd)
		case unix.EOPNOTSUPP:
			t.reading.Store(plain)
		default:
			if n == 0 && err == nil {
				return t.call(fd, 0) // Linux 5.9 and 5.10 say 0 elsewhere than at the end, too
			}
			t.hit()
			t.cached = true
			return n, err
		}
	case straight:
		return t.wait(fd)
	}
	if t.ctx.Done() != nil {
		return t.wait(fd) // a network's file system may take for ever
	}
	return t.call(fd, 0)
}

// call is a plain system call.
func (t *transfer) call(fd int, flags int) (n int, err error) {
	for {
		switch {
		case flags != 0 || len(t.bufs) != 1:
			n, err = t.vector(fd, t.bufs[:min(len(t.bufs), maxVector)], t.off, flags)
		case t.off < 0:
			n, err = t.here(fd, t.bufs[0])
		default:
			n, err = t.at(fd, t.bufs[0], t.off)
		}
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// maxVector is the most buffers of one system call (UIO_MAXIOV).
const maxVector = 1024

// wait moves bytes that have to be waited for: by the ring, or by a plain call if it is
// the only one that waits and can't be cancelled.
func (t *transfer) wait(fd int) (n int, err error) {
	if t.ctx.Done() == nil {
		defer t.engine.waiters.Add(-1)
		if t.engine.waiters.Add(1) == 1 && (!t.writes || t.engine.mayBlock()) {
			t.engine.yield.Look()
			return t.call(fd, 0)
		}
	}
	if t.off >= 0 {
		return t.byRing(fd, t.off)
	}
	off, err := unix.Seek(fd, 0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	n, err = t.byRing(fd, off)
	if n > 0 {
		if t.writes && t.appends {
			unix.Seek(fd, 0, io.SeekEnd)
		} else {
			unix.Seek(fd, off+int64(n), io.SeekStart)
		}
	}
	return n, err
}

// byRing moves bytes by the ring, if it is there.
func (t *transfer) byRing(fd int, off int64) (int, error) {
	o := t.engine.acquire()
	defer t.engine.release(o)
	t.prepare(o.entry(), fd, off)
	o.brief = !t.writes && len(t.bufs) == 1 && t.readsBriefly(len(t.bufs[0]))
	o.forContext()
	if t.engine.submit(o) != nil {
		return t.call(fd, 0)
	}
	res := t.engine.waitContext(t.ctx, o)
	if res >= 0 {
		return int(res), nil
	}
	switch err := unix.Errno(-res); {
	case err != unix.ECANCELED && err != unix.EINTR && err != unix.EAGAIN && err != errNoThread:
		return 0, err
	case t.ctx.Err() != nil:
		return 0, t.ctx.Err()
	default: // the engine is shut down, the kernel short of memory, or threads end all the time
		return t.call(fd, 0)
	}
}

// prepare fills the request. The transfer is on the heap, and so is what it names.
func (t *transfer) prepare(sqe *liburing.SQE, fd int, off int64) {
	if len(t.bufs) == 1 {
		if t.writes {
			t.engine.fixed.prepWrite(sqe, fd, t.bufs[0], uint64(off))
		} else {
			t.engine.fixed.prepRead(sqe, fd, t.bufs[0], uint64(off))
		}
		return
	}
	t.iovs = t.iovs[:0]
	for _, b := range t.bufs[:min(len(t.bufs), maxVector)] {
		if len(b) != 0 {
			iov := liburing.Iovec{Base: &b[0]}
			iov.SetLen(len(b))
			t.iovs = append(t.iovs, iov)
		}
	}
	if t.writes {
		sqe.PrepWritev(fd, t.iovs, uint64(off))
	} else {
		sqe.PrepReadv(fd, t.iovs, uint64(off))
	}
}
