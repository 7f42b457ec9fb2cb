package main

// chart is a picture of some entries. Without series it says that nothing was
// measured.
type chart struct {
	id, title string
	x, y      string // what the axes have
	notes     []string
	kind      kind
	logY      bool
	least     float64 // where a logarithmic axis begins at the least
	tall      bool
	series    []series
	below     table // of more about the series
}

// kind is how the series are drawn.
type kind int

const (
	lines kind = iota
	bars       // side by side
	steps      // a histogram's outline
)

// series is a line, or bars of one colour.
type series struct {
	name   string
	points []point
	marks  []float64 // places on the horizontal axis
}

// point is a figure: over a number, or over a word if there is one.
type point struct {
	x    float64
	word string
	y    float64
}

func (r results) nops() []chart {
	c := chart{
		id: "nops", title: "No-ops per second", x: "requests in a batch", y: "million requests per second",
		notes: []string{"For scale: “Efficient IO with io_uring”, the paper by its author, reports 20 million no-ops per second on his machine."},
	}
	c.series = r.group("nop").byNumber(inMillions, kinds{
		"ring": {ours: seriesRing, c: seriesC},
		"loop": {ours: seriesLoop, c: seriesCLoop},
	})
	return []chart{c}
}

func (r results) randomReads() []chart {
	c := chart{
		id: "randread", title: "Random reads per second", x: "reads in flight", y: "thousand reads per second",
		notes: []string{"For scale: “Efficient IO with io_uring”, the paper by its author, reports 1.7 million reads per second polled, 1.2 million not polled and 608,000 with aio, on his machine and disk."},
	}
	c.series = r.group("randread").byNumber(inThousands, kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return []chart{c}
}

func (r results) copies() []chart {
	c := chart{id: "copies", title: "Time for a copy", x: "the file", y: "milliseconds", kind: bars}
	c.series = r.group("cp").byName(asMeasured, kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return []chart{c}
}

func (r results) echo() []chart {
	c := chart{id: "echo", title: "Requests per second", x: "connections", y: "thousand requests per second"}
	c.series = r.group("echo").with(entry.moreIsGood).byNumber(inThousands, kinds{"loop": {ours: seriesLoop, c: seriesC}})
	return []chart{c}
}

func (r results) web() []chart {
	c := chart{id: "web", title: "Requests per second", x: "connections", y: "thousand requests per second", kind: bars}
	c.series = r.group("web").byName(inThousands, kinds{"loop": {ours: modelNameOf, c: modelsC}})
	return []chart{c}
}

func (r results) models() []chart {
	return []chart{
		{
			id: "models", title: "Requests per second", x: "clients at the same time", y: "thousand requests per second", tall: true,
			series: r.byModel(func(e entry) (ours, c float64) { return inThousands(e, e.Ours), inThousands(e, e.C) }),
		},
		{
			id: "models-cpu", title: "The server's processor time", x: "clients at the same time",
			y: "µs per request", logY: true, tall: true,
			series: r.byModel(func(e entry) (ours, c float64) { return value(e.CPU), value(e.CCPU) }),
		},
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
	return lines.ranked()
}
