//go:build !linux

package uringtest

import (
	"unsafe"

	"github.com/go-liburing/liburing/internal/seam"
)

// Setup is not asked for where there is no Linux.
func (maker) Setup(uint32, unsafe.Pointer) (seam.Ring, int32) { return nil, -38 }
