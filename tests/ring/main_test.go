//go:build linux

// Package ring_test sets rings up in every way, and waits in every way.
package ring_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
