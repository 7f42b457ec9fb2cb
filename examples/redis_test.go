//go:build linux

package examples_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// startRedis starts the server with a log.
func startRedis(t *testing.T, log string) *server {
	return start(t, "redis", "-addr", "127.0.0.1:0", "-log", log)
}

// requireAnswers sends text in pieces, and reads the answers.
func requireAnswers(t *testing.T, c net.Conn, text, want string, piece int) {
	t.Helper()
	for rest := text; rest != ""; {
		n := min(piece, len(rest))
		_, err := c.Write([]byte(rest[:n]))
		require.NoError(t, err)
		rest = rest[n:]
	}
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got[:n]))
}

// bulk is a command as clients send it.
func bulk(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

// Many commands at once, and one a byte at a time; what was confirmed is there after
// a crash, and a command that was cut short is not.
func TestRedis(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s := startRedis(t, log)
	commands := "PING\r\n" + bulk("SET", "k", "line\r\nbreak") + bulk("get", "k") + bulk("INCR", "n") + bulk("INCR", "n") +
		bulk("INCR", "k") + bulk("GET", "none") + bulk("DEL", "k", "none") + bulk("DEL", "none") + bulk("EVAL") + "\r\n"
	const answers = "+PONG\r\n+OK\r\n$11\r\nline\r\nbreak\r\n:1\r\n:2\r\n" +
		"-ERR value is not an integer or out of range\r\n$-1\r\n:1\r\n:0\r\n-ERR unknown command or wrong number of arguments: \"EVAL\"\r\n"
	requireAnswers(t, dial(t, "tcp", s.addr), commands, answers, len(commands))
	requireAnswers(t, dial(t, "tcp", s.addr), commands, strings.NewReplacer(":1\r\n:2", ":3\r\n:4").Replace(answers), 1)
	big := strings.Repeat("x", 1<<20)
	requireAnswers(t, dial(t, "tcp", s.addr), bulk("SET", "big", big)+bulk("GET", "big"), "+OK\r\n$1048576\r\n"+big+"\r\n", 50_000)
	require.NoError(t, s.cmd.Process.Kill())
	<-s.stdout
	s.cmd.Wait()

	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	f.WriteString(bulk("SET", "n", "half")[:20])
	require.NoError(t, f.Close())
	for range 2 {
		s = startRedis(t, log)
		requireAnswers(t, dial(t, "tcp", s.addr), bulk("GET", "n")+bulk("GET", "k")+bulk("GET", "big"), "$1\r\n4\r\n$-1\r\n$1048576\r\n"+big+"\r\n", 1000)
		s.stop(t, syscall.SIGTERM)
	}
}

func TestRedisHangsUpOnNonsense(t *testing.T) {
	s := startRedis(t, filepath.Join(t.TempDir(), "log"))
	before := s.descriptors(t)
	for _, text := range []string{"*x\r\n", "*1\r\nPING\r\n", "*1\r\n$-5\r\n", "*1\r\n$9999999999\r\n", strings.Repeat("x", 2<<20)} {
		c := dial(t, "tcp", s.addr)
		go c.Write([]byte(text))
		got, _ := io.ReadAll(c) // it may be reset: there was more to come
		if len(text) < 100 {
			require.True(t, strings.HasPrefix(string(got), "-ERR Protocol error: "), "%q", got)
		}
		c.Close()
	}
	c := dial(t, "tcp", s.addr)
	c.Write([]byte(bulk("SET", "k", "v"))) // and goes away before the answer
	c.Close()
	s.requireNoLeak(t, before)
	s.stop(t, syscall.SIGINT)
}

// More clients than it has descriptors for: it says so now and then at most, and goes
// on when some are free.
func TestRedisWithoutDescriptors(t *testing.T) {
	s := startRedis(t, filepath.Join(t.TempDir(), "log"))
	const most = 16
	require.NoError(t, unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}, nil))
	var clients []net.Conn
	for range 20 {
		clients = append(clients, dial(t, "tcp", s.addr))
	}
	require.Eventually(t, func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
		return err == nil && len(open) >= most-2
	}, 10*time.Second, 10*time.Millisecond)
	time.Sleep(500 * time.Millisecond) // accepts that fail meanwhile are what is counted
	for _, c := range clients {
		c.Close()
	}
	requireAnswers(t, dial(t, "tcp", s.addr), bulk("SET", "k", "v"), "+OK\r\n", 100)
	said := s.stop(t, syscall.SIGTERM).stderr
	require.Less(t, strings.Count(said, "\n"), 50)
	require.NotContains(t, said, "canceled", "that is how it stops")
}

// Redis's own client, and that commits are shared.
func TestRedisBenchmark(t *testing.T) {
	benchmark, err := exec.LookPath("redis-benchmark")
	if err != nil {
		t.Skipf("there is no client: %v", err)
	}
	log := filepath.Join(t.TempDir(), "log")
	s := startRedis(t, log)
	before := s.descriptors(t)
	host, port, _ := net.SplitHostPort(s.addr)
	out := succeed(t, benchmark, "-h", host, "-p", port, "-t", "ping,set,get,incr", "-n", "2000", "-c", "20", "-P", "4", "-q")
	for _, name := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"} {
		require.Regexp(t, regexp.MustCompile(name+`: [0-9.]+ requests per second`), out)
	}
	s.requireNoLeak(t, before)
	s.stop(t, syscall.SIGTERM)
	info, err := os.Stat(log)
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(4000*20), "2000 of SET and of INCR")
}
