package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asProgram in the environment makes this test's program the models' own, and
// so the processes that it starts.
const asProgram = "MODELS_TEST_AS_PROGRAM"

const soon = 20 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func TestModelsAnswer(t *testing.T) {
	const clients = 20
	conversations := map[string]func(*testing.T, net.Conn){
		"one request":      oneRequest,
		"several requests": severalRequests,
		"request in parts": requestInParts,
		"bad request":      badRequest,
		"client hangs up":  hangUp,
	}
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			p := start(t, m.name)
			for name, converse := range conversations {
				t.Run(name, func(t *testing.T) {
					var all sync.WaitGroup
					for range clients {
						all.Go(func() { p.converse(t, converse) })
					}
					all.Wait()
				})
			}
			p.end(t)
		})
	}
}

// TestModelsEndWithClientsThere tells servers to end that have a client who says
// nothing.
func TestModelsEndWithClientsThere(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			p := start(t, m.name)
			silent, err := net.Dial("tcp", p.address)
			require.NoError(t, err)
			defer silent.Close()
			_, err = silent.Write([]byte("GET /"))
			require.NoError(t, err)
			if m.name != "iterative" { // where all others wait behind the silent one
				p.converse(t, oneRequest)
			}
			p.end(t)
		})
	}
}

// TestProcessesDieWithTheirParent kills servers that get no chance to tell their
// processes.
func TestProcessesDieWithTheirParent(t *testing.T) {
	for _, name := range []string{"forking", "preforked"} {
		t.Run(name, func(t *testing.T) {
			p := start(t, name)
			silent, err := net.Dial("tcp", p.address)
			require.NoError(t, err)
			defer silent.Close()
			p.converse(t, oneRequest)
			require.NoError(t, p.cmd.Process.Kill())
			p.cmd.Wait()
			p.requireNoProcesses(t)
		})
	}
}

func TestBadUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-model", "nosuch"}, {"-listen", "nowhere"}, {"-listen", "[::1]:0"}, {"-workers", "0"}, {"argument"},
	} {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		out, _ := cmd.CombinedOutput()
		assert.Equal(t, 2, cmd.ProcessState.ExitCode(), args)
		assert.Contains(t, string(out), "usage: models", args)
	}
}

// program is a running server.
type program struct {
	cmd       *exec.Cmd
	address   string
	complaint strings.Builder
}

// start starts a server in a process group of its own.
func start(t *testing.T, model string) *program {
	p := &program{cmd: exec.Command(os.Args[0], "-model", model)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.complaint
	p.cmd.WaitDelay = soon // processes that are left hold on to it
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }) // the whole group
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server prints its address")
	p.address = strings.TrimSpace(line)
	return p
}

// converse has one client converse with the server.
func (p *program) converse(t *testing.T, converse func(*testing.T, net.Conn)) {
	conn, err := net.Dial("tcp", p.address)
	if !assert.NoError(t, err) {
		return
	}
	defer conn.Close()
	assert.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
	converse(t, conn)
}

// end has the server end, and sees to it that nothing of it is left.
func (p *program) end(t *testing.T) {
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(soon):
		t.Fatal("the server does not end on SIGTERM")
	}
	require.Empty(t, p.complaint.String())
	p.requireNoProcesses(t)
}

// requireNoProcesses waits until the server's group of processes is empty.
func (p *program) requireNoProcesses(t *testing.T) {
	require.Eventually(t, func() bool {
		return syscall.Kill(-p.cmd.Process.Pid, 0) == syscall.ESRCH
	}, soon, time.Millisecond, "processes are left")
}

func oneRequest(t *testing.T, conn net.Conn) {
	ask(t, conn, hello.OneRequest)
	expectLast(t, conn, hello.LastAnswer)
}

func severalRequests(t *testing.T, conn net.Conn) {
	for range 3 {
		ask(t, conn, hello.Request)
		got := make([]byte, len(hello.Answer))
		_, err := io.ReadFull(conn, got)
		assert.NoError(t, err)
		assert.Equal(t, hello.Answer, string(got))
	}
	ask(t, conn, hello.Request+hello.Request+hello.OneRequest)
	expectLast(t, conn, hello.Answer+hello.Answer+hello.LastAnswer)
}

func requestInParts(t *testing.T, conn net.Conn) {
	for part := range strings.SplitAfterSeq(hello.OneRequest, "T") {
		ask(t, conn, part)
		time.Sleep(2 * time.Millisecond)
	}
	expectLast(t, conn, hello.LastAnswer)
}

func badRequest(t *testing.T, conn net.Conn) {
	ask(t, conn, "PUT "+hello.OneRequest)
	expectLast(t, conn, hello.BadRequest)
}

// hangUp leaves in the middle of a request; the server has others to answer.
func hangUp(t *testing.T, conn net.Conn) { ask(t, conn, "GET") }

func ask(t *testing.T, conn net.Conn, request string) {
	_, err := conn.Write([]byte(request))
	assert.NoError(t, err)
}

// expectLast expects an answer, and that the server closes the connection.
func expectLast(t *testing.T, conn net.Conn, answer string) {
	got, err := io.ReadAll(conn)
	assert.NoError(t, err)
	assert.Equal(t, answer, string(got))
}
