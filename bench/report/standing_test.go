package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStanding expects one sentence for each group that was measured.
func TestStanding(t *testing.T) {
	all := madeUp(t)
	standings := make(map[string]string)
	for _, s := range newReport(all).Sections {
		standings[s.name] = s.Standing
	}
	for name, sentence := range map[string]string{
		"nop": "Against the best of the others, Ring is 0.75 times as fast as go-uring in batches of 1, " +
			"and 1.38 to 1.50 times as fast as go-uring in batches of 8, 32 and 128.",
		"timer": "Ours is 1.10 times as fast as C.",
		"cp":    "Ours is as fast as C, warm, and 1.11 times as fast as C, cold.",
		"echo": "Against the best of the others, ours answers 1.25 to 1.27 times as many requests as gnet " +
			"with 64, 500 and 1,000 connections.",
		"latency": "Against the best of the others, ours is 1.11 to 1.50 times as fast as net " +
			"for p50 at 20,000/s, p99 at 20,000/s and p99.9 at 20,000/s.",
		"web": "Against the best of the others, ours answers as many requests as epoll with 64 and 1,000 connections.",
		"models": "Against the best of the others, ours answers 1.16 times as many requests as goroutines " +
			"with 1, 10, 100, 1,000 and 10,000 clients.",
		"extra": "Ours is 0.90 times as fast as C.",
		// Not measured.
		"copies": "", "echo-pipelined": "", "pipeline": "", "load": "", "cached": "", "wal": "", "http": "", "pebble": "", "memory": "", "walk": "", "scale": "",
	} {
		require.Contains(t, standings, name)
		require.Equal(t, sentence, standings[name])
		delete(standings, name)
	}
	require.Equal(t, map[string]string{"randread": standings["randread"]}, standings, "a group is not in this test")
	require.Contains(t, standings["randread"], "0.80 times as many reads as fio libaio with 64 in flight")

	rep := newReport(all.group("echo"))
	sentence := "ours answers 1.25 to 1.27 times as many requests as gnet"
	require.Contains(t, string(rep.markdown()), sentence)
	html, err := rep.html()
	require.NoError(t, err)
	require.Contains(t, string(html), sentence)
	for _, s := range rep.Sections {
		require.Equal(t, s.name == "echo", s.Standing != "", s.name)
	}
}

// What is the library too is nobody that it is compared with in a sentence.
func TestKinAreNoRivals(t *testing.T) {
	e := entry{Name: "echo/ringio/64", Ours: 100, Peers: map[string]float64{"Loop": 200, "net": 50}, PeersRatio: map[string]float64{"Loop": 0.5, "net": 2}}
	all := results{e}
	require.Len(t, all.others(e), 2)
	require.Equal(t, []rival{{"net", 2}}, all.strangers(e))
}

// TestWhereOneIs has a sentence about one client: in the singular, and "%s" is
// no plural.
func TestWhereOneIs(t *testing.T) {
	one := results{{Name: "models/iouring/1"}}
	require.Equal(t, " with 1 client", group{at: " with %s clients"}.where(one))
	require.Equal(t, " in batches of 1", group{at: " in batches of %s"}.where(one))
	require.Equal(t, " with 1 and 10 clients", group{at: " with %s clients"}.where(append(one, entry{Name: "models/iouring/10"})))
}

// What has no label is not said to be one of those that have.
func TestWhereOneHasNoLabel(t *testing.T) {
	require.Empty(t, group{}.where(results{{Name: "timer/loop"}, {Name: "timer/loop/reset"}}))
	require.Equal(t, " in reset", group{}.where(results{{Name: "timer/loop/reset"}}))
}

// What holds for Loop is not said of ringio.
func TestSubjects(t *testing.T) {
	loop, ringio := entry{Name: "echo/loop/64"}, entry{Name: "echo/ringio/64"}
	require.Equal(t, []subject{{"ours", results{loop}}}, group{}.subjects(results{loop}))
	require.Equal(t, []subject{{"Loop", results{loop}}, {"ringio", results{ringio}}}, group{}.subjects(results{ringio, loop}))
	require.Empty(t, group{}.subjects(nil))
}

// What a name of four parts is about.
func TestLabels(t *testing.T) {
	for name, label := range map[string]string{
		"copies/file/ext4":      "a file on ext4",
		"copies/tree/ext4/cold": "a cold tree on ext4",
		"walk/statx/warm":       "warm on one processor",
		"walk/statx/cold/all":   "cold on all processors",
		"cp/loop/cold":          "cold",
		"timer/loop":            "",
		"pebble/ringio/read/64": "reads by 64",
	} {
		require.Equal(t, label, entry{Name: name}.label(), name)
	}
}

// Of memory less is better, so the sentence says how much more ours takes.
func TestStandingOfMemory(t *testing.T) {
	g := group{takes: "memory"}
	require.Equal(t, "takes", g.verb())
	require.Equal(t, "2.00 times as much memory as gnet", g.phrase(stand{rival: "gnet", verdict: slower, ratios: []float64{0.5}}))
}
