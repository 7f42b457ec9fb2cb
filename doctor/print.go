package doctor

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

const (
	nameWidth = 26 // of a finding's name and what stands before it
	textWidth = 100
)

// Print writes the diagnosis for people: a line for what is fine, and the meaning and
// remedy for what is not; verbose adds the meaning of everything.
func (d *Diagnosis) Print(w io.Writer, verbose bool) error {
	out := bufio.NewWriter(w)
	for _, f := range d.Findings {
		fmt.Fprintf(out, "%-4s  %-*s", f.Status, nameWidth-6, f.Check)
		wrap(out, f.Found)
		if verbose || f.Status != OK {
			indented(out, f.Means)
		}
		if f.Do != "" {
			indented(out, "-> "+f.Do)
		}
	}
	for _, list := range []struct {
		title string
		all   []Support
	}{{"features", d.Features}, {"abilities", d.Abilities}, {"opcodes", d.Opcodes}, {"register calls", d.Register}} {
		printSupport(out, list.title, list.all)
	}
	verdict := "io_uring works here."
	if !d.Usable {
		verdict = "io_uring cannot be used here."
	}
	fmt.Fprintf(out, "\n%s\n", verdict)
	return out.Flush()
}

func printSupport(out io.Writer, title string, all []Support) {
	if len(all) == 0 {
		return
	}
	var known []string
	for _, a := range all {
		if a.Supported {
			known = append(known, a.Name)
		}
	}
	fmt.Fprintf(out, "\n%-*s", nameWidth, title)
	wrap(out, fmt.Sprintf("%d of %d", len(known), len(all)))
	fmt.Fprintf(out, "  %-*s", nameWidth-2, "supported")
	wrap(out, strings.Join(known, " "))
	if names := missing(all); len(names) > 0 {
		fmt.Fprintf(out, "  %-*s", nameWidth-2, "not supported")
		wrap(out, strings.Join(names, " "))
	}
}

func indented(out io.Writer, text string) {
	fmt.Fprint(out, strings.Repeat(" ", nameWidth))
	wrap(out, text)
}

// wrap writes words in lines that begin where the first one does.
func wrap(out io.Writer, text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > textWidth-nameWidth:
			fmt.Fprintf(out, "\n%*s", nameWidth, "")
			column = 0
		default:
			fmt.Fprint(out, " ")
			column++
		}
		fmt.Fprint(out, word)
		column += len(word)
	}
	fmt.Fprintln(out)
}

// missing returns the names of what the kernel lacks.
func missing(all []Support) (names []string) {
	for _, a := range all {
		if !a.Supported {
			names = append(names, a.Name)
		}
	}
	return names
}
