package liburing

import (
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
)

// BufferPool is a stock of buffers of one size in memory outside the Go heap, each
// beginning at a page boundary: suitable for O_DIRECT and for RegisterBuffers, and out
// of the collector's way. Several goroutines may use it.
type BufferPool struct {
	mem  []byte // the whole of it, a mapping
	size int    // of a buffer

	mu   sync.Mutex
	free []int32
	out  []bool // which buffers have been handed out
}

// Buffer is a buffer of a pool.
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

// Get takes a buffer from the pool; ok is false if all are out, or the pool is closed.
// The bytes are those that the last user left.
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

// Put gives a buffer back. No request may use it any more. Giving back a buffer that is
// not out, or not of this pool, is an error and does nothing.
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

// Close unmaps the memory. While buffers are out it does nothing and returns
// ErrBufferInUse. Unregister the buffers, or close the ring, first. A second Close does
// nothing.
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

// BufReg asks for a ring of provided buffers, struct io_uring_buf_reg.
type BufReg struct {
	ringAddr    uint64
	RingEntries uint32 // a power of two, at most 32768
	Bgid        uint16 // the group
	Flags       BufRingFlags
	MinLeft     uint32 // with PbufRingInc: a buffer with fewer bytes left is used up
	_           [5]uint32
}

// BufRing is a ring of buffers from which the kernel takes one when a request with
// SQEBufferSelect has data, struct io_uring_buf_ring. Its own memory is outside the Go
// heap. The buffers' memory is the caller's: the BufRing keeps it alive, and what is
// outside the Go heap must stay mapped, until its number is added again or the BufRing
// is freed.
type BufRing struct {
	ring    *Ring
	mem     *abi.BufRing
	entries int
	bgid    uint16
	keep    []*byte // the buffers' memory, by their IDs
	mapped  []byte  // the memory, if the kernel made it
}

// SetupBufRing makes a ring for provided buffers, with a power of two of entries up to
// 32768, for the group bgid, and registers it (io_uring_setup_buf_ring). Flags may be
// PbufRingInc, for buffers that are used up bit by bit (needs Linux 6.12). EEXIST if
// the group exists, EINVAL for another number of entries. Needs Linux 5.19.
func (r *Ring) SetupBufRing(entries int, bgid uint16, flags BufRingFlags) (*BufRing, error) {
	const op = "io_uring_setup_buf_ring"
	if flags&PbufRingMmap != 0 {
		return nil, r.badInput(op, "with memory that the kernel makes (PbufRingMmap), call MapBufRing")
	}
	if err := r.checkBufRing(op, entries); err != nil {
		return nil, err
	}
	var mem *abi.BufRing
	err := r.call(op, func(m *ringMem) (ret int32) {
		mem, ret = cSetupBufRing(m, uint32(entries), int(bgid), uint32(flags))
		return ret
	})
	if err != nil {
		return nil, explainMemlock(err)
	}
	return &BufRing{ring: r, mem: mem, entries: entries, bgid: bgid}, nil
}

// Free takes the group back from the kernel and frees the ring's memory
// (io_uring_free_buf_ring). A second call does nothing. The Ring's Close ends the
// group; after that only the memory is left to free.
func (b *BufRing) Free() error {
	if b.mem == nil {
		return nil
	}
	switch {
	case b.ring.mem == nil:
		b.unmap()
	case b.mapped != nil:
		if err := b.ring.UnregisterBufRing(b.bgid); err != nil {
			return err
		}
		b.unmap()
	default:
		err := b.ring.call("io_uring_free_buf_ring", func(m *ringMem) int32 {
			return cFreeBufRing(m, b.mem, uint32(b.entries), int(b.bgid))
		})
		if err != nil {
			return err
		}
	}
	b.mem, b.keep, b.mapped = nil, nil, nil
	return nil
}

func (b *BufRing) unmap() {
	if b.mapped != nil {
		unmapMemory(b.mapped)
	} else { // it is liburing that has mapped it
		unmapAt(unsafe.Pointer(b.mem), uintptr(b.entries)*unsafe.Sizeof(abi.Buf{}))
	}
}

// maxMappedGroup is the last group whose ring can be mapped: there is no room for
// more in the offset that names it.
const maxMappedGroup = 1<<11 - 1

// MapBufRing is SetupBufRing with memory that the kernel allocates and that is mapped
// from it (io_uring_register_buf_ring with PbufRingMmap), and with everything that a
// BufReg can ask for. The group is at most 2047; EINVAL for others, and for a MinLeft
// that the kernel does not know. Needs Linux 6.4.
func (r *Ring) MapBufRing(reg BufReg) (*BufRing, error) {
	if reg.Bgid > maxMappedGroup {
		return nil, badInput("io_uring_register_buf_ring", "group %d: the kernel maps rings of groups up to %d only; SetupBufRing makes one for any",
			reg.Bgid, maxMappedGroup)
	}
	reg.Flags |= PbufRingMmap
	if err := r.RegisterBufRing(reg, 0); err != nil {
		return nil, err
	}
	entries, bgid := int(reg.RingEntries), reg.Bgid
	mem, err := mapFile(r.FD(), OffPbufRing|int64(bgid)<<OffPbufShift, entries*int(unsafe.Sizeof(abi.Buf{})))
	if err != nil {
		r.UnregisterBufRing(bgid)
		return nil, &OpError{Op: "mmap", Err: err, Hint: "the kernel's ring of buffers could not be mapped"}
	}
	first := (*abi.BufRing)(unsafe.Pointer(unsafe.SliceData(mem)))
	return &BufRing{ring: r, mem: first, entries: entries, bgid: bgid, mapped: mem}, nil
}

