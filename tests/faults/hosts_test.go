//go:build linux && cgo

package faults_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// run runs a command, which must succeed, and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// A program in C loads a library in Go, and calls it from several threads.
func TestSharedLibrary(t *testing.T) {
	needsLong(t)
	ringtest.NeedsTool(t, "go")
	ringtest.NeedsTool(t, "gcc")
	dir := t.TempDir()
	library, host := filepath.Join(dir, "works.so"), filepath.Join(dir, "host")
	run(t, "go", "build", "-buildmode=c-shared", "-o", library, "./testdata/shared")
	run(t, "gcc", "-O", "-o", host, "testdata/host.c", "-ldl", "-pthread")
	require.Equal(t, "0 failed, signals: some\n", run(t, host, library))
}

func TestPlugin(t *testing.T) {
	needsLong(t)
	ringtest.NeedsTool(t, "go")
	dir := t.TempDir()
	plugin, host := filepath.Join(dir, "works.so"), filepath.Join(dir, "host")
	run(t, "go", "build", "-buildmode=plugin", "-o", plugin, "./testdata/plugin")
	run(t, "go", "build", "-o", host, "./testdata/pluginhost")
	require.Equal(t, "all works\n", run(t, host, plugin))
}

// needsLong skips a test whose programs take minutes to be built, but in its long form.
func needsLong(t *testing.T) {
	if !long {
		t.Skip("it is for FAULTS=long: its programs take a minute to be built")
	}
}
