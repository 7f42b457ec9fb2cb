//go:build linux

package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

func TestVersion(t *testing.T) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	kernel := strings.TrimSpace(string(release))
	want := versions{Uring: "(devel)", Liburing: liburing.Version(), Backend: liburing.Backend(), Kernel: kernel, Go: runtime.Version()}
	var got versions
	require.NoError(t, json.Unmarshal(uring(t, "version", "-json").exits(0).out.Bytes(), &got))
	require.Equal(t, want, got)

	lines := strings.Split(uring(t, "version").exits(0).out.String(), "\n")
	require.Equal(t, []string{
		"uring     (devel)", "liburing  " + want.Liburing, "backend   " + want.Backend, "Linux     " + want.Kernel, "Go        " + want.Go, "",
	}, lines)
	require.Equal(t, lines, strings.Split(uring(t, "--version").exits(0).out.String(), "\n"))
}
