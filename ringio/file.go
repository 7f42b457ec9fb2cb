package ringio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"
	"unsafe"
)

// File is an open file like os.File: the same methods, the same results, the same
// errors. Where it pays off, its reads, writes and syncs go through a ring, so that a
// goroutine that waits for the disk does not take a thread.
//
//   - ReadAt tries the page cache first, by a plain system call that does not wait, and
//     gets the rest through the ring. Files on file systems that can't do this
//     (overlayfs, tmpfs, /proc) are read by plain system calls.
//   - With O_DIRECT, reads and writes go straight to the ring, with O_SYNC and O_DSYNC
//     writes do; but a single one at a time is a plain call, which is faster.
//   - Other writes go to the page cache, by plain calls.
//   - Several calls of Sync at a time share one.
//   - Pipes, FIFOs, terminals and directories are left to os.File.
//
// Chdir, Chmod, Chown, Name, ReadDir, Readdir, Readdirnames, Stat, SyscallConn and
// Truncate are os.File's own. Fd and SyscallConn reveal the descriptor: whoever shares it
// must not move the file's position while Read or Write are running. What asks for an
// *os.File does not know a File: os/exec, for one, hands the descriptors of those alone to
// a process, and copies what others read or write.
type File struct {
	*osFile
	disk   *disk // the way through a ring, nil if there is none
	engine *Engine
	reads  limit
	writes limit
	waits  bool // the descriptor, once Fd has shown it: os does not know that
}

// osFile has os.File embedded without a field that users see.
type osFile = os.File

// Open opens a file for reading, as os.Open does.
func Open(name string) (*File, error) { return shared().Open(name) }

// Create creates or truncates a file and opens it, as os.Create does.
func Create(name string) (*File, error) { return shared().Create(name) }

// OpenFile opens a file, as os.OpenFile does. It opens on the caller's thread, which a
// FIFO whose other end is not open keeps waiting; OpenFileContext does not.
func OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	return shared().OpenFile(name, flag, perm)
}

// OpenFileContext is OpenFile that ends with ctx's error when ctx ends, even while it
// waits for a FIFO's other end. A file that is open by then is returned.
func OpenFileContext(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	return shared().OpenFileContext(ctx, name, flag, perm)
}

// NewFile returns a File for a descriptor, as os.NewFile does.
func NewFile(fd uintptr, name string) *File { return Wrap(os.NewFile(fd, name)) }

// Wrap returns a File for an open os.File, which then belongs to it.
func Wrap(f *os.File) *File { return shared().Wrap(f) }

// Open is the package's Open on this engine.
func (e *Engine) Open(name string) (*File, error) { return e.OpenFile(name, os.O_RDONLY, 0) }

// Create is the package's Create on this engine.
func (e *Engine) Create(name string) (*File, error) {
	return e.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile is the package's OpenFile on this engine.
func (e *Engine) OpenFile(name string, flag int, perm fs.FileMode) (*File, error) {
	s := e.watch.start(context.Background(), kindOpen)
	f, err := os.OpenFile(name, flag, perm)
	s.end()
	if err != nil {
		return nil, err
	}
	return e.Wrap(f), nil
}

// OpenFileContext is the package's OpenFileContext on this engine.
func (e *Engine) OpenFileContext(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	if ctx.Err() != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: ctx.Err()}
	}
	if ctx.Done() == nil || !mayWait(name, flag) {
		return e.OpenFile(name, flag, perm)
	}
	s := e.watch.start(ctx, kindOpen)
	std, err := e.openWaiting(ctx, name, flag, perm)
	s.end()
	if err != nil {
		return nil, err
	}
	f := e.Wrap(std)
	f.waits = true
	return f, nil
}

// Wrap is the package's Wrap on this engine.
func (e *Engine) Wrap(f *os.File) *File {
	if f == nil {
		return nil
	}
	return &File{osFile: f, disk: newDisk(e, f), engine: e}
}

