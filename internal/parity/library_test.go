package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMapSymbols(t *testing.T) {
	assert.Equal(t, map[string]string{
		"io_uring_a":   "≤ 2.4",
		"__io_uring_b": "2.6",
		"io_uring_c":   "2.5",
		"io_uring_d":   "2.10",
	}, mapSymbols(`LIBURING_2.4 {
	global:
		io_uring_a;
		__io_uring_b;	/* Added in 2.6. */
	local:
		*;
};
LIBURING_2.10 {
		io_uring_c;	/* Added in 2.5,
				   exported in 2.6. */
		io_uring_d;
} LIBURING_2.4;
`))
}

func TestClaims(t *testing.T) {
	for doc, want := range map[string][]string{
		"Does it (io_uring_x).":                             {"io_uring_x"},
		"Does it (io_uring_x, __io_uring_y).":               {"io_uring_x", "__io_uring_y"},
		"Does it (io_uring_x with io_uring_y).":             {"io_uring_x", "io_uring_y"},
		"Does it (io_uring_x, io_uring_y and io_uring_z).":  {"io_uring_x", "io_uring_y", "io_uring_z"},
		"Does it as io_uring_x does (see io_uring_y there)": nil,
	} {
		assert.Equal(t, want, (&goFunc{doc: doc}).claims(), doc)
	}
}

func TestOlder(t *testing.T) {
	for _, tc := range [][3]string{{"5.6", "5.10", "5.6"}, {"5.10", "5.6", "5.6"}, {"6.1", "5.19", "5.19"}, {"", "5.1", "5.1"}, {"5.1", "", "5.1"}, {"", "", ""}} {
		assert.Equal(t, tc[2], older(tc[0], tc[1]), tc)
	}
}

// What is read of the vendored liburing is whole: as many names as a plain look
// at its files finds.
func TestVendoredLibrary(t *testing.T) {
	const root = "../.."
	version, pin, err := versions(root)
	require.NoError(t, err)
	if version != pin {
		t.Skipf("liburing %s is vendored, not the pinned %s", version, pin)
	}
	lib, err := readLibrary(root)
	require.NoError(t, err)

	dir := filepath.Join(root, "third_party/liburing")
	exported := found(t, `(?m)^\s*(\w*io_uring_\w+);`, dir+"/src/src/liburing.map", dir+"/src/src/liburing-ffi.map")
	var documented []string
	for _, s := range lib.symbols {
		if s.since == "" {
			documented = append(documented, s.name)
		}
	}
	assert.Equal(t, []string{"io_uring_for_each_cqe"}, documented)
	assert.Len(t, lib.symbols, len(exported)+len(documented))
	assert.Len(t, lib.ops, len(found(t, `(?m)^\t(IORING_OP_\w+),`, dir+"/include/liburing/io_uring.h"))-1)
	assert.Len(t, lib.registers, len(found(t, `(?m)^\t(IORING_(?:UN)?REGISTER_\w+)(?:\t+= \d+)?,`, dir+"/include/liburing/io_uring.h"))-1)
	for _, op := range append(slices.Clone(lib.ops), lib.registers...) {
		// liburing leaves this one to its users.
		if op != "IORING_OP_RECV_ZC" {
			assert.NotEmpty(t, lib.users[op], op)
		}
	}
	for _, s := range lib.symbols {
		if strings.HasPrefix(s.name, "io_uring_prep_") {
			assert.Equal(t, "io_uring_sqe", lib.firstStruct[s.name], s.name)
		}
	}
}

// found returns what the expression's group matches in the files, once each.
func found(t *testing.T, expr string, files ...string) (names []string) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
