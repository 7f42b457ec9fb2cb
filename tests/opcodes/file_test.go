//go:build linux

package opcodes_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// nowait returns RWF_NOWAIT for a file system that can do it.
func nowait(t testing.TB, fd int) int {
	t.Helper()
	_, err := unix.Preadv2(fd, [][]byte{make([]byte, 1)}, 0, unix.RWF_NOWAIT)
	if err == unix.EOPNOTSUPP {
		return 0
	}
	require.NoError(t, err)
	return unix.RWF_NOWAIT
}

func TestOpReadv2Writev2(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, []byte("0123"))
		fd := int(f.Fd())
		n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Writev2(fd, [][]byte{[]byte("ab"), []byte("cd")}, 0, unix.RWF_APPEND, cb)
		})
		require.Equal(t, 4, n)
		require.Equal(t, "0123abcd", content(t, f), "RWF_APPEND writes at the end, whatever the offset")

		a, b := make([]byte, 3), make([]byte, 9)
		n = ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Readv2(fd, [][]byte{a, b}, 1, nowait(t, fd), cb)
		})
		require.Equal(t, 7, n)
		require.Equal(t, "123abcd", string(a)+string(b[:4]))

		rd, _ := ringtest.Pipe(t)
		_, wont := unix.Preadv2(rd, [][]byte{a}, -1, unix.RWF_NOWAIT) // EAGAIN; old kernels can't for pipes
		failure(t, l, wont.(unix.Errno), func(cb liburing.Callback) liburing.Request {
			return l.Readv2(rd, [][]byte{a}, 0, unix.RWF_NOWAIT, cb)
		})
		failure(t, l, unix.EOPNOTSUPP, func(cb liburing.Callback) liburing.Request {
			return l.Writev2(fd, [][]byte{a}, 0, 1<<30, cb)
		})
	})
}

func TestOpFixedBuffers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		bufs := pooled(t, l, 2, 8192)
		f := ringtest.TempFile(t, nil)
		fd := int(f.Fd())
		want := ringtest.Pattern(8192, 3)
		copy(bufs[0], want)
		require.Equal(t, 5000, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.WriteFixed(fd, bufs[0][100:5100], 10, 0, cb)
		}))
		require.Equal(t, string(make([]byte, 10))+string(want[100:5100]), content(t, f))
		require.Equal(t, 4990, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.ReadFixed(fd, bufs[1][1:], 20, 1, cb)
		}))
		require.Equal(t, want[110:5100], bufs[1][1:4991])

		// A buffer that is registered under another number, and no number at all.
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.ReadFixed(fd, bufs[0], 0, 1, cb) })
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.WriteFixed(fd, bufs[0], 0, 9, cb) })
	})
}

func TestOpFixedVectors(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpReadvFixed, liburing.OpWritevFixed)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		bufs := pooled(t, l, 2, 8192)
		f := ringtest.TempFile(t, []byte("head"))
		fd := int(f.Fd())
		copy(bufs[0], "onetwo")
		require.Equal(t, 6, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.WritevFixed(fd, [][]byte{bufs[0][3:6], bufs[0][:3]}, 0, unix.RWF_APPEND, 0, cb)
		}))
		require.Equal(t, "headtwoone", content(t, f))
		require.Equal(t, 9, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.ReadvFixed(fd, [][]byte{bufs[1][5000:5002], bufs[1][:50]}, 1, 0, 1, cb)
		}))
		require.Equal(t, "eadtwoone", string(bufs[1][5000:5002])+string(bufs[1][:7]))
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request {
			return l.ReadvFixed(fd, [][]byte{bufs[1][:2], bufs[0][:2]}, 0, 0, 1, cb)
		})
	})
}

// farOff is where the second part of a dirtyFile begins.
const farOff = 1 << 20

// dirtyFile returns a file that has been written to, in two places far apart so
// that the kernel has no one folio for them, and not flushed.
func dirtyFile(t testing.TB) *os.File {
	t.Helper()
	f := ringtest.TempFile(t, nil)
	for _, off := range []int64{0, farOff} {
		_, err := f.WriteAt(ringtest.Pattern(8192, 1), off)
		require.NoError(t, err)
	}
	dirtyPages(t, f, 0)
	return f
}

