//go:build linux

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
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

func TestCpTree(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	for _, d := range []string{"", "empty", "a", "a/b", "a/b/c", "closed"} {
		require.NoError(t, os.Mkdir(filepath.Join(from, d), 0o755))
	}
	for i, size := range sizes {
		newFile(t, filepath.Join(from, "a/b", fmt.Sprintf("size %d\n", i)), randomBytes(size))
	}
	newFile(t, filepath.Join(from, "closed/file"), []byte("words"))
	require.NoError(t, os.Chmod(filepath.Join(from, "closed/file"), 0o400))
	require.NoError(t, os.Chmod(filepath.Join(from, "closed"), 0o500))
	for link, target := range map[string]string{"to file": "a/b/c", "to nothing": "nowhere", "a/to folder": "b"} {
		require.NoError(t, os.Symlink(target, filepath.Join(from, link)))
	}

	to := filepath.Join(dir, "to")
	uring(t, "cp", "-r", "-sync", from, to).exits(0)
	require.Equal(t, tree(t, from), tree(t, to))
	for _, d := range []string{from, to} { // open it again for what follows, if we are not root
		require.NoError(t, os.Chmod(filepath.Join(d, "closed"), 0o700))
	}

	// A folder that is there gets the copy, under its name.
	uring(t, "cp", "-r", from, to).exits(0)
	require.Equal(t, tree(t, from), tree(t, filepath.Join(to, "from")))
	uring(t, "cp", "-r", from, to).exits(0) // and another time over the first

	p := uring(t, "cp", from, filepath.Join(dir, "new")).exits(1)
	require.Contains(t, p.errs.String(), "is a folder: -r copies it")
	p = uring(t, "cp", "-r", from, filepath.Join(from, "a/new")).exits(1)
	require.Contains(t, p.errs.String(), "would be copied into itself")
	require.ElementsMatch(t, []string{"from", "to"}, names(t, dir))
}

// tree describes all that is in a folder.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		about := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			about += fmt.Sprintf(" %x", read(t, path))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			require.NoError(t, err)
			about += " " + target
		}
		path, err = filepath.Rel(root, path)
		all[path] = about
		return err
	})
	require.NoError(t, err)
	return all
}

func TestCpTreeGoesOnAfterWhatItCannotCopy(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.Mkdir(from, 0o755))
	for _, name := range []string{"a", "b", "c"} {
		newFile(t, filepath.Join(from, name), []byte("words"))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(to, "from", "b"), 0o755))
	p := uring(t, "cp", "-r", from, to).exits(1)
	require.Contains(t, p.errs.String(), filepath.Join(to, "from", "b")+" is a folder")
	require.Equal(t, []string{"a", "b", "c"}, names(t, filepath.Join(to, "from")))
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

// An interrupt is heard also where no file is copied.
func TestCpInterruptedWhereNothingIsNew(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newCopier(ctx, cpOptions{recursive: true, keep: true})
	from, to := t.TempDir(), t.TempDir()
	for _, dir := range []string{from, to} {
		newFile(t, filepath.Join(dir, "a"), nil)
	}
	err := c.folder(at(from), at(to))
	require.NoError(t, c.close())
	require.ErrorIs(t, err, errInterrupted)
}

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

const bigSize = 256 << 20

// bigFile makes a file that takes a while to copy.
func bigFile(t *testing.T) string {
	t.Helper()
	content := randomBytes(1 << 20)
	f, err := os.Create(filepath.Join(t.TempDir(), "big"))
	require.NoError(t, err)
	for range bigSize / len(content) {
		_, err := f.Write(content)
		require.NoError(t, err)
	}
	clone, err := os.Create(f.Name() + " clone")
	require.NoError(t, err)
	if unix.IoctlFileClone(int(clone.Fd()), int(f.Fd())) == nil {
		t.Skip("copies take no time here: files share their blocks")
	}
	require.NoError(t, errors.Join(clone.Close(), os.Remove(clone.Name()), f.Close()))
	return f.Name()
}

// amid starts a copy to the file to and calls do when a part of it is written and
// more is to come; the copy stands still meanwhile. One that is too fast is begun
// again.
func amid(t *testing.T, to string, copying func() *program, do func(*program)) *program {
	t.Helper()
	for range 50 {
		p := copying()
		require.NoError(t, p.Start())
		unfinished := func() (written int64) {
			found, _ := filepath.Glob(filepath.Join(filepath.Dir(to), ".uring-cp-*"))
			var stat unix.Stat_t
			if len(found) == 0 { // it is written over what is there
				found = []string{to}
			}
			if unix.Stat(found[0], &stat) == nil && stat.Blocks > 8 {
				written = stat.Blocks * 512
			}
			return written
		}
		for end := time.Now().Add(5 * time.Second); unfinished() == 0 && time.Now().Before(end); {
			time.Sleep(100 * time.Microsecond)
		}
		require.NoError(t, p.Process.Signal(unix.SIGSTOP)) // to look at it in peace
		time.Sleep(time.Millisecond)
		isAmid := unfinished() > 0 && unfinished() < bigSize/2
		if isAmid {
			do(p)
		}
		require.NoError(t, p.Process.Signal(unix.SIGCONT))
		if isAmid {
			return p
		}
		p.Wait()
	}
	require.Fail(t, "every copy was done too soon")
	return nil
}

// interrupt has a signal come amid a copy, which it ends. One that was done before it
// noticed is begun again.
func interrupt(t *testing.T, to string, sig os.Signal, copying func() *program) *program {
	t.Helper()
	for range 50 {
		p := amid(t, to, copying, func(p *program) { require.NoError(t, p.Process.Signal(sig)) })
		p.Wait()
		if p.ProcessState.ExitCode() != 0 {
			return p
		}
	}
	require.Fail(t, "every copy was done too soon")
	return nil
}

