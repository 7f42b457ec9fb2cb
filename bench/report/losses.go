package main

import (
	"fmt"
	"path"
	"slices"
)

// reasons explain where something else is faster than the library. The first
// whose pattern matches an entry's name, and whose rival the other's, counts.
var reasons = []struct{ pattern, rival, why string }{
	{"nop/loop/1", "C", "With one request per system call, each request pays for what the loop does around the call; a bigger batch shares it."},
	{"nop/*/1", "C", "With one request per system call, each request pays for Go's functions around it, and the processor mispredicts where each of them returns to after the kernel."},
	{"nop/loop/*", "C", "The loop keeps each request's memory and callback in its table, so that nothing is freed while the kernel uses it; the C loop leaves that to the programmer."},
	{"timer/loop", "C", "As with no-ops: the loop keeps each request's memory and callback in its table."},
	{"nop/*/*", "C", "A batch enters the kernel once; the smaller it is, the larger each request's share of what Go does around that."},
	{"nop/*/*", "*", "A library written in Go alone makes the system call itself, without going through C."},
	{"randread/*/1", "os.File", "With one read at a time there is nothing to batch: pread is one system call that returns with the data, while a ring needs a submission and a wait."},
	{"randread/*/1", "fio*", oneAtATime},
	{"randread/*/1", "C", oneAtATime},
	{"randread/*/*", "fio*", "fio hands each read to the kernel at once, in a system call of its own; ours and the C program hand over all reads of a turn together, so a read waits for the others of its turn."},
	{"cp/*/*", "*", "On a file system that can't write to the page cache without blocking, such as ext4, the kernel hands each write to a worker thread. cp and io.Copy have it copy in the system call itself."},
	{"echo*/*/*", "Go, With*", "With the option a turn of the loop handles more messages."},
	{"echo*/*/*", "C", "Nearly all of the time is the kernel's, for both. The loop's table and the callbacks take some 2 or 3 % of it."},
	{"pipeline/ringio/*", "Loop", byGoroutines},
	{"memory/ringio", "net, no buffer", "Without a buffer, the saving comes from first waiting for something to read, which net's connections can do too."},
	{"cached/ringio/*", "*", "ringio makes the same plain call, counts who is in one, and has one in 128 ask whether the page cache has what is read."},
	{"pipeline/ringio/*", "*", "Of the processor's time four fifths are the kernel's, for TCP, whoever asks it; the client has not much more to give."},
	{"echo/ringio/1", "*", "What a round trip takes is mostly how long an idle processor takes to wake (docs/profile.md)."},
	{"echo/ringio/8", "gnet", "gnet's one goroutine waits and calls back; ringio's has to wake another for each message."},
	{"echo/ringio/500", "*", "A goroutine has to be woken for each message, where Loop and gnet just call back; from one day to another it is 0.87 to 1.06 of net's (docs/profile.md)."},
	{"http/ringio", "*", "There are good hours and bad ones for who has much in memory: other runs gave 1.02 and 1.11 (docs/profile.md)."},
	{"echo/ringio/1000", "*", "As with 500; and what it has for each connection is not in the processor's nearest cache when its turn comes: its own part of the time is 1.2 times what it is with 64 (docs/profile.md)."},
	{"echo/ringio/10000", "*", "As with 500; and when a connection's turn comes neither the kernel nor ringio finds it in the processor's caches (docs/profile.md)."},
	{"load/*/*/p50", "*", "How long an idle processor takes to wake, and whether server and client fall into step, decides more than the sides do."},
	{"load/*/*/cpu", "gnet", "gnet's one goroutine waits and calls back; ringio's has to wake another for each message."},
	{"load/*/*/cpu", "Loop", byGoroutines},
	{"*/ringio/*", "Loop", byGoroutines},
	{"latency/*/p50", "C", "Server and client fall into step, in one of two ways a fifth apart; C's server may do either, ours has one as a rule. What decides has not been found out."},
	{"latency/*/*", "C", "Rounds differ more than the sides do: on a processor that mostly waits, how long a wake-up takes is up to the machine."},
	{"latency/*/*", "*", "As with C: rounds differ more than the sides do, and server and client fall into step in one of two ways."},
	{"memory/*", "gnet", ofGnet},
	{"memory/*/*", "gnet", ofGnet},
	{"memory/*", "*", ofConnections},
	{"memory/*/*", "*", ofConnections},
	{"walk/*/*", "*", statxByWorkers},
	{"walk/*/*/all", "*", statxByWorkers},
	{"models/iouring/1", "*", oneAtATime},
}

const (
	byGoroutines = "A waiting goroutine has to be woken and given a processor; a callback is just called."

	oneAtATime = "With one request at a time there is nothing to batch, so each pays alone for a turn of the loop and for the wait."

	ofGnet        = "gnet has one buffer for all connections, and need not remember, for each, a receive that stays in the kernel."
	ofConnections = "A connection of the loop has a stream, a place in the table and a list of what is to be sent."

	statxByWorkers = "The kernel hands each Statx to a worker thread. A plain call returns at once what is in memory."

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
		return fmt.Sprintf("Our server's processor is busy only %.0f %% of the time; for the rest it waits for the clients, which get more done against the other server. Why has not been found out.", 100*busy)
	}
	return notExplained
}

// hasTwin reports whether the program in C works as ours does, over io_uring.
func (e entry) hasTwin() bool {
	return e.C > 0 && !slices.Contains([]string{"cp", "web", "models"}, e.part(0))
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
