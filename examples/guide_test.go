//go:build linux

package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

func TestCatRaw(t *testing.T) {
	var names []string
	var all []byte
	for _, size := range []int{0, 1, 128 << 10, 3<<20 + 7} {
		name, content := randomFile(t, size)
		require.Equal(t, string(content), succeed(t, program(t, "cat-raw"), name), "%d bytes", size)
		names, all = append(names, name), append(all, content...)
	}
	require.True(t, string(all) == succeed(t, program(t, "cat-raw"), names...))
}

func TestLink(t *testing.T) {
	const line = "written, synced and read in one go\n"
	name := filepath.Join(t.TempDir(), "file")
	link := program(t, "link")
	require.Equal(t, fmt.Sprintf("write %d\nfsync 0\nread  %d\nnop   0\n%s", len(line), len(line), line), succeed(t, link, name))
	requireContent(t, []byte(line), name)

	ringtest.NeedsFeatures(t, liburing.FeatCQESkip)
	require.NoError(t, os.Remove(name))
	require.Equal(t, "nop   0\n"+line, succeed(t, link, "-quiet", name), "the last one alone tells")
	requireContent(t, []byte(line), name)

	const broken = `^write write: bad file descriptor.*
fsync fsync: operation canceled.*
read  read: operation canceled.*
nop   nop: operation canceled.*
$`
	for _, flags := range [][]string{{"-fail"}, {"-fail", "-quiet"}} {
		got := run(t, link, append(flags, name)...)
		require.Equal(t, 1, got.code, flags)
		require.Regexp(t, broken, got.stdout, flags)
		require.Contains(t, got.stderr, "bad file descriptor", flags)
	}
}

func TestEventfd(t *testing.T) {
	for _, size := range []int{0, 1, 64 << 10, 5<<20 + 1} {
		name, _ := randomFile(t, size)
		got := succeed(t, program(t, "eventfd"), name)
		n := figures(t, regexp.MustCompile(`^(\d+) bytes in (\d+) reads, announced (\d+) times\n$`), got)
		require.Equal(t, size, n[0])
		require.GreaterOrEqual(t, n[1], size/(64<<10))
		require.Positive(t, n[2])
		require.LessOrEqual(t, n[2], n[1], "an announcement is of one completion at least")
	}
}

func TestFixedBuffers(t *testing.T) {
	for _, size := range []int{0, 1, 256 << 10, 3<<20 + 7} {
		from, content := randomFile(t, size)
		succeed(t, program(t, "fixed-buffers"), from, from+".copy")
		requireContent(t, content, from+".copy")
	}
}

func TestProvidedBuffers(t *testing.T) {
	got := succeed(t, program(t, "provided-buffers"), "-buffers", "3", "-messages", "10")
	messages := regexp.MustCompile(`(?m)^buffer (\d): message (\d+)$`).FindAllStringSubmatch(got, -1)
	require.Len(t, messages, 10)
	for i, m := range messages {
		require.Equal(t, fmt.Sprint(i+1), m[2], "in their order")
	}
	for round := range 3 { // three come at a time, in all of the three buffers
		ids := messages[3*round][1] + messages[3*round+1][1] + messages[3*round+2][1]
		for id := range 3 {
			require.Contains(t, ids, fmt.Sprint(id))
		}
	}
	require.Equal(t, 3, strings.Count(got, "all taken: giving 3 back\n"))
	n := figures(t, regexp.MustCompile(`received (\d+) messages in 3 buffers; ran dry (\d+) times`), got)
	require.Equal(t, 10, n[0])
	require.GreaterOrEqual(t, n[1], 3)

	got = succeed(t, program(t, "provided-buffers"), "-buffers", "8", "-messages", "5")
	require.Contains(t, got, "received 5 messages in 8 buffers; ran dry 0 times\n")
	require.NotContains(t, got, "all taken")
}

var sqpollLine = regexp.MustCompile(`^(\d+) reads, (\d+) bytes, in \S+, (\d+) system calls\n$`)

// The kernel's thread stays awake while it has something to do, and sleeps when
// it has not.
func TestSQPoll(t *testing.T) {
	name, _ := randomFile(t, 5000)
	n := figures(t, sqpollLine, succeed(t, program(t, "sqpoll"), "-reads", "3000", name))
	require.Equal(t, []int{3000, 3000 * 4096}, n[:2])
	require.LessOrEqual(t, n[2], 3, "no system calls while it is awake")

	n = figures(t, sqpollLine, succeed(t, program(t, "sqpoll"), "-reads", "5", "-idle", "1ms", "-pause", "60ms", name))
	require.Equal(t, []int{5, 5 * 4096}, n[:2])
	require.GreaterOrEqual(t, n[2], 4, "it sleeps before each read")
}

// What the program says of its system calls is what strace sees.
func TestSQPollSystemCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("there is no strace to count system calls with: %v", err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	name, _ := randomFile(t, 100)
	n := figures(t, sqpollLine, succeed(t, strace, "-f", "-o", trace, "-e", "trace=io_uring_enter", program(t, "sqpoll"), "-reads", "1000", name))
	seen, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.Equal(t, n[2], strings.Count(string(seen), "io_uring_enter("))
}

func TestGuideBadInput(t *testing.T) {
	for _, args := range [][]string{
		{"cat-raw"}, {"nvme"}, {"ublk"}, {"link"}, {"link", "a", "b"}, {"eventfd"}, {"fixed-buffers", "a"}, {"sqpoll"},
		{"provided-buffers", "-buffers", "0"}, {"provided-buffers", "-messages", "101"}, {"provided-buffers", "x"},
		{"sqpoll", "-idle", "1us", "file"}, {"sqpoll", "-reads", "0", "file"},
		{"cat-raw", "-no"}, {"nvme", "-no"}, {"ublk", "-no"}, {"link", "-no"}, {"eventfd", "-no"}, {"fixed-buffers", "-no"}, {"provided-buffers", "-no"}, {"sqpoll", "-no"},
	} {
		got := run(t, program(t, args[0]), args[1:]...)
		require.Equal(t, 2, got.code, args)
		require.Contains(t, got.stderr, "usage: "+args[0], args)
		require.Empty(t, got.stdout, args)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for _, args := range [][]string{
		{"cat-raw", missing}, {"nvme", missing}, {"ublk", missing}, {"link", "-fail", missing}, {"eventfd", missing}, {"fixed-buffers", missing, missing + ".copy"}, {"sqpoll", missing},
	} {
		got := run(t, program(t, args[0]), args[1:]...)
		require.Equal(t, 1, got.code, args)
		require.Equal(t, args[0]+": open "+missing+": no such file or directory\n", got.stderr)
	}
	for _, name := range []string{"cat-raw", "eventfd", "sqpoll"} {
		got := run(t, program(t, name), t.TempDir())
		require.Equal(t, 1, got.code, name)
		require.Contains(t, got.stderr, "is a directory", name)
	}
}
