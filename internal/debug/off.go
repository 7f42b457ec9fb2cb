//go:build !liburing_debug

package debug

const On = false
