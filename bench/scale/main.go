// Scale measures what one more costs where there are already many: timers, requests in
// flight, contexts, posts, buffers, files. It prints a line of readings, WHAT/N=ns.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/internal/scaling"
	"golang.org/x/sys/unix"
)

// run measures what one costs with n.
type run func(n int) (time.Duration, error)

// runs are how each of scaling.Measures is measured.
var runs = map[string]run{
	"timer-arm":          timerArm,
	"timer-reset":        timerReset,
	"timer-reset-all":    timerResetAll,
	"timer-refile":       timerRefile,
	"timer-fire":         timerFire,
	"timer-fire-reset":   timerFireReset,
	"timers-fire":        timersFire,
	"limits-expire":      limitsExpire,
	"timeout-count":      timeoutCount,
	"timeout-make":       making(timeout, cancelOldest),
	"timeout-cancel":     cancelling(timeout, cancelNewest),
	"read-make":          making(read, cancelNewest),
	"read-cancel":        cancelling(read, cancelNewest),
	"read-cancel-oldest": cancelling(read, cancelOldest),
	"read-cancel-fd":     byDescriptor(read),
	"read-time":          makingAndCancelling(readWithTimeout),
	"read-deadline":      makingAndCancelling(readWithDeadline),
	"poll-make":          making(poll, cancelNewest),
	"poll-cancel":        cancelling(poll, cancelNewest),
	"poll-cancel-oldest": cancelling(poll, cancelOldest),
	"poll-cancel-fd":     byDescriptor(poll),
	"context":            contextEnds,
	"contexts":           contextsEnd,
	"close-timers":       closing(arm),
	"close-timeouts":     closing(timeout),
	"close-reads":        closing(read),
	"close-polls":        closing(poll),
	"close-receives":     closing(receive),
	"close-multishots":   closing(multishot),
	"close-chains":       closingChains,
	"close-hard-chains":  closingHardChains,
	"post":               posts,
	"state":              state,
	"backlog":            backlog,
	"chain":              chain,
	"buffer-kept":        bufferKept,
	"file-update":        fileUpdate,
	"memory-update":      memoryUpdate,
	"loops":              loops,
	"heap-timer":         bytesOf(heap, inFlight(arm)),
	"heap-read":          bytesOf(heap, inFlight(read)),
	"heap-poll":          bytesOf(heap, inFlight(poll)),
	"heap-limit":         bytesOf(heap, inFlight(pollWithTimeout)),
	"heap-context":       bytesOf(heap, withContext),
	"heap-contexts":      bytesOf(heap, withContexts),
	"heap-backlog":       bytesOf(heap, queue),
	"heap-kept":          bytesOf(heap, keepBuffers),
	"heap-buffer":        bytesOf(heap, register),
	"heap-loop":          bytesOf(heap, makeLoops),
	"rss-timer":          bytesOf(resident, inFlight(arm)),
	"rss-read":           bytesOf(resident, inFlight(read)),
	"rss-poll":           bytesOf(resident, inFlight(poll)),
	"rss-limit":          bytesOf(resident, inFlight(pollWithTimeout)),
	"rss-contexts":       bytesOf(resident, withContexts),
	"rss-backlog":        bytesOf(resident, queue),
	"rss-loop":           bytesOf(resident, makeLoops),
	"kernel-read":        bytesOf(inKernel, inFlight(read)),
	"kernel-poll":        bytesOf(inKernel, inFlight(poll)),
	"kernel-timeout":     bytesOf(inKernel, inFlight(timeout)),
	"kernel-deadline":    bytesOf(inKernel, inFlight(readWithDeadline)),
}

func main() {
	only := flag.String("only", ".", "which are measured, a regular `expression`")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err == nil {
		err = measure(wanted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func measure(wanted *regexp.Regexp) error {
	var line []string
	for _, m := range scaling.Measures {
		if !wanted.MatchString(m.Name) {
			continue
		}
		for _, n := range m.Sizes {
			each, err := runs[m.Name](n)
			if errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EMFILE) {
				each = 0 // the process may not have as many: the report leaves it out
			} else if err != nil {
				return fmt.Errorf("%s with %d: %w", m.Name, n, err)
			}
			line = append(line, fmt.Sprintf("%s/%d=%d", m.Name, n, each.Nanoseconds()))
		}
	}
	fmt.Println(strings.Join(line, " "))
	return nil
}

// with calls f with a loop that is closed afterwards.
func with(entries int, f func(l *liburing.Loop) (time.Duration, error)) (time.Duration, error) {
	l, err := liburing.NewLoop(entries)
	if err != nil {
		return 0, err
	}
	defer l.Close(context.Background())
	return f(l)
}

// each returns what one of n costs.
func each(n int, f func(i int)) time.Duration {
	start := time.Now()
	for i := range n {
		f(i)
	}
	return time.Since(start) / time.Duration(n)
}

// submit runs a loop until the kernel has all of its requests.
func submit(l *liburing.Loop) error {
	for s := l.Stats(); s.Submitted < uint64(s.InFlight); s = l.Stats() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		err := l.Run(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}
