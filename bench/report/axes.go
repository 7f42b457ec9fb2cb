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
// batches, depths, times and the like.
func (c chart) setX(p *plot.Plot) {
	if words := c.words(); len(words) > 0 {
		p.NominalX(words...)
		p.X.Min, p.X.Max = -0.5, float64(len(words))-0.5
		return
	}
	low, high := math.Inf(1), 0.0
	for q := range c.points {
		low, high = min(low, q.x), max(high, q.x)
	}
	if c.kind == steps {
		for _, s := range c.series {
			for _, mark := range s.marks {
				high = max(high, mark)
			}
		}
		low /= bucketWidth
		p.X.Min, p.X.Max = math.Log10(low), math.Log10(high)
		p.X.Tick.Marker = decades(low, high, 5)
		return
	}
	const roomAside = 1.15
	p.X.Min, p.X.Max = math.Log10(low/roomAside), math.Log10(high*roomAside)
	p.X.Tick.Marker = c.numbers()
}

// numbers are ticks below the points.
func (c chart) numbers() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for q := range c.points {
		at := math.Log10(q.x)
		if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Value == at }) {
			ticks = append(ticks, plot.Tick{Value: at, Label: quantity(q.x)})
		}
	}
	return ticks
}

// setY has the vertical axis begin at zero, or be logarithmic.
func (c chart) setY(p *plot.Plot) {
	low, high := c.heights()
	if !c.logY {
		p.Y.Min, p.Y.Max = 0, high
		p.Y.Tick.Marker = readable{}
		return
	}
	p.Y.Min, p.Y.Max = math.Log10(low), math.Log10(high)
	p.Y.Tick.Marker = decades(low, high, 2.5)
}

// heights returns from where to where a logarithmic vertical axis goes, and to
// where another does.
func (c chart) heights() (low, high float64) {
	low = math.Inf(1)
	for q := range c.points {
		low, high = min(low, q.y), max(high, q.y)
	}
	if !c.logY {
		return low, high * 1.1
	}
	return max(c.least, low/1.5), high * 1.5
}

// rulings are the lines behind the figures.
func rulings() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color = nil
	g.Horizontal = draw.LineStyle{Color: ruling.mark(), Width: 0.7}
	return g
}

// readable are ticks at round numbers, some five to ten of them.
type readable struct{}

func (readable) Ticks(low, high float64) []plot.Tick {
	step := roundUp((high - low) / 8)
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: tickNumber(i * step)})
	}
	return ticks
}

// roundUp returns the next of 1, 2, 5, 10, 20 and so on.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, first := range []float64{1, 2, 5} {
		if first*power >= v {
			return first * power
		}
	}
	return 10 * power
}

// decades are the ticks of a logarithmic axis: 1, 2, 5, 10, and so on, or only
// the powers of ten if there are more of these than there is room for.
func decades(low, high, room float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	many := math.Log10(high/low) > room
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for first := 1.0; first < 10; first++ {
			v := first * math.Pow(10, power)
			if v < low || v > high {
				continue
			}
			tick := plot.Tick{Value: math.Log10(v)}
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
