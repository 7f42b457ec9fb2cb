//go:build linux

package ringio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hardships are what makes io_uring impossible, each brought about in a process of its
// own, and what Available says of it.
var hardships = map[string]struct {
	begin func() error
	says  string
}{
	"forbidden": {func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.EPERM) }, "seccomp"},
	"unknown":   {func() error { return ringtest.Deny(unix.SYS_IO_URING_SETUP, unix.ENOSYS) }, "sandbox"},
	"no enter":  {func() error { return ringtest.Deny(unix.SYS_IO_URING_ENTER, unix.EPERM) }, "allow io_uring_enter"},
	"no register": {func() error { return ringtest.Deny(unix.SYS_IO_URING_REGISTER, unix.EPERM) },
		"allow io_uring_register"},
	"no memory": {func() error { return lockLittle(0) }, "RLIMIT_MEMLOCK"},
}

// suffer uses files and connections under a hardship, and prints what Available says.
func suffer(hardship string) int {
	if hardship == littleMemory {
		return sufferLittleMemory()
	}
	if err := hardships[hardship].begin(); err != nil {
		fmt.Println("SKIP", err)
		return 0
	}
	var said bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&said, nil)))
	why := Available()
	if why == nil {
		fmt.Println("SKIP io_uring works all the same")
		return 0
	}
	if err := errors.Join(useConnections(), useFiles()); err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		fmt.Printf("FAIL %d messages: %s\n", n, said.String())
		return 1
	}
	fmt.Println(why)
	return 0
}

func useFiles() error {
	dir := os.Getenv("RINGIO_DIR")
	for i := range 2 {
		f, err := Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		if _, err := f.WriteString("text"); err != nil {
			return err
		}
		b := make([]byte, 4)
		if _, err := f.ReadAt(b, 0); err != nil || string(b) != "text" {
			return errors.Join(err, errors.New("something else was read"))
		}
		if err := f.Sync(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if !Default().Stats().Fallback {
		return errors.New("it is no fallback")
	}
	return Shutdown(context.Background())
}

// useConnections has both ends of some say something.
func useConnections() error {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(os.Getenv("RINGIO_DIR"), "s")
		}
		l, err := Listen(network, address)
		if err != nil {
			return err
		}
		defer l.Close()
		ours, err := Dial(network, l.Addr().String())
		if err != nil {
			return err
		}
		defer ours.Close()
		theirs, err := l.Accept()
		if err != nil {
			return err
		}
		defer theirs.Close()
		theirs.SetDeadline(time.Now().Add(time.Minute))
		var all sync.WaitGroup
		all.Go(func() { hear(ours, 'x', 100_000) })
		if n, err := io.CopyN(theirs, theirs, 100_000); err != nil {
			return fmt.Errorf("%d bytes of %s: %w", n, network, err)
		}
		all.Wait()
	}
	return nil
}

// lockLittle takes the right to lock memory, but for a little.
func lockLittle(most uint64) error {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return err
	}
	return syscall.Setuid(65534)
}

// littleMemory is a hardship that leaves room for a ring, not for its buffers.
const littleMemory = "little memory"

func sufferLittleMemory() int {
	if err := lockLittle(2 << 20); err != nil {
		fmt.Println("SKIP", err)
		return 0
	}
	e, err := New(Options{FixedBuffers: 8, FixedBufferSize: 1 << 20})
	if err == nil {
		err = useBuffers(e)
	}
	if err != nil {
		fmt.Println("FAIL", err)
		return 1
	}
	return 0
}

// useBuffers uses buffers that a ring could not be told of.
func useBuffers(e *Engine) error {
	if s := e.Stats(); s.Fallback || s.FixedBuffers != 0 {
		return fmt.Errorf("the ring: %+v", s)
	}
	f, err := e.OpenFile(filepath.Join(os.Getenv("RINGIO_DIR"), "file"), os.O_RDWR|os.O_CREATE|os.O_SYNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	keepBusy(e)
	b, ok := e.Buffers().Get()
	if !ok {
		return errors.New("there are no buffers")
	}
	copy(b.Bytes, "text")
	if _, err := f.WriteAt(b.Bytes, 0); err != nil {
		return err
	}
	clear(b.Bytes)
	f.disk.score.Store(hopeless)
	if _, err := f.ReadAt(b.Bytes, 0); err != nil || string(b.Bytes[:4]) != "text" {
		return errors.Join(err, errors.New("something else was read"))
	}
	return errors.Join(e.Buffers().Put(b), e.Shutdown(context.Background()))
}

func TestUnderHardship(t *testing.T) {
	require.NoError(t, Available())
	for name, hardship := range hardships {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, underHardship(t, name), hardship.says)
		})
	}
}

// underHardship runs a process under a hardship, and returns what it says.
func underHardship(t *testing.T, hardship string) (says string) {
	dir := t.TempDir()
	for d := dir; d != "/tmp" && len(d) > 1; d = filepath.Dir(d) { // it may have become another user
		os.Chmod(d, 0o777)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RINGIO_HARDSHIP="+hardship, "RINGIO_DIR="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	if why, ok := strings.CutPrefix(string(out), "SKIP "); ok {
		t.Skip(why)
	}
	return string(out)
}

