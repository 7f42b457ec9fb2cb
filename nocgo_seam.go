//go:build linux && (!cgo || liburing_go)

package liburing

import (
	"unsafe"

	"github.com/go-liburing/liburing/internal/seam"
	"golang.org/x/sys/unix"
)

// Rings of a simulated kernel, which package uringtest makes.

func init() {
	seam.Option = func(k seam.Kernel) any {
		return Option(func(o *options) {
			o.setUp = func(entries uint32, p *Params) (*ringMem, int32) { return simulate(k, entries, p) }
		})
	}
}

// simulate sets up a ring of a simulated kernel.
func simulate(k seam.Kernel, entries uint32, p *Params) (*ringMem, int32) {
	g := new(goRing)
	m := &g.ringMem
	kernel, fd := k.Setup(entries, unsafe.Pointer(p))
	if fd < 0 {
		return nil, fd
	}
	if ret := m.mapQueues(fd, p); ret < 0 {
		unix.Close(int(fd))
		return nil, ret
	}
	m.fillArray(p)
	m.begin(fd, p)
	g.kernel = kernel
	m.intFlags |= intSimulated
	return m, 0
}

// simulated returns the simulated kernel's side of the ring, nil if the kernel is a real
// one.
func (m *ringMem) simulated() seam.Ring {
	if !m.has(intSimulated) {
		return nil
	}
	return (*goRing)(unsafe.Pointer(m)).kernel
}
