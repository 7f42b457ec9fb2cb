//go:build !linux

package liburing

func (m *ringMem) canRawEnter() bool { return false }

func (m *ringMem) rawEnter(submit uint32, flags EnterFlags) int32 { return 0 }

func (m *ringMem) publish() {}
