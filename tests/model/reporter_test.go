//go:build linux

package model_test

import (
	"sync/atomic"
	"testing"
)

// reporter is the testing.T of one program, or of several that work together. It tells
// of the first failure alone: that ends the goroutine, and if that is the loop's the
// loop too, which is the cause of all that fails behind it.
type reporter struct {
	*testing.T
	told atomic.Bool
}

func (r *reporter) Errorf(format string, args ...any) {
	r.Helper()
	if !r.told.Swap(true) {
		r.T.Errorf(format, args...)
	}
}
