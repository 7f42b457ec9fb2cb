//go:build !amd64 && !arm64

package prefetch

// Lines does nothing on this processor.
func Lines(address uintptr, lines int) {}

// Here returns zeros on this processor.
func Here() (goroutine, stack uintptr) { return 0, 0 }
