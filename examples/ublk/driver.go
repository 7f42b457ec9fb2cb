package main

import "unsafe"

// What the driver and its server tell each other: linux/ublk_cmd.h.

// Commands to the control device, and to a device's own.
const (
	addDevice     = controlOp + 0x04
	startDevice   = controlOp + 0x06
	stopDevice    = controlOp + 0x07
	setParameters = controlOp + 0x08
	getFeatures   = controlOp&^(1<<30) + 0x13
	deleteDevice  = controlOp&^(1<<30) + 0x14 // does not wait for programs that have it open

	fetch          = ioOp + 0x20
	commitAndFetch = ioOp + 0x21

	// As _IOWR makes them.
	controlOp = 3<<30 | uint32(unsafe.Sizeof(controlCommand{}))<<16 | 'u'<<8
	ioOp      = 3<<30 | uint32(unsafe.Sizeof(ioCommand{}))<<16 | 'u'<<8
)

type controlCommand struct {
	id         uint32
	queue, len uint16
	addr       uint64
	value      uint64
	_          uint64
}

const (
	anyID   = ^uint32(0)
	noQueue = ^uint16(0)
)

type ioCommand struct {
	_, tag uint16 // of the first queue
	result int32
	_      uint64
}

// request is what the driver asks.
type request struct {
	op      uint32 // in its lowest byte
	sectors uint32
	first   uint64
	_       uint64
}

const (
	readOp = iota
	writeOp
	flushOp

	sector = 512
)

type deviceInfo struct {
	queues, depth, _, _ uint16
	maxBytes, id        uint32
	_, _                uint32
	flags               uint64
	_                   [4]uint64
}

// Flags of a device.
const (
	zeroCopy    = 1 << 0
	autoBuffers = 1 << 11 // the driver registers the memory of requests
)

type parameters struct {
	len, types        uint32
	attributes        uint32
	logical, physical uint8 // sizes of blocks, as powers of two
	_, _              uint8
	maxSectors, _     uint32
	sectors, _        uint64
}

func newParameters(size int64) *parameters {
	const basic, hasCache = 1 << 0, 1 << 2
	p := &parameters{types: basic, attributes: hasCache, logical: 9, physical: 12, maxSectors: 512 << 10 / sector, sectors: uint64(size) / sector}
	p.len = uint32(unsafe.Sizeof(*p))
	return p
}

// bytesOf returns the memory of one of these.
func bytesOf[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }
