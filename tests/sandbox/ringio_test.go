//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// causes are what programs may ask of an error of ringio's, by errors.Is.
var causes = map[string]error{
	"permission":    os.ErrPermission,
	"not supported": liburing.ErrNotSupported,
	"unsupported":   errors.ErrUnsupported,
	"memory":        unix.ENOMEM,
	"descriptors":   unix.EMFILE,
}

func causesOf(err error) (names []string) {
	for name, cause := range causes {
		if errors.Is(err, cause) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// entry is what was logged.
type entry struct{ Msg, Why string }

// logged has what the child logs.
var logged journal

type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

func beginLog() { slog.SetDefault(slog.New(slog.NewJSONHandler(&logged, nil))) }

func entries() (all []entry) {
	logged.mu.Lock()
	defer logged.mu.Unlock()
	for d := json.NewDecoder(&logged.all); ; {
		var e entry
		if d.Decode(&e) != nil {
			return all
		}
		all = append(all, e)
	}
}

// engines are as many that a thread which each leaves would be seen.
const engines = 8

// useRingio uses the engine of the whole process, which says once if it goes without a ring,
// and some that end.
func useRingio(ctx context.Context, r *report) {
	why := ringio.Available()
	r.Available, r.Causes = text(why), causesOf(why)
	shared := ringio.Default()
	files, conns := useFiles(ctx, shared), useConns(ctx, shared)
	r.Fallback, r.Why = shared.Stats().Fallback, shared.Stats().Why
	fds, goroutines, threads := descriptors(), runtime.NumGoroutine(), tasks()
	for began, n := time.Now(), 0; n < engines && time.Since(began) < time.Second; n++ { // where memory is short each takes as long
		e, err := ringio.New(ringio.Options{})
		if err != nil {
			files = errors.Join(files, err)
			break
		}
		files, conns = errors.Join(files, useFiles(ctx, e)), errors.Join(conns, useConns(ctx, e))
		files = errors.Join(files, e.Shutdown(ctx))
	}
	r.Left += left(fds, goroutines) + leftThreads(threads)
	r.Files, r.Conns, r.Log = text(files), text(conns), entries()
}

// tasks counts the threads, those of the kernel's that work for this process too; 0 if
// there is no /proc.
func tasks() int {
	all, _ := filepath.Glob("/proc/self/task/*")
	return len(all)
}

// leftThreads is left for threads. Go has some more or less, and ends none.
func leftThreads(before int) string {
	if now := tasks(); now >= before+engines {
		return fmt.Sprintf("%d threads instead of %d", now, before)
	}
	return ""
}

// useFiles has a file's bytes go through an engine.
func useFiles(ctx context.Context, e *ringio.Engine) error {
	name := filepath.Join(os.Getenv(dirEnv), "file")
	f, err := e.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("T"), 0); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.SyncContext(ctx)); err != nil { // the second by the ring, if there is one
		return err
	}
	for _, read := range []func([]byte, int64) (int, error){
		f.ReadAt,
		func(b []byte, off int64) (int, error) { return f.ReadAtContext(ctx, b, off) },
	} {
		b := make([]byte, 4)
		if _, err := read(b, 0); err != nil || string(b) != "Text" {
			return errors.Join(err, fmt.Errorf("%q was read", b))
		}
	}
	return errors.Join(appendTo(f), f.Close())
}

// appendTo has some append to a file at a time.
func appendTo(f *ringio.File) error {
	a, err := ringio.NewAppender(f)
	if err != nil {
		return err
	}
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			record := []byte{byte(i)}
			off, err := a.Append(record)
			if err == nil {
				_, err = f.ReadAt(record, off)
			}
			if err == nil && record[0] != byte(i) {
				err = errors.New("it was not appended there")
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// patience is how long something is waited for in vain.
const patience = 3 * time.Millisecond

// useConns has both ends of some connections say something, wait in vain, and end.
func useConns(ctx context.Context, e *ringio.Engine) (err error) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(os.Getenv(dirEnv), "socket")
		}
		l, failed := e.Listen(network, address)
		if failed != nil {
			return errors.Join(err, failed)
		}
		err = errors.Join(err, useListener(ctx, e, network, l))
		l.Close() // if it is not
	}
	return err
}