func TestCpInterrupted(t *testing.T) {
	from := bigFile(t)
	noticed := make(chan os.Signal, 1)
	signal.Notify(noticed, unix.SIGHUP) // or the program would ignore it if this process does, as under nohup
	defer signal.Stop(noticed)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		to := filepath.Join(t.TempDir(), "to")
		p := interrupt(t, to, sig, func() *program {
			os.Remove(to)
			return uring(t, "cp", from, to)
		})
		p.ends(1)
		require.Equal(t, "uring cp: interrupted\n", p.errs.String())
		require.Empty(t, names(t, filepath.Dir(to)))
	}
}

// What is written over can't be had back. It is told, and looks like no whole
// copy.
func TestCpInterruptedOverAFile(t *testing.T) {
	from, to := bigFile(t), filepath.Join(t.TempDir(), "to")
	p := interrupt(t, to, unix.SIGINT, func() *program {
		newFile(t, to, []byte("old"))
		return uring(t, "cp", from, to)
	})
	p.ends(1)
	isPartOf(t, p, read(t, from), to, "interrupted")
}

// isPartOf has a copy over an old file be told to have failed, with its first
// bytes there.
func isPartOf(t *testing.T, p *program, content []byte, to, why string) {
	t.Helper()
	part := read(t, to)
	require.Less(t, len(part), bigSize)
	require.Contains(t, p.errs.String(), why)
	require.Contains(t, p.errs.String(), fmt.Sprintf("what was in %s is gone, the first %d bytes of the copy are there\n", to, len(part)))
	same(t, content[:len(part)], part)
	require.Equal(t, []string{"to"}, names(t, filepath.Dir(to)))
}

// Nobody but who copies can open what is not yet its owner's, and nobody what is
// hidden by the umask.
func TestCpIsNeverMoreOpenThanInTheEnd(t *testing.T) {
	from := bigFile(t)
	require.NoError(t, os.Chmod(from, 0o4666))
	if err := os.Chown(from, 1000, 1001); err != nil {
		t.Skipf("a file cannot be given away: %v", err)
	}
	old := unix.Umask(0o027) // the copies have it from us
	t.Cleanup(func() { unix.Umask(old) })
	for flag, during := range map[string]fs.FileMode{"-p": 0o600, "-f": 0o640} {
		to := filepath.Join(t.TempDir(), "to")
		amid(t, to, func() *program {
			os.Remove(to)
			return uring(t, "cp", flag, from, to)
		}, func(*program) {
			found, err := filepath.Glob(filepath.Join(filepath.Dir(to), ".uring-cp-*"))
			require.NoError(t, err)
			require.Len(t, found, 1)
			info, err := os.Stat(found[0])
			require.NoError(t, err)
			require.Equal(t, during, info.Mode())
		}).ends(0)
	}
}

// What starts a program with SIGHUP ignored, nohup for one, wants it to go on.
func TestCpGoesOnWhenSignalsAreIgnored(t *testing.T) {
	from, to := bigFile(t), filepath.Join(t.TempDir(), "to")
	p := amid(t, to, func() *program {
		p := uring(t)
		p.Path, p.Args = "/bin/sh", []string{"sh", "-c", `trap "" HUP; exec "$0" cp "$1" "$2"`, os.Args[0], from, to}
		return p
	}, func(p *program) { require.NoError(t, p.Process.Signal(unix.SIGHUP)) })
	p.ends(0)
	same(t, read(t, from), read(t, to))
}

// A file that becomes shorter is told with its size, and not copied in part. One
// that loses its name is copied.
func TestCpOfAFileThatChanges(t *testing.T) {
	from, to := bigFile(t), filepath.Join(t.TempDir(), "to")
	copying := func() *program {
		os.Remove(to)
		return uring(t, "cp", from, to)
	}
	content := read(t, from)
	amid(t, to, copying, func(*program) { require.NoError(t, os.Rename(from, from+".other")) }).ends(0)
	same(t, content, read(t, to))

	from += ".other"
	p := amid(t, to, copying, func(*program) { require.NoError(t, os.Truncate(from, 1000)) }).ends(1)
	require.Contains(t, p.errs.String(), fmt.Sprintf("and not at %d: it became shorter", bigSize))
	require.Empty(t, names(t, filepath.Dir(to)))

	newFile(t, from, content)
	p = amid(t, to, copying, func(*program) { require.NoError(t, os.Truncate(from, bigSize-1)) }).ends(1)
	require.Contains(t, p.errs.String(), fmt.Sprintf("it ended at byte %d and not at %d: it became shorter", bigSize-1, bigSize))
	require.Empty(t, names(t, filepath.Dir(to)))

	for _, size := range []int64{1000, bigSize - 1} {
		newFile(t, from, content)
		p = amid(t, to, func() *program {
			newFile(t, to, []byte("old"))
			return uring(t, "cp", from, to)
		}, func(*program) { require.NoError(t, os.Truncate(from, size)) }).ends(1)
		isPartOf(t, p, content, to, "it became shorter")
	}
}

// What has come to a new copy's name meanwhile is somebody else's.
func TestCpLeavesWhatHasAppeared(t *testing.T) {
	from, to := bigFile(t), filepath.Join(t.TempDir(), "to")
	p := amid(t, to, func() *program {
		os.Remove(to)
		return uring(t, "cp", from, to)
	}, func(*program) { newFile(t, to, []byte("other")) }).ends(1)
	require.Contains(t, p.errs.String(), to+": file exists")
	require.Equal(t, "other", string(read(t, to)))
	require.Equal(t, []string{"to"}, names(t, filepath.Dir(to)))
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
