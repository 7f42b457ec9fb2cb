package liburing

import (
	"cmp"
	"runtime"
	"syscall"

	"github.com/go-liburing/liburing/internal/abi"
)

// Registered buffers: memory that the kernel maps once, for the Fixed operations
// to name by its place in the ring's table.

// RegisterBuffers makes the kernel map buffers once, so that PrepReadFixed and
// PrepWriteFixed can name them by their place in the list (io_uring_register_buffers).
// The ring keeps them alive until UnregisterBuffers or Close; memory outside the Go
// heap (BufferPool) must stay mapped until then.
//
// ENOMEM means the memlock limit, EBUSY that buffers are registered already,
// EFAULT that one is not ordinary memory. At most 16384 buffers (1024 before
// Linux 5.13) of at most 1 GiB each. Needs Linux 5.1.
func (r *Ring) RegisterBuffers(buffers [][]byte) error {
	return r.registerBuffers("io_uring_register_buffers", buffers, cRegisterBuffers)
}

// RegisterBuffersTags registers like RegisterBuffers and gives each buffer a tag that
// is not 0: a completion with the tag as its user data comes when the kernel has
// released the buffer (io_uring_register_buffers_tags). Kernels before 6.13 report
// buffers that an update replaces, but not those that UnregisterBuffers releases. Needs
// Linux 5.13.
func (r *Ring) RegisterBuffersTags(buffers [][]byte, tags []uint64) error {
	const op = "io_uring_register_buffers_tags"
	if err := r.checkTags(op, tags, len(buffers)); err != nil {
		return err
	}
	return r.registerBuffers(op, buffers, func(m *ringMem, iov []abi.Iovec) int32 {
		return cRegisterBuffersTags(m, iov, tags)
	})
}

func (r *Ring) registerBuffers(op string, buffers [][]byte, register func(*ringMem, []abi.Iovec) int32) error {
	if len(buffers) == 0 {
		return r.badInput(op, emptyList)
	}
	iov, err := r.rawIovecs(op, buffers, false)
	if err != nil {
		return err
	}
	if err := r.call(op, func(m *ringMem) int32 { return register(m, iov) }); err != nil {
		return explainBufferCount(explainMemlock(err), len(buffers))
	}
	r.buffers = append([][]byte(nil), buffers...)
	return nil
}

// rawIovecs makes the list for the kernel; a nil buffer is an empty place.
func (r *Ring) rawIovecs(op string, buffers [][]byte, sparse bool) ([]abi.Iovec, error) {
	iov := make([]abi.Iovec, len(buffers))
	for i, b := range buffers {
		if len(b) == 0 && !(sparse && b == nil) {
			return nil, r.badInput(op, "buffer %d is empty", i)
		}
		iov[i] = abi.Iovec{Base: uintptr(data(b)), Len: uintptr(len(b))}
	}
	return iov, nil
}

// RegisterBuffersSparse makes a table of n empty places, to be filled with
// RegisterBuffersUpdateTag or CloneBuffers (io_uring_register_buffers_sparse), at most
// 16384. Needs Linux 5.19.
func (r *Ring) RegisterBuffersSparse(n int) error {
	const op = "io_uring_register_buffers_sparse"
	if err := checkCount(op, n); err != nil {
		return err
	}
	if n == 0 {
		return r.badInput(op, emptyTable)
	}
	if err := r.call(op, func(m *ringMem) int32 { return cRegisterBuffersSparse(m, uint32(n)) }); err != nil {
		return explainBufferCount(err, n)
	}
	r.buffers = make([][]byte, n)
	return nil
}

// RegisterBuffersUpdateTag replaces registered buffers from the place off on; a nil
// buffer empties one. tags is nil or has one tag per buffer, see RegisterBuffersTags
// (io_uring_register_buffers_update_tag). It returns how many were replaced. Requests
// in flight still use the old ones: keep their memory alive until those have completed.
// Needs Linux 5.13.
func (r *Ring) RegisterBuffersUpdateTag(off int, buffers [][]byte, tags []uint64) (int, error) {
	const op = "io_uring_register_buffers_update_tag"
	if tags == nil {
		tags = make([]uint64, len(buffers))
	}
	if err := r.checkTags(op, tags, len(buffers)); err != nil {
		return 0, err
	}
	if off < 0 || off > len(r.buffers)-len(buffers) {
		return 0, r.badInput(op, "%d buffers at %d of a table of %d", len(buffers), off, len(r.buffers))
	}
	iov, err := r.rawIovecs(op, buffers, true)
	if err != nil {
		return 0, err
	}
	n, err := r.callCount(op, func(m *ringMem) int32 { return cRegisterBuffersUpdateTag(m, uint32(off), iov, tags) })
	copy(r.buffers[off:], buffers[:n])
	return n, explainMemlock(err)
}