// dirtyPages returns how many 4 KiB from off on have not reached the device.
func dirtyPages(t testing.TB, f *os.File, off uint64) int {
	t.Helper()
	var fs unix.Statfs_t
	require.NoError(t, unix.Fstatfs(int(f.Fd()), &fs))
	if fs.Type == unix.TMPFS_MAGIC {
		t.Skip("the temporary folder is a tmpfs: its pages are never clean")
	}
	var stat unix.Cachestat_t
	err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Off: off, Len: 4096}, &stat, 0)
	if err == unix.ENOSYS {
		t.Skip("this kernel has no cachestat(2) to look for dirty pages with")
	}
	require.NoError(t, err)
	return int(stat.Dirty + stat.Writeback)
}

func TestOpFsync(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		for _, flags := range []liburing.FsyncFlags{0, liburing.FsyncDatasync} {
			f := dirtyFile(t)
			require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Fsync(int(f.Fd()), flags, cb) }))
			require.Zero(t, dirtyPages(t, f, 0))
			require.Zero(t, dirtyPages(t, f, farOff))
		}
		rd, _ := ringtest.Pipe(t)
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Fsync(rd, 0, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Fsync(rd, 1<<9, cb) })
	})
}

func TestOpFsyncRange(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		partlyFlushed(t, l, func(f *os.File, cb liburing.Callback) liburing.Request {
			r := l.Fsync(int(f.Fd()), liburing.FsyncDatasync, cb)
			r.SQE().Off, r.SQE().Len = 0, 8192
			return r
		})
	})
}

func TestOpSyncFileRange(t *testing.T) {
	const whole = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		partlyFlushed(t, l, func(f *os.File, cb liburing.Callback) liburing.Request {
			return l.SyncFileRange(int(f.Fd()), 8192, 0, whole, cb)
		})
		rd, _ := ringtest.Pipe(t)
		failure(t, l, unix.ESPIPE, func(cb liburing.Callback) liburing.Request { return l.SyncFileRange(rd, 1, 0, whole, cb) })
	})
}

// partlyFlushed flushes the first 8 KiB of a file and sees that the rest is left
// alone. The kernel may have flushed it on its own, so there are some tries.
func partlyFlushed(t *testing.T, l *liburing.Loop, flush func(*os.File, liburing.Callback) liburing.Request) {
	t.Helper()
	seen := false
	for range 5 {
		f := dirtyFile(t)
		before := dirtyPages(t, f, 0)
		seen = seen || before > 0
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return flush(f, cb) }))
		require.Zero(t, dirtyPages(t, f, 0))
		if before > 0 && dirtyPages(t, f, farOff) > 0 {
			return
		}
	}
	if !seen {
		t.Skip("what is dirty can't be seen on this file system, such as overlayfs")
	}
	t.Fatal("the range made no difference")
}

func TestOpFallocate(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, ringtest.Pattern(12288, 1))
		fd := int(f.Fd())
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4096, 4096, cb)
		}))
		want := ringtest.Pattern(12288, 1)
		clear(want[4096:8192])
		require.Equal(t, string(want), content(t, f))

		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Fallocate(fd, 0, 0, 1<<20, cb) }))
		info, err := f.Stat()
		require.NoError(t, err)
		require.EqualValues(t, 1<<20, info.Size())
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Fallocate(fd, 0, 0, 0, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Fallocate(fd, 0, 0, -1, cb) })
	})
}

func TestOpFtruncate(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpFtruncate)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, []byte("0123456789"))
		fd := int(f.Fd())
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, 4, cb) }))
		require.Equal(t, "0123", content(t, f))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, 6, cb) }))
		require.Equal(t, "0123\x00\x00", content(t, f))
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, -1, cb) })
	})
}

