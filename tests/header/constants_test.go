package header_test

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/cname"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests that compare with C take nothing from the generator: the compiler
// itself says which macros (its preprocessor) and enumerators (its debugging
// information) the vendored headers define, and whether a Go value is right (its
// static assertions).

const (
	root            = "../.."
	vendoredInclude = root + "/third_party/liburing/include"
)

// noConstants are the macros of the headers that have a value and are still no
// constants for Go.
var noConstants = map[string]bool{
	"IO_URING_VERSION_MAJOR":                        true,
	"IO_URING_VERSION_MINOR":                        true,
	"UAPI_LINUX_IO_URING_H_SKIP_LINUX_TIME_TYPES_H": true,
	"FUTEX_32":       true, // an older name of FUTEX2_SIZE_U32
	"__maybe_unused": true,
	// The system calls are liburing's to make, and differ by architecture.
	"__NR_io_uring_setup":    true,
	"__NR_io_uring_enter":    true,
	"__NR_io_uring_register": true,
}

// vendoredHeaders returns the include directory of the vendored liburing, or
// skips the test when it is not there or not the version that the constants
// were generated from.
func vendoredHeaders(t *testing.T) string {
	t.Helper()
	include, err := filepath.Abs(vendoredInclude)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(include, "liburing", "io_uring_version.h"))
	if os.IsNotExist(err) {
		t.Skipf("no liburing headers in %s: run scripts/vendor-liburing.sh", vendoredInclude)
	}
	require.NoError(t, err)
	var version [2]int
	for i, part := range []string{"MAJOR", "MINOR"} {
		m := regexp.MustCompile(`IO_URING_VERSION_` + part + `\s+(\d+)`).FindSubmatch(text)
		require.NotNil(t, m, "no %s version in io_uring_version.h", part)
		_, err := fmt.Sscan(string(m[1]), &version[i])
		require.NoError(t, err)
	}
	if version[0] < 2 || version[0] == 2 && version[1] < 15 {
		t.Skipf("%s holds liburing %d.%d, the constants are those of 2.15 or newer: run scripts/vendor-liburing.sh", vendoredInclude, version[0], version[1])
	}
	return include
}

// cc runs the C compiler on a program that includes all of liburing's headers,
// and returns what it prints.
func cc(t *testing.T, include, program string, args ...string) ([]byte, error) {
	t.Helper()
	var text strings.Builder
	text.WriteString("#include <liburing.h>\n")
	err := filepath.WalkDir(include, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".h") {
			fmt.Fprintf(&text, "#include %q\n", path)
		}
		return err
	})
	require.NoError(t, err)
	companions, err := filepath.Abs(root + "/internal/genconst/companions.h")
	require.NoError(t, err)
	fmt.Fprintf(&text, "#include %q\n%s", companions, program)

	compiler := strings.Fields(os.Getenv("CC"))
	if len(compiler) == 0 {
		compiler = []string{"gcc"}
	}
	ringtest.NeedsTool(t, compiler[0])
	args = append(compiler[1:], append([]string{"-x", "c", "-D_GNU_SOURCE", "-w", "-I", include, "-"}, args...)...)
	cmd := exec.Command(compiler[0], args...)
	cmd.Stdin = strings.NewReader(text.String())
	return cmd.CombinedOutput()
}

// cMacros returns the macros with a value that the vendored headers define.
func cMacros(t *testing.T, include string) map[string]bool {
	out, err := cc(t, include, "", "-E", "-dD")
	require.NoError(t, err, "%s", out)
	position := regexp.MustCompile(`^# \d+ "([^"]*)"`)
	define := regexp.MustCompile(`^#define (\w+)(\(?)\s*(.*)`)
	undef := regexp.MustCompile(`^#undef (\w+)`)

	names := map[string]bool{}
	ours := false
	for line := range bytes.Lines(out) {
		if m := position.FindSubmatch(line); m != nil {
			ours = strings.HasPrefix(string(m[1]), include+"/")
		} else if m := undef.FindSubmatch(line); m != nil {
			delete(names, string(m[1]))
		} else if m := define.FindSubmatch(line); m != nil && ours && len(m[2]) == 0 && len(m[3]) > 0 && !noConstants[string(m[1])] {
			names[string(m[1])] = true
		}
	}
	return names
}

