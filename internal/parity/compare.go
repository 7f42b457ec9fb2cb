package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-liburing/liburing/internal/cname"
)

// report is how the package compares with liburing.
type report struct {
	lib      *library
	pkg      *goPackage
	tables   tables
	rows     []row
	problems []string
}

// row is what became of one symbol.
type row struct {
	symbol
	goFunc    *goFunc    // nil if there is none
	exception *exception // then there is none on purpose
	problem   string     // what has to be put right, if anything
}

func compare(lib *library, pkg *goPackage, t tables) *report {
	r := &report{lib: lib, pkg: pkg, tables: t}
	for _, s := range lib.symbols {
		r.rows = append(r.rows, r.row(s))
	}
	for _, row := range r.rows {
		if row.problem != "" {
			r.problems = append(r.problems, row.problem)
		}
	}
	r.problems = append(r.problems, t.check(lib, pkg)...)
	r.problems = append(r.problems, r.registerProblems()...)
	r.problems = append(r.problems, r.loopProblems()...)
	return r
}

// row finds a symbol's counterpart.
func (r *report) row(s symbol) row {
	for i := range r.tables.exceptions {
		if e := &r.tables.exceptions[i]; e.c == s.name {
			return row{symbol: s, exception: e}
		}
	}
	for _, to := range r.tables.renamed {
		if to.c == s.name {
			return r.renamedRow(s, to.goName)
		}
	}
	if found := r.pkg.counterparts(s.name); len(found) > 0 {
		return row{symbol: s, goFunc: found[0]}
	}
	return row{symbol: s, problem: r.whyNone(s.name)}
}

func (r *report) renamedRow(s symbol, goName string) row {
	f := r.pkg.find(goName)
	switch {
	case f == nil:
		return row{symbol: s, problem: fmt.Sprintf("missing: %s should be %s, by the table of renamed functions", s.name, goName)}
	case !f.mentions(s.name):
		return row{symbol: s, goFunc: f, problem: unnamed(f, s.name)}
	}
	return row{symbol: s, goFunc: f}
}

// byRule returns the functions with a name that the rule gives for c. The Loop
// has the same names for its own forms.
func (p *goPackage) byRule(c string) (found []*goFunc) {
	for _, f := range p.funcs {
		if f.exported() && f.recv != "Loop" && f.name == ruleName(c, f.recv) {
			found = append(found, f)
		}
	}
	return found
}

func ruleName(c, recv string) string {
	if recv == "" {
		return cname.GoFunc(c)
	}
	return cname.GoMethod(c, recv)
}

// counterparts returns the functions that have the rule's name for c and say
// that they are c, those first that say nothing else.
func (p *goPackage) counterparts(c string) []*goFunc {
	found := slices.DeleteFunc(p.byRule(c), func(f *goFunc) bool { return !f.mentions(c) })
	slices.SortStableFunc(found, func(a, b *goFunc) int {
		return cmp.Compare(b2i(slices.Contains(b.claims(), c)), b2i(slices.Contains(a.claims(), c)))
	})
	return found
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// whyNone says why c has no counterpart.
func (r *report) whyNone(c string) string {
	var wrong []string
	for _, f := range r.pkg.funcs {
		if f.exported() && f.recv != "Loop" && slices.Contains(f.claims(), c) {
			wrong = append(wrong, fmt.Sprintf("%s should be %s", f, ruleName(c, f.recv)))
		}
	}
	if len(wrong) > 0 {
		return fmt.Sprintf("misnamed: %s: %s", c, strings.Join(wrong, ", or "))
	}
	if found := r.pkg.byRule(c); len(found) > 0 {
		return unnamed(found[0], c)
	}
	return fmt.Sprintf("missing: %s should be %s", c, expected(r.lib, c))
}

func unnamed(f *goFunc, c string) string {
	return fmt.Sprintf("unnamed: the doc comment of %s does not name %s", f, c)
}

// expected is the name that a missing function would most likely have, going by
// the first struct that C passes it.
func expected(lib *library, c string) string {
	switch recv := lib.firstStruct[c]; recv {
	case "io_uring":
		return "(*Ring)." + cname.GoMethod(c, "Ring")
	case "io_uring_sqe", "io_uring_cqe", "io_uring_buf_ring", "io_uring_cqe_iter", "io_uring_probe", "io_uring_recvmsg_out":
		recv = cname.GoFunc(recv)
		return "(*" + recv + ")." + cname.GoMethod(c, recv)
	}
	return cname.GoFunc(c)
}

// goUsers returns the Go functions for an operation: the counterparts of C's.
func (r *report) goUsers(op string) (found []*goFunc) {
	for _, row := range r.rows {
		if row.goFunc != nil && slices.Contains(r.lib.users[op], row.name) && !slices.Contains(found, row.goFunc) {
			found = append(found, row.goFunc)
		}
	}
	return found
}

// registerProblems lists the register operations that no function is for, but
// for those whose C function is missed already.
func (r *report) registerProblems() (problems []string) {
	missed := func(op string) bool {
		return slices.ContainsFunc(r.rows, func(row row) bool {
			return row.problem != "" && slices.Contains(r.lib.users[op], row.name)
		})
	}
	for _, op := range r.lib.registers {
		if len(r.goUsers(op)) == 0 && !missed(op) {
			problems = append(problems, fmt.Sprintf("missing: no Go function is for %s", op))
		}
	}
	return problems
}

// done counts the symbols that nothing has to be done about.
func (r *report) done() (n int) {
	for _, row := range r.rows {
		if row.problem == "" {
			n++
		}
	}
	return n
}

func (r *report) summary() string {
	return fmt.Sprintf("%d/%d", r.done(), len(r.rows))
}

// print says what was found, for a reader at the terminal.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "parity: %s with liburing %s, %d of them exceptions\n", r.summary(), r.lib.version, len(r.tables.exceptions))
	untested, notRun := r.gaps()
	list(out, "without a test", untested)
	list(out, "compared with C, but run by no test", notRun)
	for _, p := range r.problems {
		fmt.Fprintln(out, p)
	}
}

func list(out io.Writer, title string, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(out, "%s: %d: %s\n", title, len(names), strings.Join(names, ", "))
	}
}

// tests reports whether a symbol's function is compared with C's, and which
// other tests run it.
func (r *report) tests(row row) (compared bool, runs []reach) {
	u := r.pkg.uses
	for _, t := range u.tests(row.goFunc.obj) {
		if !u.isDifferential(t.test) {
			runs = append(runs, t)
		} else if u.compared[row.name] {
			compared = true
		}
	}
	return compared, runs
}

// left counts what has to be put right: the problems, and what no test reaches.
func (r *report) left() int {
	untested, _ := r.gaps()
	return len(r.problems) + len(untested)
}

// gaps returns the Go functions that no test reaches, and those that are only
// compared with C's.
func (r *report) gaps() (untested, notRun []string) {
	for _, row := range r.rows {
		if row.goFunc == nil {
			continue
		}
		switch compared, runs := r.tests(row); {
		case len(runs) > 0:
		case compared:
			notRun = append(notRun, row.goFunc.String())
		default:
			untested = append(untested, row.goFunc.String())
		}
	}
	return slices.Compact(untested), slices.Compact(notRun)
}
