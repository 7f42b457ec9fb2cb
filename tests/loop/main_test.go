//go:build linux

// Package loop_test looks at the Loop as its user sees it.
package loop_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