// cEnumerators returns the enumerators that the vendored headers define.
func cEnumerators(t *testing.T, include string) map[string]bool {
	object := filepath.Join(t.TempDir(), "enumerators.o")
	out, err := cc(t, include, "", "-c", "-g", "-fno-eliminate-unused-debug-types", "-o", object)
	require.NoError(t, err, "%s", out)
	file, err := elf.Open(object)
	require.NoError(t, err)
	defer file.Close()
	info, err := file.DWARF()
	require.NoError(t, err)

	names := map[string]bool{}
	var files []*dwarf.LineFile
	ours := false
	for r := info.Reader(); ; {
		entry, err := r.Next()
		require.NoError(t, err)
		if entry == nil {
			return names
		}
		switch entry.Tag {
		case dwarf.TagCompileUnit:
			lines, err := info.LineReader(entry)
			require.NoError(t, err)
			files = lines.Files()
		case dwarf.TagEnumerationType:
			at, _ := entry.Val(dwarf.AttrDeclFile).(int64)
			ours = at > 0 && strings.HasPrefix(files[at].Name, include+"/")
		case dwarf.TagEnumerator:
			if ours {
				names[entry.Val(dwarf.AttrName).(string)] = true
			}
		}
	}
}

// cConstants returns every C name that a Go constant must stand for.
func cConstants(t *testing.T, include string) []string {
	macros, enumerators := cMacros(t, include), cEnumerators(t, include)
	// Far fewer would mean that this test no longer sees what it is to check.
	require.Greater(t, len(macros), 100)
	require.Greater(t, len(enumerators), 120)

	// Those that come from the kernel's own headers, old or new.
	companions, err := os.ReadFile(root + "/internal/genconst/companions.h")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^#ifndef (\w+)`).FindAllSubmatch(companions, -1) {
		macros[string(m[1])] = true
	}
	var names []string
	for _, set := range []map[string]bool{macros, enumerators} {
		for name := range set {
			names = append(names, name)
		}
	}
	return names
}

// goConstants type-checks the files of constants alone, and returns the exported
// constants and the C name that the comment beside each tells.
func goConstants(t *testing.T) (values map[string]constant.Value, cNames map[string]string) {
	fset := token.NewFileSet()
	var files []*ast.File
	cNames = map[string]string{}
	paths, err := filepath.Glob(root + "/*.go")
	require.NoError(t, err)
	for _, path := range paths {
		name := filepath.Base(path)
		if !strings.HasPrefix(name, "constants") && !strings.HasPrefix(name, "zz_constants") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		match, err := build.Default.MatchFile(root, name)
		require.NoError(t, err)
		if !match {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && spec.Comment != nil {
				cNames[spec.Names[0].Name] = strings.TrimSpace(spec.Comment.Text())
			}
			return true
		})
	}
	fromSystem, err := parser.ParseFile(fset, "sys.go", fmt.Sprintf("package liburing\nconst blockIoctl = %d", liburing.BlockCmdDiscard), 0)
	require.NoError(t, err)
	files = append(files, fromSystem)
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check("liburing", fset, files, nil)
	require.NoError(t, err, "the files of constants must stand on their own, but for the number of an ioctl")
	values = map[string]constant.Value{}
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && c.Exported() {
			values[name] = c.Val()
		}
	}
	return values, cNames
}

func TestConstantsMatchC(t *testing.T) {
	include := vendoredHeaders(t)
	values, cNames := goConstants(t)

	var program strings.Builder
	known := map[string]bool{}
	for _, c := range cConstants(t, include) {
		name := cname.GoConst(c)
		value, ok := values[name]
		if !assert.True(t, ok, "%s has no Go constant %s: run go generate", c, name) {
			continue
		}
		known[name] = true
		assert.Equal(t, c, cNames[name], "the comment beside %s", name)
		// Sign and bits apart: C compares mixed signs its own way.
		sign, bits := constant.Sign(value) < 0, constant.BinaryOp(value, token.AND, constant.MakeUint64(1<<64-1))
		fmt.Fprintf(&program, "_Static_assert(((%s) < 0) == %d && (unsigned long long) (%s) == %sULL, \"%s = %s\");\n",
			c, map[bool]int{true: 1}[sign], c, bits.ExactString(), name, value)
	}
	for name := range values {
		assert.True(t, known[name], "%s stands for no constant of the headers: run go generate", name)
	}
	out, err := cc(t, include, program.String(), "-fsyntax-only")
	assert.NoError(t, err, "the C compiler has other values:\n%s", out)
}

// A value that the compiler does not agree with must be noticed.
func TestConstantsMatchCNotices(t *testing.T) {
	include := vendoredHeaders(t)
	out, err := cc(t, include, "_Static_assert(IORING_OP_READV == 2, \"OpReadv = 2\");\n", "-fsyntax-only")
	assert.Error(t, err)
	assert.Contains(t, string(out), "OpReadv = 2")
}

