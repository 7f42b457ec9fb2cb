// Package scaling has what bench/scale measures for growing numbers: the program, the
// runner that asks for its figures and the report go by it.
package scaling

// Measure is something whose cost is measured with different numbers of it.
type Measure struct {
	Name, About string
	Unit        string // "ns" or "B"
	Theme       Theme
	Sizes       []int
	Ends        string // why it is not measured with a million, if it is not
}

// Theme is what measures that are shown together are about.
type Theme string

// The themes, in their order.
const (
	Timers  Theme = "Timers and limits"
	Single  Theme = "Making and ending one request"
	Ends    Theme = "Ending all of them"
	Queues  Theme = "Queues, tables and loops"
	Heap    Theme = "Go's heap"
	Process Theme = "Resident memory"
	Kernel  Theme = "The kernel's memory"
)

// Most is the largest size.
const Most = 1_000_000

var (
	wide   = []int{10, 1000, 10_000, 100_000, Most}
	narrow = []int{10, 1000, 10_000, 100_000}
	files  = []int{10, 1000, 10_000}
	few    = []int{1, 10, 100}

	manyBytes = []int{10_000, 100_000, Most}
	someBytes = []int{10_000, 100_000}
	pages     = []int{100_000}
	slabs     = []int{200_000}
)

// Why measures end early.
const (
	slow      = "one takes milliseconds there, and grows with their number"
	kernelRAM = "a million in flight would take the kernel hundreds of megabytes"
	goroutine = "each context that ends has a goroutine for a moment: a million would take gigabytes"
	fileLimit = "a table has no more places than the process may have files open, often 20,000 or fewer"
	bufLimit  = "the kernel registers no more than 16,384 buffers"
	bufGroup  = "a group has no more than 32,768 buffers"
	queueSize = "a chain must fit into the queue, which has no more than 32,768 places"
	threads   = "each loop has a thread"
	posters   = "more goroutines would measure Go's scheduler"
)

