package main

// group says what the entries under a name are about.
type group struct {
	name         string // the first part of the entries' names
	Title, About string
	ours         string // what of the library is compared with others, if not all
	one          string // what is counted
	does         string // what is done with them, if figures say how many
	takes        string // what ours takes more or less of, if figures say how much
	at           string // how a sentence says which entries it means
	charts       func(results) []chart
}

// groups are those that the report has a section for, measured or not. Others
// that the results have come behind them.
var groups = []group{
	{
		name: "nop", Title: "No-op requests",
		About: "Requests that do nothing: what is measured is the cost of the library and of entering the kernel. " +
			"Ring is compared with a plain walk over the completions in C, Loop with a C event loop that calls a function for each one.",
		ours: "Ring", one: "request", at: " in batches of %s",
		charts: results.nops,
	},
	{
		name: "timer", Title: "Timeouts",
		About: "Timers that are armed and stopped: the loop's own, a batch in each of its turns, and the kernel's timeouts in C, a batch in each system call. C arms the same 128 again and again, as `timer/loop/reset` does; otherwise each timer is a new one.",
		one:   "timeout",
	},
	{
		name: "randread", Title: "Random reads",
		About: "Reads of 4 KiB at random places of a file, past the page cache, with a number of them in flight.",
		one:   "read", does: "does", at: " with %s in flight",
		charts: results.randomReads,
	},
	{
		name: "cp", Title: "Copies",
		About: "A file copied by a process, from its start to its end, on one processor: warm from the page cache, cold from the disk. " +
			"cp is run as people run it, without options: it has the kernel copy (copy_file_range), as io.Copy does, which is faster than its `--reflink=never`, with reads and writes.",
		one: "copy", at: ", %s",
		charts: results.copies,
	},
	{
		name: "copies", Title: "Copies by the command",
		About: "A file of 1 GiB, and 20,000 files of up to 9,000 bytes in 200 folders, copied to a new file system, with all processors: " +
			"from the page cache, or (cold) from the disk, the tree from a file system that is mounted anew for each copy. " +
			"cp is run without options but `-r`; io.Copy copies the tree by os.CopyFS.",
		one: "copy", at: " for %s",
	},
	{
		name: "echo", Title: "Echo server",
		About: "A TCP server that sends back what it receives; one message in flight on each connection.",
		one:   "request", does: "answers", at: " with %s connections",
		charts: results.echo,
	},
	{
		name: "echo-pipelined", Title: "Echo server, pipelined",
		About: "The same with messages of 32 bytes, 32 of them in flight on each connection.",
		one:   "message", does: "answers", at: " with %s connections",
	},
	{
		name: "pipeline", Title: "Pipelined requests by goroutines",
		About: "The same by servers that have a goroutine for each connection. They answer each request with a write of its own; in the figure `gathered` they write the answers to those that came together at once, and in `echo` they send back what they have read, without looking at requests.",
		one:   "message", does: "answers",
	},
	{
		name: "latency", Title: "Latency",
		About: "How long single requests to the echo server take, at a fixed rate over 64 connections: half of them, 99 of 100, and 999 of 1,000 are done within these times.",
		one:   "request", at: " for %s",
		charts: results.latency,
	},
	{
		name: "load", Title: "Goroutines with little to do",
		About: "Servers that have a goroutine for each of 64 connections, and messages at a fixed rate, far fewer than they could echo: what one takes from the client and back (`p50`, the median), and of the server's processor (`cpu`).",
		one:   "message", at: " for %s",
	},
	{
		name: "web", Title: "Web server",
		About: "The same small web server over io_uring and over epoll in C, with wrk as the client, which keeps its connections.",
		one:   "request", does: "answers", at: " with %s connections",
		charts: results.web,
	},
	{
		name: "cached", Title: "Reads of the page cache",
		About: "Reads of 4 KiB at random places of a file that is in the page cache, by a number of goroutines.",
		one:   "read", does: "does", at: " by %s goroutines",
	},
	{
		name: "wal", Title: "A log",
		About: "64 goroutines append 512 bytes at a time, and go on when these are on the disk.",
		one:   "record", does: "appends",
	},
	{
		name: "http", Title: "net/http",
		About: "A server on net/http that answers 1 KiB, with wrk as the client, which keeps its 256 connections; in the figure `pipelined` it has 64, and 16 requests in flight on each.",
		one:   "request", does: "answers",
	},
	{
		name: "pebble", Title: "A storage engine",
		About: "github.com/cockroachdb/pebble on its own file system and on one of ringio's files, its database six times as large as the memory for its page cache: " +
			"reads of single keys, scans of 100 keys, and writes that are on the disk when they return.",
		one: "operation", does: "does", at: " for %s goroutines",
	},
	{
		name: "memory", Title: "Memory of connections",
		About: "How much resident memory of an echo server an idle connection takes, not counting the kernel's; `heap`: how much of Go's heap, with the stacks of goroutines, of 10,000. There are 4,000 otherwise where the name does not say how many.",
		one:   "byte", takes: "memory", at: " with %s connections",
	},
	{
		name: "walk", Title: "Sizes of many files",
		About: "The sizes of 100,000 files in 1,000 folders, whose inodes are in memory (warm) or on the disk (cold): by Statx requests on a Loop, 256 in flight all the time, " +
			"and by walks that ask for one after another; on one processor, which the kernel's worker threads share with the program, and on all. The kernel hands each Statx to a worker thread, which costs more than the call itself; " +
			"and a file system that reads many inodes with each block leaves the disk little to do in parallel. So a walk does as well where the inodes are in memory, and requests gain something where they are not.",
		one: "file", at: ", %s",
	},
	{
		name: scaleGroup, Title: "What one more costs",
		About: "Where there are up to 1,000,000 already; docs/scaling.md says what each of these is, and what to do about what grows.",
		one:   "operation", at: " with %s",
		charts: results.growth,
	},
	{
		name: "models", Title: "Models of servers",
		About: "A small web server in the ways that servers on Linux have been written, with a new connection for each request. " +
			"All are in Go, so where each connection has a process, that process starts from nothing; the same over epoll in C is beside them. " +
			"The clients have a processor of their own, and connecting costs them more than answering costs a good server: " +
			"where the requests per second are similar, the processor time per request tells the models apart.",
		one: "request", does: "answers", at: " with %s clients",
		charts: results.models,
	},
}

// sections returns the groups of the report: the known ones, and what else was
// measured.
func (r results) sections() []group {
	all := groups
	known := make(map[string]bool)
	for _, g := range groups {
		known[g.name] = true
	}
	for _, name := range r.parts(0) {
		if !known[name] {
			all = append(all[:len(all):len(all)], group{name: name, Title: name, one: "request"})
		}
	}
	return all
}
