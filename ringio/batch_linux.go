//go:build linux

package ringio

import (
	"context"
	"runtime/trace"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// batch is a ReadBatch under way. They are used again.
type batch struct {
	ctx   context.Context
	reads []ReadRequest
	first int              // where the part begins that is under way
	next  int              // what is to be submitted next
	held  map[*File]int    // the descriptors that are held
	flown []batchRead      // what the ring has been asked for
	hold  func(fd uintptr) // its method of this name, made once
}

// mostHeld is of how many files descriptors are held at a time. Each takes about 300 bytes of stack.
const mostHeld = 256

// batchRead is a read that the ring has.
type batchRead struct {
	o     *op
	r     *ReadRequest
	began time.Time
}

var batches = sync.Pool{New: func() any {
	b := &batch{held: make(map[*File]int)}
	b.hold = b.holdNext
	return b
}}

func readBatch(ctx context.Context, reads []ReadRequest) {
	if trace.IsEnabled() {
		defer trace.StartRegion(ctx, kindRegions[kindRead]).End()
	}
	b := batches.Get().(*batch)
	b.ctx, b.reads, b.next = ctx, reads, 0
	for b.next < len(reads) {
		b.first = b.next
		b.run()
		clear(b.held)
		clear(b.flown)
		b.flown = b.flown[:0]
	}
	b.ctx, b.reads = nil, nil
	batches.Put(b)
}

// run submits, and holds the descriptors, file after file, within each other's calls. When all
// are held, or as many as may be, it lets the ring begin and waits.
func (b *batch) run() {
	for ; b.next < len(b.reads); b.next++ {
		r := &b.reads[b.next]
		r.N, r.Err = 0, nil
		if !r.File.viaDisk(r.Buf, r.Off) || b.ctx.Err() != nil {
			r.readOne(b.ctx)
		} else if fd, ok := b.held[r.File]; ok {
			b.submit(fd, r)
		} else if len(b.held) == mostHeld {
			break
		} else if r.File.disk.conn.Control(b.hold) == nil {
			return // holdNext has gone on with the rest
		} else {
			r.readOne(b.ctx) // which says that it is closed
		}
	}
	b.finish()
}

// holdNext goes on while the next read's descriptor is held.
func (b *batch) holdNext(fd uintptr) {
	b.held[b.reads[b.next].File] = int(fd)
	b.run()
}

// submit reads what is in the page cache and stages the read of what is not.
func (b *batch) submit(fd int, r *ReadRequest) {
	d := r.File.disk
	began := d.watch.begin()
	if d.reading.Load() == fromCache {
		n, err := unix.Preadv2(fd, [][]byte{r.Buf}, r.Off, unix.RWF_NOWAIT)
		if err == nil && n > 0 {
			r.N = n
		} else if err == unix.EOPNOTSUPP {
			d.reading.Store(plain)
		}
	}
	if d.reading.Load() == plain && b.ctx.Done() == nil && d.seemsCached() {
		d.readTimed(fd, r)
		r.told(began)
		return // finish reads the rest
	}
	if r.N == len(r.Buf) {
		r.told(began)
		return
	}
	o := d.engine.acquire()
	d.engine.fixed.prepRead(o.entry(), fd, r.Buf[r.N:], uint64(r.Off)+uint64(r.N))
	o.brief = d.readsBriefly(len(r.Buf))
	o.forContext()
	if d.engine.stage(o) != nil {
		d.engine.release(o)
		return // finish reads the rest
	}
	b.flown = append(b.flown, batchRead{o, r, began})
}

// seemsCached reports whether to read by a plain call from a file system that can't be asked
// for what is in the page cache: where the last of these calls were quick. One in a few is
// tried all the same.
func (d *disk) seemsCached() bool { return d.score.Load() >= 0 || oneOf(hope) }

// readTimed is a plain read that notes whether it was quick.
func (d *disk) readTimed(fd int, r *ReadRequest) {
	began := time.Now()
	n, err := unix.Pread(fd, r.Buf, r.Off)
	if err == nil {
		r.N = n
	}
	if time.Since(began) <= quickRead+time.Duration(len(r.Buf)) {
		d.hit()
	} else {
		d.miss()
	}
}

// quickRead is how long a read from the page cache takes at most, beside a nanosecond for
// each byte.
const quickRead = 20 * time.Microsecond

// finish waits for all of the part, and reads by itself what is missing of each.
func (b *batch) finish() {
	for i := range b.flown {
		if i == 0 || b.flown[i].o.engine != b.flown[i-1].o.engine {
			b.flown[i].o.engine.kick()
		}
	}
	for _, f := range b.flown {
		e := f.o.engine
		res := e.waitContext(b.ctx, f.o)
		e.release(f.o)
		f.r.took(res)
		f.r.told(f.began)
	}
	for i := b.first; i < b.next; i++ {
		b.reads[i].finish(b.ctx)
	}
}

// took notes the result of the ring's read.
func (r *ReadRequest) took(res int32) {
	if res > 0 {
		r.N += int(res)
	}
}

// told has the watch know how long a read took that finish does not read the rest of.
func (r *ReadRequest) told(began time.Time) {
	if r.N == len(r.Buf) {
		r.File.disk.watch.end(kindRead, began)
	}
}

// finish reads what is missing, as ReadAt does, and finds the end of the file or what
// is wrong.
func (r *ReadRequest) finish(ctx context.Context) {
	if r.Err != nil || r.N == len(r.Buf) {
		return
	}
	n, err := r.File.ReadAtContext(ctx, r.Buf[r.N:], r.Off+int64(r.N))
	r.N, r.Err = r.N+n, err
}
