//go:build linux

// Package header_test holds the constants to the C headers that they come from.
package header_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
