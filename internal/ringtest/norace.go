//go:build linux && !race

package ringtest

// Race reports whether the race detector is on, which makes all slow and takes memory
// of its own.
const Race = false
