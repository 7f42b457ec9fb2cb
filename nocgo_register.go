//go:build linux && (!cgo || liburing_go)

package liburing

import (
	"runtime"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
	"github.com/go-liburing/liburing/internal/race"
	"golang.org/x/sys/unix"
)

// Register calls, as liburing makes them.

// register makes one on the ring, by its registered descriptor if that is what the
// kernel knows it by.
func (m *ringMem) register(op RegisterOp, arg unsafe.Pointer, n uint32) int32 {
	if k := m.simulated(); k != nil {
		return k.Register(uint32(op), arg, n)
	}
	if m.has(intRegReg) {
		return registerOn(m.enterRingFD, op|RegisterUseRegisteredRing, arg, n)
	}
	return registerOn(m.ringFD, op, arg, n)
}

// noRing is the descriptor of register calls that need no ring.
const noRing = -1

func registerOn(fd int32, op RegisterOp, arg unsafe.Pointer, n uint32) int32 {
	race.Release()
	ret, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(uint32(fd)), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	race.Acquire()
	return errnoOf(ret, errno)
}

func cRegister(fd int32, op RegisterOp, arg []byte, nr uint32) int32 {
	return registerOn(fd, op, unsafe.Pointer(unsafe.SliceData(arg)), nr)
}

// list returns where a list begins.
func list[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

func cEnableRings(m *ringMem) int32 { return m.register(RegisterEnableRings, nil, 0) }

func cSetIowait(m *ringMem, enable bool) int32 {
	switch {
	case m.features&FeatNoIowait == 0:
		return -int32(unix.EOPNOTSUPP)
	case enable:
		m.intFlags &^= uint8(EnterNoIowait)
	default:
		m.intFlags |= uint8(EnterNoIowait)
	}
	return 0
}

func cRegisterClock(m *ringMem, reg *abi.ClockRegister) int32 {
	return m.register(RegisterClock, unsafe.Pointer(reg), 0)
}

func cRegisterNAPI(m *ringMem, n *NAPI) int32 {
	return m.register(RegisterNAPI, unsafe.Pointer(n), 1)
}

func cUnregisterNAPI(m *ringMem, n *NAPI) int32 {
	return m.register(UnregisterNAPI, unsafe.Pointer(n), 1)
}

// Tables of buffers and files.

// tableRegister is struct io_uring_rsrc_register, tableUpdate struct
// io_uring_rsrc_update2; without its second half that is struct
// io_uring_rsrc_update.
type (
	tableRegister struct {
		n     uint32
		flags RsrcFlags
		_     uint64
		data  uint64
		tags  uint64
	}
	tableUpdate struct {
		off  uint32
		_    uint32
		data uint64
		tags uint64
		n    uint32
		_    uint32
	}
)

var (
	_ [32]byte = [unsafe.Sizeof(tableRegister{})]byte{}
	_ [32]byte = [unsafe.Sizeof(tableUpdate{})]byte{}
	_ [24]byte = [unsafe.Sizeof(waitArg{})]byte{}
)

func (m *ringMem) registerTable(op RegisterOp, reg tableRegister) int32 {
	return m.register(op, unsafe.Pointer(&reg), uint32(unsafe.Sizeof(reg)))
}

// registerTagged makes a table of items, with tags or without.
func registerTagged[T any](m *ringMem, op RegisterOp, items []T, tags []uint64) int32 {
	ret := m.registerTable(op, tableRegister{n: uint32(len(items)), data: data(items), tags: data(tags)})
	runtime.KeepAlive(items)
	runtime.KeepAlive(tags)
	return ret
}

func updateTagged[T any](m *ringMem, op RegisterOp, off uint32, items []T, tags []uint64) int32 {
	up := tableUpdate{off: off, data: data(items), tags: data(tags), n: uint32(len(items))}
	ret := m.register(op, unsafe.Pointer(&up), uint32(unsafe.Sizeof(up)))
	runtime.KeepAlive(items)
	runtime.KeepAlive(tags)
	return ret
}

func cRegisterBuffers(m *ringMem, iov []abi.Iovec) int32 {
	return m.register(RegisterBuffers, list(iov), uint32(len(iov)))
}

func cRegisterBuffersTags(m *ringMem, iov []abi.Iovec, tags []uint64) int32 {
	return registerTagged(m, RegisterBuffers2, iov, tags)
}

func cRegisterBuffersSparse(m *ringMem, n uint32) int32 {
	return m.registerTable(RegisterBuffers2, tableRegister{n: n, flags: RsrcRegisterSparse})
}

func cRegisterBuffersUpdateTag(m *ringMem, off uint32, iov []abi.Iovec, tags []uint64) int32 {
	return updateTagged(m, RegisterBuffersUpdate, off, iov, tags)
}

func cUnregisterBuffers(m *ringMem) int32 { return m.register(UnregisterBuffers, nil, 0) }

// cloneBuffers is struct io_uring_clone_buffers.
type cloneBuffers struct {
	srcFD          int32
	flags          CloneBuffersFlags
	srcOff, dstOff uint32
	n              uint32
	_              [3]uint32
}

func cCloneBuffers(dst, src *ringMem) int32 {
	if src.ringFD < 0 {
		return cCloneBuffersOffset(dst, src, 0, 0, 0, uint32(RegisterSrcRegistered))
	}
	return cCloneBuffersOffset(dst, src, 0, 0, 0, 0)
}

func cCloneBuffersOffset(dst, src *ringMem, dstOff, srcOff, n uint32, flags uint32) int32 {
	clone := cloneBuffers{srcFD: src.ringFD, flags: CloneBuffersFlags(flags), srcOff: srcOff, dstOff: dstOff, n: n}
	if clone.flags&RegisterSrcRegistered != 0 && src.has(intRegReg) {
		clone.srcFD = src.enterRingFD
	} else {
		clone.flags &^= RegisterSrcRegistered
	}
	return dst.register(RegisterCloneBuffers, unsafe.Pointer(&clone), 1)
}

// withRoom calls again with a higher limit of open files, as far as that may be
// raised, if it was too low for n.
func withRoom(n int, register func() int32) int32 {
	ret := register()
	if ret != -int32(unix.EMFILE) {
		return ret
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < uint64(n) {
		limit.Cur += uint64(n)
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	return register()
}

func cRegisterFiles(m *ringMem, fds []int32) int32 {
	return withRoom(len(fds), func() int32 { return m.register(RegisterFiles, list(fds), uint32(len(fds))) })
}

func cRegisterFilesTags(m *ringMem, fds []int32, tags []uint64) int32 {
	return withRoom(len(fds), func() int32 { return registerTagged(m, RegisterFiles2, fds, tags) })
}

func cRegisterFilesSparse(m *ringMem, n uint32) int32 {
	return withRoom(int(n), func() int32 {
		return m.registerTable(RegisterFiles2, tableRegister{n: n, flags: RsrcRegisterSparse})
	})
}

func cRegisterFilesUpdate(m *ringMem, off uint32, fds []int32) int32 {
	up := tableUpdate{off: off, data: data(fds)}
	ret := m.register(RegisterFilesUpdate, unsafe.Pointer(&up), uint32(len(fds)))
	runtime.KeepAlive(fds)
	return ret
}

func cRegisterFilesUpdateTag(m *ringMem, off uint32, fds []int32, tags []uint64) int32 {
	return updateTagged(m, RegisterFilesUpdate2, off, fds, tags)
}

func cRegisterFileAllocRange(m *ringMem, off, n uint32) int32 {
	files := struct {
		off, n uint32
		_      uint64
	}{off: off, n: n} // struct io_uring_file_index_range
	return m.register(RegisterFileAllocRange, unsafe.Pointer(&files), 0)
}

func cUnregisterFiles(m *ringMem) int32 { return m.register(UnregisterFiles, nil, 0) }

// Rings of provided buffers.

func cSetupBufRing(m *ringMem, entries uint32, bgid int, flags uint32) (*abi.BufRing, int32) {
	const prot, kind = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	size := uintptr(entries) * unsafe.Sizeof(abi.Buf{})
	mem, err := unix.MmapPtr(-1, 0, nil, size, prot, kind)
	if err != nil {
		return nil, errnoIn(err)
	}
	reg := BufReg{ringAddr: uint64(uintptr(mem)), RingEntries: entries, Bgid: uint16(bgid)}
	if ret := cRegisterBufRing(m, &reg, flags); ret != 0 {
		unix.MunmapPtr(mem, size)
		return nil, ret
	}
	return (*abi.BufRing)(mem), 0
}

func cFreeBufRing(m *ringMem, br *abi.BufRing, entries uint32, bgid int) int32 {
	if ret := cUnregisterBufRing(m, bgid); ret != 0 {
		return ret
	}
	unix.MunmapPtr(unsafe.Pointer(br), uintptr(entries)*unsafe.Sizeof(abi.Buf{}))
	return 0
}

func cBufRingHead(m *ringMem, bgid int) (uint16, int32) {
	status := struct {
		group, head uint32
		_           [8]uint32
	}{group: uint32(bgid)} // struct io_uring_buf_status
	ret := m.register(RegisterPbufStatus, unsafe.Pointer(&status), 1)
	return uint16(status.head), ret
}

func cRegisterBufRing(m *ringMem, reg *BufReg, flags uint32) int32 {
	reg.Flags |= BufRingFlags(flags)
	return m.register(RegisterPbufRing, unsafe.Pointer(reg), 1)
}

func cUnregisterBufRing(m *ringMem, bgid int) int32 {
	reg := BufReg{Bgid: uint16(bgid)}
	return m.register(UnregisterPbufRing, unsafe.Pointer(&reg), 1)
}

// Memory shared with the kernel.

func cRegisterRegion(m *ringMem, reg *abi.MemRegionReg) int32 {
	return m.register(RegisterMemRegion, unsafe.Pointer(reg), 1)
}

func cRegisterIFQ(m *ringMem, reg *ZCRXIFQReg) int32 {
	return m.register(RegisterZCRXIFQ, unsafe.Pointer(reg), 1)
}

func cRegisterZCRXCtrl(m *ringMem, ctrl *ZCRXCtrl) int32 {
	return m.register(RegisterZCRXCtrl, unsafe.Pointer(ctrl), 0)
}

// Eventfd.

func cRegisterEventfd(m *ringMem, fd int32) int32 {
	return m.register(RegisterEventfd, unsafe.Pointer(&fd), 1)
}

func cRegisterEventfdAsync(m *ringMem, fd int32) int32 {
	return m.register(RegisterEventfdAsync, unsafe.Pointer(&fd), 1)
}

func cUnregisterEventfd(m *ringMem) int32 { return m.register(UnregisterEventfd, nil, 0) }

// The ring's descriptor.

func cRegisterRingFD(m *ringMem) int32 {
	if m.has(uint8(EnterRegisteredRing)) {
		return -int32(unix.EEXIST)
	}
	up := tableUpdate{off: ^uint32(0), data: uint64(m.ringFD)}
	ret := m.register(RegisterRingFDs, unsafe.Pointer(&up), 1)
	if ret == 1 {
		m.enterRingFD = int32(up.off)
		m.intFlags |= uint8(EnterRegisteredRing)
		if m.features&FeatRegRegRing != 0 {
			m.intFlags |= intRegReg
		}
	}
	return ret
}

func cUnregisterRingFD(m *ringMem) int32 {
	if !m.has(uint8(EnterRegisteredRing)) {
		return -int32(unix.EINVAL)
	}
	up := tableUpdate{off: uint32(m.enterRingFD)}
	ret := m.register(UnregisterRingFDs, unsafe.Pointer(&up), 1)
	if ret == 1 {
		m.enterRingFD = m.ringFD
		m.intFlags &^= uint8(EnterRegisteredRing) | intRegReg
	}
	return ret
}

func cCloseRingFD(m *ringMem) int32 {
	switch {
	case m.features&FeatRegRegRing == 0:
		return -int32(unix.EOPNOTSUPP)
	case !m.has(uint8(EnterRegisteredRing)):
		return -int32(unix.EINVAL)
	case m.ringFD == -1:
		return -int32(unix.EBADF)
	}
	unix.Close(int(m.ringFD))
	m.ringFD = -1
	return 1
}

// Worker threads.

func cRegisterIOWQAff(m *ringMem, mask []uint64) int32 {
	return m.register(RegisterIOWQAff, list(mask), uint32(8*len(mask)))
}

func cUnregisterIOWQAff(m *ringMem) int32 { return m.register(UnregisterIOWQAff, nil, 0) }

func cRegisterIOWQMaxWorkers(m *ringMem, values *[2]uint32) int32 {
	return m.register(RegisterIOWQMaxWorkers, unsafe.Pointer(values), 2)
}

// What is allowed, and to whom.

func cRegisterPersonality(m *ringMem) int32 { return m.register(RegisterPersonality, nil, 0) }

func cUnregisterPersonality(m *ringMem, id int) int32 {
	return m.register(UnregisterPersonality, nil, uint32(id))
}

func cRegisterRestrictions(m *ringMem, res []Restriction) int32 {
	return m.register(RegisterRestrictions, list(res), uint32(len(res)))
}

// cRegisterBPFFilter without a ring is the task's.
func cRegisterBPFFilter(m *ringMem, bpf *abi.BPF) int32 {
	if m == nil {
		return registerOn(noRing, RegisterBPFFilter, unsafe.Pointer(bpf), 1)
	}
	return m.register(RegisterBPFFilter, unsafe.Pointer(bpf), 1)
}

// Cancelling and messages.

func cRegisterSyncCancel(m *ringMem, reg *SyncCancelReg) int32 {
	return m.register(RegisterSyncCancel, unsafe.Pointer(reg), 1)
}

func cRegisterSyncMsg(sqe *SQE) int32 {
	return registerOn(noRing, RegisterSendMsgRing, unsafe.Pointer(sqe), 1)
}

// What the kernel knows.

func cRegisterProbe(m *ringMem, p *abi.Probe) int32 {
	return m.register(RegisterProbe, unsafe.Pointer(p), uint32(len(p.Ops)))
}

func cRegisterQuery(hdr *abi.QueryHdr) int32 {
	return registerOn(noRing, RegisterQuery, unsafe.Pointer(hdr), 0)
}
