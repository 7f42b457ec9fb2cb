package ffi

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Compiler returns the C compiler, which CC names.
func Compiler() string {
	if cc := strings.TrimSpace(os.Getenv("CC")); cc != "" {
		return cc
	}
	return "gcc"
}

// NeedsCompiler skips a test where there is none: the compiled tests were taken
// elsewhere.
func NeedsCompiler(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(Compiler()); err != nil {
		t.Skip(err)
	}
}