func TestOpOpenClose(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		dir := t.TempDir()
		name := filepath.Join(dir, "new")
		dfd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(dfd)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600))

		fds := []int{
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Openat(dfd, "old", unix.O_RDONLY, 0, cb) }),
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Open(filepath.Join(dir, "old"), unix.O_RDONLY, 0, cb)
			}),
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Openat2(dfd, "old", &unix.OpenHow{Resolve: unix.RESOLVE_BENEATH}, cb)
			}),
		}
		for _, fd := range fds {
			require.Equal(t, "old", readBack(t, l, fd, 0))
			require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseFD(fd, cb) }))
			_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			require.ErrorIs(t, err, unix.EBADF)
			failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.CloseFD(fd, cb) })
		}
		fd := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Open(name, unix.O_CREAT|unix.O_WRONLY|unix.O_EXCL, 0o640, cb)
		})
		require.NoError(t, unix.Close(fd))
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&^0o640)
		failure(t, l, unix.EEXIST, func(cb liburing.Callback) liburing.Request { return l.Open(name, unix.O_CREAT|unix.O_EXCL, 0, cb) })
		failure(t, l, unix.EXDEV, func(cb liburing.Callback) liburing.Request {
			return l.Openat2(dfd, "..", &unix.OpenHow{Resolve: unix.RESOLVE_BENEATH}, cb)
		})
	})
}

func TestOpOpenDirect(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with the allocation of file indexes, in Linux 5.19
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		dir := t.TempDir()
		for _, s := range []string{"a", "b", "c", "d"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, s), []byte(s), 0o600))
		}
		path := func(s string) string { return filepath.Join(dir, s) }
		fixedFiles(t, l, -1, -1, -1, -1)
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.OpenatDirect(unix.AT_FDCWD, path("a"), unix.O_RDONLY, 0, 2, cb)
		}))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.OpenDirect(path("b"), unix.O_RDONLY, 0, 0, cb)
		}))
		allocated := []int{
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.OpenatDirect(unix.AT_FDCWD, path("c"), unix.O_RDONLY, 0, liburing.FileIndexAlloc, cb)
			}),
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Openat2Direct(unix.AT_FDCWD, path("d"), &unix.OpenHow{}, liburing.FileIndexAlloc, cb)
			}),
		}
		require.ElementsMatch(t, []int{1, 3}, allocated)
		for i, want := range map[int]string{2: "a", 0: "b", allocated[0]: "c", allocated[1]: "d"} {
			require.Equal(t, want, readBack(t, l, i, liburing.SQEFixedFile))
		}
		failure(t, l, unix.ENFILE, func(cb liburing.Callback) liburing.Request {
			return l.OpenDirect(path("a"), unix.O_RDONLY, 0, liburing.FileIndexAlloc, cb)
		})
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request {
			return l.Openat2Direct(unix.AT_FDCWD, path("a"), &unix.OpenHow{}, 4, cb)
		})

		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseDirect(2, cb) }))
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.Read(2, make([]byte, 1), 0, cb).FixedFile() })
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.CloseDirect(2, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.CloseDirect(4, cb) })
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Openat2Direct(unix.AT_FDCWD, path("d"), &unix.OpenHow{}, 2, cb)
		}))
		require.Equal(t, "d", readBack(t, l, 2, liburing.SQEFixedFile))
	})
}

func TestOpFilesUpdate(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		a, b := int(ringtest.TempFile(t, []byte("a")).Fd()), int(ringtest.TempFile(t, []byte("b")).Fd())
		fixedFiles(t, l, -1, a, -1)
		require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.FilesUpdate([]int{b, -1}, 0, cb)
		}))
		require.Equal(t, "b", readBack(t, l, 0, liburing.SQEFixedFile))
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request { return l.Read(1, make([]byte, 1), 0, cb).FixedFile() })

		list := []int{a, b}
		require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.FilesUpdate(list, liburing.FileIndexAlloc, cb) }))
		require.ElementsMatch(t, []int{1, 2}, list, "the kernel tells where it has put them")
		require.Equal(t, "a", readBack(t, l, list[0], liburing.SQEFixedFile))
		require.Equal(t, "b", readBack(t, l, list[1], liburing.SQEFixedFile))
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.FilesUpdate(list, 2, cb) })
	})
}

