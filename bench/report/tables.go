package main

import (
	"fmt"
	"math"
	"slices"
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

// pairsTable has a row for each entry, and two columns for each rival.
func pairsTable(r results) table {
	t := table{Header: []string{"what", "ours", "C", "ratio"}, numbers: 1}
	peers := r.peers()
	for _, name := range peers {
		t.Header = append(t.Header, name, "ratio")
	}
	t.Header = append(t.Header, "unit")
	allocates := r.tellAllocations()
	if allocates {
		t.Header = append(t.Header, "allocations")
	}
	for _, e := range r {
		row := []string{e.Name, measured(e.Ours, e.Spread) + inBrackets(e.CPU),
			absent, absent}
		if e.C > 0 {
			row[2], row[3] = measured(e.C, e.CSpread)+inBrackets(e.CCPU), ratio(e.Ratio)
		}
		for _, name := range peers {
			row = append(row, e.peerCells(name)...)
		}
		row = append(row, e.Unit)
		if allocates {
			row = append(row, allocations(e.Allocs))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// peerCells are a peer's figure and how much faster ours is.
func (e entry) peerCells(name string) []string {
	figure, ok := e.Peers[name]
	if !ok {
		return []string{absent, absent}
	}
	text := quantity(figure)
	if cpu, ok := e.PeersCPU[name]; ok {
		text += inBrackets(&cpu)
	}
	return []string{text, ratio(e.ratioToPeer(name))}
}

// tellAllocations reports whether any entry has its allocations counted.
func (r results) tellAllocations() bool {
	return slices.ContainsFunc(r, func(e entry) bool { return e.Allocs != nil })
}

// allocations writes how many objects a request has allocated: what a program
// allocates once, shared among a million requests, is not worth its digits.
func allocations(v *float64) string {
	if v != nil && *v > 0 && *v < 0.001 {
		return "< 0.001"
	}
	return ifMeasured(v)
}

// hasCPU reports whether the processor time of any entry is known.
func (r results) hasCPU() bool {
	return slices.ContainsFunc(r, func(e entry) bool { return e.CPU != nil || e.CCPU != nil || len(e.PeersCPU) > 0 })
}

// aboutBrackets tells what the figures in brackets are, if there are any.
func (g group) aboutBrackets(r results) string {
	if !r.group(g.name).hasCPU() {
		return ""
	}
	return fmt.Sprintf("In brackets: µs of processor time per %s.", g.one)
}

// modelsTable has a row for each model and a column for each number of clients.
func modelsTable(r results) table {
	t := table{Header: []string{"requests/s with clients"}, numbers: 1}
	if len(r) == 0 {
		return t
	}
	clients := r.parts(-1)
	byC := []string{modelsC}
	for _, n := range clients {
		t.Header = append(t.Header, inWords(n))
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
	text := quantity(e.Ours) + inBrackets(e.CPU)
	if e.Failures != nil && *e.Failures > 0 {
		text += fmt.Sprintf(", %s failed", quantity(*e.Failures))
	}
	return text
}

func (e entry) cell4C() string { return quantity(e.C) + inBrackets(e.CCPU) }

// inBrackets is a processor time behind a figure.
func inBrackets(cpu *float64) string {
	if cpu == nil {
		return ""
	}
	return " (" + quantity(*cpu) + ")"
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

// inWords writes a part of a name: a number with commas, a word as it is.
func inWords(part string) string {
	n, err := strconv.ParseFloat(part, 64)
	if err != nil {
		return part
	}
	return quantity(n)
}
