//go:build linux

package examples_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRingioWeb(t *testing.T) {
	dir := t.TempDir()
	large := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{1}).Read(large)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), large, 0o600))
	s := start(t, "ringio-web", "-addr", "127.0.0.1:0", dir)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 3 {
				r, err := http.Get(s.addr + "/large")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || !bytes.Equal(large, got) {
					t.Error(len(got), err)
				}
			}
		})
	}
	all.Wait()
	r, err := http.Get(s.addr + "/none")
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, http.StatusNotFound, r.StatusCode)
	dial(t, "tcp", strings.TrimPrefix(s.addr, "http://")) // one that asks nothing does not matter
	require.Zero(t, s.stop(t, syscall.SIGTERM).code)
}

func TestRingioProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() { // who answers when all has been said
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				said, _ := io.ReadAll(c)
				c.Write(said)
				c.Close()
			}()
		}
	}()
	s := start(t, "ringio-proxy", "-addr", "127.0.0.1:0", "-to", l.Addr().String())
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			said := make([]byte, i*i*10_000)
			rand.NewChaCha8([32]byte{byte(i)}).Read(said)
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			go func() {
				c.Write(said)
				c.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(said, got) {
				t.Error(i, len(got), err)
			}
		})
	}
	all.Wait()
	require.Zero(t, s.stop(t, syscall.SIGTERM).code)
}

// Nobody listens where the proxy hands connections on to: they are reset.
func TestRingioProxyWithoutAServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	s := start(t, "ringio-proxy", "-addr", "127.0.0.1:0", "-to", l.Addr().String())
	c, err := net.DialTimeout("tcp", s.addr, 10*time.Second)
	if err == nil { // the reset can come before Dial has looked whether it is connected
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Zero(t, s.stop(t, syscall.SIGTERM).code)
}

// kvClient sends lines, and returns what is answered.
func kvClient(t *testing.T, addr string) func(line string) string {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	answers := bufio.NewReader(c)
	return func(line string) string {
		fmt.Fprintln(c, line)
		answer, err := answers.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSuffix(answer, "\n")
	}
}

// What was confirmed is there after the server was killed; a line that was cut is not.
func TestRingioKV(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s := start(t, "ringio-kv", "-addr", "127.0.0.1:0", "-log", log)
	var all sync.WaitGroup
	for i := range 20 {
		ask := kvClient(t, s.addr)
		all.Go(func() {
			for n := range 20 {
				if got := ask(fmt.Sprintf("SET own%d value %d", i, n)); got != "OK" {
					t.Error(got)
				}
				if got := ask(fmt.Sprintf("SET all %d-%d", i, n)); got != "OK" {
					t.Error(got)
				}
			}
		})
	}
	all.Wait()
	ask := kvClient(t, s.addr)
	require.Equal(t, "OK", ask("SET gone x"))
	require.Equal(t, "OK", ask("DEL gone"))
	require.Equal(t, "NONE", ask("GET gone"))
	require.Contains(t, ask("GET"), "ERROR")
	require.Contains(t, ask(strings.Repeat("x", 5000)), "ERROR a line has")
	ask = kvClient(t, s.addr)
	last := ask("GET all")
	s.cmd.Process.Kill()
	s.cmd.Wait()

	f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.WriteString("SET all cut")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	s = start(t, "ringio-kv", "-addr", "127.0.0.1:0", "-log", log)
	ask = kvClient(t, s.addr)
	require.Equal(t, last, ask("GET all"), "the log has the order that clients saw")
	for i := range 20 {
		require.Equal(t, "VALUE value 19", ask(fmt.Sprint("GET own", i)))
	}
	require.Equal(t, "NONE", ask("GET gone"))
	require.Equal(t, "OK", ask("SET more x"))
	require.Zero(t, s.stop(t, syscall.SIGTERM).code)
}

func TestRingioBadInput(t *testing.T) {
	for name, args := range map[string][]string{"ringio-web": nil, "ringio-proxy": nil, "ringio-kv": {"x"}} {
		got := run(t, program(t, name), args...)
		require.Equal(t, 2, got.code, name)
		require.Contains(t, got.stderr, "usage: "+name)
	}
}
