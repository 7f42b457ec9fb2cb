//go:build linux

// Package register_test makes every register call: what it does, and what errors it
// has.
package register_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
