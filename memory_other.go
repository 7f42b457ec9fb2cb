//go:build !linux

package liburing

import "unsafe"

func mapMemory(int) ([]byte, error) { return nil, ErrNotSupported }

func unmapMemory([]byte) error { return ErrNotSupported }

func mapFile(int, int64, int) ([]byte, error) { return nil, ErrNotSupported }

func unmapAt(unsafe.Pointer, uintptr) error { return ErrNotSupported }
