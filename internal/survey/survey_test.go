//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tableOf reads the table of the repository.
func tableOf(t *testing.T) *table {
	table, err := parseTable(tableText)
	require.NoError(t, err)
	return table
}

// This kernel does what the table says, on every kind of descriptor that this machine has.
// What does not, which on a busy machine may be an accident, is tried again with more time.
func TestThisKernelDoesWhatTheTableSays(t *testing.T) {
	kernel := thisKernel()
	column := tableOf(t).cells[kernel]
	if column == nil {
		t.Skipf("the table has no Linux %s (go run ./internal/survey -here puts it there)", kernel)
	}
	r, err := newRunner(60*time.Millisecond, 2*time.Second)
	require.NoError(t, err)
	r.expect = func(c *cell) string { return column[c.pair()][c.state()] }
	want := func(c *cell) bool { return r.expect(c) != "" && !c.isForRoot() }
	for range 4 {
		r.results = map[pair]vector{}
		require.NoError(t, r.all(rings(), want))
		wrong := r.wrong(column)
		if len(wrong) == 0 {
			break
		}
		want = func(c *cell) bool { return wrong[cellName(c.pair(), c.state())] != "" }
		r.patience, r.limit = 3*r.patience, 2*r.limit
	}
	wrong := r.wrong(column)
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		t.Errorf("%s: %s", name, wrong[name])
	}
	for name, why := range r.absent {
		t.Logf("%s was left out: %s", name, why)
	}
}

// isForRoot reports whether the cell is another for those who are not root, as the table's
// author was.
func (c *cell) isForRoot() bool {
	return os.Geteuid() != 0 && c.kind.name == "pidfd" && (c.op.op == liburing.OpFgetxattr || c.op.op == liburing.OpFsetxattr)
}

func cellName(p pair, state int) string {
	return p.op + " of " + p.kind + [4]string{", idle", ", ready", ", nonblocking, idle", ", nonblocking, ready"}[state]
}

// wrong returns the results that are not those of the table.
func (r *runner) wrong(column map[pair]vector) map[string]string {
	wrong := map[string]string{}
	for p, v := range r.results {
		for state, got := range v {
			if want := column[p][state]; got != "" && want != got {
				wrong[cellName(p, state)] = fmt.Sprintf("%q, and the table has %q", got, want)
			}
		}
	}
	return wrong
}

// The table is read as it was written, and has every operation that this kernel knows
// on every kind that this machine has.
func TestTable(t *testing.T) {
	table := tableOf(t)
	require.Equal(t, tableText, table.String())
	again, err := parseTable(tableText, tableText)
	require.NoError(t, err)
	require.Equal(t, table, again)
	for _, kernel := range table.kernels {
		for p, v := range table.cells[kernel] {
			for _, state := range kindOf(p.kind).states() {
				require.NotEmpty(t, v[state], "%s: %v", kernel, p)
			}
		}
	}
	_, err = parseTable("Read | 6.18 | n | thing")
	require.ErrorContains(t, err, "thing")
	_, err = parseTable("Read | 6.18 | n")
	require.ErrorContains(t, err, "4 fields")
}

// What is said of an operation is what its cells are.
func TestFactsAreCells(t *testing.T) {
	table := tableOf(t)
	for _, f := range table.failures() {
		for i, k := range kinds {
			if f.kinds&(1<<i) == 0 {
				continue
			}
			for _, r := range table.outcomes(f.op, k.name) {
				require.NotContains(t, strings.ReplaceAll(r.outcome, f.errno, ""), "n", "%s of %s", f.op, k.name)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for text, words := range map[string]string{
		"n":               "done",
		"~":               "nothing, ever",
		"~ n+, n+":        "waits, then done, goes on",
		"~ / ~ n+, n+":    "nothing, ever; nonblocking: waits, then done, goes on",
		"EOPNOTSUPP!":     "EOPNOTSUPP and a notification",
		"0, n":            "idle: 0, ready: done",
		"~ n, n / EAGAIN": "waits, then done; nonblocking: EAGAIN",
	} {
		v := parseVector(text, kindOf("inotify"))
		require.Equal(t, text, v.String())
		require.Equal(t, words, v.words())
	}
}

// The error of a request that a descriptor can't do names the descriptor and its kind: the
// package tells the kinds apart as the table does. Of what works, or may, it says nothing.
func TestErrorsSayWhy(t *testing.T) {
	table := tableOf(t)
	if table.cells[thisKernel()] == nil {
		t.Skipf("the table has no Linux %s", thisKernel())
	}
	facts := map[pair]string{}
	for _, f := range table.failures() {
		for i, k := range kinds {
			if f.kinds&(1<<i) != 0 && !table.refuses(thisKernel(), f.op) {
				facts[pair{f.op, k.name}] = f.errno
			}
		}
	}
	r, err := newRunner(0, 0)
	require.NoError(t, err)
	l := ringtest.NewLoop(t, 8)
	said, unsaid := 0, map[string]int{}
	with := new(company)
	defer with.end()
	for _, k := range kinds {
		for _, op := range operations {
			errno := facts[pair{op.name, k.name}]
			if errno == "" || !r.knows(op.op) || op.op == liburing.OpFilesUpdate || op.op == liburing.OpClose { // which are of other numbers
				continue
			}
			c := &cell{kind: k, op: op, company: with, mem: ringtest.Memory(t, 2*bufSize)}
			hint, ok := hintOf(t, l, c, errno)
			c.close()
			switch {
			case !ok:
			case hint == "":
				unsaid[op.name+" "+errno]++
			default:
				require.Contains(t, hint, fmt.Sprintf("descriptor %d", c.fd), "%s of %s", op.name, k.name)
				said++
			}
		}
	}
	t.Logf("%d errors say why; without a word: %v", said, unsaid)
	require.Greater(t, said, 400)
}

// hintOf makes a request of the loop, and returns what its error says if it is the one that
// is expected.
func hintOf(t *testing.T, l *liburing.Loop, c *cell, errno string) (hint string, ok bool) {
	t.Helper()
	c.ready, c.nonblock = !c.kind.idle, c.kind.name != "O_PATH"
	err := c.open()
	if errors.As(err, new(errNotHere)) {
		return "", false
	}
	require.NoError(t, err)
	done := false
	request := l.Nop(func(c liburing.Completion) {
		done = done || !c.More()
		var e *liburing.OpError
		if errors.As(c.Err(), &e) && nameOf(e.Err.(unix.Errno)) == errno {
			hint, ok = e.Hint, true
		}
	})
	s := request.SQE()
	require.NoError(t, c.prepare(s))
	s.UserData = uint64(request.Token())
	end := time.Now().Add(200 * time.Millisecond)
	ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return done || time.Now().After(end) })
	l.Cancel(request.Token(), 0, nil)
	ringtest.RunIdle(t, l)
	return hint, ok
}
