//go:build linux

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
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

// sizes are those around a block, and around all blocks that are on their way at
// once.
var sizes = []int{0, 1, 4095, cpShort - 1, cpShort, cpShort + 1, cpBlock - 1, cpBlock, cpBlock + 1, cpMapped - 1, cpMapped + 1, 2*cpDepth*cpMapped + 17}

// read returns what a file contains.
func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return content
}

func TestCp(t *testing.T) {
	dir := t.TempDir()
	for _, size := range sizes {
		content := randomBytes(size)
		from := newFile(t, filepath.Join(dir, "from"), content)
		require.NoError(t, os.Chmod(from, 0o751))
		to := filepath.Join(dir, "to") // from the second time on there is one
		uring(t, "cp", from, to).exits(0)
		same(t, content, read(t, to))
		info, err := os.Stat(to)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o751), info.Mode())
	}
	require.ElementsMatch(t, []string{"from", "to"}, names(t, dir))
}

// names returns what a folder contains.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCpFromProc(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "to")
	uring(t, "cp", "/proc/version", to).exits(0)
	same(t, read(t, "/proc/version"), read(t, to))
}

func TestCpKeepsHoles(t *testing.T) {
	const size = 64<<20 + 5
	dir := t.TempDir()
	for name, pieces := range map[string][]int64{
		"all hole":     {},
		"at the start": {0},
		"at the end":   {size - 4096},
		"here, there":  {1 << 20, 1<<20 + 8192, 40<<20 + 100},
	} {
		from := newFile(t, filepath.Join(dir, "from"), nil)
		f, err := os.OpenFile(from, os.O_WRONLY, 0)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(size))
		for _, off := range pieces {
			_, err := f.WriteAt(randomBytes(4096), off)
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
		before := blocks(t, from)
		if before*512 > 1<<20 {
			t.Skipf("this file system has no holes: %d blocks for a file that is nearly all hole", before)
		}
		to := filepath.Join(dir, "to")
		uring(t, "cp", from, to).exits(0)
		same(t, read(t, from), read(t, to))
		require.Less(t, blocks(t, to)*512, int64(1<<20), name)
	}
}

// blocks is how many blocks of 512 bytes a file takes.
func blocks(t *testing.T, name string) int64 {
	t.Helper()
	var stat unix.Stat_t
	require.NoError(t, unix.Stat(name, &stat))
	return stat.Blocks
}

// On file systems that can, a copy shares the blocks until one is written to.
func TestCpSharesBlocks(t *testing.T) {
	const size = 64 << 20
	disk, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	script := `truncate -s 400M "$1" && { mkfs.xfs -q "$1" || mkfs.btrfs -q "$1"; } && mount -o loop "$1" "$2"`
	if out, err := exec.Command("sh", "-c", script, "sh", image, disk).CombinedOutput(); err != nil {
		t.Skipf("there is no file system whose files share blocks: %v: %s", err, out)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, 0)) })
	from := newFile(t, filepath.Join(disk, "from"), randomBytes(size))
	free := func() int64 {
		folder, err := os.Open(disk)
		require.NoError(t, err)
		defer folder.Close()
		require.NoError(t, unix.Syncfs(int(folder.Fd())))
		var stat unix.Statfs_t
		require.NoError(t, unix.Statfs(disk, &stat))
		return int64(stat.Bfree) * int64(stat.Bsize)
	}
	for _, to := range []string{"to", "old"} {
		to = newFile(t, filepath.Join(disk, to), randomBytes(1))
		if filepath.Base(to) == "to" {
			require.NoError(t, os.Remove(to))
		}
		before := free()
		uring(t, "cp", from, to).exits(0)
		require.Less(t, before-free(), int64(size/4))
		same(t, read(t, from), read(t, to))
	}
}

func TestCpSeveral(t *testing.T) {
	dir := t.TempDir()
	to := filepath.Join(dir, "to")
	for _, d := range []string{"other", "to"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	a := newFile(t, filepath.Join(dir, "a"), []byte("a"))
	b := newFile(t, filepath.Join(dir, "b"), []byte("b"))
	namesake := newFile(t, filepath.Join(dir, "other/a"), []byte("other"))

	p := uring(t, "cp", a, filepath.Join(dir, "gone"), namesake, b, to).exits(1)
	require.Contains(t, p.errs.String(), "gone: no such file")
	require.Contains(t, p.errs.String(), namesake+" would replace the copy of "+a)
	require.Equal(t, []string{"a", "b"}, names(t, to))
	require.Equal(t, "a", string(read(t, filepath.Join(to, "a"))))

	p = uring(t, "cp", a, filepath.Join(b, "new")).exits(1)
	require.Contains(t, p.errs.String(), filepath.Join(b, "new")+": not a directory")
	p = uring(t, "cp", a, b, namesake).exits(1)
	require.Contains(t, p.errs.String(), namesake+" is not a folder")
	require.Equal(t, "other", string(read(t, namesake)))
}

func TestCpOverwrites(t *testing.T) {
	dir := t.TempDir()
	from := newFile(t, filepath.Join(dir, "from"), []byte("new"))
	to := newFile(t, filepath.Join(dir, "to"), []byte("old"))
	uring(t, "cp", "-n", from, to).exits(0)
	require.Equal(t, "old", string(read(t, to)))
	uring(t, "cp", "-n", "-f", from, to).exits(0)
	require.Equal(t, "old", string(read(t, to)))
	uring(t, "cp", from, to).exits(0)
	require.Equal(t, "new", string(read(t, to)))

	// A link stays one, and what it points to is replaced.
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink("to", link))
	newFile(t, from, []byte("newer"))
	uring(t, "cp", from, link).exits(0)
	require.Equal(t, "newer", string(read(t, to)))
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, "to", target)
}

