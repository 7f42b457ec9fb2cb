package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

var (
	svgStart   = regexp.MustCompile(`(?s)^.*?<svg\b.*?>`)
	fontFamily = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;`)
)

// inline makes a drawing a part of a page: with the page's font and colours, as
// wide as there is room, and with a title for those who don't see it.
func inline(svg, title string, height float64) string {
	svg = svgStart.ReplaceAllLiteralString(svg, fmt.Sprintf(
		`<svg viewBox="0 0 %d %g" role="img" aria-label="%s">`, chartWidth, height, html.EscapeString(title)))
	svg = fontFamily.ReplaceAllLiteralString(svg, "")
	for _, t := range tones() {
		svg = strings.ReplaceAll(svg, hex(t.mark()), t.css())
	}
	return svg
}
