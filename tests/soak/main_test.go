//go:build linux

// Package soak_test makes many requests and looks for what grows.
package soak_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