// UnregisterBuffers releases the registered buffers
// (io_uring_unregister_buffers). Requests in flight that use them keep them in
// the kernel until they complete. ENXIO if none are registered. Needs Linux
// 5.1.
func (r *Ring) UnregisterBuffers() error {
	if err := r.call("io_uring_unregister_buffers", cUnregisterBuffers); err != nil {
		return err
	}
	r.buffers = nil
	return nil
}

// CloneBuffers gives this ring the registered buffers of another
// (io_uring_clone_buffers). EBUSY if it already has some, EEXIST if the other has
// SetupSingleIssuer, as a loop's ring does, and the calling thread is not that ring's:
// clone on that thread, for a loop in Control. Needs Linux 6.12.
func (r *Ring) CloneBuffers(src *Ring) error {
	return r.clone("io_uring_clone_buffers", src, 0, 0, 0, cCloneBuffers)
}

// CloneBuffersRaw is CloneBuffers with flags, such as RegisterDstReplace
// (__io_uring_clone_buffers). Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersRaw(src *Ring, flags CloneBuffersFlags) error {
	return r.CloneBuffersOffsetRaw(src, 0, 0, 0, flags)
}

// CloneBuffersOffset gives this ring n registered buffers of another, from the place
// srcOff there to dstOff here, or all if n is 0; with RegisterDstReplace those that are
// here are replaced (io_uring_clone_buffers_offset). It names the other ring by its
// registered descriptor, which belongs to the calling thread, only if that ring has no
// other. Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersOffset(src *Ring, dstOff, srcOff, n int, flags CloneBuffersFlags) error {
	if src != nil && src.FD() < 0 {
		flags |= RegisterSrcRegistered
	}
	return r.CloneBuffersOffsetRaw(src, dstOff, srcOff, n, flags)
}

// CloneBuffersOffsetRaw is CloneBuffersOffset that uses the other ring's
// registered descriptor only if the flags have RegisterSrcRegistered
// (__io_uring_clone_buffers_offset). Needs Linux 6.13 and liburing 2.10.
func (r *Ring) CloneBuffersOffsetRaw(src *Ring, dstOff, srcOff, n int, flags CloneBuffersFlags) error {
	const op = "io_uring_clone_buffers_offset"
	if err := cmp.Or(checkCount(op, dstOff), checkCount(op, srcOff), checkCount(op, n)); err != nil {
		return err
	}
	return r.clone(op, src, dstOff, srcOff, n, func(to, from *ringMem) int32 {
		return cCloneBuffersOffset(to, from, uint32(dstOff), uint32(srcOff), uint32(n), uint32(flags))
	})
}

// clone has buffers cloned and keeps alive what this ring has of them then.
func (r *Ring) clone(op string, src *Ring, dstOff, srcOff, n int, clone func(to, from *ringMem) int32) error {
	if src == nil || src.mem == nil {
		return ErrClosed
	}
	if err := r.call(op, func(m *ringMem) int32 { return clone(m, src.mem) }); err != nil {
		return explainIssuer(err)
	}
	if n == 0 {
		n = max(0, len(src.buffers)-srcOff)
	}
	for len(r.buffers) < dstOff+n {
		r.buffers = append(r.buffers, nil)
	}
	if srcOff+n <= len(src.buffers) {
		copy(r.buffers[dstOff:], src.buffers[srcOff:srcOff+n])
	}
	return nil
}

// explainIssuer says what EEXIST means when another ring's buffers are cloned.
func explainIssuer(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.EEXIST {
		e.Hint = "the ring with the buffers has SetupSingleIssuer, so only its own thread may: clone there (for a Loop in Control)"
	}
	return err
}

// ZCRXIFQReg asks for zero-copy receive on a queue of a network device, struct
// io_uring_zcrx_ifq_reg.
type ZCRXIFQReg struct {
	IfIdx     uint32 // the device, 0 with ZCRXRegNodev; with ZCRXRegImport a descriptor that ZCRXCtrlExport made
	IfRxq     uint32 // its queue
	RqEntries uint32 // of the refill queue; the kernel rounds them up to a power of two
	Flags     ZCRXRegFlags
	area      uint64
	region    uint64
	Offsets   ZCRXOffsets // set by the kernel
	ZCRXID    uint32      // set by the kernel: what requests of this ring name the instance by
	RxBufLen  uint32      // bytes a buffer, 0 for a page; set by the kernel
	_         [3]uint64
}

