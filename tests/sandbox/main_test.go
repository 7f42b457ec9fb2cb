//go:build linux

// Package sandbox_test uses io_uring where it is refused, in part or altogether, and where
// what it needs is scarce: each hardship is brought about in a process of its own.
package sandbox_test

import (
	"os"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(child(name))
	}
	ringtest.Main(m)
}
