//go:build linux

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server goes on when nobody reads its log any more, and tells so once.
func TestServeToClosedPipe(t *testing.T) {
	dir := t.TempDir()
	newFile(t, filepath.Join(dir, "a"), []byte("words"))
	r, w := pipe(t, 0)
	p := uring(t, "serve", "-v", "-addr", "127.0.0.1:0", dir)
	p.Stdout = w
	require.NoError(t, p.Start())
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	r.Close()
	for range 3 {
		answer, err := http.Get(strings.TrimPrefix(strings.TrimSpace(line), "listening on ") + "/a")
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, "words", string(body))
	}
	require.NoError(t, p.Process.Signal(os.Interrupt))
	p.Wait()
	require.Zero(t, p.ProcessState.ExitCode())
	require.Equal(t, "uring serve: lines of the log are lost: write /dev/stdout: broken pipe\n", p.errs.String())
}
