//go:build !linux

package liburing

func mapMemory(int) ([]byte, error) { return nil, ErrNotSupported }

func unmapMemory([]byte) error { return ErrNotSupported }

func mapFile(int, int64, int) ([]byte, error) { return nil, ErrNotSupported }
