package main

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Ctrl-C, which a terminal sends to a whole group of processes, does not end a command
// between what it does and what it tells: nothing stays mounted.
func TestMountsAreTakenBackWhenInterrupted(t *testing.T) {
	const ran = "BENCH_TEST_MOUNTS"
	if os.Getenv(ran) != "" {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
		_, err := mountedImage("image", "dir", func() (reading, error) { return nil, nil })
		require.NoError(t, err)
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"losetup", "mount", "umount"} {
		script := "#!/bin/sh\necho " + name + " $1 >>done\nsleep 0.3\necho told\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), ran+"=1", "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, "done"))
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	require.NoError(t, cmd.Wait())
	done, err := os.ReadFile(filepath.Join(dir, "done"))
	require.NoError(t, err)
	require.Equal(t, "losetup --find\nmount -o\numount dir\nlosetup --detach\n", string(done))
}