// ZCRXOffsets tells where in memory the parts of the refill queue are, struct
// io_uring_zcrx_offsets.
type ZCRXOffsets struct {
	Head, Tail, Rqes uint32

	_ uint32
	_ [2]uint64
}

// ZCRXArea is where received data lands.
type ZCRXArea struct {
	Mem         []byte // mapped memory, whole pages
	RqAreaToken uint64 // set by the kernel: what refill entries name the area by
}

// RegisterIFQ sets up zero-copy receive: data lands in area, and refill entries are
// handed over in region, which is mapped memory of whole pages too; both must stay
// mapped as long as the ring lives (io_uring_register_ifq). The ring must have
// SetupDeferTaskrun and big completions (SetupCQE32 or SetupCQEMixed), the process
// CAP_NET_ADMIN. A receive is PrepRecvMultishot with OpRecvZC as the opcode and ZCRXID
// as the FileIndex; the offset in CQE.BigCQE says where its data is.
//
// With ZCRXRegNodev no device is needed: it receives from any TCP socket, even on
// loopback, and the kernel copies. The kernel then does not look at the refill queue
// until ZCRXCtrlFlushRQ: when a receive ends with ENOMEM, flush and receive again.
// GetQueryZCRX tells whether the kernel supports it; Linux 7.3 does.
//
// With ZCRXRegImport another ring's instance is shared, its memory and its refill
// queue: area and region are nil. The instance stays when the other ring is closed.
//
// EPERM without CAP_NET_ADMIN. ENODEV if there is no such device, as with IfIdx 0
// without ZCRXRegNodev; EOPNOTSUPP if the device can't do it, or not with this RxBufLen
// (without a device there is only one size). EINVAL if the ring lacks what it needs,
// the region has no room for the entries, a device is named together with ZCRXRegNodev,
// or the kernel does not know a flag. EBADF if the descriptor to import is of another
// kind. Needs Linux 6.15 and liburing 2.10.
func (r *Ring) RegisterIFQ(reg *ZCRXIFQReg, area *ZCRXArea, region []byte) error {
	const op = "io_uring_register_ifq"
	if reg == nil {
		return r.badInput(op, "there is no ZCRXIFQReg to say which queue")
	}
	areaReg, desc := new(abi.ZCRXAreaReg), new(abi.RegionDesc)
	reg.area, reg.region = 0, 0
	if area != nil {
		areaReg.Addr, areaReg.Len = data(area.Mem), uint64(len(area.Mem))
		reg.area = addr(areaReg)
	}
	if region != nil {
		*desc = abi.RegionDesc{Addr: data(region), Size: uint64(len(region)), Flags: uint32(MemRegionTypeUser)}
		reg.region = addr(desc)
	}
	err := r.call(op, func(m *ringMem) int32 { return cRegisterIFQ(m, reg) })
	runtime.KeepAlive(areaReg) // reg has them as numbers
	runtime.KeepAlive(desc)
	if err != nil {
		return err
	}
	if area != nil {
		area.RqAreaToken = areaReg.RqAreaToken
		r.zcrx = append(r.zcrx, area.Mem)
	}
	r.zcrx = append(r.zcrx, region)
	return nil
}

// ZCRXCtrl is a command to a zero-copy receive instance, struct zcrx_ctrl:
// ZCRXCtrlFlushRQ makes the kernel take what is in the refill queue now, ZCRXCtrlExport
// makes a descriptor, which the caller must close, for the ZCRXRegImport of another
// ring.
type ZCRXCtrl struct {
	ZCRXID uint32
	Op     ZCRXCtrlOp
	_      [2]uint64
	FD     uint32 // set by ZCRXCtrlExport
	_      [11]uint32
}

// RegisterZCRXCtrl carries out a command on a zero-copy receive instance
// (io_uring_register_zcrx_ctrl). ENXIO if there is no instance with this ID. Needs
// Linux 6.19 and liburing 2.15.
func (r *Ring) RegisterZCRXCtrl(ctrl *ZCRXCtrl) error {
	return r.call("io_uring_register_zcrx_ctrl", func(m *ringMem) int32 { return cRegisterZCRXCtrl(m, ctrl) })
}
