//go:build linux && cgo

package liburing

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-liburing/liburing/internal/optable"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The table has a row for each operation of the header, and what reads its text
// finds them all.
func TestEveryOperationHasARow(t *testing.T) {
	for op := range OpLast {
		require.NotEmpty(t, opTable[op].kernel, "optable.go has no row for %v", op)
	}
	rows, err := optable.Read(".")
	require.NoError(t, err)
	require.Len(t, rows, int(OpLast))
	require.Equal(t, optable.Row{Kernel: "5.11", Quick: true, Worker: true, Fixed: "fixedByFlag"}, rows["OpShutdown"])
	require.Equal(t, opFacts{}, opBad.facts())
}

// neverRun are the opcodes that no test can run here, and why.
var neverRun = map[string]string{
	"OpRecvZC": "it takes a network card that steers packets into registered memory",
}

// Every opcode, and each of the Loop's methods for it, is run by a test.
func TestEveryOpcodeRuns(t *testing.T) {
	preps, err := optable.Preps(".")
	require.NoError(t, err)
	rows, err := optable.Read(".")
	require.NoError(t, err)
	called := calledInTests(t)

	run := map[string]bool{}
	var missing []string
	for _, p := range preps {
		method, _ := optable.LoopForms.Name(p.Name)
		if called["l."+method] || called["loop."+method] {
			run[p.Op] = true
		} else {
			missing = append(missing, "Loop."+method)
		}
		if called[p.Name] {
			run[p.Op] = true
		}
	}
	require.Greater(t, len(run), 10, "the methods are not found any more")
	for op := range rows {
		if !run[op] && neverRun[op] == "" {
			missing = append(missing, op)
		}
	}
	slices.Sort(missing)
	require.Empty(t, missing, "no test runs these")
}

