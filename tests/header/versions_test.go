//go:build linux

package header_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

const oldestMinor = 9 // of liburing 2, that the package is built with

// What the C side calls of liburing is there in the oldest liburing that it can be built
// with, or behind a condition: the preprocessor is told that liburing is an older one,
// and nothing that is left may be newer. liburing.map tells with which version each
// function came.
func TestCallsOfNewerFunctionsAreConditional(t *testing.T) {
	include := vendoredHeaders(t)
	since := exportedSince(t)
	direct, err := os.ReadFile(root + "/cgo.go")
	require.NoError(t, err)
	for _, called := range regexp.MustCompile(`C\.(io_uring_\w+)\(`).FindAllSubmatch(direct, -1) {
		require.LessOrEqual(t, since[string(called[1])], oldestMinor, "cgo.go calls %s: newer than liburing 2.%d, so call it in liburing_cgo.h behind GO_NEEDS", called[1], oldestMinor)
	}
	newest := 0
	for _, minor := range since {
		newest = max(newest, minor)
	}
	require.Greater(t, newest, oldestMinor)
	for minor := oldestMinor; minor <= newest; minor++ {
		for _, called := range regexp.MustCompile(`\b(io_uring_\w+)\s*\(`).FindAllSubmatch(preprocessed(t, include, minor), -1) {
			require.LessOrEqual(t, since[string(called[1])], minor, "liburing_cgo.h calls %s with liburing 2.%d: put it behind IO_URING_CHECK_VERSION and GO_NEEDS", called[1], minor)
		}
	}
}

// exportedSince returns liburing's exported functions and the minor version of
// liburing 2 that each came with, 0 for those that are older.
func exportedSince(t *testing.T) map[string]int {
	text, err := os.ReadFile(root + "/third_party/liburing/src/src/liburing.map")
	require.NoError(t, err)
	since, minor := map[string]int{}, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if version, ok := strings.CutPrefix(line, "LIBURING_2."); ok {
			minor, err = strconv.Atoi(strings.TrimSuffix(version, " {"))
			require.NoError(t, err)
		}
		if name, ok := strings.CutSuffix(line, ";"); ok && strings.HasPrefix(name, "io_uring_") {
			since[name] = minor
		}
	}
	require.NotEmpty(t, since)
	return since
}

// preprocessed returns what is left of liburing_cgo.h with liburing 2.minor.
func preprocessed(t *testing.T, include string, minor int) []byte {
	const begin = "begin_of_liburing_cgo"
	ringtest.NeedsTool(t, "gcc")
	_, err := os.ReadFile(root + "/liburing_cgo.h") // so that go test knows what this depends on
	require.NoError(t, err)
	gcc := exec.Command("gcc", "-E", "-P", "-I", include, "-I", root, "-x", "c", "-")
	gcc.Stdin = strings.NewReader(fmt.Sprintf(`#define _GNU_SOURCE
#include <liburing.h>
#undef IO_URING_VERSION_MINOR
#define IO_URING_VERSION_MINOR %d
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
%s
#include "liburing_cgo.h"
`, minor, begin))
	gcc.Stderr = os.Stderr
	text, err := gcc.Output()
	require.NoError(t, err)
	_, own, found := bytes.Cut(text, []byte(begin))
	require.True(t, found)
	require.Contains(t, string(own), "io_uring_submit(")
	return own
}