func TestConstantTypesAsWideAsC(t *testing.T) {
	include := vendoredHeaders(t)
	var program strings.Builder
	for _, tc := range []struct {
		goSize uintptr
		of     string
		field  string
	}{
		{unsafe.Sizeof(liburing.Op(0)), "io_uring_sqe", "opcode"},
		{unsafe.Sizeof(liburing.SQEFlags(0)), "io_uring_sqe", "flags"},
		{unsafe.Sizeof(liburing.CQEFlags(0)), "io_uring_cqe", "flags"},
		{unsafe.Sizeof(liburing.NotifUsage(0)), "io_uring_cqe", "res"},
		{unsafe.Sizeof(liburing.SetupFlags(0)), "io_uring_params", "flags"},
		{unsafe.Sizeof(liburing.Features(0)), "io_uring_params", "features"},
		{unsafe.Sizeof(liburing.SQRingFlags(0)), "io_uring_sq", "kflags[0]"},
		{unsafe.Sizeof(liburing.CQRingFlags(0)), "io_uring_cq", "kflags[0]"},
		{unsafe.Sizeof(liburing.RWAttrFlags(0)), "io_uring_sqe", "attr_type_mask"},
		{unsafe.Sizeof(liburing.FsyncFlags(0)), "io_uring_sqe", "fsync_flags"},
		{unsafe.Sizeof(liburing.TimeoutFlags(0)), "io_uring_sqe", "timeout_flags"},
		{unsafe.Sizeof(liburing.SpliceFlags(0)), "io_uring_sqe", "splice_flags"},
		{unsafe.Sizeof(liburing.PollFlags(0)), "io_uring_sqe", "len"},
		{unsafe.Sizeof(liburing.CancelFlags(0)), "io_uring_sqe", "cancel_flags"},
		{unsafe.Sizeof(liburing.CancelFlags(0)), "io_uring_sync_cancel_reg", "flags"},
		{unsafe.Sizeof(liburing.RecvSendFlags(0)), "io_uring_sqe", "ioprio"},
		{unsafe.Sizeof(liburing.AcceptFlags(0)), "io_uring_sqe", "ioprio"},
		{unsafe.Sizeof(liburing.MsgRingCmd(0)), "io_uring_sqe", "addr"},
		{unsafe.Sizeof(liburing.MsgRingFlags(0)), "io_uring_sqe", "msg_ring_flags"},
		{unsafe.Sizeof(liburing.FixedFDInstallFlags(0)), "io_uring_sqe", "install_fd_flags"},
		{unsafe.Sizeof(liburing.NopFlags(0)), "io_uring_sqe", "nop_flags"},
		{unsafe.Sizeof(liburing.URingCmdFlags(0)), "io_uring_sqe", "uring_cmd_flags"},
		{unsafe.Sizeof(liburing.SocketOp(0)), "io_uring_sqe", "cmd_op"},
		{unsafe.Sizeof(liburing.Futex2Flags(0)), "io_uring_sqe", "futex_flags"},
		{unsafe.Sizeof(liburing.RsrcFlags(0)), "io_uring_rsrc_register", "flags"},
		{unsafe.Sizeof(liburing.ProbeOpFlags(0)), "io_uring_probe_op", "flags"},
		{unsafe.Sizeof(liburing.RestrictionOp(0)), "io_uring_restriction", "opcode"},
		{unsafe.Sizeof(liburing.CloneBuffersFlags(0)), "io_uring_clone_buffers", "flags"},
		{unsafe.Sizeof(liburing.BufRingFlags(0)), "io_uring_buf_reg", "flags"},
		{unsafe.Sizeof(liburing.RegionFlags(0)), "io_uring_region_desc", "flags"},
		{unsafe.Sizeof(liburing.MemRegionFlags(0)), "io_uring_mem_region_reg", "flags"},
		{unsafe.Sizeof(liburing.RegWaitFlags(0)), "io_uring_reg_wait", "flags"},
		{unsafe.Sizeof(liburing.QueryOp(0)), "io_uring_query_hdr", "query_op"},
		{unsafe.Sizeof(liburing.BPFCmd(0)), "io_uring_bpf", "cmd_type"},
		{unsafe.Sizeof(liburing.BPFFilterFlags(0)), "io_uring_bpf_filter", "flags"},
		{unsafe.Sizeof(liburing.ZCRXAreaFlags(0)), "io_uring_zcrx_area_reg", "flags"},
		{unsafe.Sizeof(liburing.ZCRXRegFlags(0)), "io_uring_zcrx_ifq_reg", "flags"},
		{unsafe.Sizeof(liburing.ZCRXFeatures(0)), "io_uring_query_zcrx", "features"},
		{unsafe.Sizeof(liburing.ZCRXCtrlOp(0)), "zcrx_ctrl", "op"},
	} {
		fmt.Fprintf(&program, "_Static_assert(sizeof(((struct %s *) 0)->%s) == %d, \"%s.%s is not %[3]d bytes\");\n",
			tc.of, tc.field, tc.goSize, tc.of, tc.field)
	}
	out, err := cc(t, include, program.String(), "-fsyntax-only")
	assert.NoError(t, err, "%s", out)
}

