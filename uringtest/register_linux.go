package uringtest

import (
	"slices"
	"unsafe"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// What is registered with a ring.

// Register is io_uring_register.
func (r *ring) Register(number uint32, arg unsafe.Pointer, n uint32) int32 {
	switch op := liburing.RegisterOp(number); op {
	case liburing.RegisterEnableRings:
		if !r.disabled {
			return -int32(unix.EBADFD)
		}
		r.disabled = false
		return 0
	case liburing.RegisterProbe:
		return r.probe(arg, n)
	case liburing.RegisterEventfd, liburing.RegisterEventfdAsync:
		if r.eventfd >= 0 {
			return -int32(unix.EBUSY)
		}
		r.eventfd = int(*(*int32)(arg))
		return 0
	case liburing.UnregisterEventfd:
		if r.eventfd < 0 {
			return -int32(unix.ENXIO)
		}
		r.eventfd = -1
		return 0
	case liburing.RegisterSyncCancel:
		reg := (*liburing.SyncCancelReg)(arg)
		ret := r.cancelMatching(reg.Flags, reg.Addr, reg.FD, reg.Opcode, nil)
		r.hurry()
		return ret
	case liburing.RegisterPbufRing, liburing.UnregisterPbufRing:
		return r.registerGroup(op, (*bufReg)(arg))
	case liburing.RegisterPbufStatus:
		status := (*struct{ bgid, head uint32 })(arg)
		g := r.groups[uint16(status.bgid)]
		if g == nil {
			return -int32(unix.ENOENT)
		}
		status.head = uint32(g.head)
		return 0
	case liburing.RegisterBuffers, liburing.RegisterBuffers2, liburing.UnregisterBuffers:
		return r.registerBuffers(op, arg, n)
	}
	return r.registerFiles(liburing.RegisterOp(number), arg, n)
}

// probe is what struct io_uring_probe tells.
func (r *ring) probe(arg unsafe.Pointer, n uint32) int32 {
	type op struct {
		op, _ uint8
		flags liburing.ProbeOpFlags
		_     uint32
	}
	type head struct {
		last, length uint8
		_            [14]byte
	}
	ops := unsafe.Slice((*op)(unsafe.Add(arg, unsafe.Sizeof(head{}))), n)
	for i := range ops {
		if ops[i].op = uint8(i); i < len(operations) && operations[i].run != nil {
			ops[i].flags = liburing.OpSupported
		}
	}
	*(*head)(arg) = head{last: uint8(len(operations) - 1), length: uint8(min(int(n), len(operations)))}
	return 0
}

// Registered files. A ring holds on to them, so it has descriptors of its own.

// tableReg is struct io_uring_rsrc_register, tableUpdate struct io_uring_rsrc_update2.
type (
	tableReg struct {
		n, flags   uint32
		_          uint64
		data, tags uint64
	}
	tableUpdate struct {
		off, _     uint32
		data, tags uint64
		n, _       uint32
	}
)

func (r *ring) registerFiles(op liburing.RegisterOp, arg unsafe.Pointer, n uint32) int32 {
	fds := func(at unsafe.Pointer, n uint32) []int32 { return unsafe.Slice((*int32)(at), n) }
	switch op {
	case liburing.RegisterFiles:
		return r.makeFiles(fds(arg, n))
	case liburing.RegisterFiles2:
		reg := (*tableReg)(arg)
		if liburing.RsrcFlags(reg.flags)&liburing.RsrcRegisterSparse != 0 {
			return r.makeFiles(slices.Repeat([]int32{-1}, int(reg.n)))
		}
		return r.makeFiles(fds(pointer(reg.data), reg.n))
	case liburing.RegisterFilesUpdate:
		up := (*tableUpdate)(arg)
		return r.updateFiles(up.off, fds(pointer(up.data), n))
	case liburing.RegisterFilesUpdate2:
		up := (*tableUpdate)(arg)
		return r.updateFiles(up.off, fds(pointer(up.data), up.n))
	case liburing.RegisterFileAllocRange:
		span := (*struct{ off, n uint32 })(arg)
		if uint64(span.off)+uint64(span.n) > uint64(len(r.files)) {
			return -int32(unix.EINVAL)
		}
		r.span = [2]int{int(span.off), int(span.off + span.n)}
		return 0
	case liburing.UnregisterFiles:
		if r.files == nil {
			return -int32(unix.ENXIO)
		}
		r.dropFiles()
		return 0
	}
	return -int32(unix.EINVAL)
}

func (r *ring) makeFiles(fds []int32) int32 {
	switch {
	case r.files != nil:
		return -int32(unix.EBUSY)
	case len(fds) == 0:
		return -int32(unix.EINVAL)
	}
	r.files = slices.Repeat([]int32{-1}, len(fds))
	r.span = [2]int{0, len(fds)}
	for i, fd := range fds {
		if ret := r.put(i, fd); ret < 0 {
			r.dropFiles()
			return ret
		}
	}
	return 0
}

// put has a place name a file, none if fd is -1.
func (r *ring) put(place int, fd int32) int32 {
	own := int32(-1)
	if fd >= 0 {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return -int32(unix.EBADF)
		}
		own = int32(dup)
	}
	r.empty(place)
	r.files[place] = own
	return 0
}

