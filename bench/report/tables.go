package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// table is what both the page and the document show in rows. The cells of the
// columns from numbers on are set to the right.
type table struct {
	Header  []string
	Rows    [][]string
	numbers int
}

// Number reports whether a column has numbers.
func (t table) Number(column int) bool { return column >= t.numbers }

const notMeasured = "not measured"

// absent is the cell of what an entry does not have.
const absent = "–"

// headline has each pair's ratio.
func (r results) headline() table {
	t := table{Header: []string{"pair", "ours is", "ours", "C", "ratio", "±", "unit"}, numbers: 2}
	for _, e := range r.with(entry.isPair) {
		t.Rows = append(t.Rows, []string{e.Name, e.verdict(e.Ratio), quantity(e.Ours), quantity(e.C),
			ratio(e.Ratio), percent(e.Spread + e.CSpread), e.Unit})
	}
	return t
}

// table has the entries of a group as suits them.
func (g group) table(r results) table {
	if g.name == "models" {
		return modelsTable(r.group(g.name))
	}
	return pairsTable(r.group(g.name))
}

// pairsTable has a row for each entry and a column for each peer.
func pairsTable(r results) table {
	t := table{Header: []string{"what", "ours", "C", "ratio"}, numbers: 1}
	peers := r.peers()
	t.Header = append(append(t.Header, peers...), "unit", "our CPU", "C's CPU")
	for _, e := range r {
		row := []string{e.Name, measured(e.Ours, e.Spread), measured(e.C, e.CSpread), ratio(e.Ratio)}
		for _, name := range peers {
			row = append(row, peer(e.Peers, name))
		}
		t.Rows = append(t.Rows, append(row, e.Unit, ifMeasured(e.CPU), ifMeasured(e.CCPU)))
	}
	return t
}

// modelsTable has a row for each model and a column for each number of clients.
func modelsTable(r results) table {
	t := table{Header: []string{"requests/s (server's µs of processor time per request)"}, numbers: 1}
	if len(r) == 0 {
		return t
	}
	clients := r.parts(-1)
	byC := []string{modelsC}
	for _, n := range clients {
		t.Header = append(t.Header, n)
		byC = append(byC, r.cell(func(e entry) bool { return e.part(-1) == n }, entry.cell4C))
	}
	for _, model := range r.parts(1) {
		row := []string{modelName(model)}
		for _, n := range clients {
			row = append(row, r.cell(func(e entry) bool { return e.part(1) == model && e.part(-1) == n }, entry.cell))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows = append(t.Rows, byC)
	return t
}

// cell returns the text of the first entry that a condition holds for.
func (r results) cell(holds func(entry) bool, text func(entry) string) string {
	some := r.with(holds)
	if len(some) == 0 {
		return absent
	}
	return text(some[0])
}

func (e entry) cell() string {
	text := fmt.Sprintf("%s (%s)", quantity(e.Ours), ifMeasured(e.CPU))
	if e.Failures != nil && *e.Failures > 0 {
		text += fmt.Sprintf(", %s failed", quantity(*e.Failures))
	}
	return text
}

func (e entry) cell4C() string { return fmt.Sprintf("%s (%s)", quantity(e.C), ifMeasured(e.CCPU)) }

func peer(peers map[string]float64, name string) string {
	v, ok := peers[name]
	if !ok {
		return absent
	}
	return quantity(v)
}

// measured is a figure and how far from it most rounds are.
func measured(v, spread float64) string {
	return fmt.Sprintf("%s ± %s", quantity(v), percent(spread))
}

// percent is half a spread: how far the middle half of the rounds lies to
// either side.
func percent(spread float64) string { return fmt.Sprintf("%.0f %%", 50*spread) }

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func ifMeasured(v *float64) string {
	if v == nil {
		return absent
	}
	return quantity(*v)
}

// quantity writes a figure with as many digits as say something.
func quantity(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1000:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case size >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// thousands puts commas into the digits of a whole number.
func thousands(digits string) string {
	sign, digits := "", digits
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
