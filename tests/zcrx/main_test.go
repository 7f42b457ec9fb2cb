//go:build linux

// Package zcrx_test runs zero-copy receive without a network card that can do it,
// as Linux 7.3 offers it (ZCRXRegNodev): the kernel copies, all else is the same.
package zcrx_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
