package liburing

import (
	"fmt"
	"os"
	"sync"
	"unsafe"
)

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

// NewBufferPool maps memory for count buffers of at least size bytes, rounded
// up to whole pages.
func NewBufferPool(count, size int) (*BufferPool, error) {
	const op = "buffer pool"
	page := os.Getpagesize()
	if count <= 0 || size <= 0 || size > 1<<30 || int64(count) > (1<<40)/int64(size) {
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
