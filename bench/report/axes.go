package main

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// setAxes sets the axes up for what the chart has.
func (c chart) setAxes(p *plot.Plot) {
	style(&p.X, c.x)
	style(&p.Y, c.y)
	c.setX(p)
	c.setY(p)
}

func style(a *plot.Axis, label string) {
	a.Label.Text = label
	a.Label.TextStyle.Color = pencil.mark()
	a.Label.TextStyle.Font = sans
	a.Tick.Label.Color = pencil.mark()
	a.Tick.Label.Font = sans
	a.LineStyle.Color = pencil.mark()
	a.Tick.LineStyle.Color = pencil.mark()
}

// setX has the horizontal axis carry words, or numbers that grow by factors:
// batches, depths and the like are powers of something.
func (c chart) setX(p *plot.Plot) {
	if words := c.words(); len(words) > 0 {
		p.NominalX(words...)
		p.X.Min, p.X.Max = -0.5, float64(len(words))-0.5
		return
	}
	var ticks plot.ConstantTicks
	low, high := math.Inf(1), 0.0
	for q := range c.points {
		low, high = min(low, q.x), max(high, q.x)
		if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Value == q.x }) {
			ticks = append(ticks, plot.Tick{Value: q.x, Label: quantity(q.x)})
		}
	}
	const roomAside = 1.15
	p.X.Min, p.X.Max = low/roomAside, high*roomAside
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = ticks
}

// setY has the vertical axis begin at zero, or be logarithmic.
func (c chart) setY(p *plot.Plot) {
	low, high := math.Inf(1), 0.0
	for q := range c.points {
		low, high = min(low, q.y), max(high, q.y)
	}
	const roomAbove = 1.1
	p.Y.Min, p.Y.Max = 0, high*roomAbove
	p.Y.Tick.Marker = readable{}
	if c.logY {
		p.Y.Min, p.Y.Max = low/1.5, high*1.5
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = decades{}
	}
}

// rulings are the lines behind the figures.
func rulings() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal = draw.LineStyle{Color: ruling.mark(), Width: 0.7}
	return g
}

// readable are the usual ticks, with commas in their numbers.
type readable struct{}

func (readable) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, t := range ticks {
		if !t.IsMinor() {
			ticks[i].Label = tickNumber(t.Value)
		}
	}
	return ticks
}

// decades are the ticks of a logarithmic axis: 1, 2, 5, 10, and so on, or only
// the powers of ten if there are many.
type decades struct{}

func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	many := math.Log10(high/low) > 2.5
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for first := 1.0; first < 10; first++ {
			v := first * math.Pow(10, power)
			if v < low || v > high {
				continue
			}
			tick := plot.Tick{Value: v}
			if first == 1 || !many && (first == 2 || first == 5) {
				tick.Label = tickNumber(v)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// tickNumber writes a round number.
func tickNumber(v float64) string {
	if v >= 1000 {
		return quantity(v)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
