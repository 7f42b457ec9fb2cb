//go:build linux && cgo

package liburing

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The structs that both sides share have the offsets that C has, for every
// member of every union.
func TestABI(t *testing.T) {
	var s SQE
	var c CQE
	var p Params
	rows := []struct {
		c  string
		us uintptr
	}{
		{"sizeof(struct io_uring_sqe)", unsafe.Sizeof(s)},
		{"offsetof(struct io_uring_sqe, opcode)", unsafe.Offsetof(s.Opcode)},
		{"offsetof(struct io_uring_sqe, flags)", unsafe.Offsetof(s.Flags)},
		{"offsetof(struct io_uring_sqe, ioprio)", unsafe.Offsetof(s.IOPrio)},
		{"offsetof(struct io_uring_sqe, fd)", unsafe.Offsetof(s.FD)},
		{"offsetof(struct io_uring_sqe, off)", unsafe.Offsetof(s.Off)},
		{"offsetof(struct io_uring_sqe, addr2)", unsafe.Offsetof(s.Off)},
		{"offsetof(struct io_uring_sqe, cmd_op)", unsafe.Offsetof(s.Off)},
		{"offsetof(struct io_uring_sqe, addr)", unsafe.Offsetof(s.Addr)},
		{"offsetof(struct io_uring_sqe, splice_off_in)", unsafe.Offsetof(s.Addr)},
		{"offsetof(struct io_uring_sqe, level)", unsafe.Offsetof(s.Addr)},
		{"offsetof(struct io_uring_sqe, optname)", unsafe.Offsetof(s.Addr) + 4},
		{"offsetof(struct io_uring_sqe, len)", unsafe.Offsetof(s.Len)},
		{"offsetof(struct io_uring_sqe, rw_flags)", unsafe.Offsetof(s.OpFlags)},
		{"offsetof(struct io_uring_sqe, poll32_events)", unsafe.Offsetof(s.OpFlags)},
		{"offsetof(struct io_uring_sqe, user_data)", unsafe.Offsetof(s.UserData)},
		{"offsetof(struct io_uring_sqe, buf_index)", unsafe.Offsetof(s.BufIndex)},
		{"offsetof(struct io_uring_sqe, buf_group)", unsafe.Offsetof(s.BufIndex)},
		{"offsetof(struct io_uring_sqe, personality)", unsafe.Offsetof(s.Personality)},
		{"offsetof(struct io_uring_sqe, splice_fd_in)", unsafe.Offsetof(s.FileIndex)},
		{"offsetof(struct io_uring_sqe, file_index)", unsafe.Offsetof(s.FileIndex)},
		{"offsetof(struct io_uring_sqe, optlen)", unsafe.Offsetof(s.FileIndex)},
		{"offsetof(struct io_uring_sqe, addr_len)", unsafe.Offsetof(s.FileIndex)},
		{"offsetof(struct io_uring_sqe, addr3)", unsafe.Offsetof(s.Addr3)},
		{"offsetof(struct io_uring_sqe, optval)", unsafe.Offsetof(s.Addr3)},
		{"offsetof(struct io_uring_sqe, cmd)", unsafe.Offsetof(s.Addr3)},
		{"offsetof(struct io_uring_sqe, __pad2)", unsafe.Offsetof(s.Pad2)},
		{"sizeof(struct io_uring_cqe)", unsafe.Sizeof(c)},
		{"offsetof(struct io_uring_cqe, user_data)", unsafe.Offsetof(c.UserData)},
		{"offsetof(struct io_uring_cqe, res)", unsafe.Offsetof(c.Res)},
		{"offsetof(struct io_uring_cqe, flags)", unsafe.Offsetof(c.Flags)},
		{"offsetof(struct io_uring_cqe, big_cqe)", unsafe.Sizeof(c)},
		{"sizeof(struct io_uring_params)", unsafe.Sizeof(p)},
		{"offsetof(struct io_uring_params, cq_entries)", unsafe.Offsetof(p.CQEntries)},
		{"offsetof(struct io_uring_params, flags)", unsafe.Offsetof(p.Flags)},
		{"offsetof(struct io_uring_params, sq_thread_cpu)", unsafe.Offsetof(p.SQThreadCPU)},
		{"offsetof(struct io_uring_params, sq_thread_idle)", unsafe.Offsetof(p.SQThreadIdle)},
		{"offsetof(struct io_uring_params, features)", unsafe.Offsetof(p.Features)},
		{"offsetof(struct io_uring_params, wq_fd)", unsafe.Offsetof(p.WQFD)},
		{"sizeof(struct __kernel_timespec)", unsafe.Sizeof(Timespec{})},
		{"offsetof(struct __kernel_timespec, tv_nsec)", unsafe.Offsetof(Timespec{}.Nsec)},
		{"offsetof(struct io_uring_probe, ops)", unsafe.Offsetof(rawProbe{}.ops)},
		{"sizeof(struct io_uring_probe_op)", unsafe.Sizeof(probeOp{})},
		{"offsetof(struct io_uring_probe_op, flags)", unsafe.Offsetof(probeOp{}.flags)},
	}
	var asks []string
	for _, row := range rows {
		asks = append(asks, row.c)
	}
	for i, theirs := range askC(t, asks) {
		require.EqualValues(t, theirs, rows[i].us, rows[i].c)
	}
}

// askC has the C compiler evaluate integer expressions over liburing's headers.
func askC(t *testing.T, exprs []string) (values []uint64) {
	t.Helper()
	dir := t.TempDir()
	var src strings.Builder
	src.WriteString("#include <stddef.h>\n#include <stdio.h>\n#include <liburing.h>\nint main(void)\n{\n")
	for _, e := range exprs {
		fmt.Fprintf(&src, "\tprintf(\"%%llu\\n\", (unsigned long long)(%s));\n", e)
	}
	src.WriteString("}\n")
	file, program := filepath.Join(dir, "ask.c"), filepath.Join(dir, "ask")
	require.NoError(t, os.WriteFile(file, []byte(src.String()), 0o600))
	out, err := exec.Command(cCompiler(), "-D_GNU_SOURCE", "-Ithird_party/liburing/include", "-o", program, file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		var v uint64
		_, err := fmt.Sscan(line, &v)
		require.NoError(t, err)
		values = append(values, v)
	}
	require.Len(t, values, len(exprs))
	return values
}
