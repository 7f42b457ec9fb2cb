package main

import (
	"bytes"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The drawing's size, and its letters', in points.
const (
	chartWidth  = 720
	chartHeight = 340
	letters     = 12
	lineWidth   = 2
	margin      = 6 // what the letters of the outermost ticks need, and a little
)

// svg draws the chart for the page.
func (c chart) svg() (string, error) {
	c = c.drawable()
	p := plot.New()
	p.BackgroundColor = nil
	c.setAxes(p)
	p.Add(rulings())
	add := c.addLines
	if c.bars {
		add = c.addBars
	}
	if err := add(p); err != nil {
		return "", err
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), margin, -3*margin, margin, -margin))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return "", err
	}
	return inline(svg.String(), c.title), nil
}

// drawable returns the chart without what can't be drawn: nothing, and what a
// logarithmic axis has no place for.
func (c chart) drawable() chart {
	all := c.series
	c.series = nil
	for _, s := range all {
		s.points = slices.DeleteFunc(slices.Clone(s.points), func(p point) bool {
			return math.IsNaN(p.y) || math.IsInf(p.y, 0) || p.y <= 0
		})
		if len(s.points) > 0 {
			c.series = append(c.series, s)
		}
	}
	return c
}

// words returns what is below the points, if it is words.
func (c chart) words() []string {
	var words []string
	for p := range c.points {
		if p.word != "" && !slices.Contains(words, p.word) {
			words = append(words, p.word)
		}
	}
	return words
}

// points goes through the points of all series.
func (c chart) points(yield func(point) bool) {
	for _, s := range c.series {
		for _, p := range s.points {
			if !yield(p) {
				return
			}
		}
	}
}

// place returns where a point is on the horizontal axis.
func (c chart) place(p point) float64 {
	if p.word != "" {
		return float64(slices.Index(c.words(), p.word))
	}
	return p.x
}

// addLines draws each series as a line with a sign at each point.
func (c chart) addLines(p *plot.Plot) error {
	others := 0
	for _, s := range c.series {
		points := make(plotter.XYs, len(s.points))
		for i, q := range s.points {
			points[i] = plotter.XY{X: c.place(q), Y: q.y}
		}
		slices.SortFunc(points, func(a, b plotter.XY) int { return int(math.Copysign(1, a.X-b.X)) })
		line, signs, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		l := lookOf(s.name, &others)
		line.LineStyle = draw.LineStyle{Color: l.tone.mark(), Width: lineWidth, Dashes: l.dashes()}
		signs.GlyphStyle = draw.GlyphStyle{Color: l.tone.mark(), Radius: 4, Shape: l.sign.glyph}
		p.Add(line, signs)
	}
	return nil
}

// addBars draws the series' bars side by side, each with its figure.
func (c chart) addBars(p *plot.Plot) error {
	words := c.words()
	const across, widest, usedPart = chartWidth - 80, 70, 0.7
	width := vg.Length(min(widest, usedPart*across/float64(len(words)*len(c.series))))
	others := 0
	for i, s := range c.series {
		values := make(plotter.Values, len(words))
		for _, q := range s.points {
			values[slices.Index(words, q.word)] = q.y
		}
		bars, err := plotter.NewBarChart(values, width-3)
		if err != nil {
			return err
		}
		bars.Color = lookOf(s.name, &others).tone.mark()
		bars.LineStyle.Width = 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(c.series)-1)/2)
		figures, err := figuresOn(values, bars.Offset)
		if err != nil {
			return err
		}
		p.Add(bars, figures)
	}
	return nil
}

// figuresOn writes the bars' figures on top of them.
func figuresOn(values plotter.Values, offset vg.Length) (*plotter.Labels, error) {
	var on plotter.XYLabels
	for i, v := range values {
		if v > 0 {
			on.XYs = append(on.XYs, plotter.XY{X: float64(i), Y: v})
			on.Labels = append(on.Labels, quantity(v))
		}
	}
	figures, err := plotter.NewLabels(on)
	if err != nil {
		return nil, err
	}
	figures.Offset = vg.Point{X: offset, Y: 3}
	for i := range figures.TextStyle {
		figures.TextStyle[i].Color = ink.mark()
		figures.TextStyle[i].Font = sans
		figures.TextStyle[i].XAlign = text.XCenter
	}
	return figures, nil
}

// sans is the font that the drawing's measures are those of; the page shows the
// letters in its own.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans", Size: letters}
