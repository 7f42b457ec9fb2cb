package main

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestColoursAreReadable holds both schemes to the contrasts that WCAG asks for:
// 4.5 for text, 3 for what is drawn.
func TestColoursAreReadable(t *testing.T) {
	for _, scheme := range []func(tone) string{
		func(t tone) string { return t.light },
		func(t tone) string { return t.dark },
	} {
		for _, written := range []tone{ink, pencil} {
			require.GreaterOrEqual(t, contrast(t, scheme(written), scheme(paper)), 4.5, written.name)
		}
		seen := make(map[string]bool)
		for _, drawn := range seriesTones {
			require.GreaterOrEqual(t, contrast(t, scheme(drawn), scheme(paper)), 3.0, drawn.name)
			require.False(t, seen[scheme(drawn)], "%s is another's colour", drawn.name)
			seen[scheme(drawn)] = true
		}
	}
}

// TestLooksDiffer has more series than any chart.
func TestLooksDiffer(t *testing.T) {
	type visible struct {
		tone   tone
		sign   string
		dashed bool
	}
	seen := make(map[visible]string)
	others := 0
	names := []string{seriesC, seriesCLoop, seriesLoop, seriesRing}
	for i := range 16 {
		names = append(names, strconv.Itoa(i))
	}
	for _, name := range names {
		l := lookOf(name, &others)
		v := visible{l.tone, l.sign.text, l.dashed}
		require.Empty(t, seen[v], "%s looks like another", name)
		seen[v] = name
	}
}

// TestOursComesFirst: the first series is drawn over the others.
func TestOursComesFirst(t *testing.T) {
	var l lineup
	for _, name := range []string{"gnet", seriesC, "net", seriesLoop} {
		l.add(name, point{})
	}
	var names []string
	for _, s := range l.ranked() {
		names = append(names, s.name)
	}
	require.Equal(t, []string{seriesLoop, seriesC, "gnet", "net"}, names)
}

func TestMarksAreNotMixedUp(t *testing.T) {
	seen := make(map[string]bool)
	for _, tone := range tones() {
		mark := hex(tone.mark())
		require.False(t, seen[mark], tone.name)
		seen[mark] = true
	}
}

// contrast is WCAG's ratio of two colours' luminances.
func contrast(t *testing.T, a, b string) float64 {
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		require.NoError(t, err)
		c := float64(v) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
