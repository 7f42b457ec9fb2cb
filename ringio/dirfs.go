package ringio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// DirFS returns the files below dir as an fs.FS, as os.DirFS does, whose files are of
// type *File. It is an fs.ReadFileFS, an fs.ReadDirFS, an fs.StatFS and an
// fs.ReadLinkFS too.
func DirFS(dir string) fs.FS { return shared().DirFS(dir) }

// DirFS is the package's DirFS on this engine.
func (e *Engine) DirFS(dir string) fs.FS {
	return &dirFS{stdFS: os.DirFS(dir).(stdFS), root: dir, engine: e}
}

// stdFS is what os.DirFS returns.
type stdFS interface {
	fs.ReadFileFS
	fs.ReadDirFS
	fs.StatFS
	fs.ReadLinkFS
}

type dirFS struct {
	stdFS
	root   string
	engine *Engine
}

// Open opens a file.
func (d *dirFS) Open(name string) (fs.File, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *dirFS) open(name string) (*File, error) {
	s := d.engine.watch.start(context.Background(), kindOpen)
	f, err := d.stdFS.Open(name)
	s.end()
	if err != nil {
		return nil, err
	}
	return d.engine.Wrap(f.(*os.File)), nil
}

// ReadFile returns a file's content.
func (d *dirFS) ReadFile(name string) ([]byte, error) {
	if !d.hasPath(name) {
		return d.stdFS.ReadFile(name) // the error is another one than open's
	}
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := f.content()
	var path *fs.PathError
	if errors.As(err, &path) {
		path.Path = name
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// hasPath reports whether a name is that of a path below the root.
func (d *dirFS) hasPath(name string) bool {
	_, err := filepath.Localize(name)
	return err == nil && d.root != ""
}

// content reads all of a file that was just opened.
func (f *File) content() ([]byte, error) {
	size := 512
	if info, err := f.Stat(); err == nil && info.Size() < 1<<40 {
		size = max(size, int(info.Size())+1) // one more finds the end
	}
	b := make([]byte, 0, size)
	for {
		n, err := f.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}
