package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNothingToPutRight(t *testing.T) {
	tr := newTree(t, nil)
	out, err := tr.run(false)
	require.NoError(t, err)
	assert.Equal(t, "parity: 6/6 with liburing 9.2, 1 of them exceptions\n", out)
	_, err = tr.run(true)
	require.NoError(t, err, "it has just been written")

	doc := tr.document()
	for _, line := range []string{
		"**6/6** of liburing's functions",
		"| `io_uring_for_each_cqe` | `(*Ring).CQEs` | same | — | — | ring_test.go: TestRing |",
		"| `io_uring_free_probe` | — | — | ≤ 9.0 | — | — |",
		"| `io_uring_prep_nop` | `(*SQE).PrepNop` | same | ≤ 9.1 | 5.1 | differential; tests/loop/loop_test.go: TestLoop, by `(*Loop).Read` |",
		"| `io_uring_prep_read` | `(*SQE).PrepRead` | same | 9.1 | 5.6 | differential; tests/loop/loop_test.go: TestLoop, by `(*Loop).Read` |",
		"| `io_uring_queue_exit` | `(*Ring).Close` | `cQueueExit` | ≤ 9.0 | — | example_test.go: ExampleRing |",
		"| `io_uring_register_buffers` | `(*Ring).RegisterBuffers` | `cRegisterBuffers` | 9.1 | 5.1 | ring_test.go: TestRing |",
		"| `io_uring_free_probe` | nothing to free | nothing |",
		"| `io_uring_for_each_cqe` | `(*Ring).CQEs` | an iterator |",
		"| `io_uring_shift` | `shift` |",
		"| `IORING_OP_NOP` | `OpNop` | `PrepNop` | `Nothing` | 5.1 |",
		"| `IORING_OP_READ` | `OpRead` | `PrepRead` | `Read` | 5.6 |",
		"| `IORING_REGISTER_BUFFERS` | `RegisterBuffers` | `(*Ring).RegisterBuffers` |",
	} {
		assert.Contains(t, doc, line)
	}
}

// edit returns the fixture's file with one piece of it replaced.
func edit(t *testing.T, name, old, new string) map[string]string {
	t.Helper()
	require.Contains(t, fixture[name], old)
	return map[string]string{name: strings.Replace(fixture[name], old, new, 1)}
}

// Each change makes one thing wrong, which is said and fails the command.
func TestProblems(t *testing.T) {
	const ffi = "third_party/liburing/src/src/liburing-ffi.map"
	for _, tc := range []struct {
		name, file, old, new string
		want                 string
	}{
		{
			"a new function of the ring", ffi, "io_uring_prep_nop;", "io_uring_prep_nop; \n io_uring_register_new;",
			"missing: io_uring_register_new should be RegisterNew",
		},
		{
			"the method is gone", "ring.go", "func (r *Ring) RegisterBuffers", "func (r *Ring) registerBuffers",
			"missing: io_uring_register_buffers should be (*Ring).RegisterBuffers",
		},
		{
			"another name", "ring.go", "// RegisterBuffers registers some (io_uring_register_buffers). Needs Linux 5.1.\nfunc (r *Ring) RegisterBuffers",
			"// Buffers registers some (io_uring_register_buffers).\nfunc (r *Ring) Buffers",
			"misnamed: io_uring_register_buffers: (*Ring).Buffers should be RegisterBuffers",
		},
		{
			"no C name", "ring.go", " (io_uring_register_buffers)", "",
			"unnamed: the doc comment of (*Ring).RegisterBuffers does not name io_uring_register_buffers",
		},
		{
			"another C name", "ring.go", "(io_uring_register_buffers)", "(io_uring_register_buffers_tags)",
			"unnamed: the doc comment of (*Ring).RegisterBuffers does not name io_uring_register_buffers",
		},
		{
			"the renamed one is gone", "ring.go", "func (r *Ring) Close", "func (r *Ring) End",
			"missing: io_uring_queue_exit should be (*Ring).Close, by the table of renamed functions",
		},
		{
			"the renamed one has no C name", "ring.go", " (io_uring_queue_exit)", "",
			"unnamed: the doc comment of (*Ring).Close does not name io_uring_queue_exit",
		},
		{
			"the renamed one has the rule's name too", "ring.go", "// Close ends", "// QueueExit too (io_uring_queue_exit).\nfunc (r *Ring) QueueExit() {}\n\n// Close ends",
			"renamed io_uring_queue_exit: (*Ring).QueueExit has the rule's name, so drop the entry",
		},
		{
			"an exception with a counterpart", "ring.go", "// Close ends", "// FreeProbe does it after all (io_uring_free_probe).\nfunc FreeProbe() {}\n\n// Close ends",
			"exception io_uring_free_probe: FreeProbe is its counterpart, so drop the exception",
		},
		{
			"no form for the Loop", "ring.go", "func (l *Loop) Read()", "func (l *Loop) ReadSome()",
			"missing: (*SQE).PrepRead has no form (*Loop).Read: run go generate, or give the reason in internal/optable",
		},
		{
			"no renamed form for the Loop", "ring.go", "func (l *Loop) Nothing()", "func (l *Loop) Nop()",
			"missing: (*SQE).PrepNop has no form (*Loop).Nothing: run go generate, or give the reason in internal/optable",
		},
		{
			"a new register operation", "third_party/liburing/include/liburing/io_uring.h", "IORING_REGISTER_LAST,", "IORING_REGISTER_NEW, IORING_REGISTER_LAST,",
			"missing: no Go function is for IORING_REGISTER_NEW",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := newTree(t, edit(t, tc.file, tc.old, tc.new)).run(false)
			require.ErrorContains(t, err, "1 left to put right")
			assert.Contains(t, out, "\n"+tc.want+"\n")
		})
	}
}

