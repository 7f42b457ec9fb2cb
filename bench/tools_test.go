package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeCommands makes a folder with shell scripts.
func fakeCommands(t *testing.T, scripts map[string]string) (dir string) {
	dir = t.TempDir()
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	return dir
}

// What a group lacks is said before anything runs, with what to do about it.
func TestLackingCommands(t *testing.T) {
	t.Setenv("PATH", fakeCommands(t, map[string]string{"wrk": ""}))
	require.NoError(t, needs("wrk"))
	why := missing("")
	require.ErrorAs(t, needs("wrk", "mkfs.ext4"), &why)
	require.EqualError(t, why, "it needs mkfs.ext4: make bench installs it, or apt-get install e2fsprogs")
	_, err := findWrk(&tools{})
	require.False(t, err != nil && strings.Contains(err.Error(), "wrk"), "it is there: %v", err)
}

// So is that nothing can be mounted, as in most containers.
func TestLackingMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		require.ErrorAs(t, (&tools{}).mounts(t.Context()), new(missing))
		return
	}
	tl := &tools{bin: t.TempDir()}
	t.Setenv("PATH", fakeCommands(t, map[string]string{"mkfs.ext4": "", "losetup": "echo no devices >&2; exit 1", "mount": "", "umount": ""}))
	why := missing("")
	require.ErrorAs(t, tl.mounts(t.Context()), &why)
	require.Contains(t, why.Error(), "no devices")
	t.Setenv("PATH", fakeCommands(t, map[string]string{"mkfs.ext4": "", "losetup": "", "mount": "", "umount": ""}))
	require.NoError(t, tl.mounts(t.Context()))
	t.Setenv("PATH", "")
	for _, contests := range []func(context.Context, *tools) ([]contest, error){copiesContests, walkContests} {
		_, err := contests(t.Context(), tl)
		require.ErrorAs(t, err, &why)
		require.Contains(t, why.Error(), "mkfs.ext4")
	}
}

// A package that apt does not know leaves the others as they are.
func TestDepsInstallsWhatItCan(t *testing.T) {
	const log = `echo "$*" >>"$(dirname "$0")/log"`
	dir := fakeCommands(t, map[string]string{
		"apt-get": log + "\ncase $* in *no-such-b*) exit 100 ;; esac",
		"sudo":    `exec "$@"`,
	})
	cmd := exec.Command("../scripts/deps.sh", "no-such-a", "no-such-b", "no-such-c")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "deps: could not be installed: no-such-b\n")
	done, err := os.ReadFile(filepath.Join(dir, "log"))
	require.NoError(t, err)
	for _, one := range []string{"a", "c"} {
		require.Contains(t, string(done), "install -y -qq --no-install-recommends no-such-"+one+"\n")
	}

	require.NoError(t, os.Remove(filepath.Join(dir, "log")))
	cmd = exec.Command("../scripts/deps.sh", "no-such-a", "sh")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	require.NoError(t, cmd.Run())
	done, err = os.ReadFile(filepath.Join(dir, "log"))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(done), "\n"), "update and install, nothing one by one:\n%s", done)
}
