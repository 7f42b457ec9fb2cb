//go:build liburing_debug

// Package debug says whether the program was built with the tag liburing_debug, which
// has every request of a loop checked for coming from the right goroutine.
package debug

// On reports the tag.
const On = true
