package liburing

import "runtime"

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

// ZCRXOffsets tells where in its memory the refill queue has its parts, struct
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

// RegisterIFQ sets zero-copy receive up: data lands in area, and refill entries
// are handed over in region, mapped memory of whole pages too; both must stay
// mapped as long as the ring lives (io_uring_register_ifq). The ring must have
// SetupDeferTaskrun and big completions (SetupCQE32 or SetupCQEMixed), the process
// CAP_NET_ADMIN. A receive is PrepRecvMultishot with OpRecvZC as the opcode and
// ZCRXID as the FileIndex; the offset in CQE.BigCQE says where its data is.
//
// ZCRXRegNodev does without a device: it receives from any TCP socket, on loopback
// too, and the kernel copies. It does not look at the refill queue then until
// ZCRXCtrlFlushRQ: when a receive ends with ENOMEM, flush and receive again.
// GetQueryZCRX tells whether the kernel knows it; Linux 7.3 does.
//
// With ZCRXRegImport another ring's instance is shared, its memory and its refill
// queue: area and region are nil. The instance stays when the other ring is closed.
//
// EPERM without CAP_NET_ADMIN. ENODEV if there is no such device, also with IfIdx 0
// and no ZCRXRegNodev; EOPNOTSUPP if it is not able to, or not with RxBufLen (there
// is one size without a device). EINVAL if the ring has not what it needs, the
// region has no room for the entries, a device is named beside ZCRXRegNodev, or the
// kernel does not know a flag. EBADF if the descriptor to import is of another
// kind. Needs Linux 6.15 and liburing 2.10.
func (r *Ring) RegisterIFQ(reg *ZCRXIFQReg, area *ZCRXArea, region []byte) error {
	const op = "io_uring_register_ifq"
	if reg == nil {
		return r.badInput(op, "there is no ZCRXIFQReg to say which queue")
	}
	areaReg, desc := new(zcrxAreaReg), new(regionDesc)
	reg.area, reg.region = 0, 0
	if area != nil {
		areaReg.addr, areaReg.len = data(area.Mem), uint64(len(area.Mem))
		reg.area = addr(areaReg)
	}
	if region != nil {
		*desc = regionDesc{addr: data(region), size: uint64(len(region)), flags: uint32(MemRegionTypeUser)}
		reg.region = addr(desc)
	}
	err := r.call(op, func(m *ringMem) int32 { return cRegisterIFQ(m, reg) })
	runtime.KeepAlive(areaReg) // reg has them as numbers
	runtime.KeepAlive(desc)
	if err != nil {
		return err
	}
	if area != nil {
		area.RqAreaToken = areaReg.rqAreaToken
		r.zcrx = append(r.zcrx, area.Mem)
	}
	r.zcrx = append(r.zcrx, region)
	return nil
}

// ZCRXCtrl is a command to a zero-copy receive instance, struct zcrx_ctrl:
// ZCRXCtrlFlushRQ has the kernel take what is in the refill queue now,
// ZCRXCtrlExport makes a descriptor, which is the caller's to close, for the
// ZCRXRegImport of another ring.
type ZCRXCtrl struct {
	ZCRXID uint32
	Op     ZCRXCtrlOp
	_      [2]uint64
	FD     uint32 // set by ZCRXCtrlExport
	_      [11]uint32
}

// RegisterZCRXCtrl carries out a command on a zero-copy receive instance
// (io_uring_register_zcrx_ctrl). ENXIO if there is none with this number. Needs
// Linux 6.19 and liburing 2.15.
func (r *Ring) RegisterZCRXCtrl(ctrl *ZCRXCtrl) error {
	return r.call("io_uring_register_zcrx_ctrl", func(m *ringMem) int32 { return cRegisterZCRXCtrl(m, ctrl) })
}
