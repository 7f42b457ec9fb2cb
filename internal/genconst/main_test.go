package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScan(t *testing.T) {
	const text = `
#ifndef GUARD_H
#define GUARD_H
/* #define COMMENTED 1 */
#define FUNCTION(x) (x)
#define FLAG	(1U << 0)  /* a comment, with a comma */
  #  define INDENTED 2 // and another
#define LONG \
	3
enum tag {
	FIRST,
	/* SECOND_COMMENTED, */
	SECOND = (1U << 3),
#ifdef SOMETHING
	THIRD	= 4,
#endif
};
struct s { enum tag of; };
enum { ANONYMOUS = 7 };
#endif
`
	assert.Equal(t, []symbol{
		{name: "FLAG", header: "h"},
		{name: "INDENTED", header: "h"},
		{name: "LONG", header: "h"},
		{name: "FIRST", enum: "tag", header: "h"},
		{name: "SECOND", enum: "tag", header: "h"},
		{name: "THIRD", enum: "tag", header: "h"},
		{name: "ANONYMOUS", header: "h"},
	}, scan("h", text))
}

func TestGroupOf(t *testing.T) {
	for name, want := range map[symbol]string{
		{name: "IORING_SETUP_NEW"}:                                     "SetupFlags",
		{name: "IORING_OP_NEW", enum: "io_uring_op"}:                   "Op",
		{name: "IORING_REGISTER_NEW", enum: "io_uring_register_op"}:    "RegisterOp",
		{name: "IORING_MEM_REGION_TYPE_NEW"}:                           "RegionFlags",
		{name: "IORING_MEM_REGION_NEW"}:                                "MemRegionFlags",
		{name: "IORING_CQE_F_NEW"}:                                     "CQEFlags",
		{name: "IORING_SEND_NEW"}:                                      "RecvSendFlags",
		{name: "IORING_FILE_INDEX_ALLOC"}:                              "",
		{name: "IOSQE_NEW_BIT", enum: "io_uring_sqe_flags_bit"}:        "uint8",
		{name: "IORING_MSG_NEW", enum: "io_uring_msg_ring_flags"}:      "MsgRingCmd",
		{name: "__ZCRX_CTRL_LAST", enum: "zcrx_ctrl_op"}:               "ZCRXCtrlOp",
		{name: "IORING_ZCRX_AREA_X", enum: "io_uring_zcrx_area_flags"}: "ZCRXAreaFlags",
	} {
		i, err := groupOf(name)
		if assert.NoError(t, err) {
			assert.Equal(t, want, groups[i].typ, name.name)
		}
	}
}

func TestGroupOfIgnores(t *testing.T) {
	i, err := groupOf(symbol{name: "IOURINGINLINE"})
	assert.NoError(t, err)
	assert.Equal(t, -1, i)
}

func TestGroupOfUnknown(t *testing.T) {
	for _, s := range []symbol{
		{name: "IORING_SOMETHING_NEW", header: "io_uring.h"},
		// A macro among the register operations is none of them.
		{name: "IORING_REGISTER_NEW", header: "io_uring.h"},
		// The prefix of a known group does not take over a new enum.
		{name: "IORING_SETUP_NEW", enum: "io_uring_new", header: "io_uring.h"},
	} {
		_, err := groupOf(s)
		if assert.Error(t, err, s.name) {
			assert.Contains(t, err.Error(), s.name)
			assert.Contains(t, err.Error(), "rules.go")
		}
	}
}

func TestCollisions(t *testing.T) {
	of := func(names ...string) []block {
		var bl block
		for _, n := range names {
			bl.constants = append(bl.constants, constant{c: n})
		}
		return []block{bl}
	}
	assert.NoError(t, collisions(of("IORING_OP_NOP", "IORING_OP_READV"), nil))
	assert.EqualError(t, collisions(of("IORING_OP_NOP", "IO_URING_OP_NOP"), nil),
		"IORING_OP_NOP and IO_URING_OP_NOP would both be OpNop: tell them apart in internal/cname")
	assert.EqualError(t, collisions(of("IORING_FEATURES"), map[string]string{"Features": "constants.go:7:6"}),
		"IORING_FEATURES would be Features, which constants.go:7:6 declares: rename one of them")
}

func TestDeclared(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("a.go", "package p\ntype T int\nfunc F() {}\nfunc (T) Method() {}\nvar V, W = 1, 2\nconst C = 1\n")
	write("a_test.go", "package p\nfunc TestX() {}\n")
	write("zz_constants.go", "package p\nconst Generated = 1\n")
	taken, err := declared(dir)
	require.NoError(t, err)
	var names []string
	for name := range taken {
		names = append(names, name)
	}
	assert.ElementsMatch(t, []string{"T", "F", "V", "W", "C"}, names)
}

func TestLiteral(t *testing.T) {
	for _, tc := range []struct {
		kind kind
		v    value
		want string
	}{
		{flags, value{magnitude: 8}, "1 << 3"},
		{flags, value{magnitude: 12}, "0xc"},
		{flags, value{magnitude: 0}, "0x0"},
		{enum, value{magnitude: 8}, "8"},
		{enum, value{magnitude: 1 << 31}, "1 << 31"},
		{number, value{magnitude: 16}, "16"},
		{number, value{magnitude: 1 << 63}, "0x8000000000000000"},
		{number, value{negative: true, magnitude: 2}, "-2"},
	} {
		assert.Equal(t, tc.want, group{kind: tc.kind}.literal(tc.v))
	}
}

func TestNoHeaders(t *testing.T) {
	_, err := generate(t.TempDir(), ".")
	assert.ErrorContains(t, err, "vendor-liburing.sh")
}

// A header with a constant that no rule knows stops the generator.
func TestUnknownConstant(t *testing.T) {
	include := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(include, "liburing"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(include, "liburing", "io_uring.h"), []byte("#define IORING_NOVEL_THING 1\n"), 0o600))
	_, err := generate(include, ".")
	assert.ErrorContains(t, err, "IORING_NOVEL_THING")
}
