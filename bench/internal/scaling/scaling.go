// Package scaling has what bench/scale measures for growing numbers: both the program and
// the runner that asks for its figures go by it.
package scaling

// Measure is something whose cost is measured with different numbers of it.
type Measure struct {
	Name, About string
	Unit        string // "ns" or "B"
	Sizes       []int
}

var (
	wide   = []int{10, 1000, 10_000, 100_000, 1_000_000}
	narrow = []int{10, 1000, 10_000, 100_000}
	files  = []int{10, 1000, 10_000}
	few    = []int{1, 4, 16, 64}
)

// Measures are all, in the order in which they are measured.
var Measures = []Measure{
	{"timer-arm", "`After` and `Stop`, others pending", "ns", wide},
	{"timer-reset", "`Reset` of one timer, others pending", "ns", wide},
	{"timer-reset-all", "`Reset` of all timers in turns", "ns", wide},
	{"timer-fire", "a timer that fires, all of them in a tenth of a second", "ns", wide},
	{"timeout-cancel", "`Timeout`, the kernel's, and `Cancel`, others in flight", "ns", narrow},
	{"read-cancel", "a read and its `Cancel`, others in flight", "ns", narrow},
	{"read-cancel-oldest", "a read, and `Cancel` of the oldest", "ns", files},
	{"read-cancel-fd", "a read and `CancelFD`, others in flight", "ns", files},
	{"poll-cancel", "a poll and its `Cancel`, others in flight", "ns", narrow},
	{"read-time", "a read `WithTimeout` and its `Cancel`, others in flight", "ns", narrow},
	{"context", "a read whose context ends, which all have", "ns", narrow},
	{"close-timers", "a timer in `Close`", "ns", wide},
	{"close-timeouts", "a `Timeout` in `Close`", "ns", narrow},
	{"close-reads", "a read in `Close`", "ns", narrow},
	{"close-polls", "a poll in `Close`", "ns", narrow},
	{"post", "`Post` from so many goroutines", "ns", few},
	{"buffer-kept", "a receive whose buffer is kept and released, others kept", "ns", files},
	{"file-update", "the update of one registered file", "ns", files},
	{"memory-update", "the update of one registered buffer", "ns", files},
	{"backlog", "a no-op of so many that are queued at once, 64 of which find room", "ns", narrow},
	{"chain", "a no-op of a chain of so many", "ns", []int{2, 16, 128, 1024}},
	{"loops", "a post to each of so many loops and its answer", "ns", few},
	{"bytes-timer", "Go's heap for a pending timer, itself included", "B", wide},
	{"bytes-read", "Go's heap for a read in flight, its 8 bytes included", "B", narrow},
	{"rss-timer", "resident memory for a pending timer", "B", wide},
	{"rss-read", "resident memory for a read in flight", "B", narrow},
	{"rss-poll", "resident memory for a poll in flight", "B", narrow},
}
