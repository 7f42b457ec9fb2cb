package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const (
	depth     = 64 // buffers, a power of two
	blockSize = 64 << 10
	entries   = 2 * depth // no buffer has more than one request, and there is a bundle
	groupID   = 1
)

// digest reads size bytes of in, sends them to hash, and returns what that
// answers.
func digest(ring *liburing.Ring, in, hash int, size int64, bundled bool) (sum []byte, err error) {
	pool, err := liburing.NewBufferPool(depth, blockSize)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	d := digester{ring: ring, in: in, hash: hash, size: size, bufs: pool.Buffers()}
	if bundled {
		if d.group, err = ring.SetupBufRing(depth, groupID, 0); err != nil {
			return nil, err
		}
		defer d.group.Free()
	}
	if err := d.run(); err != nil {
		return nil, err
	}
	sum = make([]byte, 512) // no digest is longer
	ring.GetSQE().PrepRecv(hash, sum, 0)
	n, err := await(ring)
	if err != nil {
		return nil, fmt.Errorf("receive the digest: %w", err)
	}
	return sum[:n], nil
}

// digester has the state of one digest. Blocks are numbered from 0 on; block n
// lies in the buffer n modulo depth.
type digester struct {
	ring     *liburing.Ring
	group    *liburing.BufRing // nil if the sends are linked
	in, hash int
	size     int64
	bufs     [][]byte

	missing [depth]int // bytes of each buffer's block that are still to be read
	reads   int64      // blocks whose read has begun
	sends   int64      // blocks whose send has begun
	done    int64      // blocks that have been sent
	sending int        // send requests in flight
	unsent  int        // bytes of them

	inFlight int   // requests of either kind
	err      error // the first; nothing is begun after it
}

// run reads and sends until there is nothing left to do, or to wait for.
func (d *digester) run() error {
	for {
		if d.err == nil {
			d.queueReads()
			d.queueSends()
		}
		if d.inFlight == 0 {
			return d.err
		}
		if _, err := d.ring.SubmitAndWait(1); err != nil {
			return err
		}
		for cqe := range d.ring.CQEs() {
			d.completed(cqe)
		}
	}
}

// block returns the memory of block n, which is shorter at the end of the file.
func (d *digester) block(n int64) []byte {
	return d.bufs[n%depth][:min(blockSize, d.size-n*blockSize)]
}

// What a request's user data says beside a block's number.
const (
	isRead = iota
	isSend
	kinds
)

// queue queues a request, prepared, with the user data that completed looks at.
func (d *digester) queue(kind, n int64, prepare func(*liburing.SQE)) {
	sqe := d.ring.GetSQE()
	prepare(sqe)
	sqe.SetData64(uint64(n*kinds + kind))
	d.inFlight++
}

// queueReads begins a block for every free buffer.
func (d *digester) queueReads() {
	for d.reads*blockSize < d.size && d.reads < d.done+depth {
		d.missing[d.reads%depth] = len(d.block(d.reads))
		d.read(d.reads)
		d.reads++
	}
}

// read reads what is missing of block n.
func (d *digester) read(n int64) {
	buf := d.block(n)
	have := len(buf) - d.missing[n%depth]
	d.queue(isRead, n, func(sqe *liburing.SQE) {
		sqe.PrepRead(d.in, buf[have:], uint64(n*blockSize)+uint64(have))
	})
}

// queueSends sends the blocks that are next and have been read. It waits until
// those before them have been sent: a hash depends on the order.
func (d *digester) queueSends() {
	if d.sending > 0 {
		return
	}
	first := d.sends
	for d.sends < d.reads && d.missing[d.sends%depth] == 0 {
		d.unsent += len(d.block(d.sends))
		d.sends++
	}
	switch {
	case first == d.sends:
	case d.group != nil:
		d.sendBundle(first)
	default:
		d.sendLinked(first)
	}
}

// sendFlags: more is to come, and a part is not enough.
const sendFlags = unix.MSG_MORE | unix.MSG_WAITALL

// sendBundle sends the blocks from first on by one request.
func (d *digester) sendBundle(first int64) {
	for n := first; n < d.sends; n++ {
		if err := d.group.Add(d.block(n), uint16(n%depth), int(n-first)); err != nil {
			d.err = err
			return
		}
	}
	d.group.Advance(int(d.sends - first))
	d.queue(isSend, first, func(sqe *liburing.SQE) {
		sqe.PrepSendBundle(d.hash, 0, sendFlags)
		sqe.SetFlags(liburing.SQEBufferSelect)
		sqe.SetBufGroup(groupID)
	})
	d.sending = 1
}

// sendLinked sends each block from first on by a request that waits for the one
// before it.
func (d *digester) sendLinked(first int64) {
	for n := first; n < d.sends; n++ {
		d.queue(isSend, n, func(sqe *liburing.SQE) {
			sqe.PrepSend(d.hash, d.block(n), sendFlags)
			if n < d.sends-1 {
				sqe.SetFlags(liburing.SQEIOLink)
			}
		})
		d.sending++
	}
}

func (d *digester) completed(cqe *liburing.CQE) {
	last := cqe.Flags&liburing.CQEFMore == 0 // a bundle may be sent in parts
	if last {
		d.inFlight--
	}
	var err error
	if cqe.UserData%kinds == isRead {
		err = d.completedRead(int64(cqe.UserData/kinds), cqe)
	} else {
		err = d.completedSend(cqe, last)
	}
	if d.err == nil {
		d.err = err
	}
}

func (d *digester) completedRead(n int64, cqe *liburing.CQE) error {
	if err := cqe.Err(); err != nil {
		return fmt.Errorf("read at %d: %w", n*blockSize, err)
	}
	if cqe.Res == 0 {
		return fmt.Errorf("the file became shorter while it was read: %w", io.ErrUnexpectedEOF)
	}
	d.missing[n%depth] -= int(cqe.Res)
	if d.missing[n%depth] > 0 && d.err == nil {
		d.read(n)
	}
	return nil
}

func (d *digester) completedSend(cqe *liburing.CQE, last bool) error {
	if last {
		d.sending--
	}
	err := cqe.Err()
	if err == nil {
		d.unsent -= int(cqe.Res)
	}
	switch {
	case errors.Is(err, syscall.ECANCELED): // the send before it has failed, or was short
		err = nil
	case err != nil:
		return fmt.Errorf("send to the hash: %w", err)
	}
	if d.sending > 0 {
		return nil
	}
	if d.unsent > 0 {
		return fmt.Errorf("send to the hash: %w", io.ErrShortWrite)
	}
	d.done = d.sends
	return nil
}
