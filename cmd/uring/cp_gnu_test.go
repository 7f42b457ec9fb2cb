//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// then is when all that a case begins with was changed; what has another time
// was changed by the copying.
var then = time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)

// gnuCase is a command that is run with GNU cp and with ours, in two folders
// that begin alike and must end alike, as must the output and the exit code.
type gnuCase struct {
	name, setup, run string // shell
	attrs            []attr // for what setup has made
	needs            string // "mount", "mknod"
	differs          string // why ours does something else; ours tells what
	ours             string
}

// attr is an extended attribute.
type attr struct{ path, name, value string }

// The two programs as functions of the shell.
const (
	gnuShell = `
		cp() { command cp "$@"; }
		as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups cp "$@"; }`
	ourShell = `
		cp() { "$URING" cp "$@"; }
		as_nobody() { URING_TEST_HARDSHIP=nobody "$URING" cp "$@"; }`
)

func TestCpAsGNU(t *testing.T) {
	needsGNU(t)
	for _, c := range permissionCases {
		c.test(t, "022", "077", "000")
	}
	for _, c := range otherCases {
		c.test(t, "022")
	}
}

func (c gnuCase) test(t *testing.T, umasks ...string) {
	t.Run(c.name, func(t *testing.T) {
		t.Parallel()
		needsAbility(t, c.needs)
		for _, umask := range umasks {
			c.compare(t, umask)
		}
	})
}

// needsGNU skips a test without GNU cp, or if owners can't be given away.
func needsGNU(t *testing.T) {
	t.Helper()
	version, err := exec.Command("cp", "--version").Output()
	if err != nil || !bytes.Contains(version, []byte("GNU coreutils")) {
		t.Skipf("this machine's cp is not GNU's: %v %s", err, version)
	}
	if os.Geteuid() != 0 {
		t.Skip("the cases have files of several owners, which takes root")
	}
}

func needsAbility(t *testing.T, what string) {
	t.Helper()
	dir := t.TempDir()
	var err error
	switch what {
	case "mount":
		if err = unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err == nil {
			err = unix.Unmount(dir, 0)
		}
	case "mknod":
		err = unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
	}
	if err != nil {
		t.Skipf("%s: %v", what, err)
	}
}

func (c gnuCase) compare(t *testing.T, umask string) {
	want := c.runIn(t, umask, gnuShell)
	got := c.runIn(t, umask, ourShell)
	if c.differs == "" {
		require.Equal(t, want.String(), got.String(), "umask %s", umask)
		return
	}
	require.NotEqual(t, want.String(), got.String(), "umask %s: it does not differ any more: %s", umask, c.differs)
	p := shell(t, got.dir, umask, ourShell+"\n"+c.ours)
	out, err := p.CombinedOutput()
	require.NoError(t, err, "umask %s: %s\n%s\n%s", umask, c.ours, out, got)
}

// runIn runs the case in a folder of its own and tells how it ended.
func (c gnuCase) runIn(t *testing.T, umask, functions string) outcome {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	if c.needs == "mount" {
		t.Cleanup(func() { unix.Unmount(filepath.Join(dir, "m"), unix.MNT_DETACH) })
	}
	out, err := shell(t, dir, "022", c.setup).CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, a := range c.attrs {
		if err := unix.Setxattr(filepath.Join(dir, a.path), a.name, []byte(a.value), 0); err != nil {
			t.Skipf("this file system has no %s: %v", a.name, err)
		}
	}
	before := look(t, dir)
	age(t, dir, before)
	p := shell(t, dir, umask, functions+"\n"+c.run)
	var errs bytes.Buffer
	p.Stderr = &errs
	out, err = p.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return outcome{dir, p.ProcessState.ExitCode(), string(out), errs.String(), before, look(t, dir)}
}

// shell prepares a script in a folder.
func shell(t *testing.T, dir, umask, script string) *exec.Cmd {
	p := exec.CommandContext(t.Context(), "bash", "-e", "-c", "umask "+umask+"\n"+script)
	p.Dir = dir
	p.Env = append(os.Environ(), programEnv+"=1", "URING="+os.Args[0], "GORACE=atexit_sleep_ms=0")
	return p
}

// outcome is how a case has ended.
type outcome struct {
	dir           string
	code          int
	out, errs     string
	before, after map[string]thing
}

// String tells all that must be the same. The messages are in other words.
func (o outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "exit %d, says something: %v, out %q\n", o.code, o.errs != "", o.out)
	names := map[[2]int64]string{} // of what has several
	filepath.WalkDir(o.dir, func(path string, _ fs.DirEntry, err error) error {
		path = strings.TrimPrefix(path, o.dir)
		a := o.after[path]
		if first := names[a.id]; first == "" {
			names[a.id] = path
		}
		kept := o.before[path].id == a.id
		fmt.Fprintf(&b, "%-12s %s kept %v, also %s", path, a.about, kept, names[a.id])
		if !kept || a.kind != unix.S_IFLNK { // following a link is reading it
			fmt.Fprintf(&b, ", atime %s", a.atime)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}

// thing is what is somewhere in a folder.
type thing struct {
	id           [2]int64 // another file may get the inode of one that is gone, but not its birth
	kind         uint16
	atime, about string
}

// look looks at all that is in a folder.
func look(t *testing.T, dir string) map[string]thing {
	t.Helper()
	all := map[string]thing{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		all[strings.TrimPrefix(path, dir)] = lookAt(t, path)
		return nil
	})
	require.NoError(t, err)
	return all
}

// age has all that is in a folder be as old as then.
func age(t *testing.T, dir string, all map[string]thing) {
	t.Helper()
	at := unix.NsecToTimespec(then.UnixNano())
	for path := range all {
		err := unix.UtimesNanoAt(unix.AT_FDCWD, dir+path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EROFS {
			require.NoError(t, err)
		}
	}
}

func lookAt(t *testing.T, path string) thing {
	t.Helper()
	var x unix.Statx_t
	require.NoError(t, unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_ALL, &x))
	about := fmt.Sprintf("%06o %d:%d links %d mtime %s", x.Mode, x.Uid, x.Gid, x.Nlink, moment(x.Mtime))
	switch x.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		about += fmt.Sprintf(" %x data at %v", sha256.Sum256(read(t, path)), dataIn(t, path))
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		require.NoError(t, err)
		about += " to " + target
	case unix.S_IFBLK, unix.S_IFCHR:
		about += fmt.Sprintf(" device %d,%d", x.Rdev_major, x.Rdev_minor)
	}
	id := [2]int64{int64(x.Ino), x.Btime.Sec*1e9 + int64(x.Btime.Nsec)}
	return thing{id, x.Mode & unix.S_IFMT, moment(x.Atime), about + attrsOf(t, path)}
}

func moment(ts unix.StatxTimestamp) string {
	if at := time.Unix(ts.Sec, int64(ts.Nsec)); time.Since(at) > time.Hour {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return "now"
}

// dataIn returns where a file has data, and where holes.
func dataIn(t *testing.T, path string) (ends []int64) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for at, whence := int64(0), unix.SEEK_DATA; ; whence = unix.SEEK_DATA + unix.SEEK_HOLE - whence {
		at, err = f.Seek(at, whence)
		if err != nil {
			return ends
		}
		ends = append(ends, at)
	}
}

func attrsOf(t *testing.T, path string) (about string) {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err == unix.EOPNOTSUPP {
		return ""
	}
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if name == "" || name == "security.selinux" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		require.NoError(t, err)
		about += fmt.Sprintf(" %s %x", name, value[:n])
	}
	return about
}
