package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCovers(t *testing.T) {
	require.True(t, covers("echo", "echo/loop/64"))
	require.True(t, covers("echo/loop", "echo/loop/64"))
	require.True(t, covers("echo/loop/64", "echo/loop/64"))
	require.False(t, covers("echo/loop/6", "echo/loop/64"))
	require.False(t, covers("echo/loop/64", "echo/loop"))
	require.False(t, covers("e", "echo"))
}

func TestCheckNames(t *testing.T) {
	require.NoError(t, checkNames(nil))
	require.NoError(t, checkNames([]string{"nop", "echo/loop/64"}))
	err := checkNames([]string{"nop", "nosuch/loop"})
	require.ErrorContains(t, err, `"nosuch"`)
	require.ErrorContains(t, err, "nop timer")
}

func TestNamesOfGroup(t *testing.T) {
	g := group{name: "nop"}
	require.Equal(t, []string{"nop/ring", "nop"}, g.of([]string{"nop/ring", "echo", "nop", "nops"}))
	require.Empty(t, g.of([]string{"echo"}))
}

// TestChoose picks from two contests, of which the first has two results.
func TestChoose(t *testing.T) {
	contests := []contest{
		{
			title:    "8",
			programs: []program{{name: "C ring"}, {name: "Go ring"}, {name: "C loop"}, {name: "Go loop"}, {name: "peer", peer: true}},
			figures: []figure{
				{name: "nop/ring/8", ours: "Go ring", c: "C ring", peers: []string{"peer"}},
				{name: "nop/loop/8", ours: "Go loop", c: "C loop"},
			},
		},
		{
			title:    "32",
			programs: []program{{name: "C ring"}, {name: "Go ring"}},
			figures:  []figure{{name: "nop/ring/32", ours: "Go ring", c: "C ring"}},
		},
	}
	chosen := func(names ...string) map[string][]string {
		cs, err := choose(contests, names)
		require.NoError(t, err)
		programs := make(map[string][]string)
		for _, c := range cs {
			for _, p := range c.programs {
				programs[c.title] = append(programs[c.title], p.name)
			}
		}
		return programs
	}
	all := map[string][]string{"8": {"C ring", "Go ring", "C loop", "Go loop", "peer"}, "32": {"C ring", "Go ring"}}
	require.Equal(t, all, chosen())
	require.Equal(t, all, chosen("nop"))
	require.Equal(t, map[string][]string{"8": {"C loop", "Go loop"}}, chosen("nop/loop"))
	require.Equal(t, map[string][]string{"8": {"C ring", "Go ring", "peer"}}, chosen("nop/ring/8", "nop/ring/8"))
	require.Len(t, contests[0].programs, 5, "what was chosen from is as it was")
	require.Len(t, contests[0].figures, 2)

	_, err := choose(contests, []string{"nop/ring/32", "nop/ring/33"})
	require.ErrorContains(t, err, `"nop/ring/33"`)
	require.ErrorContains(t, err, "nop/loop/8")
}
