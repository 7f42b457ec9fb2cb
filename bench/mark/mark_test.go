package mark

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// asked is set for a process that is to allocate each time it reads a line.
const asked = "MARK_TEST_ALLOCATES"

const objects = 20_000

var sink [objects]*[64]byte

func TestMain(m *testing.M) {
	if os.Getenv(asked) == "" {
		os.Exit(m.Run())
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		for i := range sink {
			sink[i] = new([64]byte)
		}
		fmt.Println("done")
	}
}

func TestAllocationsAreCounted(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asked+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	read := func() string {
		require.True(t, lines.Scan())
		return lines.Text()
	}
	ask := func(s syscall.Signal, prefix string) int {
		require.NoError(t, cmd.Process.Signal(s))
		n, err := strconv.Atoi(strings.TrimPrefix(read(), prefix))
		require.NoError(t, err)
		return n
	}
	mallocs := func() int { return ask(syscall.SIGUSR1, Prefix) }
	heap := func() int { return ask(syscall.SIGUSR2, HeapPrefix) }

	require.Equal(t, "ready", read())
	mallocs()
	before := mallocs()
	idle := mallocs()
	require.InDelta(t, before, idle, 50, "asking costs next to nothing")
	small := heap()
	idle = mallocs()
	fmt.Fprintln(in)
	require.Equal(t, "done", read())
	require.InDelta(t, objects, mallocs()-idle, 50)
	require.InDelta(t, objects*64, heap()-small, 128<<10, "stacks count too")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}
