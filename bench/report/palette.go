package main

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"
)

// tone is a colour of the page: what it is in a light and in a dark scheme.
type tone struct{ name, light, dark string }

// Tones of what is not a series.
var (
	paper  = tone{"paper", "#ffffff", "#14171c"}
	ink    = tone{"ink", "#1c2128", "#e6e9ee"}
	pencil = tone{"pencil", "#57606a", "#a3acb8"} // axes and notes
	ruling = tone{"ruling", "#d8dde3", "#333a44"} // lines behind the figures
)

// seriesTones are those of the series: C's, the library's two, and the others'.
var seriesTones = []tone{
	{"c", "#30363d", "#d5dae1"},
	{"loop", "#0757c2", "#6cb0ff"},
	{"ring", "#0a7f8c", "#4fd0dc"},
	{"s1", "#c2500a", "#ff9d5c"},
	{"s2", "#1b7a37", "#5fd07f"},
	{"s3", "#7a35b8", "#c79bff"},
	{"s4", "#b3205f", "#ff8ab8"},
	{"s5", "#866200", "#e2bd4a"},
	{"s6", "#4a5b1e", "#b4cc74"},
	{"s7", "#a3241f", "#ff8f88"},
	{"s8", "#6f4a2f", "#cfae92"},
}

// tones are all colours, in the order of their marks.
func tones() []tone {
	return append([]tone{paper, ink, pencil, ruling}, seriesTones...)
}

// mark is a colour that stands for a tone while a chart is drawn: the drawing
// has fixed colours, and the page's scheme picks them only when it is shown.
func (t tone) mark() color.Color {
	for i, other := range tones() {
		if other == t {
			return color.NRGBA{R: 0xA0 + uint8(i), G: 0xB1, B: 0xC2, A: 0xFF}
		}
	}
	panic("no tone is called " + t.name) // all are in the list
}

// hex writes a mark as drawings do.
func hex(c color.Color) string {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return fmt.Sprintf("#%02X%02X%02X", n.R, n.G, n.B)
}

// css returns the reference to the tone in a style.
func (t tone) css() string { return "var(--" + t.name + ")" }

// schemes returns the styles that define the tones: light ones, and dark ones
// for those who prefer them.
func schemes() string {
	var light, dark strings.Builder
	for _, t := range tones() {
		fmt.Fprintf(&light, "--%s:%s;", t.name, t.light)
		fmt.Fprintf(&dark, "--%s:%s;", t.name, t.dark)
	}
	return fmt.Sprintf(":root{color-scheme:light dark;%s}\n@media (prefers-color-scheme:dark){:root{%s}}", &light, &dark)
}

// look is how a series is drawn. Its sign and dashes tell it apart for those
// who don't see the colours.
type look struct {
	tone   tone
	sign   sign
	dashed bool
}

// Names that the series of C's and of the library's sides have in all charts.
const (
	seriesC     = "C"
	seriesCLoop = "C, with callbacks"
	seriesLoop  = "Loop"
	seriesRing  = "Ring"
	modelsC     = "epoll in C"
)

// ownLooks are the looks of C and of the library, the same in all charts.
var ownLooks = map[string]look{
	seriesC:     {seriesTones[0], signs[1], false},
	seriesCLoop: {seriesTones[0], signs[4], true},
	modelsC:     {seriesTones[0], signs[1], true},
	seriesLoop:  {seriesTones[1], signs[0], false},
	modelNameOf: {seriesTones[1], signs[0], false},
	seriesRing:  {seriesTones[2], signs[2], false},
}

// looks returns the looks of the chart's series.
func (c chart) looks() []look {
	var looks []look
	others := 0
	for _, s := range c.series {
		looks = append(looks, lookOf(s.name, &others))
	}
	return looks
}

// lookOf returns the look of a series; others counts those that have none of
// their own.
func lookOf(name string, others *int) look {
	if own, ok := ownLooks[name]; ok {
		return own
	}
	const own = 3 // tones that are C's and the library's
	i := *others
	*others++
	const distinct = 5 // of the others' tones; the rest are dashed, as are those that come again
	free := seriesTones[own:]
	dashed := i%len(free) >= distinct
	if i >= len(free) {
		dashed = !dashed
	}
	return look{tone: free[i%len(free)], sign: signs[(i+2)%len(signs)], dashed: dashed}
}

// dashes returns the dashes of a line.
func (l look) dashes() []vg.Length {
	if l.dashed {
		return []vg.Length{5, 4}
	}
	return nil
}

// signText returns what stands for the series beside a chart.
func (l look) signText(k kind) string {
	switch {
	case k == bars:
		return "■"
	case l.dashed:
		return "╌" + l.sign.text + "╌"
	}
	return "─" + l.sign.text + "─"
}