func TestEveryOpHasAName(t *testing.T) {
	seen := map[string]liburing.Op{}
	for op := range liburing.OpLast {
		name := op.String()
		assert.Regexp(t, `^[a-z0-9_]+$`, name)
		assert.NotContains(t, seen, name)
		seen[name] = op
	}
	for op := range liburing.RegisterLast {
		assert.Regexp(t, `^(un)?register_[a-z0-9_]+$`, op.String())
	}
	assert.Equal(t, fmt.Sprintf("Op(%d)", uint8(liburing.OpLast)), liburing.OpLast.String(), "a count is no opcode")
	assert.Equal(t, fmt.Sprintf("RegisterOp(%d)", uint32(liburing.RegisterLast)), liburing.RegisterLast.String())
}

func TestConstantStrings(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"readv":                                liburing.OpReadv,
		"uring_cmd128":                         liburing.OpURingCmd128,
		"Op(255)":                              liburing.Op(255),
		"register_pbuf_ring":                   liburing.RegisterPbufRing,
		"unregister_napi":                      liburing.UnregisterNAPI,
		"register_probe|use_registered_ring":   liburing.RegisterProbe | liburing.RegisterUseRegisteredRing,
		"0":                                    liburing.SetupFlags(0),
		"sqpoll|defer_taskrun":                 liburing.SetupDeferTaskrun | liburing.SetupSQPoll,
		"sqpoll|0x40000000":                    liburing.SetupSQPoll | 1<<30,
		"0x80000000":                           liburing.Features(1 << 31),
		"single_mmap|no_iowait":                liburing.FeatSingleMmap | liburing.FeatNoIowait,
		"fixed_file|cqe_skip_success|0x80":     liburing.SQEFixedFile | liburing.SQECQESkipSuccess | 0x80,
		"more|tstamp_hw|0x20000":               liburing.CQEFMore | liburing.CQEFTstampHW | 1<<liburing.TimestampTypeShift,
		"buffer|more|bid=65535":                liburing.CQEFBuffer | liburing.CQEFMore | 0xffff<<liburing.CQEBufferShift,
		"buffer|f_32|bid=0":                    liburing.CQEFBuffer | liburing.CQEF32,
		"abs|link_timeout_update":              liburing.TimeoutAbs | liburing.LinkTimeoutUpdate,
		"fd_in_fixed|0x1":                      liburing.SpliceFFDInFixed | 1,
		"poll_first|recv_multishot|0x8000":     liburing.RecvSendPollFirst | liburing.RecvMultishot | 1<<15,
		"size_u8":                              liburing.Futex2SizeU8,
		"size_u16":                             liburing.Futex2SizeU16,
		"size_u64|private":                     liburing.Futex2SizeU64 | liburing.Futex2Private,
		"size_u32|numa|0x40":                   liburing.Futex2SizeU32 | liburing.Futex2NUMA | 0x40,
		"pi|0x8000000000000000":                liburing.RWAttrFlagPI | 1<<63,
		"send_fd":                              liburing.MsgSendFD,
		"MsgRingCmd(18446744073709551615)":     liburing.MsgRingCmd(1<<64 - 1),
		"siocinq":                              liburing.SocketOpSIOCINQ,
		"sqe_flags_required":                   liburing.RestrictionSQEFlagsRequired,
		"filter":                               liburing.BPFCmdFilter,
		"BPFCmd(0)":                            liburing.BPFCmd(0),
		"zc_copied":                            liburing.NotifUsageZCCopied,
		"export":                               liburing.ZCRXCtrlExport,
		"unbound":                              liburing.IOWQUnbound,
		"deny_rest|sz_strict":                  liburing.BPFFilterDenyRest | liburing.BPFFilterSzStrict,
		"src_registered|dst_replace":           liburing.RegisterSrcRegistered | liburing.RegisterDstReplace,
		"getevents|ext_arg|abs_timer|0x100000": liburing.EnterGetEvents | liburing.EnterExtArg | liburing.EnterAbsTimer | 1<<20,
	} {
		assert.Equal(t, want, v.String())
	}
}