func TestOpStatx(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, []byte("12345"))
		var byName, byFD liburing.Statx
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, f.Name(), 0, unix.STATX_BASIC_STATS, &byName, cb)
		}))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &byFD, cb)
		}))
		var want unix.Stat_t
		require.NoError(t, unix.Fstat(int(f.Fd()), &want))
		for _, st := range []liburing.Statx{byName, byFD} {
			require.EqualValues(t, 5, st.Size)
			require.Equal(t, want.Ino, st.Ino)
			require.EqualValues(t, want.Mode, st.Mode)
		}
		failure(t, l, unix.ENOENT, func(cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, f.Name()+"x", 0, unix.STATX_SIZE, &byName, cb)
		})
	})
}

// resident reports whether the first page of a mapping is in memory.
func resident(t testing.TB, mem []byte) bool {
	t.Helper()
	var vec [1]byte
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), 4096, uintptr(unsafe.Pointer(&vec[0])))
	require.Zero(t, errno)
	return vec[0]&1 != 0
}

func TestOpFadvise(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpListen) // came with the 64-bit lengths, in Linux 6.11
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, ringtest.Pattern(16384, 1))
		fd := int(f.Fd())
		require.NoError(t, f.Sync())
		dirtyPages(t, f, 0) // skips where pages are never dropped
		mem, err := unix.Mmap(fd, 0, 16384, unix.PROT_READ, unix.MAP_SHARED)
		require.NoError(t, err)
		defer unix.Munmap(mem)
		advise := map[string]func(advice int, cb liburing.Callback) liburing.Request{
			"fadvise":   func(advice int, cb liburing.Callback) liburing.Request { return l.Fadvise(fd, 0, 16384, advice, cb) },
			"fadvise64": func(advice int, cb liburing.Callback) liburing.Request { return l.Fadvise64(fd, 0, 16384, advice, cb) },
		}
		for name, call := range advise {
			require.Eventually(t, func() bool {
				require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return call(unix.FADV_DONTNEED, cb) }))
				return !resident(t, mem)
			}, 5*time.Second, time.Millisecond, "%s does not drop the page", name)
			require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return call(unix.FADV_WILLNEED, cb) }))
			require.Eventually(t, func() bool { return resident(t, mem) }, 5*time.Second, time.Millisecond, name)
			failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return call(99, cb) })
		}
	})
}

func TestOpMadvise(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpListen) // came with the 64-bit lengths, in Linux 6.11
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		half := 2 * os.Getpagesize()
		mem, err := unix.Mmap(-1, 0, 2*half, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		require.NoError(t, err)
		defer unix.Munmap(mem)
		advise := map[string]func(m []byte, advice int, cb liburing.Callback) liburing.Request{
			"madvise":   func(m []byte, advice int, cb liburing.Callback) liburing.Request { return l.Madvise(m, advice, cb) },
			"madvise64": func(m []byte, advice int, cb liburing.Callback) liburing.Request { return l.Madvise64(m, advice, cb) },
		}
		for name, call := range advise {
			copy(mem, ringtest.Pattern(2*half, 1))
			require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return call(mem[:half], unix.MADV_DONTNEED, cb) }))
			require.Equal(t, make([]byte, half), mem[:half], "%s drops the pages", name)
			require.Equal(t, ringtest.Pattern(2*half, 1)[half:], mem[half:], "%s leaves the others alone", name)
			failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return call(mem[1:100], unix.MADV_DONTNEED, cb) })
		}
	})
}

