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
)

// runs are how each of scaling.Measures is measured: what one costs with n.
var runs = map[string]func(n int) (time.Duration, error){
	"timer-arm":          timerArm,
	"timer-reset":        timerReset,
	"timer-reset-all":    timerResetAll,
	"timer-fire":         timerFire,
	"timeout-cancel":     timeoutCancel,
	"read-cancel":        readCancel,
	"read-cancel-oldest": readCancelOldest,
	"read-cancel-fd":     readCancelFD,
	"poll-cancel":        pollCancel,
	"read-time":          readWithTimeout,
	"context":            contextEnds,
	"close-timers":       closing(arm),
	"close-timeouts":     closing(timeout),
	"close-reads":        closing(read),
	"close-polls":        closing(poll),
	"post":               posts,
	"buffer-kept":        bufferKept,
	"file-update":        fileUpdate,
	"memory-update":      memoryUpdate,
	"backlog":            backlog,
	"chain":              chain,
	"loops":              loops,
	"bytes-timer":        bytesOf(arm),
	"bytes-read":         bytesOf(read),
	"rss-read":           residentOf(read),
	"rss-poll":           residentOf(poll),
	"rss-timer":          residentOf(arm),
}

func main() {
	only := flag.String("only", ".", "which are measured, a regular `expression`")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err == nil {
		err = run(wanted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(wanted *regexp.Regexp) error {
	var line []string
	for _, m := range scaling.Measures {
		if !wanted.MatchString(m.Name) {
			continue
		}
		for _, n := range m.Sizes {
			each, err := runs[m.Name](n)
			if err != nil {
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