// Expected names follow the struct that C takes.
func TestMissingMethod(t *testing.T) {
	out, err := newTree(t, edit(t, "ring.go", "func (s *SQE) PrepRead", "func (s *SQE) prepRead")).run(false)
	require.Error(t, err)
	assert.Contains(t, out, "missing: io_uring_prep_read should be (*SQE).PrepRead\n")
}

func TestNotForLoop(t *testing.T) {
	tr := newTree(t, edit(t, "ring.go", "func (l *Loop) Read()", "func (l *Loop) ReadSome()"))
	tr.forms.None = map[string]string{"PrepRead": "a reason"}
	_, err := tr.run(false)
	require.NoError(t, err)
	assert.Contains(t, tr.document(), "| `IORING_OP_READ` | `OpRead` | `PrepRead` | — | 5.6 |\n")
}

func TestFormOfNothing(t *testing.T) {
	tr := newTree(t, nil)
	tr.forms.None = map[string]string{"PrepOld": "old"}
	out, err := tr.run(false)
	require.ErrorContains(t, err, "1 left to put right")
	assert.Contains(t, out, "\ninternal/optable knows of PrepOld, which SQE does not have\n")
}

func TestUntested(t *testing.T) {
	tr := newTree(t, map[string]string{
		"ring_test.go": "package liburing\n", "differential_test.go": "package liburing\n", "tests/loop/loop_test.go": "package loop_test\n",
	})
	out, err := tr.run(false)
	require.EqualError(t, err, "4 left to put right, listed above")
	assert.Contains(t, out, "without a test: 4: (*Ring).CQEs, (*SQE).PrepNop, (*SQE).PrepRead, (*Ring).RegisterBuffers\n",
		"the example without an output is not run")
	assert.Contains(t, tr.document(), "| `io_uring_prep_nop` | `(*SQE).PrepNop` | same | ≤ 9.1 | 5.1 | **no test** |\n")
}

// What C and Go prepare alike may still never have met a kernel.
func TestNotRun(t *testing.T) {
	tr := newTree(t, map[string]string{"ring_test.go": "package liburing\n", "tests/loop/loop_test.go": "package loop_test\n"})
	out, err := tr.run(false)
	require.EqualError(t, err, "2 left to put right, listed above")
	assert.Contains(t, out, "compared with C, but run by no test: 2: (*SQE).PrepNop, (*SQE).PrepRead\n")
	assert.Contains(t, tr.document(), "| `io_uring_prep_nop` | `(*SQE).PrepNop` | same | ≤ 9.1 | 5.1 | differential |\n")
}

func TestTables(t *testing.T) {
	tr := newTree(t, nil)
	for len(tr.exceptions) <= tableLimit {
		tr.exceptions = append(tr.exceptions, exception{c: "io_uring_no_such"})
	}
	for len(tr.renamed) <= tableLimit {
		tr.renamed = append(tr.renamed, rename{c: "io_uring_queue_exit", goName: "(*Ring).Close"})
	}
	out, err := tr.run(false)
	require.Error(t, err)
	assert.Contains(t, out, "13 exceptions, at most 12 are allowed")
	assert.Contains(t, out, "13 renamed functions, at most 12 are allowed")
	assert.Contains(t, out, "exception io_uring_no_such: liburing has no such function\n")
	assert.Contains(t, out, "renamed io_uring_queue_exit: listed twice\n")
}

func TestStale(t *testing.T) {
	tr := newTree(t, nil)
	_, err := tr.run(true)
	require.EqualError(t, err, "docs/parity.md is stale: run make parity")
	require.NoFileExists(t, filepath.Join(tr.root, document), "a check writes nothing")

	_, err = tr.run(false)
	require.NoError(t, err)
	doc := tr.document()
	tr.write(document, doc+"\n")
	_, err = tr.run(true)
	require.EqualError(t, err, "docs/parity.md is stale: run make parity")
	require.Equal(t, doc+"\n", tr.document(), "a check writes nothing")
}

func TestFallback(t *testing.T) {
	tr := newTree(t, map[string]string{"third_party/liburing/vendored": "9.1 def\n9.2 abc\n"})
	for _, check := range []bool{false, true} {
		out, err := tr.run(check)
		require.NoError(t, err)
		assert.Equal(t, "parity: liburing 9.1 is vendored: parity is checked against the pinned 9.2 only\n", out)
	}
	require.NoFileExists(t, filepath.Join(tr.root, document))
}

func TestNotVendored(t *testing.T) {
	tr := newTree(t, nil)
	require.NoError(t, os.Remove(filepath.Join(tr.root, "third_party/liburing/vendored")))
	_, err := tr.run(false)
	require.ErrorContains(t, err, "vendor liburing with scripts/vendor-liburing.sh")
}