func TestCpRefusesTheSameFile(t *testing.T) {
	dir := t.TempDir()
	from := newFile(t, filepath.Join(dir, "from"), []byte("words"))
	require.NoError(t, os.Link(from, filepath.Join(dir, "hard")))
	require.NoError(t, os.Symlink("from", filepath.Join(dir, "soft")))
	for _, to := range []string{"from", "hard", "soft", "."} {
		p := uring(t, "cp", from, filepath.Join(dir, to)).exits(1)
		require.Contains(t, p.errs.String(), "are the same file", to)
		require.Equal(t, "words", string(read(t, from)))
	}
}

func TestCpPreserves(t *testing.T) {
	dir := t.TempDir()
	from := newFile(t, filepath.Join(dir, "from"), []byte("words"))
	to := filepath.Join(dir, "to")
	then := time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)
	require.NoError(t, os.Chmod(from, 0o741|fs.ModeSetuid))
	require.NoError(t, os.Chtimes(from, then, then))
	uring(t, "cp", "-p", from, to).exits(0)
	info, err := os.Stat(to)
	require.NoError(t, err)
	require.Equal(t, 0o741|fs.ModeSetuid, info.Mode())
	require.True(t, then.Equal(info.ModTime()), info.ModTime())
	atime := info.Sys().(*syscall.Stat_t).Atim
	require.Equal(t, then.Unix(), atime.Sec)

	link := filepath.Join(dir, "folder", "link") // which may point to nothing
	require.NoError(t, os.Mkdir(filepath.Dir(link), 0o755))
	require.NoError(t, os.Symlink("nowhere", link))
	times := []unix.Timespec{unix.NsecToTimespec(then.UnixNano()), unix.NsecToTimespec(then.UnixNano())}
	require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, link, times, unix.AT_SYMLINK_NOFOLLOW))
	uring(t, "cp", "-r", "-p", filepath.Dir(link), filepath.Join(dir, "folder too")).exits(0)
	info, err = os.Lstat(filepath.Join(dir, "folder too", "link"))
	require.NoError(t, err)
	require.True(t, then.Equal(info.ModTime()), info.ModTime())

	to += " too"
	uring(t, "cp", from, to).exits(0)
	info, err = os.Stat(to)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o741), info.Mode(), "without -p the copy is nobody's other program")
	require.WithinDuration(t, time.Now(), info.ModTime(), time.Minute)
}

// A copy is on the disk before it has its name, and the name is when the program
// ends.
func TestCpSyncs(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("there is no strace to see what is synced: %v", err)
	}
	here, there, trace := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "trace")
	from := newFile(t, filepath.Join(here, "from"), []byte("words"))
	synced := func(to string) (calls []string) {
		p := uring(t, "cp", "-sync", from, to)
		p.Path, p.Args = strace, append([]string{"strace", "-f", "-y", "-e", "trace=fsync,renameat2", "-o", trace}, p.Args...)
		p.exits(0)
		for _, call := range regexp.MustCompile(`fsync\(\d+<(.*)>\)|renameat2`).FindAllStringSubmatch(string(read(t, trace)), -1) {
			calls = append(calls, cmp.Or(call[1], call[0]))
		}
		return calls
	}
	to := filepath.Join(there, "to")
	calls := synced(to)
	require.Len(t, calls, 3)
	require.Contains(t, calls[0], there+"/.uring-cp-")
	require.Equal(t, []string{"renameat2", there}, calls[1:])
	require.Equal(t, []string{to, there}, synced(to))
}

func TestCpProgress(t *testing.T) {
	from := newFile(t, filepath.Join(t.TempDir(), "from"), randomBytes(3<<20))
	screen, terminal := openTerminal(t)
	p := uring(t, "cp", from, from+" too")
	p.Stderr = terminal
	p.exits(0)
	shown, err := bufio.NewReader(screen).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, shown, "\r["+strings.Repeat("=", 30)+"] 100%  3 of 3 MiB")
	require.Contains(t, shown, "MiB/s\x1b[K", "what is left of a longer line is erased")

	p = uring(t, "cp", from, from+" too").exits(0)
	require.Empty(t, p.errs.String(), "no bar where there is no terminal")
}

// openTerminal opens both ends of a terminal.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	nr, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", nr), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}