// calledInTests returns the methods that the tests of operations call, with and
// without the name of what they are called on.
func calledInTests(t testing.TB) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("opcodes_*_test.go")
	require.NoError(t, err)
	called := map[string]bool{}
	for _, name := range append(names, "tests/loop/loop_test.go", "ring_test.go", "tests/loop/cancel_test.go") {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				called[sel.Sel.Name] = true
				if on, ok := sel.X.(*ast.Ident); ok {
					called[on.Name+"."+sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	return called
}

// The kernel takes buffers of a group for those operations alone that the table
// names.
func TestOperationsThatTakeBuffers(t *testing.T) {
	needsKernel(t, 6, 18) // earlier ones do for fewer
	r := newRing(t, 8, WithFlags(SetupSQE128))
	for op := range OpLast {
		if !knows(t, op) {
			continue
		}
		c := submitOne(t, r, func(s *SQE) {
			s.PrepRW(op, -1, 0, 0, 0)
			s.Flags = SQEBufferSelect
			s.SetBufGroup(77)
		})
		require.Equal(t, !op.facts().buffers, c.Res == -int32(unix.EOPNOTSUPP), "%v: %v", op, c.Err())
	}
}

// A group of buffers is nothing for other operations, which say so.
func TestBuffersForTheWrongOperation(t *testing.T) {
	l := newLoop(t, 8)
	g := newGroup(t, l, 2, 16, 0)
	_, wr := pipe(t)
	c := do(t, l, func(cb Callback) Request { return l.Write(wr, []byte("x"), CurrentPosition, cb).Buffers(g) })
	require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	require.ErrorContains(t, c[0].Err(), "group of buffers")
	require.NoError(t, g.Close(), "the group is as it was")
}

// What the table says always takes a worker thread does, and what most programs
// do most does not.
func TestOperationsThatTakeAWorker(t *testing.T) {
	needOps(t, OpMkdirat) // before Linux 5.12 workers were no threads of the process
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	f := tempFile(t, make([]byte, 1<<16))
	fd := int(f.Fd())
	require.NoError(t, os.WriteFile(path("a"), []byte("a"), 0o600))
	rd, wr := pipe(t)
	_, wr2 := pipe(t)
	a, b := socketPair(t)
	mem, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer unix.Munmap(mem)
	value := []byte("value")
	run := map[Op]func(l *Loop, cb Callback) Request{
		OpNop:           func(l *Loop, cb Callback) Request { return l.Nop(cb) },
		OpWrite:         func(l *Loop, cb Callback) Request { return l.Write(wr, value, 0, cb) },
		OpSend:          func(l *Loop, cb Callback) Request { return l.Send(a, value, 0, cb) },
		OpRecv:          func(l *Loop, cb Callback) Request { return l.Recv(b, make([]byte, 9), 0, cb) },
		OpPollAdd:       func(l *Loop, cb Callback) Request { return l.PollAdd(wr, unix.POLLOUT, cb) },
		OpTimeout:       func(l *Loop, cb Callback) Request { return l.Timeout(0, 0, 0, cb) },
		OpFsync:         func(l *Loop, cb Callback) Request { return l.Fsync(fd, 0, cb) },
		OpSyncFileRange: func(l *Loop, cb Callback) Request { return l.SyncFileRange(fd, 10, 0, 0, cb) },
		OpFallocate:     func(l *Loop, cb Callback) Request { return l.Fallocate(fd, 0, 0, 10, cb) },
		OpFtruncate:     func(l *Loop, cb Callback) Request { return l.Ftruncate(fd, 1<<16, cb) },
		OpMadvise:       func(l *Loop, cb Callback) Request { return l.Madvise(mem, unix.MADV_NORMAL, cb) },
		OpStatx:         func(l *Loop, cb Callback) Request { return l.Statx(atFDCWD, path("a"), 0, 0, new(Statx), cb) },
		OpMkdirat:       func(l *Loop, cb Callback) Request { return l.Mkdir(path("d"), 0o700, cb) },
		OpSymlinkat:     func(l *Loop, cb Callback) Request { return l.Symlink("a", path("s"), cb) },
		OpLinkat:        func(l *Loop, cb Callback) Request { return l.Link(path("a"), path("l"), 0, cb) },
		OpRenameat:      func(l *Loop, cb Callback) Request { return l.Rename(path("none"), path("b"), cb) },
		OpUnlinkat:      func(l *Loop, cb Callback) Request { return l.Unlink(path("none"), 0, cb) },
		OpGetxattr:      func(l *Loop, cb Callback) Request { return l.Getxattr("user.a", mem, path("a"), cb) },
		OpSetxattr:      func(l *Loop, cb Callback) Request { return l.Setxattr("user.a", value, path("a"), 0, cb) },
		OpFgetxattr:     func(l *Loop, cb Callback) Request { return l.Fgetxattr(fd, "user.a", mem, cb) },
		OpFsetxattr:     func(l *Loop, cb Callback) Request { return l.Fsetxattr(fd, "user.a", value, 0, cb) },
		OpSplice:        func(l *Loop, cb Callback) Request { return l.Splice(fd, 0, wr, -1, 5, 0, cb) },
		OpTee:           func(l *Loop, cb Callback) Request { return l.Tee(rd, wr2, 2, 0, cb) },
		OpShutdown:      func(l *Loop, cb Callback) Request { return l.Shutdown(a, unix.SHUT_RD, cb) },
	}
	_, err = unix.Write(wr, value) // for the tee
	require.NoError(t, err)
	for op := range OpLast {
		f := run[op]
		require.True(t, f != nil || !op.facts().worker, "there is no request that shows %v to take a worker", op)
		if f == nil || !knows(t, op) {
			continue
		}
		l := newLoop(t, 8)
		do(t, l, func(cb Callback) Request { return f(l, cb) })
		require.Equal(t, op.facts().worker, hasWorker(t, l), "%v", op)
	}
}

// hasWorker reports whether the kernel has a worker thread for a loop.
func hasWorker(t testing.TB, l *Loop) bool {
	t.Helper()
	for task := range workers(t) {
		comm, _ := os.ReadFile(task + "/comm")
		if strings.TrimSpace(string(comm)) == fmt.Sprintf("iou-wrk-%d", l.thread.Load()) {
			return true
		}
	}
	return false
}

// The current position is the offset that is right for every kind of descriptor.
func TestCurrentPosition(t *testing.T) {
	l := newLoop(t, 8)
	rd, wr := pipe(t)
	a, b := socketPair(t)
	ours, theirs := terminal(t)
	for name, fds := range map[string][2]int{"pipe": {wr, rd}, "socket": {a, b}, "terminal": {ours, theirs}} {
		for _, text := range []string{"one", "two"} {
			buf := make([]byte, 9)
			require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Write(fds[0], []byte(text), CurrentPosition, cb) }), name)
			require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Read(fds[1], buf, CurrentPosition, cb) }), name)
			require.Equal(t, text, string(buf[:3]), name)
			bufs := [][]byte{[]byte(text[:1]), []byte(text[1:])}
			require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Writev(fds[0], bufs, CurrentPosition, cb) }), name)
			require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Readv(fds[1], [][]byte{buf}, CurrentPosition, cb) }), name)
			require.Equal(t, text, string(buf[:3]), name)
		}
	}
	for flags, want := range map[int]string{0: "abcd4567", unix.O_APPEND: "01234567abcd"} {
		f := tempFile(t, []byte("01234567"))
		fd, err := unix.Open(f.Name(), unix.O_RDWR|flags, 0)
		require.NoError(t, err)
		for _, text := range []string{"ab", "cd"} {
			require.Equal(t, 2, one(t, l, func(cb Callback) Request { return l.Write(fd, []byte(text), CurrentPosition, cb) }))
		}
		require.Equal(t, want, content(t, f))
		buf := make([]byte, 2)
		for i := range 2 {
			require.Equal(t, 2, one(t, l, func(cb Callback) Request { return l.Read(int(f.Fd()), buf, CurrentPosition, cb) }))
			require.Equal(t, want[2*i:2*i+2], string(buf))
		}
		require.NoError(t, unix.Close(fd))
	}
}

// terminal returns the two ends of a pseudo-terminal that passes bytes on as they
// are.
func terminal(t testing.TB) (ours, theirs int) {
	t.Helper()
	ours, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { unix.Close(ours) })
	n, err := unix.IoctlGetInt(ours, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(ours, unix.TIOCSPTLCK, 0))
	theirs, err = unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { unix.Close(theirs) })
	mode, err := unix.IoctlGetTermios(theirs, unix.TCGETS)
	require.NoError(t, err)
	mode.Lflag &^= unix.ICANON | unix.ECHO
	require.NoError(t, unix.IoctlSetTermios(theirs, unix.TCSETS, mode))
	return ours, theirs
}
