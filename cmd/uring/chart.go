package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// chart is a table of figures, with a bar for each.
type chart struct {
	Title string `json:"title"`
	Note  string `json:"note,omitempty"` // what to know about all the figures
	Rows  []row  `json:"rows"`
}

// row is a line of a chart: a figure, and the same in other words.
type row struct {
	Name      string  `json:"name"`
	PerSecond float64 `json:"per_second"`
	words     string
}

func (c *chart) add(name string, perSecond float64, words string) {
	c.Rows = append(c.Rows, row{name, perSecond, words})
}

func (c *chart) print(w io.Writer) error {
	const width = 30
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s\n", c.Title)
	most, longest := 0.0, 0
	for _, r := range c.Rows {
		most, longest = max(most, r.PerSecond), max(longest, len(r.Name))
	}
	for _, r := range c.Rows {
		bar := strings.Repeat("#", int(r.PerSecond/most*width+0.5))
		fmt.Fprintf(out, "  %-*s %12s  %-*s  %s\n", longest, r.Name, thousands(r.PerSecond), width, bar, r.words)
	}
	if c.Note != "" {
		fmt.Fprintln(out, c.Note)
	}
	fmt.Fprintln(out)
	return out.Flush()
}

// thousands writes a number with a comma for every thousand.
func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
