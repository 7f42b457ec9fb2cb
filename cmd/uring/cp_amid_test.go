//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
	notice(t, sig)
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
