package main

import (
	"fmt"
	"path"
	"slices"
)

// reasons explain where something else is faster than the library. The first
// whose pattern matches an entry's name, and whose rival the other's, counts.
var reasons = []struct{ pattern, rival, why string }{
	{"nop/loop/1", "C", "One request in each system call: what the loop does around each call is paid for every request, while a bigger batch shares it."},
	{"nop/*/1", "C", "One request in each system call: Go's functions around it are paid for every request, and the processor mispredicts where each of them returns to after the kernel."},
	{"nop/loop/*", "C", "The loop keeps each request's memory and callback in its table, so that nothing is freed under the kernel's hands; the C loop leaves that to the programmer."},
	{"timer/loop", "C", "As with no-ops: the loop keeps each request's memory and callback in its table."},
	{"nop/*/*", "C", "A batch enters the kernel once; the smaller it is, the more of what Go does around that falls to each request."},
	{"nop/*/*", "*", "A library that is written in Go alone makes the system call itself, without the way into C."},
	{"randread/*/1", "os.File", "With one read at a time there is nothing to batch: pread is one system call that returns with the data, the ring has to be submitted to and waited for."},
	{"randread/*/1", "fio*", oneAtATime},
	{"randread/*/1", "C", oneAtATime},
	{"randread/*/*", "fio*", "fio hands each read to the kernel at once, in a system call of its own; ours and the C program hand over together what a turn of the loop has begun, so a read waits for the others of its turn."},
	{"cp/*/*", "*", "A file system that can't take a write into the page cache without blocking, as ext4, has the kernel hand each write to a worker thread. cp and io.Copy write in the system call itself."},
	{"echo*/*/*", "Go, With*", "With the option a turn of the loop takes more messages along."},
	{"echo/*/*", "C", "Next to all of the time is the kernel's, for both. The loop's table and the callbacks take some 2 % of it."},
	{"pipeline/ringio", "Loop", "A goroutine that waits has to be woken and to get a processor; a callback is only called."},
	{"memory/ringio", "net, no buffer", "Without a buffer the saving is that of waiting for something to read first, which net's connections can do too."},
	{"cached/ringio/*", "*", "What the page cache has a plain call brings at once. ringio makes one too, which does not wait, and counts around it who waits for a disk."},
	{"*/ringio/*", "Loop", "A goroutine that waits has to be woken and to get a processor; a callback is only called."},
	{"latency/*/p50", "C", "A run comes out at one of two figures, a fifth apart, and so do those of C. What decides has not been found out."},
	{"latency/*/*", "C", "Rounds differ more than the sides do: on a processor that mostly waits, each wake-up takes as long as the machine pleases."},
	{"memory/connection", "gnet", "gnet has one buffer for all connections, and none for what a connection has to remember of a receive that stays in the kernel."},
	{"memory/connection", "*", "A connection of the loop's has a stream, a place in the table and a list of what is to be sent."},
	{"walk/*/*", "*", "The kernel has a worker thread do each Statx. What is in memory a plain call tells at once."},
	{"models/iouring/1", "*", oneAtATime},
}

const (
	oneAtATime = "With one request at a time there is nothing to batch, so each pays alone for a turn of the loop, and for being waited for."

	notExplained = "Not explained yet."

	// A peer may be faster by its design: that of the C program is ours.
	evenWithC = "The C program that works as ours does is no faster than ours."
)

// loss is a figure that something else is better at.
type loss struct {
	entry
	rival
	why string
}

// losses returns where C or another rival is faster than the library.
func (r results) losses() []loss {
	var all []loss
	for _, e := range r.with(entry.isCompared) {
		for _, other := range r.rivals(e) {
			if e.verdict(other.ratio) == slower {
				all = append(all, loss{e, other, e.reason(other.name)})
			}
		}
	}
	return all
}

// rivals are C, where it takes part, and the others.
func (r results) rivals(e entry) []rival {
	if e.isAmongPeers() {
		return r.others(e)
	}
	return append([]rival{{"C", e.Ratio}}, r.others(e)...)
}

// reason explains why a rival is faster.
func (e entry) reason(rival string) string {
	why := e.knownReason(rival)
	if rival != "C" && e.hasTwin() && e.verdict(e.Ratio) != slower {
		why += " " + evenWithC
	}
	return why
}

func (e entry) knownReason(rival string) string {
	for _, r := range reasons {
		if matches(r.pattern, e.Name) && matches(r.rival, rival) {
			return r.why
		}
	}
	if busy, known := e.busy(); known && busy < 0.9 {
		return fmt.Sprintf("Our server's processor is busy for only %.0f %% of the time: for the rest it waits for the clients, which get more done against the other. Why they do has not been found out.", 100*busy)
	}
	return notExplained
}

// hasTwin reports whether the program in C works as ours does, over io_uring.
func (e entry) hasTwin() bool {
	return e.C > 0 && !slices.Contains([]string{"web", "models"}, e.part(0))
}

// busy returns for which part of the time a server of ours used its processor.
func (e entry) busy() (share float64, known bool) {
	server := slices.Contains([]string{"echo", "web", "models"}, e.part(0))
	if !server || !e.moreIsGood() || e.CPU == nil {
		return 0, false
	}
	return e.Ours * *e.CPU / 1e6, true
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
