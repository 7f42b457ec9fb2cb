#!/usr/bin/env bash
# Question: a Go program has nothing to do but to wait in the netpoller for something that comes 3,000 times a second. What
# does it cost to make one short system call, getppid, each time?
# One would guess: the call, some 50 ns.
# True: it doubles the processor time. When all is idle the runtime's monitor sleeps in a futex, and the first call of
# which the scheduler knows wakes it: a futex call, and a thread that runs, sleeps 20 us, sees that all is idle again and
# goes back to its futex. Every net.Conn's Read and Write and every os.File's is such a call; syscall.RawSyscall is none.
# GOMAXPROCS=1 changes nothing.
# Seen with Linux 6.18.44, go1.26.8, 2 processors (23, 24 and 50 us a tick, 1.00, 1.00 and 2.97 switches):
#  > true: a tick takes one switch of threads
#  > true: with RawSyscall it is the same
#  > true: with Syscall it takes about three
#  > true: and at least half as much processor time again
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
	"slices"
	"syscall"
	"unsafe"
)

const (
	events   = 1000
	interval = 300_000 // ns
)

// ticks waits for a timer's ticks in the netpoller, calls after at each, and returns the process's voluntary context
// switches and its processor time in µs, for each tick.
func ticks(after func()) (switches, micros float64) {
	const nonblockCloexec = syscall.O_NONBLOCK | syscall.O_CLOEXEC
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, 1, nonblockCloexec, 0)
	check(errno)
	spec := [2]syscall.Timespec{syscall.NsecToTimespec(interval), syscall.NsecToTimespec(interval)}
	_, _, errno = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	check(errno)
	timer := os.NewFile(fd, "timer")
	defer timer.Close()
	raw, err := timer.SyscallConn()
	if err != nil {
		panic(err)
	}
	var count [8]byte
	take := func(fd uintptr) bool {
		_, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&count)), 8)
		return errno != syscall.EAGAIN
	}
	before := used()
	for range events {
		if err := raw.Read(take); err != nil {
			panic(err)
		}
		after()
	}
	now := used()
	return float64(now.Nvcsw-before.Nvcsw) / events, float64(cpu(now)-cpu(before)) / 1e3 / events
}

func used() (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u
}

func cpu(u syscall.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }

func check(errno syscall.Errno) {
	if errno != 0 {
		panic(errno)
	}
}

func main() {
	way := map[string]func(){
		"nothing":    func() {},
		"RawSyscall": func() { syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0) },
		"Syscall":    func() { syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0) },
	}
	median := func(name string) (float64, float64) {
		var s, m []float64
		for range 5 {
			a, b := ticks(way[name])
			s, m = append(s, a), append(m, b)
		}
		slices.Sort(s)
		slices.Sort(m)
		return s[2], m[2]
	}
	switches, micros := map[string]float64{}, map[string]float64{}
	for _, name := range []string{"nothing", "RawSyscall", "Syscall"} {
		s, m := median(name)
		fmt.Fprintf(os.Stderr, "%s: %.2f switches, %.1f us\n", name, s, m)
		switches[name], micros[name] = s, m
	}
	claim := func(holds bool, what string) { fmt.Printf("%v: %s\n", holds, what) }
	claim(switches["nothing"] < 1.3, "a tick takes one switch of threads")
	claim(switches["RawSyscall"] < 1.3 && micros["RawSyscall"] < 1.3*micros["nothing"], "with RawSyscall it is the same")
	claim(switches["Syscall"] > 2.3, "with Syscall it takes about three")
	claim(micros["Syscall"] > 1.5*micros["nothing"], "and at least half as much processor time again")
}
EOF
go mod init finding 2>log || { cat log >&2; exit 2; }
go build -o program .
timeout 60 ./program >seen
sed -n 's/^#  > //p' "$self" | diff -u --label 'as found' --label "with $(go env GOVERSION) on Linux $(uname -r)" - seen
echo 'still so'
