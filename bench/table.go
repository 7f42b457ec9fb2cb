package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
)

// printTable prints results for people: a line for ours against C's, and below
// it one for ours against each peer's.
func printTable(out io.Writer, entries []entry) {
	if len(entries) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "name\tours\t±\tC or peer\t±\tunit\tratio\tallocs/op\tour CPU\tits CPU\t")
	for _, e := range entries {
		c, spread, ratio := "-", "-", "-"
		if e.C != 0 {
			c, spread, ratio = number(e.C), fmt.Sprintf("%.0f%%", 50*e.CSpread), fmt.Sprintf("%.2f", e.Ratio)
		}
		fmt.Fprintf(w, "%s\t%s\t%.0f%%\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n",
			e.Name, number(e.Ours), 50*e.Spread, c, spread, e.Unit, ratio,
			ifMeasured(e.Allocs, 3), ifMeasured(e.CPU, 2), ifMeasured(e.CCPU, 2))
		for _, peer := range slices.Sorted(maps.Keys(e.Peers)) {
			var cpu *float64
			if v, ok := e.PeersCPU[peer]; ok {
				cpu = &v
			}
			fmt.Fprintf(w, "%s\t\t\t%s\t\t%s\t%.2f\t\t\t%s\t\n",
				peer, number(e.Peers[peer]), e.Unit, e.PeersRatio[peer], ifMeasured(cpu, 2))
		}
	}
	w.Flush()
	fmt.Fprintln(out, "Medians; ±: half the width of the middle half of the rounds. Ratio above 1: ours is faster. CPU: µs per request.")
	if slices.ContainsFunc(entries, entry.isUnsteady) {
		fmt.Fprintln(out, "Some rounds differ a lot: something else loads this machine. Run again when it is idle, or with more -rounds.")
	}
}

// isUnsteady reports whether the rounds differ more than they do on an idle
// machine.
func (e entry) isUnsteady() bool { return max(e.Spread, e.CSpread) > 0.1 }

// number leaves decimals out where they say nothing.
func number(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func ifMeasured(v *float64, decimals int) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}
