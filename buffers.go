package liburing

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// rawIovec is struct iovec with its address as a number: the buffers' memory is
// handed to the kernel, not to C.
type rawIovec struct{ base, len uint64 }

// RegisterBuffers has the kernel map buffers once, for PrepReadFixed and
// PrepWriteFixed to name them by their place in the list
// (io_uring_register_buffers). The ring keeps them alive until
// UnregisterBuffers or Close; memory outside the Go heap (BufferPool) must
// outlive that itself.
//
// ENOMEM means the memlock limit, EBUSY that buffers are registered already,
// EFAULT that one is not ordinary memory. At most 16384 buffers (1024 before
// Linux 5.13) of at most 1 GiB each. Least kernel: 5.1.
func (r *Ring) RegisterBuffers(buffers [][]byte) error {
	const op = "io_uring_register_buffers"
	if r.mem == nil {
		return ErrClosed
	}
	iov := make([]rawIovec, len(buffers))
	for i, b := range buffers {
		if len(b) == 0 {
			return badInput(op, "buffer %d is empty", i)
		}
		iov[i] = rawIovec{base: data(b), len: uint64(len(b))}
	}
	if ret := cRegisterBuffers(r.mem, iov); ret < 0 {
		return explainMemlock(opError(op, ret))
	}
	r.buffers = append([][]byte(nil), buffers...)
	return nil
}

// UnregisterBuffers gives registered buffers up (io_uring_unregister_buffers).
// Requests in flight that use them keep them in the kernel until they complete.
// ENXIO if none are registered. Least kernel: 5.1.
func (r *Ring) UnregisterBuffers() error {
	if r.mem == nil {
		return ErrClosed
	}
	if ret := cUnregisterBuffers(r.mem); ret < 0 {
		return opError("io_uring_unregister_buffers", ret)
	}
	r.buffers = nil
	return nil
}

// RegisterFiles puts descriptors into the ring's own table; requests with
// SQEFixedFile name them by their place in it, which saves the kernel looking
// them up (io_uring_register_files). The kernel holds the files open until
// UnregisterFiles or Close; -1 leaves a place empty. Least kernel: 5.1.
func (r *Ring) RegisterFiles(fds []int) error {
	if r.mem == nil {
		return ErrClosed
	}
	list := make([]int32, len(fds))
	for i, fd := range fds {
		list[i] = int32(fd)
	}
	return opError("io_uring_register_files", cRegisterFiles(r.mem, list))
}

// UnregisterFiles gives the registered files up (io_uring_unregister_files).
// ENXIO if none are registered. Least kernel: 5.1.
func (r *Ring) UnregisterFiles() error {
	if r.mem == nil {
		return ErrClosed
	}
	return opError("io_uring_unregister_files", cUnregisterFiles(r.mem))
}

// BufferPool is a stock of buffers of one size in memory outside the Go heap,
// each beginning at a page: right for O_DIRECT and for RegisterBuffers, and out
// of the collector's way. It may be used by several goroutines.
type BufferPool struct {
	mem  []byte // the whole of it, a mapping
	size int    // of a buffer

	mu   sync.Mutex
	free []int32
	out  []bool // which buffers have been handed out
}

// Buffer is one buffer of a pool.
type Buffer struct {
	Bytes []byte
	Index int // in the pool, and in the ring that Buffers were registered with
}

// ErrBufferInUse is returned when a pool is closed with buffers still out.
var ErrBufferInUse = errors.New("liburing: buffers of the pool are in use")

// NewBufferPool maps memory for count buffers of at least size bytes, rounded
// up to whole pages.
func NewBufferPool(count, size int) (*BufferPool, error) {
	const op = "buffer pool"
	page := os.Getpagesize()
	if count <= 0 || size <= 0 || size > 1<<30 || count > (1<<40)/size {
		return nil, badInput(op, "count (%d) and size (%d) must be above zero, a buffer at most 1 GiB, the whole at most 1 TiB", count, size)
	}
	size = (size + page - 1) / page * page
	mem, err := mapMemory(count * size)
	if err != nil {
		return nil, &OpError{Op: op, Err: err, Hint: fmt.Sprintf("%d bytes could not be mapped", count*size)}
	}
	p := &BufferPool{mem: mem, size: size, out: make([]bool, count), free: make([]int32, count)}
	for i := range p.free {
		p.free[i] = int32(count - 1 - i)
	}
	return p, nil
}

// Buffers returns all buffers in the order of their index, for RegisterBuffers.
func (p *BufferPool) Buffers() [][]byte {
	all := make([][]byte, len(p.out))
	for i := range all {
		all[i] = p.bytes(i)
	}
	return all
}

func (p *BufferPool) bytes(i int) []byte {
	return p.mem[i*p.size : (i+1)*p.size : (i+1)*p.size]
}

// Get takes a buffer from the pool; ok is false when all are out, or the pool
// is closed. The bytes are what the last user left.
func (p *BufferPool) Get() (b Buffer, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 || p.mem == nil {
		return Buffer{}, false
	}
	i := int(p.free[last])
	p.free = p.free[:last]
	p.out[i] = true
	return Buffer{Bytes: p.bytes(i), Index: i}, true
}

// Put gives a buffer back. No request may use it any more. Giving back what is
// not out, or not of this pool, is an error and changes nothing.
func (p *BufferPool) Put(b Buffer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := b.Index
	mine := p.mem != nil && i >= 0 && i < len(p.out) && p.out[i] &&
		unsafe.SliceData(b.Bytes) == unsafe.SliceData(p.bytes(i))
	if !mine {
		return badInput("buffer pool", "buffer %d is not out of this pool: given back twice?", i)
	}
	p.out[i] = false
	p.free = append(p.free, int32(i))
	return nil
}

// Close unmaps the memory. While buffers are out it changes nothing and the
// error is ErrBufferInUse. Unregister the buffers, or close the ring, first. A
// second Close does nothing.
func (p *BufferPool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mem == nil {
		return nil
	}
	if n := len(p.out) - len(p.free); n > 0 {
		return fmt.Errorf("%w: %d", ErrBufferInUse, n)
	}
	mem := p.mem
	p.mem = nil
	return unmapMemory(mem)
}