// Mask returns the entries' mask (io_uring_buf_ring_mask).
func (b *BufRing) Mask() int { return b.entries - 1 }

// Add puts a buffer with the number bid into the entry offset places behind the
// tail; Advance makes it visible to the kernel (io_uring_buf_ring_add).
func (b *BufRing) Add(buf []byte, bid uint16, offset int) error {
	if b.mem == nil {
		return ErrClosed
	}
	if uint64(len(buf)) > math.MaxUint32 {
		return badInput("io_uring_buf_ring_add", "the buffer has %d bytes, less than 4 GiB are allowed", len(buf))
	}
	b.set(buf, bid, offset)
	if int(bid) >= len(b.keep) {
		b.keep = append(b.keep, make([]*byte, max(b.entries, int(bid)+1)-len(b.keep))...)
	}
	b.keep[bid] = unsafe.SliceData(buf)
	return nil
}

// set fills the entry offset places behind the tail.
func (b *BufRing) set(buf []byte, bid uint16, offset int) {
	i := (int(b.mem.Tail) + offset) & b.Mask()
	e := (*abi.Buf)(unsafe.Add(unsafe.Pointer(b.mem), uintptr(i)*unsafe.Sizeof(abi.Buf{})))
	e.Addr = data(buf)
	e.Len = uint32(len(buf))
	e.BID = bid
}

// Advance makes count buffers visible to the kernel that Add has put behind the
// tail, no more than the ring has entries (io_uring_buf_ring_advance).
func (b *BufRing) Advance(count int) {
	if b.mem != nil && count > 0 {
		b.storeTail(b.mem.Tail + uint16(min(count, b.entries)))
	}
}

func (b *BufRing) storeTail(tail uint16) {
	// Go has no atomic store of 16 bits. Those before the tail are not used, so both
	// are stored as one word, of which the tail is the half that lies behind.
	word := (*uint32)(unsafe.Add(unsafe.Pointer(b.mem), unsafe.Offsetof(b.mem.Tail)-2))
	if bigEndian {
		atomic.StoreUint32(word, *word&^0xffff|uint32(tail))
	} else {
		atomic.StoreUint32(word, uint32(tail)<<16|*word&0xffff)
	}
}

// CQAdvance marks count completions as taken and makes as many buffers visible
// (io_uring_buf_ring_cq_advance).
func (b *BufRing) CQAdvance(count int) { b.CQAdvanceRaw(count, count) }

// CQAdvanceRaw marks cqes completions as taken and makes bufs buffers visible
// (__io_uring_buf_ring_cq_advance).
func (b *BufRing) CQAdvanceRaw(cqes, bufs int) {
	b.Advance(bufs)
	b.ring.CQAdvance(cqes)
}

// Init empties a ring from which the kernel has not taken a buffer yet
// (io_uring_buf_ring_init). A new ring is empty already.
func (b *BufRing) Init() {
	if b.mem != nil {
		b.storeTail(0)
		clear(b.keep)
	}
}

// Head returns the place of the buffer that the kernel takes next
// (io_uring_buf_ring_head). Needs Linux 6.8.
func (b *BufRing) Head() (uint16, error) {
	if b.mem == nil {
		return 0, ErrClosed
	}
	var head uint16
	err := b.ring.call("io_uring_buf_ring_head", func(m *ringMem) (ret int32) {
		head, ret = cBufRingHead(m, int(b.bgid))
		return ret
	})
	return head, err
}

// Available returns how many buffers the kernel can still take
// (io_uring_buf_ring_available). Needs Linux 6.8.
func (b *BufRing) Available() (int, error) {
	head, err := b.Head()
	if err != nil {
		return 0, err
	}
	return int(b.mem.Tail - head), nil
}

// RegisterBufRing registers a ring of provided buffers whose memory the kernel
// makes (reg.Flags has PbufRingMmap), to be mapped by the caller; flags are added to
// reg.Flags (io_uring_register_buf_ring). Most programs want SetupBufRing or
// MapBufRing. Needs Linux 6.4.
func (r *Ring) RegisterBufRing(reg BufReg, flags BufRingFlags) error {
	if reg.Flags&PbufRingMmap == 0 {
		return r.badInput("io_uring_register_buf_ring", "only rings whose memory the kernel makes (PbufRingMmap); SetupBufRing makes others")
	}
	if err := r.checkBufRing("io_uring_register_buf_ring", int(reg.RingEntries)); err != nil {
		return err
	}
	return r.call("io_uring_register_buf_ring", func(m *ringMem) int32 { return cRegisterBufRing(m, &reg, uint32(flags)) })
}

// checkBufRing returns the error of a number of entries that a ring of buffers can't have.
func (r *Ring) checkBufRing(op string, entries int) error {
	if entries <= 0 || entries > 1<<15 || entries&(entries-1) != 0 {
		return r.badInput(op, "a ring of buffers can't have %d entries: a power of two up to 32768 is allowed", entries)
	}
	return nil
}

// UnregisterBufRing takes back from the kernel a group of provided buffers that
// RegisterBufRing or another program gave it (io_uring_unregister_buf_ring); a
// BufRing's Free does it itself. ENOENT, before Linux 6.9 EINVAL, if there is no such
// group. Needs Linux 5.19.
func (r *Ring) UnregisterBufRing(bgid uint16) error {
	return r.call("io_uring_unregister_buf_ring", func(m *ringMem) int32 { return cUnregisterBufRing(m, int(bgid)) })
}
