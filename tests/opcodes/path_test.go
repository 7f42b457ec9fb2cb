//go:build linux

package opcodes_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// atDir returns a folder, its descriptor, and whether a name exists in it.
func atDir(t testing.TB) (dir string, dfd int, exists func(string) bool) {
	t.Helper()
	dir = t.TempDir()
	dfd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(dfd) })
	return dir, dfd, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
}

func TestOpRename(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpRenameat)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		dir, dfd, exists := atDir(t)
		path := func(s string) string { return filepath.Join(dir, s) }
		require.NoError(t, os.WriteFile(path("a"), []byte("A"), 0o600))
		require.NoError(t, os.WriteFile(path("b"), []byte("B"), 0o600))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Renameat(dfd, "a", dfd, "b", unix.RENAME_EXCHANGE, cb)
		}))
		got, err := os.ReadFile(path("a"))
		require.NoError(t, err)
		require.Equal(t, "B", string(got))
		failure(t, l, unix.EEXIST, func(cb liburing.Callback) liburing.Request {
			return l.Renameat(dfd, "a", dfd, "b", unix.RENAME_NOREPLACE, cb)
		})
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Rename(path("a"), path("c"), cb) }))
		require.True(t, exists("c"))
		require.False(t, exists("a"))
		failure(t, l, unix.ENOENT, func(cb liburing.Callback) liburing.Request { return l.Rename(path("a"), path("c"), cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.Rename(path("c"), "x\x00y", cb) })
		require.True(t, exists("c"))
	})
}

func TestOpMkdirUnlink(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMkdirat)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		dir, dfd, exists := atDir(t)
		path := func(s string) string { return filepath.Join(dir, s) }
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Mkdirat(dfd, "d", 0o700, cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Mkdir(path("d/e"), 0o500, cb) }))
		info, err := os.Stat(path("d/e"))
		require.NoError(t, err)
		require.Equal(t, os.ModeDir|0o500, info.Mode())
		failure(t, l, unix.EEXIST, func(cb liburing.Callback) liburing.Request { return l.Mkdir(path("d"), 0o700, cb) })

		failure(t, l, unix.ENOTEMPTY, func(cb liburing.Callback) liburing.Request { return l.Unlinkat(dfd, "d", unix.AT_REMOVEDIR, cb) })
		failure(t, l, unix.EISDIR, func(cb liburing.Callback) liburing.Request { return l.Unlink(path("d/e"), 0, cb) })
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Unlink(path("d/e"), unix.AT_REMOVEDIR, cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Unlinkat(dfd, "d", unix.AT_REMOVEDIR, cb) }))
		require.False(t, exists("d"))
		require.NoError(t, os.WriteFile(path("f"), nil, 0o600))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Unlinkat(dfd, "f", 0, cb) }))
		require.False(t, exists("f"))
	})
}

func TestOpLinks(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpLinkat)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		dir, dfd, _ := atDir(t)
		path := func(s string) string { return filepath.Join(dir, s) }
		require.NoError(t, os.WriteFile(path("f"), []byte("F"), 0o600))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Symlinkat("f", dfd, "s1", cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Symlink("f", path("s2"), cb) }))
		for _, s := range []string{"s1", "s2"} {
			target, err := os.Readlink(path(s))
			require.NoError(t, err)
			require.Equal(t, "f", target)
		}
		failure(t, l, unix.EEXIST, func(cb liburing.Callback) liburing.Request { return l.Symlink("f", path("s1"), cb) })

		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Linkat(dfd, "f", dfd, "h1", 0, cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Link(path("f"), path("h2"), 0, cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Linkat(dfd, "s1", dfd, "h3", unix.AT_SYMLINK_FOLLOW, cb)
		}))
		var st unix.Stat_t
		require.NoError(t, unix.Lstat(path("h3"), &st))
		require.EqualValues(t, 4, st.Nlink)
		failure(t, l, unix.EPERM, func(cb liburing.Callback) liburing.Request { return l.Link(dir, path("h4"), 0, cb) })
	})
}

func TestOpXattr(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpFsetxattr, liburing.OpSetxattr, liburing.OpFgetxattr, liburing.OpGetxattr)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, nil)
		fd, name := int(f.Fd()), f.Name()
		if err := unix.Setxattr(name, "user.probe", []byte("x"), 0); err == unix.ENOTSUP {
			t.Skip("the temporary folder's file system has no user attributes")
		}
		one, two := []byte("value one"), []byte("two")
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Setxattr("user.one", one, name, 0, cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Fsetxattr(fd, "user.two", two, 0, cb) }))
		kernel := make([]byte, 100)
		n, err := unix.Getxattr(name, "user.one", kernel)
		require.NoError(t, err)
		require.Equal(t, one, kernel[:n])

		a, b := make([]byte, 100), make([]byte, 100)
		require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Getxattr("user.two", a, name, cb) }))
		require.Equal(t, 9, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Fgetxattr(fd, "user.one", b, cb) }))
		require.Equal(t, "two", string(a[:3]))
		require.Equal(t, "value one", string(b[:9]))
		require.Equal(t, 9, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Getxattr("user.one", nil, name, cb) }), "its size")

		failure(t, l, unix.ENODATA, func(cb liburing.Callback) liburing.Request { return l.Getxattr("user.none", a, name, cb) })
		failure(t, l, unix.ERANGE, func(cb liburing.Callback) liburing.Request { return l.Fgetxattr(fd, "user.one", b[:2], cb) })
		failure(t, l, unix.EEXIST, func(cb liburing.Callback) liburing.Request {
			return l.Setxattr("user.one", two, name, unix.XATTR_CREATE, cb)
		})
		failure(t, l, unix.EOPNOTSUPP, func(cb liburing.Callback) liburing.Request { return l.Fsetxattr(fd, "nonsense", two, 0, cb) })
	})
}
