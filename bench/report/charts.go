package main

import (
	"maps"
	"slices"
)

// chart is a picture of some entries. Without series it says that nothing was
// measured.
type chart struct {
	id, title string
	x, y      string // what the axes have
	notes     []string
	bars      bool
	logY      bool
	series    []series
}

// series is a line, or bars of one colour.
type series struct {
	name   string
	points []point
}

// point is a figure: over a number, or over a word if there is one.
type point struct {
	x    float64
	word string
	y    float64
}

// charts returns all charts, those of what was not measured too.
func (r results) charts() []chart {
	return []chart{
		r.nops(), r.randomReads(), r.copies(), r.echo(), r.latency(), r.models(), r.modelsCPU(),
	}
}

func (r results) nops() chart {
	c := chart{
		id: "nops", title: "No-ops per second", x: "requests in a batch", y: "million requests per second",
		notes: []string{"For scale: “Efficient IO with io_uring”, the paper by its author, reports 20 million no-ops per second on his machine."},
	}
	c.series = r.group("nop").byNumber(inMillions, kinds{
		"ring": {ours: seriesRing, c: seriesC},
		"loop": {ours: seriesLoop, c: seriesCLoop},
	})
	return c
}

func (r results) randomReads() chart {
	c := chart{
		id: "randread", title: "Random reads per second", x: "reads in flight", y: "thousand reads per second",
		notes: []string{"For scale: “Efficient IO with io_uring”, the paper by its author, reports 1.7 million reads per second polled, 1.2 million not polled and 608,000 with aio, on his machine and disk."},
	}
	c.series = r.group("randread").byNumber(inThousands, kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return c
}

func (r results) copies() chart {
	c := chart{id: "copies", title: "Copies of a file", x: "the file", y: "milliseconds", bars: true}
	c.series = r.group("cp").byName(kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return c
}

func (r results) echo() chart {
	c := chart{id: "echo", title: "Echo server", x: "connections", y: "thousand requests per second"}
	c.series = r.group("echo").with(entry.moreIsGood).byNumber(inThousands, kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return c
}

// latency has a line for each side at each rate, over the percentiles.
func (r results) latency() chart {
	c := chart{id: "latency", title: "Latency percentiles", x: "of the requests, this part is done within the time", y: "µs", logY: true}
	var lines lineup
	for _, e := range r.group("latency") {
		add := func(side string, y float64) {
			lines.add(side+", "+e.part(1)+"/s", point{word: percentileNames[e.part(-1)], y: y})
		}
		add(seriesLoop, e.Ours)
		add(seriesC, e.C)
		for _, name := range slices.Sorted(maps.Keys(e.Peers)) {
			add(name, e.Peers[name])
		}
	}
	c.series = lines.series
	return c
}

// percentileNames are what charts call the percentiles.
var percentileNames = map[string]string{"p50": "p50", "p99": "p99", "p999": "p99.9"}

func (r results) models() chart {
	return chart{
		id: "models", title: "Models of servers: requests per second", x: "clients at the same time",
		y: "requests per second", logY: true,
		series: r.byModel(func(e entry) (ours, c float64) { return e.Ours, e.C }),
	}
}

func (r results) modelsCPU() chart {
	return chart{
		id: "models-cpu", title: "Models of servers: the server's processor time", x: "clients at the same time",
		y: "µs per request", logY: true,
		series: r.byModel(func(e entry) (ours, c float64) { return value(e.CPU), value(e.CCPU) }),
	}
}

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// modelNames are what charts call the models that have another name there.
var modelNames = map[string]string{
	"preforked":  "pre-forked processes",
	"forking":    "a process each",
	"threads":    "a thread each",
	"threadpool": "pool of threads",
	"iouring":    modelNameOf,
}

// modelNameOf is what the model that is made with this library is called.
const modelNameOf = "io_uring (Loop)"

func modelName(model string) string {
	if name, ok := modelNames[model]; ok {
		return name
	}
	return model
}

// byModel makes a line for each model, and one for C's server.
func (r results) byModel(figures func(entry) (ours, c float64)) []series {
	var lines lineup
	for _, e := range r.group("models") {
		n, ok := e.number()
		if !ok {
			continue
		}
		ours, c := figures(e)
		lines.addOnce(modelsC, point{x: n, y: c})
		lines.add(modelName(e.part(1)), point{x: n, y: ours})
	}
	return lines.series
}
