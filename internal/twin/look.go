//go:build linux

package main

import (
	"encoding/binary"
	"hash/crc64"
	"reflect"
	"unsafe"

	"github.com/go-liburing/liburing"
)

// What a ring is like inside. Addresses are not compared, but for those in t.mem, as
// they are from its beginning on.

// numbers returns what the kernel has made of the parameters, without addresses.
func numbers(p *liburing.Params) []any {
	return []any{p.SQEntries, p.CQEntries, p.Flags, p.Features, p.SQOff.Head, p.SQOff.Array, p.CQOff.CQEs, p.CQOff.Flags}
}

// look prints the ring's own numbers and a checksum of its memory.
func (t *twin) look() {
	m := reflect.ValueOf(t.ring).Elem().FieldByName("mem").Elem()
	sq, cq := m.FieldByName("sq"), m.FieldByName("cq")
	t.printf("\tring: flags %d, int flags %d", m.FieldByName("flags").Uint(), m.FieldByName("intFlags").Uint())
	for _, name := range []string{"sqeHead", "sqeTail", "ringMask", "ringEntries", "sqesSz", "ringSz"} {
		t.printf(", %s %d", name, sq.FieldByName(name).Uint())
	}
	t.printf(", cq %d %d %d", cq.FieldByName("ringMask").Uint(), cq.FieldByName("ringEntries").Uint(), cq.FieldByName("ringSz").Uint())
	for _, word := range []reflect.Value{
		sq.FieldByName("khead"), sq.FieldByName("ktail"), sq.FieldByName("kflags"), sq.FieldByName("kdropped"),
		cq.FieldByName("khead"), cq.FieldByName("ktail"), cq.FieldByName("koverflow"), cq.FieldByName("kflags"),
	} {
		if !word.IsNil() {
			t.printf(" %d", *(*uint32)(word.UnsafePointer()))
		}
	}
	sqes := sq.FieldByName("ringEntries").Uint() * m.FieldByName("sqeSize").Uint()
	cqes := cq.FieldByName("ringEntries").Uint() * m.FieldByName("cqeSize").Uint()
	t.printf("; %x %x", t.checksum(sq.FieldByName("sqes"), sqes), t.checksum(cq.FieldByName("cqes"), cqes))
	if array := sq.FieldByName("array"); !array.IsNil() {
		t.printf(" %x", t.checksum(array, 4*sq.FieldByName("ringEntries").Uint()))
	}
	t.printf("\n")
}

var table = crc64.MakeTable(crc64.ECMA)

// checksum is that of so many bytes.
func (t *twin) checksum(at reflect.Value, size uint64) uint64 {
	bytes := append([]byte(nil), unsafe.Slice((*byte)(at.UnsafePointer()), size)...)
	first := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(t.mem))))
	for i := 0; i+8 <= len(bytes); i += 8 {
		word := binary.NativeEndian.Uint64(bytes[i:])
		if word-first < uint64(len(t.mem)) {
			binary.NativeEndian.PutUint64(bytes[i:], word-first)
		}
	}
	return crc64.Checksum(bytes, table)
}