func useListener(ctx context.Context, e *ringio.Engine, network string, l net.Listener) error {
	waiting := l.(ringio.SocketListener)
	waiting.SetDeadline(time.Now().Add(patience))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("an accept that nobody dials: %w", err)
	}
	waiting.SetDeadline(time.Time{})
	ours, err := e.DialContext(ctx, network, l.Addr().String())
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := l.Accept()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if err := errors.Join(echo(ours, theirs), waitInVain(ours), endWaits(ours, theirs)); err != nil {
		return fmt.Errorf("%s: %w", network, err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	time.Sleep(patience) // so that it waits
	if err := l.Close(); err != nil {
		return err
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("an accept at Close: %w", err)
	}
	return nil
}

// echo has more go to and fro than a socket has room for.
func echo(ours, theirs net.Conn) error {
	const size = 1 << 20
	end := time.Now().Add(10 * time.Second)
	ours.SetDeadline(end)
	theirs.SetDeadline(end)
	defer ours.SetDeadline(time.Time{})
	defer theirs.SetDeadline(time.Time{})
	var all sync.WaitGroup
	defer all.Wait()
	errs := make(chan error, 2)
	all.Go(func() {
		_, err := ours.Write(bytes.Repeat([]byte{7}, size))
		errs <- err
	})
	all.Go(func() {
		_, err := io.CopyN(theirs, theirs, size)
		errs <- err
	})
	got := make([]byte, size)
	if _, err := io.ReadFull(ours, got); err != nil {
		return err
	}
	if !bytes.Equal(got, bytes.Repeat([]byte{7}, size)) {
		return errors.New("something else came back")
	}
	return errors.Join(<-errs, <-errs)
}

// waitInVain has a deadline end a read.
func waitInVain(c net.Conn) error {
	c.SetReadDeadline(time.Now().Add(patience))
	defer c.SetReadDeadline(time.Time{})
	if _, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a read that nobody writes for: %w", err)
	}
	return nil
}

// endWaits has the peer's end, and Close, end reads.
func endWaits(ours, theirs net.Conn) error {
	if err := theirs.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	if _, err := ours.Read(make([]byte, 8)); err != io.EOF {
		return fmt.Errorf("a read at the end: %w", err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := theirs.Read(make([]byte, 8))
		read <- err
	}()
	time.Sleep(patience) // so that it waits
	if err := theirs.Close(); err != nil {
		return err
	}
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("a read at Close: %w", err)
	}
	return nil
}

var _ = with(map[string]hardship{
	"descriptors, first": {begin: startWithFew, do: func(ctx context.Context, r *report) {
		useRingio(ctx, r)
		r.Numbers = []int{startedWith}
	}},
})

// startedWith is how many descriptors there were at the start.
var startedWith int

// startWithFew has the engine be made while few descriptors are left, before Go has opened
// those for its own poller: a timer would have it do so.
func startWithFew() error {
	startedWith, _ = strconv.Atoi(os.Getenv(wordEnv))
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: limit.Max}); err != nil {
		return err
	}
	var taken []int
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	for i, fd := range taken {
		if i == startedWith {
			ringio.Available()
			ringio.Default()
		}
		unix.Close(fd)
	}
	return nil
}

// An engine that is made while few descriptors are left goes without a ring, and says what it
// takes; or it has one. In either case it does not take those that Go can't do without.
func TestEngineWithFewDescriptors(t *testing.T) {
	const enough = 8
	for n := range enough + 1 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			r := under(t, "descriptors, first", wordEnv+"="+strconv.Itoa(n))
			requireClean(t, r)
			if n == 0 || r.Fallback {
				require.True(t, r.Fallback)
				requireSaid(t, "Available", r.Available, "too many open files", "ulimit -n")
				require.Equal(t, []string{"descriptors"}, r.Causes)
			}
			if n == enough {
				require.False(t, r.Fallback)
				require.Empty(t, r.Available)
			}
		})
	}
}