func (r *ring) empty(place int) {
	if r.files[place] >= 0 {
		unix.Close(int(r.files[place]))
		r.files[place] = -1
	}
}

func (r *ring) dropFiles() {
	for i := range r.files {
		r.empty(i)
	}
	r.files = nil
}

// updateFiles replaces files from a place on. It returns how many.
func (r *ring) updateFiles(off uint32, fds []int32) int32 {
	if r.files == nil {
		return -int32(unix.ENXIO)
	}
	if uint64(off)+uint64(len(fds)) > uint64(len(r.files)) {
		return -int32(unix.EINVAL)
	}
	for i, fd := range fds {
		if fd == liburing.RegisterFilesSkip {
			continue
		}
		if ret := r.put(int(off)+i, fd); ret < 0 {
			if i > 0 {
				return int32(i)
			}
			return ret
		}
	}
	return int32(len(fds))
}

// freePlace returns a free place that the kernel may pick, -1 if there is none.
func (r *ring) freePlace() int {
	for i := r.span[0]; i < min(r.span[1], len(r.files)); i++ {
		if r.files[i] < 0 {
			return i
		}
	}
	return -1
}

// install puts a descriptor that a request has made among the registered files, if that
// is asked for, and returns the request's result.
func (r *ring) install(fd int32, index uint32) int32 {
	if fd < 0 || index == 0 {
		return fd
	}
	place, res := int(index)-1, int32(0)
	if index == liburing.FileIndexAlloc {
		place = r.freePlace()
		res = int32(place)
		if place < 0 {
			unix.Close(int(fd))
			return -int32(unix.ENFILE)
		}
	}
	if place >= len(r.files) {
		unix.Close(int(fd))
		if r.files == nil {
			return -int32(unix.ENXIO)
		}
		return -int32(unix.EINVAL)
	}
	r.empty(place)
	r.files[place] = fd
	return res
}

func (q *request) close() {
	r := q.ring
	if q.sqe.FileIndex == 0 {
		q.endWith(unix.Close(int(q.sqe.FD)))
		return
	}
	place := int(q.sqe.FileIndex) - 1
	switch {
	case r.files == nil:
		q.end(-int32(unix.ENXIO), 0)
	case place >= len(r.files):
		q.end(-int32(unix.EINVAL), 0)
	case r.files[place] < 0:
		q.end(-int32(unix.EBADF), 0)
	default:
		r.empty(place)
		q.end(0, 0)
	}
}

func (q *request) filesUpdate() {
	fds := unsafe.Slice((*int32)(pointer(q.sqe.Addr)), q.sqe.Len)
	if uint32(q.sqe.Off) != liburing.FileIndexAlloc {
		q.end(q.ring.updateFiles(uint32(q.sqe.Off), fds), 0)
		return
	}
	for i, fd := range fds {
		place := q.ring.freePlace()
		if place < 0 || q.ring.put(place, fd) < 0 {
			if i == 0 {
				q.end(-int32(unix.ENFILE), 0)
			} else {
				q.end(int32(i), 0)
			}
			return
		}
		fds[i] = int32(place)
	}
	q.end(int32(len(fds)), 0)
}

// Registered buffers.

type buffer struct {
	base, length uint64
}

