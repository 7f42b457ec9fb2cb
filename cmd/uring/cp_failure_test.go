//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// failsWithoutTrace has a copy fail that would replace a file, which must be as
// it was, and alone.
func failsWithoutTrace(t *testing.T, p *program, to, why string) {
	t.Helper()
	p.exits(1)
	require.Contains(t, p.errs.String(), why)
	require.Equal(t, "old", string(read(t, to)))
	require.Equal(t, []string{filepath.Base(to)}, names(t, filepath.Dir(to)))
}

func TestCpBeyondTheLimitOfFiles(t *testing.T) {
	from := newFile(t, filepath.Join(t.TempDir(), "from"), randomBytes(fileLimit+1))
	to := newFile(t, filepath.Join(t.TempDir(), "to"), []byte("old"))
	failsWithoutTrace(t, uring(t, "cp", from, to).under("file size"), to, to+": file too large: raise `ulimit -f`")
}

func TestCpToFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, 0)) })
	to := newFile(t, filepath.Join(disk, "to"), []byte("old"))
	from := newFile(t, filepath.Join(t.TempDir(), "from"), randomBytes(2<<20))
	failsWithoutTrace(t, uring(t, "cp", from, to), to, to+": no space left on device: make room there")

	small := newFile(t, filepath.Join(filepath.Dir(from), "small"), randomBytes(1<<18))
	uring(t, "cp", small, to).exits(0) // the room is back
}

// What the disk does not have any more is not waited for.
func TestCpFromAFailingDisk(t *testing.T) {
	const size = 40 << 20
	disk, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	mount := func(script string) {
		if out, err := exec.Command("sh", "-c", script, "sh", image, disk).CombinedOutput(); err != nil {
			t.Skipf("a disk cannot be mounted: %v: %s", err, out)
		}
		t.Cleanup(func() { unix.Unmount(disk, 0) })
	}
	mount(`truncate -s 64M "$1" && mkfs.ext4 -q -F -O ^has_journal "$1" && mount -o loop "$1" "$2"`)
	content := randomBytes(size)
	from := newFile(t, filepath.Join(disk, "from"), content)
	require.NoError(t, unix.Unmount(disk, 0))
	mount(`mount -o loop,ro "$1" "$2"`) // the kernel knows nothing of the file
	require.NoError(t, os.Truncate(image, 45<<20))

	to := newFile(t, filepath.Join(t.TempDir(), "to"), []byte("old"))
	p := uring(t, "cp", from, to)
	require.NoError(t, p.Start())
	defer time.AfterFunc(20*time.Second, func() { p.Process.Kill() }).Stop()
	p.ends(1)
	require.Contains(t, p.errs.String(), "input/output error")
	part := read(t, to)
	require.NotEmpty(t, part)
	require.Less(t, len(part), size)
	same(t, content[:len(part)], part)
}
