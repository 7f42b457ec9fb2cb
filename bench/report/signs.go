package main

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// sign is the form of a series' points, in a chart and in the text beside it.
type sign struct {
	glyph draw.GlyphDrawer
	text  string
}

var signs = []sign{
	{draw.CircleGlyph{}, "●"},
	{draw.BoxGlyph{}, "■"},
	{draw.PyramidGlyph{}, "▲"},
	{outline(ring), "○"},
	{outline(square), "□"},
	{outline(triangle), "△"},
	{outline(cross), "×"},
	{outline(plus), "+"},
}

// outline is a glyph of lines that are as thick as those of the series.
type outline func(at vg.Point, r vg.Length) vg.Path

// DrawGlyph draws the outline around a point.
func (o outline) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: style.Color, Width: lineWidth})
	c.Stroke(o(at, style.Radius))
}

func ring(at vg.Point, r vg.Length) vg.Path {
	var p vg.Path
	p.Move(vg.Point{X: at.X + r, Y: at.Y})
	p.Arc(at, r, 0, 2*math.Pi)
	p.Close()
	return p
}

func square(at vg.Point, r vg.Length) vg.Path {
	return closed(moved(at, -r, -r), moved(at, r, -r), moved(at, r, r), moved(at, -r, r))
}

func triangle(at vg.Point, r vg.Length) vg.Path {
	return closed(moved(at, -r, -r), moved(at, r, -r), moved(at, 0, r))
}

func cross(at vg.Point, r vg.Length) vg.Path {
	return strokes(moved(at, -r, -r), moved(at, r, r), moved(at, -r, r), moved(at, r, -r))
}

func plus(at vg.Point, r vg.Length) vg.Path {
	return strokes(moved(at, -r, 0), moved(at, r, 0), moved(at, 0, -r), moved(at, 0, r))
}

func moved(at vg.Point, x, y vg.Length) vg.Point { return vg.Point{X: at.X + x, Y: at.Y + y} }

func closed(corners ...vg.Point) vg.Path {
	var p vg.Path
	p.Move(corners[0])
	for _, corner := range corners[1:] {
		p.Line(corner)
	}
	p.Close()
	return p
}

// strokes draws a line between each two points.
func strokes(ends ...vg.Point) vg.Path {
	var p vg.Path
	for i := 0; i < len(ends); i += 2 {
		p.Move(ends[i])
		p.Line(ends[i+1])
	}
	return p
}
