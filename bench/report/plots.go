package main

import (
	"bytes"
	"cmp"
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
	tallHeight  = 460
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
	add := map[kind]func(*plot.Plot) error{lines: c.addLines, bars: c.addBars, steps: c.addSteps}[c.kind]
	if err := add(p); err != nil {
		return "", err
	}
	height := vg.Length(chartHeight)
	if c.tall {
		height = tallHeight
	}
	canvas := vgsvg.New(chartWidth, height)
	p.Draw(draw.Crop(draw.New(canvas), margin, -3*margin, margin, -margin))
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return "", err
	}
	return inline(svg.String(), c.title, float64(height)), nil
}

// drawable returns the chart without what can't be drawn: nothing, and what is
// too small for a logarithmic axis.
func (c chart) drawable() chart {
	all := c.series
	c.series = nil
	for _, s := range all {
		s.points = slices.DeleteFunc(slices.Clone(s.points), func(p point) bool {
			return math.IsNaN(p.y) || math.IsInf(p.y, 0) || p.y <= 0 || p.y < c.least
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

// place returns where a point is in the drawing. Logarithms are taken here, and
// the axes are linear: gonum's logarithmic ones leave room in the wrong places.
func (c chart) place(p point) plotter.XY {
	at := plotter.XY{X: math.Log10(p.x), Y: p.y}
	if p.word != "" {
		at.X = float64(slices.Index(c.words(), p.word))
	}
	if c.logY {
		low, _ := c.heights()
		at.Y = math.Log10(max(low, p.y))
	}
	return at
}

// places returns where points are, from the left to the right.
func (c chart) places(points []point) plotter.XYs {
	at := make(plotter.XYs, len(points))
	for i, p := range points {
		at[i] = c.place(p)
	}
	slices.SortStableFunc(at, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	return at
}

// addLines draws each series as a line with a sign at each point, the first
// series over the others.
func (c chart) addLines(p *plot.Plot) error {
	looks := c.looks()
	for i, s := range slices.Backward(c.series) {
		points := c.places(s.points)
		line, err := looks[i].line(points)
		if err != nil {
			return err
		}
		signs, err := looks[i].signs(points)
		if err != nil {
			return err
		}
		p.Add(line, signs)
	}
	return nil
}

func (l look) line(points plotter.XYs) (*plotter.Line, error) {
	line, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	line.LineStyle = draw.LineStyle{Color: l.tone.mark(), Width: lineWidth, Dashes: l.dashes()}
	return line, nil
}

func (l look) signs(points plotter.XYs) (*plotter.Scatter, error) {
	signs, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	signs.GlyphStyle = draw.GlyphStyle{Color: l.tone.mark(), Radius: 4, Shape: l.sign.glyph}
	return signs, nil
}

// bucketWidth is how much longer times at the end of a bucket are than at its
// start: there are 20 in a decade.
var bucketWidth = math.Pow(10, 1.0/20)

// addSteps draws each series as a stair over buckets of times, with signs at
// its marks.
func (c chart) addSteps(p *plot.Plot) error {
	looks := c.looks()
	for i, s := range slices.Backward(c.series) {
		line, err := looks[i].line(c.places(stair(s.points)))
		if err != nil {
			return err
		}
		p.Add(line)
		if len(s.marks) == 0 {
			continue
		}
		var marks []point
		for _, x := range s.marks {
			marks = append(marks, point{x: x, y: heightAt(s.points, x)})
		}
		signs, err := looks[i].signs(c.places(marks))
		if err != nil {
			return err
		}
		p.Add(signs)
	}
	return nil
}

// stair is the outline of buckets, which is at the bottom where there are none.
func stair(buckets []point) []point {
	var outline []point
	end := 0.0
	for _, b := range buckets {
		start := b.x / bucketWidth
		switch {
		case start < end*1.01: // the next bucket
			start = end
		case end > 0:
			outline = append(outline, point{x: end}, point{x: start})
		default:
			outline = append(outline, point{x: start})
		}
		outline = append(outline, point{x: start, y: b.y}, point{x: b.x, y: b.y})
		end = b.x
	}
	return append(outline, point{x: end})
}

// heightAt returns how high the stair is at a time.
func heightAt(buckets []point, time float64) float64 {
	for _, b := range buckets {
		if time > b.x/bucketWidth && time <= b.x {
			return b.y
		}
	}
	return 0
}

// addBars draws the series' bars side by side, each with its figure.
func (c chart) addBars(p *plot.Plot) error {
	words := c.words()
	const across, widest, usedPart = chartWidth - 80, 70, 0.7
	width := vg.Length(min(widest, usedPart*across/float64(len(words)*len(c.series))))
	looks := c.looks()
	for i, s := range c.series {
		values := make(plotter.Values, len(words))
		for _, q := range s.points {
			values[slices.Index(words, q.word)] = q.y
		}
		bars, err := plotter.NewBarChart(values, width-3)
		if err != nil {
			return err
		}
		bars.Color = looks[i].tone.mark()
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
