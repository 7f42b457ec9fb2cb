//go:build amd64 || arm64

package prefetch

// Lines fetches so many lines, at least one, from the address on.
//
//go:noescape
func Lines(address uintptr, lines int)

// Here returns where the runtime keeps what it knows of the goroutine, and where on its stack
// the caller is. A stack may be moved.
//
//go:noescape
func Here() (goroutine, stack uintptr)
