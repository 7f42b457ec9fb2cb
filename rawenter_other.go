//go:build !linux

package liburing

func (m *ringMem) canRawEnter() bool { return false }

func (m *ringMem) rawEnter() int32 { return 0 }
