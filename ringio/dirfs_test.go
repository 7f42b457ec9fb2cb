package ringio

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func testTree(t *testing.T) string {
	dir := t.TempDir()
	for _, folder := range []string{"empty", "some/deeper", "some/forbidden"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
	}
	for i := range 40 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "some", fmt.Sprintf("file%02d", i)), make([]byte, i*100), 0o644))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "some/deeper/deepest"), []byte("text"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nothing"), nil, 0o600))
	return dir
}

func TestDirFS(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := testTree(t)
		require.NoError(t, fstest.TestFS(e.DirFS(dir), "empty", "some/file07", "some/deeper/deepest", "nothing"))
		f, err := e.DirFS(dir).Open("some")
		require.NoError(t, err)
		require.IsType(t, (*File)(nil), f)
		require.NoError(t, f.Close())
		ours, std := e.DirFS(dir), os.DirFS(dir)
		for _, name := range []string{"missing", "/", "../x", "", "some", "some/file39", "nothing", "."} {
			got, gotErr := fs.ReadFile(ours, name)
			want, wantErr := fs.ReadFile(std, name)
			require.Equal(t, want, got, name)
			require.Equal(t, wantErr, gotErr, name)
			_, gotErr = ours.Open(name)
			_, wantErr = std.Open(name)
			require.Equal(t, wantErr, gotErr, name)
			_, gotErr = fs.Stat(ours, name)
			_, wantErr = fs.Stat(std, name)
			require.Equal(t, wantErr, gotErr, name)
		}
	})
}

// Names that are no paths, below roots that are none, have the errors of os.
func TestDirFSOfWhatIsNoPath(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := testTree(t)
		for _, root := range []string{dir, "", filepath.Join(dir, "missing"), filepath.Join(dir, "nothing"), dir + "\x00"} {
			for _, name := range []string{"some", "some\x00", "nothing/x", "some/../nothing", "", "nothing", "missing"} {
				require.Equal(t, errorsOfFS(os.DirFS(root), name), errorsOfFS(e.DirFS(root), name), "%q %q", root, name)
			}
		}
	})
}

// errorsOfFS returns the errors of all that can be done with a name, nil where there is none.
func errorsOfFS(in fs.FS, name string) map[string]error {
	errs := make(map[string]error)
	f, err := in.Open(name)
	if errs["Open"] = err; err == nil {
		f.Close()
	}
	_, errs["ReadFile"] = fs.ReadFile(in, name)
	_, errs["ReadDir"] = fs.ReadDir(in, name)
	_, errs["Stat"] = fs.Stat(in, name)
	_, errs["Lstat"] = fs.Lstat(in, name)
	_, errs["ReadLink"] = fs.ReadLink(in, name)
	_, errs["Glob"] = fs.Glob(in, name)
	sub, err := fs.Sub(in, name)
	if errs["Sub"] = err; err == nil {
		_, errs["Sub, Open"] = sub.Open("x\x00")
		_, errs["Sub, ReadFile"] = fs.ReadFile(sub, "x\x00")
	}
	return errs
}

func TestWalkDir(t *testing.T) {
	walks := func(dir string, walk func(string, fs.WalkDirFunc) error, says func(path string, d fs.DirEntry) error) []string {
		var seen []string
		err := walk(dir, func(path string, d fs.DirEntry, err error) error {
			what := "nothing"
			if d != nil {
				info, infoErr := d.Info()
				what = fmt.Sprint(d, d.IsDir(), d.Type(), d.Name(), infoErr)
				if infoErr == nil {
					what += fmt.Sprint(info.Size(), info.Mode(), info.ModTime(), fmt.Sprintf("%T", info.Sys()))
				}
			}
			seen = append(seen, fmt.Sprint(path, " ", what, " ", err))
			if says != nil && err == nil {
				return says(path, d)
			}
			return nil
		})
		return append(seen, fmt.Sprint(err))
	}
	dir := testTree(t)
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		for _, root := range []string{dir, filepath.Join(dir, "nothing"), filepath.Join(dir, "missing")} {
			require.Equal(t, walks(root, filepath.WalkDir, nil), walks(root, e.WalkDir, nil))
		}
		for _, answer := range []error{fs.SkipDir, fs.SkipAll, fs.ErrInvalid} {
			for _, at := range []string{"some", "file07", "deeper", "empty", "deepest"} {
				says := func(path string, d fs.DirEntry) error {
					if d.Name() == at {
						return answer
					}
					return nil
				}
				require.Equal(t, walks(dir, filepath.WalkDir, says), walks(dir, e.WalkDir, says))
			}
		}
		entries, err := os.ReadDir(filepath.Join(dir, "some"))
		require.NoError(t, err)
		all := &folder{engine: e, path: filepath.Join(dir, "some"), entries: entries}
		before := e.Stats().Completed
		all.asked(0, time.Hour)
		all.asked(1, time.Hour)
		if len(e.rings) != 0 {
			require.Equal(t, uint64(len(entries)-1), e.Stats().Completed-before)
		}
	})
}