func (r *ring) registerBuffers(op liburing.RegisterOp, arg unsafe.Pointer, n uint32) int32 {
	if op == liburing.UnregisterBuffers {
		if r.buffers == nil {
			return -int32(unix.ENXIO)
		}
		r.buffers = nil
		return 0
	}
	if r.buffers != nil {
		return -int32(unix.EBUSY)
	}
	if op == liburing.RegisterBuffers2 {
		reg := (*tableReg)(arg)
		if n = reg.n; reg.data == 0 {
			r.buffers = make([]buffer, n)
			return 0
		}
		arg = pointer(reg.data)
	}
	if n == 0 {
		return -int32(unix.EINVAL)
	}
	r.buffers = slices.Clone(unsafe.Slice((*buffer)(arg), n)) // they are struct iovec
	return 0
}

// inBuffer refuses memory that is not in the request's registered buffer.
func (q *request) inBuffer() bool {
	i := int(q.sqe.BufIndex)
	if i >= len(q.ring.buffers) {
		q.end(-int32(unix.EFAULT), 0)
		return false
	}
	b := q.ring.buffers[i]
	if q.sqe.Addr < b.base || q.sqe.Addr+uint64(q.sqe.Len) > b.base+b.length {
		q.end(-int32(unix.EFAULT), 0)
		return false
	}
	return true
}

func (q *request) readFixed() {
	if q.inBuffer() {
		q.settle(q.readInto(q.sqe.Addr, q.plainLength(q.sqe.Len)))
	}
}

func (q *request) writeFixed() {
	if q.inBuffer() {
		q.write()
	}
}

// Provided buffers.

// bufReg is struct io_uring_buf_reg.
type bufReg struct {
	ring    uint64
	entries uint32
	bgid    uint16
	flags   liburing.BufRingFlags
	minLeft uint32
	_       [5]uint32
}

// bufEntry is struct io_uring_buf; the ring's tail is in the last field of the first.
type bufEntry struct {
	addr uint64
	len  uint32
	bid  uint16
	tail uint16
}

// group is a ring of provided buffers.
type group struct {
	entries []bufEntry
	head    uint16
	inc     bool   // buffers are used up bit by bit
	minLeft uint32 // as long as so much is left
}

// provided is the buffer that is next in a group.
type provided struct {
	bufEntry
	from *group
}

// use takes n bytes of the buffer, and returns the completion's flags.
func (b provided) use(n int32) liburing.CQEFlags {
	flags := liburing.CQEFBuffer | liburing.CQEFlags(b.bid)<<liburing.CQEBufferShift
	e := &b.from.entries[int(b.from.head)&(len(b.from.entries)-1)]
	if b.from.inc && uint32(n) < e.len && e.len-uint32(n) >= b.from.minLeft {
		e.addr += uint64(n)
		e.len -= uint32(n)
		return flags | liburing.CQEFBufMore
	}
	b.from.head++
	return flags
}

func (r *ring) registerGroup(op liburing.RegisterOp, reg *bufReg) int32 {
	_, there := r.groups[reg.bgid]
	if op == liburing.UnregisterPbufRing {
		if !there {
			return -int32(unix.ENOENT)
		}
		delete(r.groups, reg.bgid)
		return 0
	}
	switch {
	case reg.flags&^liburing.PbufRingInc != 0, reg.entries == 0, reg.entries&(reg.entries-1) != 0, reg.entries > 1<<15:
		return -int32(unix.EINVAL)
	case there:
		return -int32(unix.EEXIST)
	}
	r.groups[reg.bgid] = &group{
		entries: unsafe.Slice((*bufEntry)(pointer(reg.ring)), reg.entries), inc: reg.flags&liburing.PbufRingInc != 0, minLeft: reg.minLeft,
	}
	return 0
}

// selectBuffer returns the next buffer of the request's group, of which no more than most
// bytes are used, if that is not 0. There may be none, and now and then there is said to
// be none.
func (q *request) selectBuffer(most uint32) (provided, bool) {
	if q.lacksBuffer() || q.ring.chance(q.ring.faults.NoBuffers) {
		return provided{}, false
	}
	g := q.ring.groups[q.sqe.BufIndex]
	b := provided{g.entries[int(g.head)&(len(g.entries)-1)], g}
	if most > 0 {
		b.len = min(b.len, most)
	}
	return b, true
}

// lacksBuffer reports whether the request's group has no buffer.
func (q *request) lacksBuffer() bool {
	g := q.ring.groups[q.sqe.BufIndex]
	return g == nil || g.tail() == g.head
}

// tail is written by the program, on this very thread.
func (g *group) tail() uint16 { return g.entries[0].tail }
