//go:build !linux

package liburing

type boundedWait struct{ usable bool }

func (b *boundedWait) init(*ringMem) {}

func (b *boundedWait) enter(*ringMem, bool) int32 { return 0 }
