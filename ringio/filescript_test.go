package ringio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// transcript is what a scenario has seen, to be compared.
type transcript struct {
	strings.Builder
	dir string
}

func (l *transcript) note(what string, values ...any) {
	fmt.Fprintf(l, "%s:", what)
	for _, v := range values {
		switch v := v.(type) {
		case error:
			fmt.Fprintf(l, " %s", l.describe(v))
		case []byte:
			fmt.Fprintf(l, " %q", v)
		default:
			fmt.Fprintf(l, " %v", v)
		}
	}
	l.WriteString("\n")
}

// describe tells type, text and kin of an error.
func (l *transcript) describe(err error) string {
	s := fmt.Sprintf("%T(%s)", err, err)
	for _, is := range []error{fs.ErrClosed, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, os.ErrDeadlineExceeded, os.ErrNoDeadline, io.EOF} {
		if errors.Is(err, is) {
			s += fmt.Sprintf(" is %v", is)
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		s += fmt.Sprintf(" op %s path %s err %T", path.Op, path.Path, path.Err)
	}
	if timeout, ok := err.(interface{ Timeout() bool }); ok {
		s += fmt.Sprintf(" timeout %v", timeout.Timeout())
	}
	return strings.ReplaceAll(s, l.dir, "DIR")
}

func scenarioFile(open opener, dir string, flag int) anyFile {
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("0123456789abcdef"), 0o644); err != nil {
		panic(err)
	}
	f, err := open(name, flag, 0o644)
	if err != nil {
		panic(err)
	}
	return f
}

