//go:build linux

package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"hash/crc32"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestManyReaders(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 5<<20 + 7} {
		name, content := randomFile(t, size)
		h := crc32.NewIEEE()
		for rest := content; len(rest) > 0; {
			n := min(16<<10, len(rest))
			fmt.Fprintf(h, "%08x", crc32.ChecksumIEEE(rest[:n]))
			rest = rest[n:]
		}
		want := fmt.Sprintf("reading %s\n%d bytes, sum of blocks %08x\n", name, size, h.Sum32())
		for _, goroutines := range []string{"1", "2000"} {
			require.Equal(t, want, succeed(t, program(t, "readers"), "-goroutines", goroutines, "-times", "3", name))
		}
	}
}

// The loop is closed while all of them read: none of them waits for ever.
func TestManyReadersWhenTheLoopIsClosed(t *testing.T) {
	name, _ := randomFile(t, 4<<20)
	for _, wait := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), runFor)
		defer cancel()
		cmd := exec.CommandContext(ctx, program(t, "readers"), "-goroutines", "3000", "-times", "1000000", name)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		time.Sleep(wait) // in the middle of it, wherever that is
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		require.Error(t, cmd.Wait())
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "it ends by itself, and says why")
	}
}

func TestServicesBadInput(t *testing.T) {
	for _, args := range [][]string{
		{"readers"}, {"readers", "a", "b"}, {"readers", "-goroutines", "0", "a"}, {"readers", "-no"},
		{"redis", "x"}, {"redis", "-no"}, {"dns", "x"}, {"dns", "-ip4", "::1"}, {"dns", "-no"},
	} {
		got := run(t, program(t, args[0]), args[1:]...)
		require.Equal(t, 2, got.code, args)
		require.Contains(t, got.stderr, "usage: "+args[0], args)
		require.Empty(t, got.stdout, args)
	}
	missing := filepath.Join(t.TempDir(), "missing", "file")
	for _, args := range [][]string{{"readers", missing}, {"redis", "-log", missing}, {"dns", "-addr", "nowhere"}} {
		got := run(t, program(t, args[0]), args[1:]...)
		require.Equal(t, 1, got.code, args)
		require.Contains(t, got.stderr, args[0]+": ", args)
	}
}
