#!/usr/bin/env bash
# Question: a Go program has a single timer, an hour away. What does that cost goroutines which hand one processor to each
# other, and have nothing to do with it?
# One would guess: nothing. The timer lies in a heap, and its time is known.
# True: a sixth more for each switch. Whenever the scheduler looks for the next goroutine it asks whether the processor's
# first timer is due, and for that it looks at the clock; without any timer it does not. A timer whose channel nobody
# receives from at the moment is in no heap since Go 1.23, and costs nothing. So one forgotten AfterFunc is paid for by all.
# Seen with Linux 6.18.44, go1.26.8, 2 processors that were busy (154, 180, 155 and 179 ns a switch):
#  > true: with AfterFunc in an hour a switch takes at least 1.06 times as long
#  > true: with NewTimer, while nobody receives, it takes no longer
#  > true: while somebody does, it takes longer as well
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=local GOWORK=off

cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// switches returns how many ns it takes two goroutines to hand the processor over, once.
func switches() float64 {
	const n = 300_000
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
		close(pong)
	}()
	began := time.Now()
	for range n {
		ping <- struct{}{}
		<-pong
	}
	took := time.Since(began)
	close(ping)
	<-pong
	return float64(took) / n / 2
}

func main() {
	runtime.GOMAXPROCS(1)
	none := func() func() { return func() {} }
	ways := []struct {
		name string
		set  func() (unset func())
	}{
		{"no timer", none},
		{"AfterFunc", func() func() { t := time.AfterFunc(time.Hour, func() {}); return func() { t.Stop() } }},
		{"NewTimer, nobody receives", func() func() { t := time.NewTimer(time.Hour); return func() { t.Stop() } }},
		{"NewTimer, received from", func() func() {
			t, end := time.NewTimer(time.Hour), make(chan struct{})
			go func() {
				select {
				case <-t.C:
				case <-end:
				}
			}()
			runtime.Gosched()
			return func() { close(end); runtime.Gosched(); t.Stop() }
		}},
	}
	const rounds = 15
	took, ratio := map[string][]float64{}, map[string][]float64{}
	for range rounds {
		var first float64
		for i, w := range ways {
			unset := w.set()
			switches()
			ns := switches()
			unset()
			if i == 0 {
				first = ns
			}
			took[w.name], ratio[w.name] = append(took[w.name], ns), append(ratio[w.name], ns/first)
		}
	}
	median := func(of []float64) float64 { slices.Sort(of); return of[rounds/2] }
	for _, w := range ways {
		fmt.Fprintf(os.Stderr, "%s: %.0f ns a switch\n", w.name, median(took[w.name]))
	}
	claim := func(holds bool, what string) { fmt.Printf("%v: %s\n", holds, what) }
	claim(median(ratio["AfterFunc"]) > 1.06, "with AfterFunc in an hour a switch takes at least 1.06 times as long")
	claim(median(ratio["NewTimer, nobody receives"]) < 1.04, "with NewTimer, while nobody receives, it takes no longer")
	claim(median(ratio["NewTimer, received from"]) > 1.06, "while somebody does, it takes longer as well")
}
EOF
go mod init finding 2>log || { cat log >&2; exit 2; }
go build -o program .
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
