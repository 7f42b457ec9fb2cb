//go:build linux

package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// The states of a cell, places in a vector: blocking or not, idle or ready.
const (
	ready       = 1
	nonblocking = 2
)

// vector has the outcomes of an operation on a kind in its four states, "" where there is
// no such state.
type vector [4]string

// pair is an operation and a kind of descriptor, by their names.
type pair struct{ op, kind string }

// table is what kernels do.
type table struct {
	kernels []string // "6.18", the oldest first
	cells   map[string]map[pair]vector
}

//go:embed table.txt
var tableText string

const (
	tableFile = "internal/survey/table.txt"
	tableHead = `# What kernels do with each operation on each kind of descriptor: written by internal/survey.
# operation | kernels | outcome | kinds of descriptors
#
# An outcome is that of a blocking descriptor, and behind a slash that with O_NONBLOCK if
# it is another; each when nothing is ready, and behind a comma when all is.
#   n a number above 0; + more completions may come; ! a notification
#   ~ nothing comes; "~ n": nothing until it is ready, then n
`
)

// String returns the vector in the table's form.
func (v vector) String() string {
	blocking, not := v.half(0), v.half(nonblocking)
	if not == "" || not == blocking {
		return blocking
	}
	return blocking + " / " + not
}

func (v vector) half(from int) string {
	idle, busy := v[from], v[from|ready]
	switch {
	case idle == "" || idle == busy:
		return busy
	case busy == "":
		return idle
	}
	return idle + ", " + busy
}

// parseVector reads what String has written of a kind.
func parseVector(text string, k *kind) (v vector) {
	blocking, not, two := strings.Cut(text, " / ")
	if !two {
		not = blocking
	}
	for _, s := range k.states() {
		half := blocking
		if s&nonblocking != 0 {
			half = not
		}
		idle, busy, two := strings.Cut(half, ", ")
		if v[s] = idle; two && s&ready != 0 {
			v[s] = busy
		}
	}
	return v
}

// parseTable reads tables, of which the later ones replace the kernels of the earlier.
func parseTable(texts ...string) (*table, error) {
	t := &table{cells: map[string]map[pair]vector{}}
	for _, text := range texts {
		fresh := &table{cells: map[string]map[pair]vector{}}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if err := fresh.parseLine(line); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
		for k, cells := range fresh.cells {
			t.cells[k] = cells
		}
	}
	for k := range t.cells {
		t.kernels = append(t.kernels, k)
	}
	slices.SortFunc(t.kernels, byVersion)
	return t, nil
}

func (t *table) parseLine(line string) error {
	fields := strings.Split(line, " | ")
	if len(fields) != 4 {
		return fmt.Errorf("a line has 4 fields")
	}
	for _, name := range strings.Split(fields[3], "; ") {
		k := kindOf(name)
		if k == nil {
			return fmt.Errorf("there is no kind %q", name)
		}
		for _, kernel := range strings.Fields(fields[1]) {
			if t.cells[kernel] == nil {
				t.cells[kernel] = map[pair]vector{}
			}
			t.cells[kernel][pair{fields[0], name}] = parseVector(fields[2], k)
		}
	}
	return nil
}

// row is an outcome that several kinds have on the same kernels.
type row struct {
	op, kernels, outcome string
	kinds                []string
}

// rows returns the table's rows in the order of operations and kinds.
func (t *table) rows() (rows []*row) {
	for _, op := range operations {
		var of []*row
		for _, k := range kinds {
			for _, r := range t.outcomes(op.name, k.name) {
				i := slices.IndexFunc(of, func(o *row) bool { return o.kernels == r.kernels && o.outcome == r.outcome })
				if i < 0 {
					of = append(of, r)
				} else {
					of[i].kinds = append(of[i].kinds, k.name)
				}
			}
		}
		rows = append(rows, of...)
	}
	return rows
}

// outcomes returns a row for each outcome that the kind has on some kernels.
func (t *table) outcomes(op, kind string) (rows []*row) {
	for _, kernel := range t.kernels {
		v, ok := t.cells[kernel][pair{op, kind}]
		if !ok {
			continue
		}
		outcome := v.String()
		i := slices.IndexFunc(rows, func(r *row) bool { return r.outcome == outcome })
		if i < 0 {
			rows = append(rows, &row{op: op, kernels: kernel, outcome: outcome, kinds: []string{kind}})
		} else {
			rows[i].kernels += " " + kernel
		}
	}
	return rows
}

// refuses reports whether a kernel refuses an operation whatever the descriptor, because
// it does not know it or a flag of it.
func (t *table) refuses(kernel, op string) bool {
	refusal := ""
	for _, k := range kinds {
		if k.name == "O_PATH" { // is refused before that
			continue
		}
		for _, outcome := range t.cells[kernel][pair{op, k.name}] {
			switch {
			case outcome == "":
			case outcome != "EINVAL" && outcome != "EOPNOTSUPP", refusal != "" && outcome != refusal:
				return false
			default:
				refusal = outcome
			}
		}
	}
	return refusal != ""
}

// String returns the table's text.
func (t *table) String() string {
	var b strings.Builder
	b.WriteString(tableHead)
	last := ""
	for _, r := range t.rows() {
		if r.op != last {
			b.WriteString("\n")
			last = r.op
		}
		fmt.Fprintf(&b, "%s | %s | %s | %s\n", r.op, r.kernels, r.outcome, strings.Join(r.kinds, "; "))
	}
	return b.String()
}

// byVersion compares kernels.
func byVersion(a, b string) int {
	aMajor, aMinor := version(a)
	bMajor, bMinor := version(b)
	return cmp.Or(cmp.Compare(aMajor, bMajor), cmp.Compare(aMinor, bMinor))
}

func version(kernel string) (major, minor int) {
	fmt.Sscanf(kernel, "%d.%d", &major, &minor)
	return
}