// Close closes the file, as os.File does.
func (f *File) Close() error {
	err := f.std().Close()
	if f.std() != nil && !errors.Is(err, os.ErrClosed) {
		f.reads.close()
		f.writes.close()
	}
	return err
}

// Fd returns the descriptor, as os.File does: one that lets its callers wait, so that
// deadlines no longer reach them. After it, Close waits for reads and writes under way if
// OpenFileContext has opened a FIFO.
func (f *File) Fd() uintptr {
	if f != nil && f.waits {
		makeWait(f.osFile)
	}
	return f.std().Fd()
}

// std returns the os.File, nil for a nil File, whose methods say what is wrong then.
func (f *File) std() *os.File {
	if f == nil {
		return nil
	}
	return f.osFile
}

// What os.File does by itself is here all the same, for a nil File: a method that is
// promoted could not say so.

// Chdir makes the folder the current one, as os.File does.
func (f *File) Chdir() error { return f.std().Chdir() }

// Chmod sets the permissions, as os.File does.
func (f *File) Chmod(mode fs.FileMode) error { return f.std().Chmod(mode) }

// Chown sets the owner and the group, as os.File does.
func (f *File) Chown(uid, gid int) error { return f.std().Chown(uid, gid) }

// ReadDir reads the folder's next entries, as os.File does.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) { return f.std().ReadDir(n) }

// Readdir is ReadDir with an Info of each entry, as os.File has it.
func (f *File) Readdir(n int) ([]fs.FileInfo, error) { return f.std().Readdir(n) }

// Readdirnames is ReadDir with the names alone, as os.File has it.
func (f *File) Readdirnames(n int) ([]string, error) { return f.std().Readdirnames(n) }

// Stat tells about the file, as os.File does.
func (f *File) Stat() (fs.FileInfo, error) { return f.std().Stat() }

// SyscallConn gives access to the descriptor, as os.File does.
func (f *File) SyscallConn() (syscall.RawConn, error) { return f.std().SyscallConn() }

// Truncate sets the file's size, as os.File does.
func (f *File) Truncate(size int64) error { return f.std().Truncate(size) }

// start is watch.start for what os.File does.
func (f *File) start(ctx context.Context, k kind) (s span) {
	if f != nil && f.engine != nil {
		s = f.engine.watch.start(ctx, k)
	}
	return s
}

// viaDisk reports whether a transfer of b at off is for the disk to do; the rest, bad
// arguments too, is os.File's.
func (f *File) viaDisk(b []byte, off int64) bool {
	return f != nil && f.disk != nil && len(b) != 0 && off >= 0
}

// Read reads the next bytes, as os.File does.
func (f *File) Read(b []byte) (int, error) { return f.ReadContext(context.Background(), b) }

// ReadContext is Read that ends when ctx does. What has been read by then is returned;
// the rest is left for the next Read. On Unix this is so, too, for files that os has no
// deadlines for (a terminal, a pipe by NewFile): it waits until there is something to
// read. If another reader, such as a process that has the same file, is quicker then, it
// waits for more regardless of ctx. WriteTo and a SyscallConn's Read, at the same time
// on a pipe, may fail with os.ErrDeadlineExceeded when ctx ends.
func (f *File) ReadContext(ctx context.Context, b []byte) (int, error) {
	if f.viaDisk(b, 0) {
		return f.disk.read(ctx, b)
	}
	if f == nil {
		return f.std().Read(b)
	}
	defer f.start(ctx, kindRead).end()
	return f.reads.do(ctx, f, &osRead, b)
}

// ReadAt reads from an offset, as os.File does: if it reads less than all of b it
// returns an error, which may be io.EOF.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	return f.ReadAtContext(context.Background(), b, off)
}

// ReadAtContext is ReadAt that ends with ctx's error when ctx does, but not before the
// kernel is done with b: a read from a disk goes on for a moment.
func (f *File) ReadAtContext(ctx context.Context, b []byte, off int64) (int, error) {
	if f.viaDisk(b, off) {
		return f.disk.readAt(ctx, f.osFile, b, off)
	}
	if err := f.ended(ctx, "read"); err != nil {
		return 0, err
	}
	defer f.start(ctx, kindRead).end()
	return f.std().ReadAt(b, off)
}

