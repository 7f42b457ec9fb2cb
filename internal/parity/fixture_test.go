package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-liburing/liburing/internal/optable"
)

// fixture is a module in small, with a liburing in small, that has nothing to
// put right.
var fixture = map[string]string{
	"go.mod":                        "module example.com/fixture\n\ngo 1.26\n",
	"third_party/liburing.lock":     "# role\npin 9.2 abc forky\nfallback 9.1 def trixie\n",
	"third_party/liburing/vendored": "9.2 abc\n9.2 abc\n",

	"third_party/liburing/src/src/liburing.map": `LIBURING_9.0 {
	global:
		io_uring_queue_exit;
		io_uring_free_probe;
	local:
		*;
};

LIBURING_9.1 {
	global:
		io_uring_register_buffers;
} LIBURING_9.0;
`,
	"third_party/liburing/src/src/liburing-ffi.map": `LIBURING_9.1 {
	global:
		io_uring_queue_exit;
		io_uring_free_probe;
		io_uring_register_buffers;
		io_uring_prep_nop;
};

LIBURING_9.2 {
		io_uring_prep_read;	/* Added in 9.1, exported in
					   9.2. */
} LIBURING_9.1;
`,
	"third_party/liburing/src/src/register.c": `static inline int do_register(struct io_uring *ring, unsigned int op)
{
	return __sys(ring, op);
}

int io_uring_register_buffers(struct io_uring *ring,
			      unsigned nr)
{
	if (nr) {
		return do_register(ring, IORING_REGISTER_BUFFERS);
	}
	return 0;
}
`,
	"third_party/liburing/src/man/io_uring_for_each_cqe.3": "",
	"third_party/liburing/include/liburing.h": `#define io_uring_for_each_cqe(ring, cqe) for (;;)
/* IOURINGINLINE void io_uring_in_a_comment(void) */
_LOCAL_INLINE unsigned io_uring_shift(const struct io_uring *ring)
	LIBURING_NOEXCEPT
{
	return !!ring;
}
IOURINGINLINE void io_uring_prep_nop(struct io_uring_sqe *sqe)
{
	io_uring_prep_any(IORING_OP_NOP, sqe);
}
IOURINGINLINE void io_uring_prep_read(struct io_uring_sqe *sqe,
				      int fd)
{
	io_uring_prep_nop(sqe);
	sqe->opcode = IORING_OP_READ;
}
int io_uring_register_buffers(struct io_uring *ring, unsigned nr);
`,
	"third_party/liburing/include/liburing/io_uring.h": `enum io_uring_op {
	IORING_OP_NOP,
	IORING_OP_READ, /* not IORING_OP_OTHER, */
	IORING_OP_LAST,
};
enum io_uring_register_op {
	IORING_REGISTER_BUFFERS	= 0,
	IORING_REGISTER_LAST,
	IORING_REGISTER_USE_REGISTERED_RING = 1U << 31
};
`,
	"liburing_cgo.h": `static inline int go_register_buffers(struct io_uring *r)
{
	return io_uring_register_buffers(r, 1);
}
`,
	"cgo.go": `package liburing

import "C"

func cQueueExit() { C.io_uring_queue_exit() }

func cRegisterBuffers() int { return int(C.go_register_buffers()) }
`,
	"ring.go": `package liburing

type (
	Ring struct{}
	SQE  struct{}
	Loop struct{}
)

// Close ends it (io_uring_queue_exit).
func (r *Ring) Close() {}

// CQEs are all of them
// (io_uring_for_each_cqe with io_uring_cq_advance).
func (r *Ring) CQEs() []int { return shift() }

// shift is io_uring_shift.
func shift() []int { return nil }

// RegisterBuffers registers some (io_uring_register_buffers). Needs Linux 5.1.
func (r *Ring) RegisterBuffers() {}

// PrepNop does nothing (io_uring_prep_nop). Needs
// Linux 5.1.
func (s *SQE) PrepNop() {}

// PrepRead reads (io_uring_prep_read). Needs Linux 5.6.
func (s *SQE) PrepRead(fd int) { s.PrepNop() }

// Nothing does nothing (io_uring_prep_nop).
func (l *Loop) Nothing() { new(SQE).PrepNop() }

// Read reads (io_uring_prep_read).
func (l *Loop) Read() { new(SQE).PrepRead(1) }
`,
	"ring_test.go": `package liburing

import "testing"

func TestRing(t *testing.T) {
	helper(t)
	new(Ring).CQEs()
}

func helper(t *testing.T) { new(Ring).RegisterBuffers() }
`,
	"internal/ringtest/loop.go": `package ringtest

import liburing "example.com/fixture"

func Read(l *liburing.Loop) { l.Read() }
`,
	"tests/loop/loop_test.go": `package loop_test

import (
	"testing"

	liburing "example.com/fixture"
	"example.com/fixture/internal/ringtest"
)

func TestLoop(t *testing.T) { ringtest.Read(new(liburing.Loop)) }
`,
	"differential_test.go": `package liburing

import "testing"

var preps = map[string]func(*SQE){
	"io_uring_prep_nop":  (*SQE).PrepNop,
	"io_uring_prep_read": func(s *SQE) { s.PrepRead(1) },
}

func TestPreps(t *testing.T) {
	defer new(Ring).Close()
	for _, p := range preps {
		p(new(SQE))
	}
}
`,
	"example_test.go": `package liburing_test

import liburing "example.com/fixture"

func ExampleRing() {
	new(liburing.Ring).Close()
	// Output:
}

func ExampleSQE() {
	new(liburing.SQE).PrepNop()
}
`,
}

var fixtureTables = tables{
	exceptions: []exception{{"io_uring_free_probe", "nothing to free", "nothing"}},
	renamed: []rename{
		{"io_uring_queue_exit", "(*Ring).Close", "Go's name"},
		{"io_uring_for_each_cqe", "(*Ring).CQEs", "an iterator"},
	},
	forms: optable.Forms{Renamed: map[string]string{"PrepNop": "Nothing"}},
}

// tree is the fixture on disk, with changes.
type tree struct {
	t    *testing.T
	root string
	tables
}

func newTree(t *testing.T, changes map[string]string) *tree {
	t.Helper()
	files := maps.Clone(fixture)
	maps.Copy(files, changes)
	tr := &tree{t, t.TempDir(), fixtureTables}
	for name, text := range files {
		tr.write(name, text)
	}
	return tr
}

func (tr *tree) write(name, text string) {
	tr.t.Helper()
	path := filepath.Join(tr.root, name)
	require.NoError(tr.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(tr.t, os.WriteFile(path, []byte(text), 0o600))
}

// run runs the command over the tree and returns what it prints.
func (tr *tree) run(check bool) (string, error) {
	var out bytes.Buffer
	err := run(tr.root, tr.tables, check, &out)
	return out.String(), err
}

func (tr *tree) document() string {
	tr.t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.root, document))
	require.NoError(tr.t, err)
	return string(text)
}
