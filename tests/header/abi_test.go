//go:build linux

package header_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/abi"
	"github.com/go-liburing/liburing/internal/ffi"
	"github.com/stretchr/testify/require"
)

// The structs that both sides share have the offsets that C has, for every
// member of every union.
func TestABI(t *testing.T) {
	var s liburing.SQE
	var c liburing.CQE
	var p liburing.Params
	type row struct {
		c  string
		us uintptr
	}
	rows := []row{
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
		{"sizeof(struct __kernel_timespec)", unsafe.Sizeof(liburing.Timespec{})},
		{"offsetof(struct __kernel_timespec, tv_nsec)", unsafe.Offsetof(liburing.Timespec{}.Nsec)},
		{"offsetof(struct io_uring_probe, ops)", unsafe.Offsetof(abi.Probe{}.Ops)},
		{"sizeof(struct io_uring_probe_op)", unsafe.Sizeof(abi.ProbeOp{})},
		{"offsetof(struct io_uring_probe_op, flags)", unsafe.Offsetof(abi.ProbeOp{}.Flags)},
		{"sizeof(struct io_uring_buf)", unsafe.Sizeof(abi.Buf{})},
		{"offsetof(struct io_uring_buf, bid)", unsafe.Offsetof(abi.Buf{}.BID)},
		{"offsetof(struct io_uring_buf_ring, tail)", unsafe.Offsetof(abi.BufRing{}.Tail)},
		{"sizeof(struct io_uring_buf_reg)", unsafe.Sizeof(liburing.BufReg{})},
		{"offsetof(struct io_uring_buf_reg, flags)", unsafe.Offsetof(liburing.BufReg{}.Flags)},
		{"sizeof(struct io_uring_restriction)", unsafe.Sizeof(liburing.Restriction{})},
		{"offsetof(struct io_uring_restriction, sqe_op)", unsafe.Offsetof(liburing.Restriction{}.Value)},
		{"sizeof(struct io_uring_sync_cancel_reg)", unsafe.Sizeof(liburing.SyncCancelReg{})},
		{"offsetof(struct io_uring_sync_cancel_reg, timeout)", unsafe.Offsetof(liburing.SyncCancelReg{}.Timeout)},
		{"offsetof(struct io_uring_sync_cancel_reg, opcode)", unsafe.Offsetof(liburing.SyncCancelReg{}.Opcode)},
		{"sizeof(struct io_uring_napi)", unsafe.Sizeof(liburing.NAPI{})},
		{"sizeof(struct io_uring_clock_register)", unsafe.Sizeof(abi.ClockRegister{})},
		{"sizeof(struct io_uring_reg_wait)", unsafe.Sizeof(liburing.RegWait{})},
		{"offsetof(struct io_uring_reg_wait, flags)", unsafe.Offsetof(liburing.RegWait{}.Flags)},
		{"sizeof(struct io_uring_mem_region_reg)", unsafe.Sizeof(abi.MemRegionReg{})},
		{"sizeof(struct io_uring_region_desc)", unsafe.Sizeof(abi.RegionDesc{})},
		{"offsetof(struct io_uring_region_desc, flags)", unsafe.Offsetof(abi.RegionDesc{}.Flags)},
		{"sizeof(struct futex_waitv)", unsafe.Sizeof(liburing.FutexWaitv{})},
		{"sizeof(struct open_how)", unsafe.Sizeof(liburing.OpenHow{})},
		{"sizeof(struct io_uring_recvmsg_out)", liburing.RecvmsgOutSize},
	}
	if liburing.MinorVersion() >= 15 {
		rows = append(rows, []row{
			{"sizeof(struct io_uring_zcrx_ifq_reg)", unsafe.Sizeof(liburing.ZCRXIFQReg{})},
			{"offsetof(struct io_uring_zcrx_ifq_reg, zcrx_id)", unsafe.Offsetof(liburing.ZCRXIFQReg{}.ZCRXID)},
			{"sizeof(struct zcrx_ctrl)", unsafe.Sizeof(liburing.ZCRXCtrl{})},
			{"sizeof(struct io_uring_query_hdr)", unsafe.Sizeof(abi.QueryHdr{})},
			{"offsetof(struct io_uring_query_hdr, result)", unsafe.Offsetof(abi.QueryHdr{}.Result)},
			{"sizeof(struct io_uring_query_opcode)", unsafe.Sizeof(liburing.QueryOpcodeInfo{})},
			{"sizeof(struct io_uring_query_zcrx)", unsafe.Sizeof(liburing.QueryZCRXInfo{})},
			{"sizeof(struct io_uring_query_scq)", unsafe.Sizeof(liburing.QuerySCQInfo{})},
			{"sizeof(struct io_uring_bpf)", unsafe.Sizeof(abi.BPF{})},
			{"offsetof(struct io_uring_bpf, filter.filter_ptr)", unsafe.Offsetof(abi.BPF{}.Filter)},
			{"sizeof(struct sock_filter)", unsafe.Sizeof(liburing.BPFInstruction{})},
		}...)
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
	ffi.NeedsCompiler(t)
	dir := t.TempDir()
	var src strings.Builder
	src.WriteString("#include <stddef.h>\n#include <stdio.h>\n#include <liburing.h>\n#include <linux/futex.h>\n#include <linux/filter.h>\n#if __has_include(<liburing/io_uring/query.h>)\n#include <liburing/io_uring/query.h>\n#include <liburing/io_uring/bpf_filter.h>\n#endif\nint main(void)\n{\n")
	for _, e := range exprs {
		fmt.Fprintf(&src, "\tprintf(\"%%llu\\n\", (unsigned long long)(%s));\n", e)
	}
	src.WriteString("}\n")
	file, program := filepath.Join(dir, "ask.c"), filepath.Join(dir, "ask")
	require.NoError(t, os.WriteFile(file, []byte(src.String()), 0o600))
	out, err := exec.Command(ffi.Compiler(), "-D_GNU_SOURCE", "-I../../third_party/liburing/include", "-o", program, file).CombinedOutput()
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
