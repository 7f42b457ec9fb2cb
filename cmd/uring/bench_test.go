//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBench(t *testing.T) {
	dir := t.TempDir()
	small := []string{"-seconds", "0.005", "-size", "1M", "-dir", dir}
	out := uring(t, append([]string{"bench", "-json"}, small...)...).exits(0).out.Bytes()
	var got struct{ Charts []chart }
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	require.Len(t, got.Charts, 2)
	require.Len(t, got.Charts[0].Rows, 2*len(batches))
	require.Len(t, got.Charts[1].Rows, len(depths))
	for _, c := range got.Charts {
		for _, r := range c.Rows {
			assert.Positive(t, r.PerSecond, "%s: %s", c.Title, r.Name)
		}
	}

	text := uring(t, append([]string{"bench"}, small...)...).exits(0).out.String()
	for _, want := range []string{"no-ops per second\n", "Loop, batch 128", "random reads of 4 KiB per second in " + dir, "depth 64", "#####", " ns each"} {
		assert.Contains(t, text, want)
	}
	empty(t, dir)
}

func TestBenchInterrupted(t *testing.T) {
	notice(t, os.Interrupt)
	dir := t.TempDir()
	p := uring(t, "bench", "-seconds", "60", "-dir", dir)
	require.NoError(t, p.Start())
	p.hasRing()
	require.NoError(t, p.Process.Signal(os.Interrupt))
	p.ends(1)
	require.Equal(t, "uring bench: interrupted\n", p.errs.String())
	empty(t, dir)
}

// The file has no name already while it is written, so that nothing can leave it
// behind.
func TestBenchKilledLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	p := uring(t, "bench", "-seconds", "0.001", "-size", "4G", "-dir", dir)
	require.NoError(t, p.Start())
	require.Eventually(t, func() bool { return written(p.Process.Pid, dir) > 0 }, time.Minute, time.Millisecond)
	require.NoError(t, p.Process.Kill())
	p.ends(-1)
	empty(t, dir)
}

// written returns the size of the file in dir that a process has open.
func written(pid int, dir string) int64 {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if path, _ := os.Readlink(link); strings.HasPrefix(path, dir) {
			if info, err := os.Stat(link); err == nil {
				return info.Size()
			}
		}
	}
	return 0
}

// It says so before it measures anything.
func TestBenchWhereNoFileCanBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for where, why := range map[string]string{
		filepath.Join(dir, "none"): "cannot make a file in " + dir + "/none: no such file or directory; another folder? (-dir)",
		file:                       "cannot make a file in " + file + ": not a directory; another folder? (-dir)",
		"/proc":                    "cannot make a file in /proc: no such file or directory; another folder? (-dir)",
	} {
		p := uring(t, "bench", "-seconds", "0.1", "-dir", where).exits(1)
		require.Equal(t, "uring bench: "+why+"\n", p.errs.String())
		require.Empty(t, p.out.String())
	}
	p := uring(t, "bench", "-seconds", "0.1", "-size", "1000000G", "-dir", dir).exits(1)
	require.Regexp(t, "^uring bench: "+dir+` has room for \d+ MiB, the file takes 1024000000 MiB: .*-size`, p.errs.String())
	require.Empty(t, p.out.String())
}

// empty has a folder contain nothing.
func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestThousands(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567.8: "1,234,568"} {
		assert.Equal(t, want, thousands(f))
	}
}
