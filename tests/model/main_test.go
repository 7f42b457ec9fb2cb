//go:build linux

// Package model_test runs random programs on a loop beside what is known of each of
// their requests.
package model_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
