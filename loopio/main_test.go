//go:build linux

// Package loopio_test looks at the package as its user does.
package loopio_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) {
	ringtest.SkipExamples(map[string]liburing.Op{"NewConn": liburing.OpSendZC})
	ringtest.Main(m)
}