// Measures are all, in the order in which they are measured.
var Measures = []Measure{
	{"timer-arm", "`After` and `Stop`, others pending", "ns", Timers, wide, ""},
	{"timer-reset", "`Reset` of one timer, the call alone, others pending", "ns", Timers, wide, ""},
	{"timer-reset-all", "`Reset` of all timers in turns, the calls alone", "ns", Timers, wide, ""},
	{"timer-refile", "`Reset` of all timers, and the turn of the loop that then files them anew", "ns", Timers, wide, ""},
	{"timer-fire", "a turn in which one timer fires, others pending", "ns", Timers, wide, ""},
	{"timer-fire-reset", "a turn in which one timer fires and puts off the next, others pending", "ns", Timers, wide, ""},
	{"timers-fire", "a timer of so many that fire in one turn", "ns", Timers, wide, ""},
	{"limits-expire", "a read that `WithTimeout` ends, all at once", "ns", Timers, narrow, kernelRAM},
	{"timeout-count", "a no-op beside so many `Timeout`s with a count", "ns", Timers, narrow, kernelRAM},
	{"timeout-make", "a `Timeout`, the kernel's, others in flight", "ns", Timers, narrow, kernelRAM},
	{"timeout-cancel", "`Cancel` of the newest `Timeout`", "ns", Timers, narrow, slow},

	{"read-make", "a read that waits, others in flight", "ns", Single, narrow, kernelRAM},
	{"read-cancel", "`Cancel` of the newest read", "ns", Single, narrow, kernelRAM},
	{"read-cancel-oldest", "`Cancel` of the oldest read", "ns", Single, narrow, kernelRAM},
	{"read-cancel-fd", "a read and `CancelFD`, others of another descriptor in flight", "ns", Single, narrow, slow},
	{"read-time", "a read `WithTimeout` and its `Cancel`, others in flight", "ns", Single, narrow, kernelRAM},
	{"read-deadline", "a read with a `Deadline` and its `Cancel`, others in flight", "ns", Single, narrow, kernelRAM},
	{"poll-make", "a poll, others in flight", "ns", Single, narrow, kernelRAM},
	{"poll-cancel", "`Cancel` of the newest poll", "ns", Single, narrow, kernelRAM},
	{"poll-cancel-oldest", "`Cancel` of the oldest poll", "ns", Single, narrow, kernelRAM},
	{"poll-cancel-fd", "a poll and `CancelFD`, others of another descriptor in flight", "ns", Single, narrow, slow},

	{"context", "a read whose context ends, which all have", "ns", Ends, narrow, kernelRAM},
	{"contexts", "a read whose context ends, when each has its own and all end", "ns", Ends, narrow, goroutine},
	{"close-timers", "`Close`, shared among so many timers", "ns", Ends, wide, ""},
	{"close-timeouts", "`Close`, shared among so many `Timeout`s", "ns", Ends, narrow, kernelRAM},
	{"close-reads", "`Close`, shared among so many reads", "ns", Ends, narrow, kernelRAM},
	{"close-polls", "`Close`, shared among so many polls", "ns", Ends, narrow, kernelRAM},
	{"close-receives", "`Close`, shared among so many receives", "ns", Ends, narrow, kernelRAM},
	{"close-multishots", "`Close`, shared among so many multishot polls", "ns", Ends, narrow, kernelRAM},
	{"close-chains", "`Close`, shared among so many requests, half of which wait and have one linked to them", "ns", Ends, narrow, kernelRAM},
	{"close-hard-chains", "`Close`, shared among so many reads in pairs, of which the second runs however the first ends", "ns", Ends, narrow, kernelRAM},

	{"post", "`Post` from so many goroutines", "ns", Queues, []int{1, 10, 100, 1000}, posters},
	{"state", "`State` of the oldest of so many requests that are queued", "ns", Queues, wide, ""},
	{"backlog", "a no-op of so many that are queued at once, 64 of which find room", "ns", Queues, wide, ""},
	{"chain", "a no-op of a chain of so many", "ns", Queues, files, queueSize},
	{"buffer-kept", "a receive whose buffer is kept and released, others kept", "ns", Queues, files, bufGroup},
	{"file-update", "the update of one place in a full table of registered files", "ns", Queues, files, fileLimit},
	{"memory-update", "the update of one place in a full table of registered buffers", "ns", Queues, files, bufLimit},
	{"loops", "a post to each of so many loops and its answer", "ns", Queues, few, threads},

	{"heap-timer", "a pending timer, itself included", "B", Heap, manyBytes, ""},
	{"heap-read", "a read in flight, its 8 bytes included", "B", Heap, someBytes, kernelRAM},
	{"heap-poll", "a poll in flight", "B", Heap, someBytes, kernelRAM},
	{"heap-limit", "a poll `WithTimeout`", "B", Heap, someBytes, kernelRAM},
	{"heap-context", "a poll with a context that all share", "B", Heap, someBytes, kernelRAM},
	{"heap-contexts", "a poll with a context of its own, which is included", "B", Heap, someBytes, kernelRAM},
	{"heap-backlog", "a request that waits for room in the queue", "B", Heap, manyBytes, ""},
	{"heap-kept", "a buffer of 64 bytes of a group, kept", "B", Heap, []int{10_000}, bufGroup},
	{"heap-buffer", "a registered buffer, its memory not included", "B", Heap, []int{10_000}, bufLimit},
	{"heap-loop", "a loop with a queue of 256", "B", Heap, []int{100}, threads},
	{"rss-timer", "a pending timer", "B", Process, []int{100_000, Most}, ""},
	{"rss-read", "a read in flight", "B", Process, pages, kernelRAM},
	{"rss-poll", "a poll in flight", "B", Process, pages, kernelRAM},
	{"rss-limit", "a poll `WithTimeout`", "B", Process, pages, kernelRAM},
	{"rss-contexts", "a poll with a context of its own", "B", Process, pages, kernelRAM},
	{"rss-backlog", "a request that waits for room in the queue", "B", Process, []int{100_000, Most}, ""},
	{"rss-loop", "a loop with a queue of 256, the kernel's rings included", "B", Process, []int{100}, threads},
	{"kernel-read", "a read in flight", "B", Kernel, slabs, kernelRAM},
	{"kernel-poll", "a poll in flight", "B", Kernel, slabs, kernelRAM},
	{"kernel-timeout", "a `Timeout`", "B", Kernel, slabs, kernelRAM},
	{"kernel-deadline", "a read with a `Deadline`", "B", Kernel, slabs, kernelRAM},
}
