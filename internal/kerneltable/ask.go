//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// answers are what one kernel knows of what liburing does.
type answers struct {
	Kernel string
	Knows  map[string][]string // names, by their kind
}

// kinds are those of names, in the order of their tables.
var kinds = []struct {
	name, title string
	ask         func() (map[string]bool, []string, error)
}{
	{"operations", "Operation", func() (map[string]bool, []string, error) { return ask(numbers(liburing.OpLast)) }},
	{"abilities", "What operations can do", func() (map[string]bool, []string, error) { return ask(numbers(liburing.AbilityLast)) }},
	{"request flags", "Flag of a request", askSQEFlags},
	{"set-up flags", "Flag of set-up", func() (map[string]bool, []string, error) { return ask(bits(liburing.SetupSQRewind)) }},
	{"features", "Feature", func() (map[string]bool, []string, error) { return ask(bits(liburing.FeatNoIowait)) }},
	{"register calls", "Register call", func() (map[string]bool, []string, error) { return ask(numbers(liburing.RegisterLast)) }},
}

// askKernel asks the one that runs.
func askKernel() (answers, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return answers{}, err
	}
	release := unix.ByteSliceToString(uts.Release[:])
	number := release[:len(release)-len(strings.TrimLeft(release, "0123456789."))]
	a := answers{number, map[string][]string{}}
	for _, kind := range kinds {
		known, names, err := kind.ask()
		if err != nil {
			return answers{}, fmt.Errorf("%s: %w", kind.name, err)
		}
		for _, name := range names {
			if known[name] {
				a.Knows[kind.name] = append(a.Knows[kind.name], name)
			}
		}
	}
	return a, nil
}

// numbers returns the features below last.
func numbers[F interface {
	liburing.Feature
	~uint8 | ~uint32
}](last F) (all []liburing.Feature) {
	for f := F(0); f < last; f++ {
		all = append(all, f)
	}
	return all
}

// bits returns the features of one bit up to last.
func bits[F interface {
	liburing.Feature
	~uint32
}](last F) (all []liburing.Feature) {
	for f := F(1); f <= last && f != 0; f <<= 1 {
		all = append(all, f)
	}
	return all
}

// ask asks for features, and returns their names too.
func ask(features []liburing.Feature) (known map[string]bool, names []string, err error) {
	known = map[string]bool{}
	for _, f := range features {
		known[f.String()] = true
		names = append(names, f.String())
	}
	lacks := (*liburing.RequireError)(nil)
	if err := liburing.Require(features...); err != nil && !errors.As(err, &lacks) {
		return nil, nil, err
	}
	if lacks == nil {
		return known, names, nil
	}
	for _, m := range lacks.Missing {
		if !errors.Is(m.Err, liburing.ErrNotSupported) {
			return nil, nil, m.Err
		}
		for _, f := range m.Features {
			known[f.String()] = false
		}
	}
	return known, names, nil
}

// askSQEFlags tries each flag with a no-op: EINVAL is what an unknown one gets.
func askSQEFlags() (known map[string]bool, names []string, err error) {
	known = map[string]bool{}
	for f := liburing.SQEFixedFile; f <= liburing.SQECQESkipSuccess && f != 0; f <<= 1 {
		ring, err := liburing.New(1)
		if err != nil {
			return nil, nil, err
		}
		sqe := ring.GetSQE()
		sqe.PrepNop()
		sqe.SetFlags(f)
		_, err = ring.SubmitAndGetEvents()
		if err != nil {
			ring.Close()
			return nil, nil, err
		}
		known[f.String()] = true // one of a success that is not told
		for cqe := range ring.CQEs() {
			known[f.String()] = cqe.Res != -int32(unix.EINVAL)
		}
		names = append(names, f.String())
		ring.Close()
	}
	return known, names, nil
}