// A full disk is told as os tells it, whichever way the write takes.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("it needs a file system of its own: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	run := func(open opener, flag int) string {
		require.Eventually(t, func() bool { // the file before may go a little later, with a worker's reference
			var disk unix.Statfs_t
			return unix.Statfs(dir, &disk) == nil && disk.Bfree == disk.Blocks
		}, 10*time.Second, time.Millisecond)
		l := &transcript{dir: dir}
		name := filepath.Join(dir, "file")
		f, err := open(name, os.O_RDWR|os.O_CREATE|flag, 0o600)
		require.NoError(t, err)
		defer os.Remove(name)
		defer f.Close()
		n, err := f.WriteAt(make([]byte, 100<<10), 0)
		l.note("writeat", n == 64<<10 || n == 0, err) // os tells 0 of what it has written a part of
		n, err = f.Write(make([]byte, 100<<10))
		l.note("write", n, err)
		at, err := f.Seek(0, 1)
		l.note("position", at, err)
		n, err = f.WriteAt(make([]byte, 10), 1<<20)
		l.note("far", n, err)
		return l.String()
	}
	for _, flag := range []int{0, os.O_SYNC} {
		want := run(byOS, flag)
		require.Contains(t, want, "no space left")
		for name, e := range map[string]*Engine{"ring": ownEngine(t, Options{}), "busy": busyEngine(t, Options{}), "fallback": ownEngine(t, Options{NoRing: true})} {
			require.Equal(t, want, run(by(e), flag), "%s %x", name, flag)
		}
	}
}

// brokenDisk returns a block device whose second half has gone.
func brokenDisk(t *testing.T) (device string) {
	const size = 1 << 20
	backing := filepath.Join(t.TempDir(), "backing")
	require.NoError(t, os.WriteFile(backing, make([]byte, size), 0o600))
	out, err := exec.Command("losetup", "--find", "--show", backing).Output()
	if err != nil {
		t.Skip("there are no loop devices: losetup: ", err)
	}
	device = strings.TrimSpace(string(out))
	t.Cleanup(func() { require.NoError(t, exec.Command("losetup", "--detach", device).Run()) })
	require.NoError(t, os.Truncate(backing, size/2))
	return device
}

// A disk that fails is told as os tells it, whichever way the request takes, and what it
// has is read all the same.
func TestBrokenDisk(t *testing.T) {
	device := brokenDisk(t)
	const good, gone = 4096, 800 << 10
	run := func(open opener, flag int) string {
		dropCache(t, device)
		l := &transcript{dir: filepath.Dir(device)}
		f, err := open(device, os.O_RDWR|flag, 0)
		require.NoError(t, err)
		defer f.Close()
		b := alignedBytes(8 << 10)
		for _, off := range []int64{gone, good, gone, 512<<10 - 4096} {
			n, err := f.ReadAt(b, off)
			l.note(fmt.Sprint("readat ", off), n, err)
		}
		_, err = f.Seek(gone, 0)
		require.NoError(t, err)
		n, err := f.Read(b)
		l.note("read", n, err)
		n, err = f.WriteAt(b, good)
		l.note("writeat", n, err)
		l.note("sync", f.Sync())
		return l.String()
	}
	for name, flag := range map[string]int{"cached": 0, "direct": unix.O_DIRECT} {
		want := run(byOS, flag)
		require.Contains(t, want, "input/output error")
		for engine, e := range map[string]*Engine{"ring": ownEngine(t, Options{}), "busy": busyEngine(t, Options{}), "fallback": ownEngine(t, Options{NoRing: true})} {
			require.Equal(t, want, run(by(e), flag), "%s, %s", name, engine)
		}
	}
}

// Where the ring can't be told of the buffers, for want of memory that may be locked, they are
// used all the same, and the ring for all else.
func TestRegisteredBuffersNeedLockedMemory(t *testing.T) { underHardship(t, littleMemory) }

func TestFixedBuffersWithoutARing(t *testing.T) {
	e := ownEngine(t, Options{FixedBuffers: 1, FixedBufferSize: 1 << 20, NoRing: true})
	require.Zero(t, e.Stats().FixedBuffers)
	b, ok := e.Buffers().Get()
	require.True(t, ok, "there are buffers all the same")
	require.NoError(t, e.Buffers().Put(b))
}

func TestOldKernelIsNotSupported(t *testing.T) {
	require.ErrorIs(t, errOldKernel, liburing.ErrNotSupported)
	require.EqualError(t, errOldKernel, "ringio: not supported: this kernel's io_uring is too old: Linux 5.7 is the first that will do")
}

func TestOptionsBelowZero(t *testing.T) {
	for name, o := range map[string]Options{
		"Entries": {Entries: -1}, "Rings": {Rings: -1}, "SQPoll": {SQPoll: -1}, "Workers": {Workers: -1},
		"FixedBuffers": {FixedBuffers: -1}, "FixedBufferSize": {FixedBufferSize: -1},
	} {
		_, err := New(o)
		require.EqualError(t, err, "ringio: Options."+name+" is below zero: -1")
	}
}
