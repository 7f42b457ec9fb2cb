//go:build !liburing_debug

package liburing

const checkThread = false
