//go:build liburing_debug

package liburing

// checkThread has every request of a loop checked for coming from the right
// goroutine: build with -tags liburing_debug.
const checkThread = true