func TestOpSplice(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		from, to := ringtest.TempFile(t, []byte("0123456789")), ringtest.TempFile(t, []byte("..."))
		in, out := int(from.Fd()), int(to.Fd())
		rd, wr := ringtest.Pipe(t)
		require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Splice(in, 2, wr, -1, 5, 0, cb) }))
		require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Splice(rd, -1, out, 1, 100, 0, cb) }))
		require.Equal(t, ".23456", content(t, to))

		fixedFiles(t, l, in)
		require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Splice(0, 7, wr, -1, 100, liburing.SpliceFFDInFixed, cb)
		}))
		require.Equal(t, "789", readBack(t, l, rd, 0))
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Splice(in, 0, out, 0, 1, 0, cb) })
		failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request {
			return l.Splice(9, 0, wr, -1, 1, liburing.SpliceFFDInFixed, cb)
		})
	})
}

func TestOpTee(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		rd2, wr2 := ringtest.Pipe(t)
		_, err := unix.Write(wr, []byte("hello"))
		require.NoError(t, err)
		require.Equal(t, 4, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Tee(rd, wr2, 4, 0, cb) }))
		require.Equal(t, "hell", readBack(t, l, rd2, 0))
		require.Equal(t, "hello", readBack(t, l, rd, 0), "tee consumes nothing")
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request {
			return l.Tee(int(ringtest.TempFile(t, nil).Fd()), wr2, 4, 0, cb)
		})
	})
}

// What is wrong with a request is told to its callback, and nobody else is
// harmed.
func TestOpBadInput(t *testing.T) {
	f := ringtest.TempFile(t, []byte("content"))
	fd := int(f.Fd())
	short := make([]byte, 4)
	many := make([][]byte, 1025)
	for i := range many {
		many[i] = short
	}
	for _, test := range []struct {
		name  string
		errno unix.Errno // 0: the request succeeds, with result 0
		queue func(*liburing.Loop, liburing.Callback) liburing.Request
	}{
		{"read nil", 0, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Read(fd, nil, 0, cb) }},
		{"write empty", 0, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Write(fd, []byte{}, 0, cb) }},
		{"readv nothing", 0, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Readv(fd, nil, 0, cb) }},
		{"too many iovecs", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Readv(fd, many, 0, cb) }},
		{"bad buffer index", unix.EFAULT, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.ReadFixed(fd, short, 0, 7, cb) }},
		{"no such fixed file", unix.EBADF, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Read(7, short, 0, cb).FixedFile()
		}},
		{"negative length", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, -5, cb) }},
		{"negative descriptor", unix.EBADF, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fsync(-7, 0, cb) }},
		{"NUL in openat", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Openat(unix.AT_FDCWD, "a\x00", 0, 0, cb)
		}},
		{"NUL in statx", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, "\x00a", 0, 0, new(liburing.Statx), cb)
		}},
		{"NUL in renameat", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Renameat(0, "a", 0, "b\x00c", 0, cb)
		}},
		{"NUL in symlink", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Symlink("a\x00b", "c", cb) }},
		{"empty path", unix.ENOENT, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Unlink("", 0, cb) }},
		{"openat2 without how", unix.EFAULT, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Openat2(unix.AT_FDCWD, "a", nil, cb)
		}},
		{"statx without memory", unix.EFAULT, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, f.Name(), 0, unix.STATX_SIZE, nil, cb)
		}},
		{"files_update of nothing", unix.EINVAL, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.FilesUpdate(nil, 0, cb) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			if test.name == "negative length" {
				ringtest.NeedsOps(t, liburing.OpFtruncate)
			}
			var bad liburing.Completion
			before, after := make([]byte, 7), make([]byte, 7)
			l.Read(fd, before, 0, func(c liburing.Completion) { require.EqualValues(t, 7, c.Res) })
			test.queue(l, func(c liburing.Completion) { bad = c })
			l.Read(fd, after, 0, func(c liburing.Completion) { require.EqualValues(t, 7, c.Res) })
			ringtest.RunIdle(t, l)
			if test.errno == 0 {
				require.NoError(t, bad.Err())
				require.Zero(t, bad.Res)
			} else {
				var op *liburing.OpError
				require.ErrorAs(t, bad.Err(), &op)
				require.ErrorIs(t, op, test.errno)
			}
			require.Equal(t, "content", string(before))
			require.Equal(t, "content", string(after))
		})
	}
}