// scenarios are run on os and on ringio, which must see the same.
var scenarios = map[string]func(l *transcript, open opener, dir string){
	"reads": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDONLY)
		defer f.Close()
		for _, size := range []int{4, 0, 100, 1} {
			b := make([]byte, size)
			n, err := f.Read(b)
			l.note("read", size, n, err, b[:n])
		}
		n, err := f.Read(nil)
		l.note("read nil at the end", n, err)
		for _, off := range []int64{0, 10, 15, 16, 17, 1 << 40, -1, -1 << 63, 1<<63 - 1} {
			b := make([]byte, 6)
			n, err := f.ReadAt(b, off)
			l.note("readat", off, n, err, b[:n])
			n, err = f.ReadAt(nil, off)
			l.note("readat nothing", off, n, err)
		}
		n, err = f.Write([]byte("x"))
		l.note("write to one that is read only", n, err)
		n, err = f.Write(nil)
		l.note("write nothing", n, err)
		n, err = f.WriteAt([]byte("x"), 0)
		l.note("writeat to one that is read only", n, err)
		l.note("sync", f.Sync())
		l.note("truncate", f.Truncate(1))
	},
	"writes": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		defer f.Close()
		n, err := f.Write([]byte("one"))
		l.note("write", n, err)
		n, err = f.WriteString("two")
		l.note("write string", n, err)
		n, err = f.WriteAt([]byte("three"), 30)
		l.note("writeat", n, err)
		n, err = f.WriteAt([]byte("x"), -1)
		l.note("writeat below zero", n, err)
		n, err = f.WriteAt(nil, -1)
		l.note("writeat nothing below zero", n, err)
		n, err = f.WriteAt([]byte("xy"), 1<<63-1)
		l.note("writeat too far", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("position", at, err)
		at, err = f.Seek(-100, io.SeekCurrent)
		l.note("seek before", at, err)
		at, err = f.Seek(0, 77)
		l.note("seek nonsense", at, err)
		l.note("truncate", f.Truncate(33), f.Truncate(-1))
		b, err := os.ReadFile(f.Name())
		l.note("all", b, err)
		l.note("sync", f.Sync())
	},
	"write only": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_WRONLY)
		defer f.Close()
		b := make([]byte, 3)
		n, err := f.Read(b)
		l.note("read", n, err)
		n, err = f.ReadAt(b, 0)
		l.note("readat", n, err)
		m, err := f.WriteTo(io.Discard)
		l.note("writeto", m, err)
	},
	"append": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_APPEND)
		defer f.Close()
		b := make([]byte, 3)
		n, err := f.Read(b)
		l.note("read", n, err, b)
		n, err = f.Write([]byte("end"))
		l.note("write", n, err)
		n, err = f.Read(b)
		l.note("read behind", n, err)
		n, err = f.WriteAt([]byte("x"), 0)
		l.note("writeat", n, err)
		n, err = f.WriteAt(nil, 0)
		l.note("writeat nothing", n, err)
		n, err = f.ReadAt(b, 16)
		l.note("readat", n, err, b)
	},
	"synchronous": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_SYNC)
		defer f.Close()
		n, err := f.Write([]byte("one"))
		l.note("write", n, err)
		n, err = f.WriteString("two")
		l.note("write string", n, err)
		n, err = f.WriteAt([]byte("x"), 12)
		l.note("writeat", n, err)
		b, err := io.ReadAll(f)
		l.note("rest", b, err)
		a := scenarioFile(open, dir, os.O_RDWR|os.O_APPEND|os.O_SYNC)
		defer a.Close()
		n, err = a.Write([]byte("end"))
		l.note("append", n, err)
		n, err = a.Read(make([]byte, 1))
		l.note("read behind", n, err)
	},
	"closed": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		l.note("close", f.Close())
		l.note("again", f.Close())
		b := make([]byte, 3)
		for _, size := range []int{3, 0} {
			n, err := f.Read(b[:size])
			l.note("read", size, n, err)
			n, err = f.ReadAt(b[:size], 0)
			l.note("readat", size, n, err)
			n, err = f.Write(b[:size])
			l.note("write", size, n, err)
			n, err = f.WriteAt(b[:size], 0)
			l.note("writeat", size, n, err)
		}
		n, err := f.WriteString("x")
		l.note("write string", n, err)
		at, err := f.Seek(0, 0)
		l.note("seek", at, err)
		m, err := f.WriteTo(new(bytes.Buffer))
		l.note("writeto", m, err)
		m, err = f.ReadFrom(strings.NewReader("x"))
		l.note("readfrom", m, err)
		info, err := f.Stat()
		l.note("stat", info, err)
		l.note("sync", f.Sync())
		l.note("truncate", f.Truncate(0))
		l.note("chmod", f.Chmod(0))
		l.note("deadline", f.SetDeadline(time.Time{}), f.SetReadDeadline(time.Now()), f.SetWriteDeadline(time.Now()))
		entries, err := f.ReadDir(0)
		l.note("readdir", entries, err)
	},
	"folder": func(l *transcript, open opener, dir string) {
		os.WriteFile(filepath.Join(dir, "a"), nil, 0o600)
		f, err := open(dir, os.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		n, err := f.Read(make([]byte, 1))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 1), 0)
		l.note("readat", n, err)
		n, err = f.Write([]byte("x"))
		l.note("write", n, err)
		names, err := f.Readdirnames(-1)
		l.note("names", len(names), err)
		entries, err := f.ReadDir(1)
		l.note("readdir at the end", len(entries), err)
		l.note("sync", f.Sync())
		l.note("deadline", f.SetDeadline(time.Now()))
		l.note("close", f.Close())
		entries, err = f.ReadDir(1)
		l.note("readdir of a closed one", len(entries), err)
	},
	"opens": func(l *transcript, open opener, dir string) {
		for _, name := range []string{"", "missing", "missing/more", "a\x00b", strings.Repeat("n", 300)} {
			if name != "" {
				name = filepath.Join(dir, name)
			}
			f, err := open(name, os.O_RDONLY, 0)
			l.note("open", f, err)
		}
		f := scenarioFile(open, dir, os.O_RDONLY)
		f.Close()
		_, err := open(f.Name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		l.note("exclusive", err)
		_, err = open(f.Name()+"/", os.O_RDONLY, 0)
		l.note("not a folder", err)
		_, err = open(dir, os.O_RDWR, 0)
		l.note("folder for writing", err)
		os.Symlink("loop", filepath.Join(dir, "loop"))
		_, err = open(filepath.Join(dir, "loop"), os.O_RDONLY, 0)
		l.note("loop", err)
	},
	"nothing": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_TRUNC)
		defer f.Close()
		n, err := f.Read(make([]byte, 4))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 4), 0)
		l.note("readat", n, err)
		m, err := f.WriteTo(new(bytes.Buffer))
		l.note("writeto", m, err)
		m, err = f.ReadFrom(strings.NewReader(""))
		l.note("readfrom", m, err)
		info, err := f.Stat()
		l.note("stat", info.Size(), info.Mode(), info.Name(), err)
	},
	"proc": func(l *transcript, open opener, dir string) {
		f, err := open("/proc/self/cmdline", os.O_RDONLY, 0)
		if err != nil {
			l.note("open", err)
			return
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		l.note("all", b, err)
		head := make([]byte, 5)
		n, err := f.ReadAt(head, 1)
		l.note("readat", n, err, head)
		long := make([]byte, 1<<16)
		n, err = f.ReadAt(long, 0)
		l.note("readat more than there is", n, err)
	},
	"null": func(l *transcript, open opener, dir string) {
		f, err := open(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		n, err := f.Write([]byte("x"))
		l.note("write", n, err)
		n, err = f.Read(make([]byte, 1))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 1), 0)
		l.note("readat", n, err)
	},
	"full": func(l *transcript, open opener, dir string) {
		f, err := open("/dev/full", os.O_RDWR, 0)
		if err != nil {
			l.note("open", err)
			return
		}
		defer f.Close()
		n, err := f.Write([]byte("x"))
		l.note("write", n, err)
		n, err = f.WriteAt([]byte("x"), 7)
		l.note("writeat", n, err)
	},
	"copies": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		defer f.Close()
		to, err := open(filepath.Join(dir, "copy"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			panic(err)
		}
		defer to.Close()
		n, err := io.Copy(to, f)
		l.note("copy", n, err)
		n, err = io.CopyN(to, f, 1)
		l.note("from the end", n, err)
		f.Seek(4, io.SeekStart)
		n, err = io.CopyN(to, f, 5)
		l.note("a part", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("position", at, err)
		n, err = to.ReadFrom(strings.NewReader("xyz"))
		l.note("from a string", n, err)
		b, err := os.ReadFile(to.Name())
		l.note("all", b, err)
	},
	"copies past a deadline": func(l *transcript, open opener, dir string) {
		name := filepath.Join(dir, "fifo")
		if err := makeFIFO(name); err != nil {
			l.note("mkfifo", err)
			return
		}
		fifo, err := open(name, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer fifo.Close()
		std, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer std.Close()
		std.SetDeadline(time.Unix(1, 0))
		fifo.SetDeadline(time.Unix(1, 0))
		for _, fifo := range []anyFile{fifo, std} {
			f := scenarioFile(open, dir, os.O_RDWR)
			n, err := f.ReadFrom(fifo)
			l.note("from the FIFO", n, err)
			n, err = io.CopyN(f, fifo, 3)
			l.note("a part", n, err)
			n, err = f.WriteTo(fifo)
			l.note("to the FIFO", n, err)
			n, err = io.CopyN(fifo, f, 3)
			l.note("a part", n, err)
			f.Close()
		}
	},
	"fifo": func(l *transcript, open opener, dir string) {
		name := filepath.Join(dir, "fifo")
		if err := makeFIFO(name); err != nil {
			l.note("mkfifo", err)
			return
		}
		f, err := open(name, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		b := make([]byte, 4)
		l.note("deadline", f.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		n, err := f.Read(b)
		l.note("read", n, err)
		n, err = f.Read(nil)
		l.note("read nothing with a passed deadline", n, err)
		l.note("no deadline", f.SetDeadline(time.Time{}))
		n, err = f.Write([]byte("ab"))
		l.note("write", n, err)
		n, err = f.Read(b)
		l.note("read", n, err)
		n, err = f.ReadAt(b, 0)
		l.note("readat", n, err)
		n, err = f.WriteAt(b, 0)
		l.note("writeat", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("seek", at, err)
		l.note("sync", f.Sync())
		l.note("write deadline", f.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		wrote, err := f.Write(make([]byte, 1<<20))
		l.note("write more than there is room for", wrote < 1<<20, err)
		n, err = f.Write(nil)
		l.note("write nothing with a passed deadline", n, err)
		f.SetDeadline(time.Time{})
		m, err := io.ReadFull(f, make([]byte, wrote))
		l.note("read all that", m == wrote, err)
		time.AfterFunc(10*time.Millisecond, func() { f.Close() })
		n, err = f.Read(b)
		l.note("closed while it reads", n, err)
	},
}