// ReadVAt is ReadAt into several buffers, one after the other.
func (f *File) ReadVAt(bufs [][]byte, off int64) (int, error) {
	return f.ReadVAtContext(context.Background(), bufs, off)
}

// ReadVAtContext is ReadVAt that ends with ctx, see ReadAtContext.
func (f *File) ReadVAtContext(ctx context.Context, bufs [][]byte, off int64) (n int, err error) {
	if f != nil && f.disk != nil && off >= 0 {
		return f.disk.readVAt(ctx, bufs, off)
	}
	for _, b := range bufs {
		m, err := f.ReadAtContext(ctx, b, off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Write writes at the file's position, as os.File does: all of b, or an error.
func (f *File) Write(b []byte) (int, error) { return f.WriteContext(context.Background(), b) }

// WriteContext is Write that ends when ctx does, and returns how much it has written. Of
// files that os has no deadlines for, this is so for pipes on Unix; what a terminal has
// begun to take it waits for. ReadFrom and a SyscallConn's Write, at the same time on a
// pipe, may fail with os.ErrDeadlineExceeded when ctx ends.
func (f *File) WriteContext(ctx context.Context, b []byte) (int, error) {
	if f.viaDisk(b, 0) {
		return f.disk.write(ctx, b)
	}
	if f == nil {
		return f.std().Write(b)
	}
	defer f.start(ctx, kindWrite).end()
	return f.writes.do(ctx, f, &osWrite, b)
}

// WriteString is Write of a string.
func (f *File) WriteString(s string) (int, error) {
	return f.Write(unsafe.Slice(unsafe.StringData(s), len(s))) // which only reads it
}

// WriteAt writes at an offset, as os.File does.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	return f.WriteAtContext(context.Background(), b, off)
}

// WriteAtContext is WriteAt that ends with ctx's error when ctx does, but not before
// the kernel is done with b, and returns how much it has written.
func (f *File) WriteAtContext(ctx context.Context, b []byte, off int64) (int, error) {
	if f.viaDisk(b, off) && !f.disk.appends {
		return f.disk.writeAt(ctx, f.osFile, b, off)
	}
	if err := f.ended(ctx, "write"); err != nil {
		return 0, err
	}
	defer f.start(ctx, kindWrite).end()
	return f.std().WriteAt(b, off)
}

// WriteVAt is WriteAt from several buffers, one after the other.
func (f *File) WriteVAt(bufs [][]byte, off int64) (int, error) {
	return f.WriteVAtContext(context.Background(), bufs, off)
}

// WriteVAtContext is WriteVAt that ends with ctx, see WriteAtContext.
func (f *File) WriteVAtContext(ctx context.Context, bufs [][]byte, off int64) (n int, err error) {
	if f != nil && f.disk != nil && !f.disk.appends && off >= 0 {
		return f.disk.writeVAt(ctx, bufs, off)
	}
	for _, b := range bufs {
		m, err := f.WriteAtContext(ctx, b, off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Sync flushes what was written to the disk, as os.File does. Calls that come while one
// is under way share the next one.
func (f *File) Sync() error { return f.SyncContext(context.Background()) }

// SyncContext is Sync that ends with ctx's error when ctx does.
func (f *File) SyncContext(ctx context.Context) error {
	if f != nil && f.disk != nil {
		return f.disk.sync(ctx, false)
	}
	if err := f.ended(ctx, "sync"); err != nil {
		return err
	}
	defer f.start(ctx, kindSync).end()
	return f.std().Sync()
}

// SyncData is Sync without metadata that is not needed to read the data back, such as
// times (fdatasync), where the system makes that difference.
func (f *File) SyncData() error { return f.SyncDataContext(context.Background()) }

// SyncDataContext is SyncData that ends with ctx's error when ctx does.
func (f *File) SyncDataContext(ctx context.Context) error {
	if f != nil && f.disk != nil {
		return f.disk.sync(ctx, true)
	}
	return f.SyncContext(ctx)
}

// ended returns ctx's error as one of this file.
func (f *File) ended(ctx context.Context, op string) error {
	if f == nil || ctx.Err() == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.Name(), Err: ctx.Err()}
}

// Seek sets the position for the next Read or Write, as os.File does.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if f != nil && f.disk != nil {
		f.disk.position.Lock()
		defer f.disk.position.Unlock()
	}
	return f.std().Seek(offset, whence)
}

// ReadFrom writes what it reads from r, as os.File does: by copy_file_range or splice
// where the system can.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	from := diskOf(r)
	if f == nil || f.disk == nil && from == nil {
		defer f.start(context.Background(), kindWrite).end()
		return f.readFromStd(r)
	}
	n, handled, err := copyRange(f, r)
	if handled {
		return n, err
	}
	if isSocket(r) {
		defer f.start(context.Background(), kindWrite).end()
		return f.std().ReadFrom(r) // os.File splices, and holds its lock for each piece
	}
	rest, err := io.Copy(struct{ io.Writer }{f}, r)
	return n + rest, err
}

// WriteTo writes the rest of the file to w, as os.File does.
func (f *File) WriteTo(w io.Writer) (n int64, err error) {
	if to, ok := w.(*File); ok && diskOf(f) != nil && to != nil {
		return to.ReadFrom(fileWithoutWriteTo{File: f})
	} else if ok {
		w = to.std()
	}
	if n, handled, err := sendTo(w, f); handled {
		return n, err
	}
	if diskOf(f) == nil || isSocket(w) {
		defer f.start(context.Background(), kindRead).end()
		return f.std().WriteTo(w)
	}
	if to, ok := w.(*os.File); ok {
		var handled bool
		if n, handled, err = copyRange(to, f); handled {
			return n, err
		}
	}
	rest, err := io.Copy(w, fileWithoutWriteTo{File: f})
	return n + rest, err
}

// readFromStd is ReadFrom where no disk is in play.
func (f *File) readFromStd(r io.Reader) (int64, error) {
	if part, ok := r.(*io.LimitedReader); ok {
		if from, ok := part.R.(*File); ok {
			std := &io.LimitedReader{R: from.std(), N: part.N}
			n, err := f.std().ReadFrom(std)
			part.N = std.N
			return n, err
		}
	}
	if from, ok := r.(*File); ok {
		return f.std().ReadFrom(from.std())
	}
	return f.std().ReadFrom(r)
}

// isSocket reports whether os.File knows a quick way from or to it: by splice or sendfile.
func isSocket(v any) bool {
	if part, ok := v.(*io.LimitedReader); ok {
		v = part.R
	}
	switch v.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	case syscall.Conn: // what a TCPConn makes of itself for io.Copy
		return reflect.TypeOf(v).PkgPath() == "net"
	}
	return false
}

// noWriteTo hides the WriteTo of what it is embedded beside.
//
//lint:ignore U1000 nobody can call what is there twice
type noWriteTo struct{}

//lint:ignore U1000 as above
func (noWriteTo) WriteTo(io.Writer) (int64, error) { panic("it is hidden") }

// fileWithoutWriteTo is for io.Copy, which would call WriteTo again.
type fileWithoutWriteTo struct {
	//lint:ignore U1000 as above
	noWriteTo
	*File
}

// fileOf returns the File that v is, or has a part of, nil if it is something else.
func fileOf(v any) *File {
	switch v := v.(type) {
	case *io.LimitedReader:
		return fileOf(v.R)
	case *File:
		return v
	case fileWithoutWriteTo:
		return v.File
	}
	return nil
}

// diskOf returns the way through a ring of the file that v is.
func diskOf(v any) *disk {
	if f := fileOf(v); f != nil {
		return f.disk
	}
	return nil
}
