//go:build linux

// Package faults_test has the world go wrong on purpose: system calls that fail, signals
// without end, full disks, hanging ones, and processes that are stopped, traced and killed.
package faults_test

import (
	"os"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
)

// long reports whether tests take their long form, minutes instead of seconds.
var long = os.Getenv("FAULTS") == "long"

func TestMain(m *testing.M) {
	if name := os.Getenv("FAULTS_PROGRAM"); name != "" {
		os.Exit(programs[name]())
	}
	ringtest.Main(m)
}
