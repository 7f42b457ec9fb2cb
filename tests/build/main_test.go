//go:build linux

// Package build_test looks at programs that are built with the package.
package build_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
