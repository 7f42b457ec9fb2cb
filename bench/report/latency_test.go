package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
)

func TestHistogram(t *testing.T) {
	charts := madeUp(t).latency()
	require.Len(t, charts, 1)
	c := charts[0]
	require.Equal(t, "At 20,000 requests per second", c.title)
	require.Equal(t, []string{seriesLoop, seriesC, "net"}, []string{c.series[0].name, c.series[1].name, c.series[2].name})
	require.Equal(t, []float64{100, 300, 900}, c.series[0].marks)
	require.Equal(t, []float64{110, 310, 910}, c.series[1].marks)
	require.Len(t, c.series[0].points, 5)
	require.InDelta(t, 100, c.series[0].points[1].x, 1e-9)
	require.InDelta(t, 50, c.series[0].points[1].y, 1e-9)
	require.Equal(t, [][]string{{"Loop", "100", "300", "900"}, {"C", "110", "310", "910"}, {"net", "150", "400", "1,000"}}, c.below.Rows)
	require.Len(t, c.notes, 2, "net has a bucket for all longer times")

	quick := results{{Name: "latency/5/p50", Histograms: map[string][]bucket{"Go": {{Upper: 10, Share: 1}}}}}
	require.Len(t, quick.latency()[0].notes, 1)
	quick[0].Histograms = nil
	require.Empty(t, quick.latency()[0].notes)
}

// TestHistogramIsDrawn looks for it on the page, with the percentiles below.
func TestHistogramIsDrawn(t *testing.T) {
	with := madeUp(t)
	html, err := newReport(with).html()
	require.NoError(t, err)
	picture := pictures(t, html)["latency-20000"]
	require.Len(t, picture.all("table"), 1)
	var row []string
	for _, cell := range picture.all("tr")[1].Children {
		row = append(row, cell.Text)
	}
	require.Equal(t, []string{"Loop", "100", "300", "900"}, row)

	for i := range with {
		with[i].Histograms = nil
	}
	html, err = newReport(with).html()
	require.NoError(t, err)
	picture = pictures(t, html)["latency-20000"]
	require.Empty(t, picture.all("svg"))
	require.Len(t, picture.all("table"), 1, "older results have the percentiles alone")
}

// TestPercentileIsMissing has a peer that failed at one of them, and a mark
// where no bucket is.
func TestPercentileIsMissing(t *testing.T) {
	r := results{
		{Name: "latency/5/p50", Ours: 9, C: 9, Peers: map[string]float64{"net": 9}, Histograms: map[string][]bucket{"Go": {{Upper: 10, Share: 1}}}},
		{Name: "latency/5/p99", Ours: 900, C: 9},
	}
	c := r.latency()[0]
	require.Equal(t, []string{"net", "9", absent, absent}, c.below.Rows[2])
	svg, err := c.svg()
	require.NoError(t, err)
	require.NotContains(t, svg, "NaN")
	p := plot.New()
	c.drawable().setX(p)
	require.InDelta(t, math.Log10(900), p.X.Max, 1e-9, "the mark has a place")
}

// TestSmallBucketsAreLeftOut keeps a single late request from taking half of the
// picture.
func TestSmallBucketsAreLeftOut(t *testing.T) {
	c := results{{Name: "latency/5/p50", Ours: 9, Histograms: map[string][]bucket{"Go": {{10, 0.99999}, {10_000, 0.00001}}}}}.latency()[0]
	require.Len(t, c.series[0].points, 2)
	require.Len(t, c.drawable().series[0].points, 1)
}

func TestStair(t *testing.T) {
	next := 10 * bucketWidth
	far := 100.0
	require.Equal(t, []point{
		{x: 10 / bucketWidth}, {x: 10 / bucketWidth, y: 5}, {x: 10, y: 5},
		{x: 10, y: 7}, {x: next, y: 7},
		{x: next}, {x: far / bucketWidth}, {x: far / bucketWidth, y: 1}, {x: far, y: 1}, {x: far},
	}, stair([]point{{x: 10, y: 5}, {x: next, y: 7}, {x: far, y: 1}}))
}

func TestHeightAt(t *testing.T) {
	buckets := []point{{x: 10, y: 5}, {x: 100, y: 1}}
	require.Zero(t, heightAt(buckets, 5))
	require.Equal(t, 5.0, heightAt(buckets, 9.5))
	require.Equal(t, 5.0, heightAt(buckets, 10))
	require.Zero(t, heightAt(buckets, 50), "there is no bucket here")
	require.Equal(t, 1.0, heightAt(buckets, 99))
	require.Zero(t, heightAt(buckets, 101))
}
