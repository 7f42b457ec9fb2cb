//go:build linux && !race

// Package docs_test holds the Markdown files to what the module is.
package docs_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

func TestMain(m *testing.M) { ringtest.Main(m) }
