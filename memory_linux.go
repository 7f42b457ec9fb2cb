package liburing

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory returns zeroed memory outside the Go heap, beginning at a page.
func mapMemory(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
}

func unmapMemory(mem []byte) error { return unix.Munmap(mem) }

// unmapAt unmaps what C has mapped.
func unmapAt(p unsafe.Pointer, size uintptr) error { return unix.MunmapPtr(p, size) }

// mapFile maps a part of a file, shared with the kernel.
func mapFile(fd int, offset int64, size int) ([]byte, error) {
	return unix.Mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
}
