//go:build linux

// Package opcodes_test runs every operation against the kernel: what it does, and what
// errors it has. A test fails if an opcode has no test here.
package opcodes_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
