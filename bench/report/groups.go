package main

// group says what the entries under a name are about.
type group struct {
	name         string // the first part of the entries' names
	Title, About string
}

// groups are those that the report has a section for, measured or not. Others
// that the results have come behind them.
var groups = []group{
	{"nop", "No-op requests", "Requests that do nothing, so what is left is the cost of the library and of entering the kernel. " +
		"Ring is compared with a plain walk over the completions in C, Loop with a C event loop that calls a function for each."},
	{"timer", "Timeouts", "Timeouts that are armed and cancelled, a batch in each system call."},
	{"randread", "Random reads", "Reads of 4 KiB at random places of a file, past the page cache, with a number of them in flight."},
	{"cp", "Copies", "A file copied by a process, from its start to its end: warm from the page cache, cold from the disk."},
	{"echo", "Echo server", "A TCP server that sends back what it receives; one message in flight on each connection."},
	{"latency", "Latency", "How long single requests to the echo server take that come at a fixed rate, on 64 connections: half of them, 99 of 100, and 999 of 1,000 are done within these times."},
	{"web", "Web server", "The same small web server over io_uring and over epoll in C, with wrk as the client, which keeps its connections."},
	{"models", "Models of servers", "A small web server in the ways that servers on Linux have been written in, with a new connection for each request. " +
		"All are in Go, so a process each is one that has to start from nothing; beside them the same over epoll in C. " +
		"The clients have a processor of their own, and connecting costs them more than answering costs a good server: " +
		"where the requests per second are alike, the processor time per request tells the models apart."},
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
			all = append(all[:len(all):len(all)], group{name: name, Title: name})
		}
	}
	return all
}
