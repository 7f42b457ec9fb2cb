//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var _ = with(map[string]hardship{
	"later: setup EPERM":      {do: later(unix.EPERM, unix.SYS_IO_URING_SETUP)},
	"later: register EPERM":   {do: later(unix.EPERM, unix.SYS_IO_URING_REGISTER)},
	"later: enter EPERM":      {do: later(unix.EPERM, unix.SYS_IO_URING_ENTER)},
	"later: enter ENOSYS":     {do: later(unix.ENOSYS, unix.SYS_IO_URING_ENTER)},
	"later: crowd, enter":     {do: laterInACrowd(unix.SYS_IO_URING_ENTER)},
	"later: crowd, all three": {do: laterInACrowd(unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER)},
	"later: all three EPERM":  {do: later(unix.EPERM, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER)},
})

// old is what there was before the filter came.
type old struct {
	listener     net.Listener
	ours, theirs net.Conn
	accepts      chan error // what waited
	reads        chan error
	file         *ringio.File
}

func newOld(e *ringio.Engine) (o old, err error) {
	o.accepts, o.reads = make(chan error, 1), make(chan error, 1)
	if o.listener, err = e.Listen("tcp", "127.0.0.1:0"); err != nil {
		return o, err
	}
	if o.ours, err = e.Dial("tcp", o.listener.Addr().String()); err != nil {
		return o, err
	}
	if o.theirs, err = o.listener.Accept(); err != nil {
		return o, err
	}
	if o.file, err = e.Create(filepath.Join(os.Getenv(dirEnv), "old")); err != nil {
		return o, err
	}
	go func() {
		c, err := o.listener.Accept()
		if err == nil {
			err = c.Close()
		}
		o.accepts <- err
	}()
	go func() {
		_, err := o.theirs.Read(make([]byte, 1))
		o.reads <- err
	}()
	time.Sleep(patience) // so that they wait
	return o, nil
}

// use has what waited be told, and then uses it all.
func (o old) use(ctx context.Context) error {
	if _, err := o.ours.Write([]byte{1}); err != nil {
		return err
	}
	if err := within(o.reads); err != nil {
		return fmt.Errorf("the read that waited: %w", err)
	}
	c, err := net.Dial("tcp", o.listener.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := within(o.accepts); err != nil {
		return fmt.Errorf("the accept that waited: %w", err)
	}
	if err := errors.Join(waitInVain(o.theirs), echo(o.ours, o.theirs), waitInVain(o.ours)); err != nil {
		return fmt.Errorf("the connection: %w", err)
	}
	if _, err := o.file.Write([]byte("text")); err != nil {
		return err
	}
	if err := errors.Join(o.file.Sync(), o.file.SyncContext(ctx), appendTo(o.file)); err != nil {
		return fmt.Errorf("the file: %w", err)
	}
	return nil
}

// close has Close end what waited when the filter came.
func (o old) close() error {
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(o.listener.Close(), o.theirs.Close(), o.ours.Close(), o.file.Close()) }()
	if err := within(closed); err != nil {
		return fmt.Errorf("Close: %w", err)
	}
	if err := within(o.accepts); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the accept that waited at Close: %w", err)
	}
	if err := within(o.reads); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the read that waited at Close: %w", err)
	}
	return nil
}

// end has Close end what waits.
func (o old) end() error {
	go func() {
		_, err := o.listener.Accept()
		o.accepts <- err
	}()
	if err := endWaits(o.ours, o.theirs); err != nil {
		return err
	}
	if err := o.listener.Close(); err != nil {
		return err
	}
	if err := within(o.accepts); !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("an accept at Close: %w", err)
	}
	return errors.Join(o.ours.Close(), o.file.Close())
}

func within(done chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		return errors.New("it did not end")
	}
}

// later has a filter come when the engine is running, and serves somebody.
func later(errno syscall.Errno, calls ...uint32) func(context.Context, *report) {
	return func(ctx context.Context, r *report) {
		if err := ringio.Available(); err != nil {
			r.Skip = err.Error()
			return
		}
		e := ringio.Default()
		if err := errors.Join(useFiles(ctx, e), useConns(ctx, e)); err != nil {
			r.Skip = err.Error()
			return
		}
		fds, goroutines := descriptors(), runtime.NumGoroutine()
		o, err := newOld(e)
		if err != nil {
			r.Skip = err.Error()
			return
		}
		closed, err := newOld(e)
		if err != nil {
			r.Skip = err.Error()
			return
		}
		for _, call := range calls {
			if err := ringtest.Deny(call, errno); err != nil {
				r.Skip = err.Error()
				return
			}
		}
		r.Said = text(errors.Join(closed.close(), o.use(ctx), o.end()))
		r.Files, r.Conns = text(useFiles(ctx, e)), text(useConns(ctx, e))
		r.Numbers = []int{int(idle() / time.Millisecond)}
		r.Left = left(fds, goroutines)
		why := ringio.Available()
		r.Available, r.Causes, r.Why, r.Fallback = text(why), causesOf(why), e.Stats().Why, e.Stats().Fallback
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		r.Shutdown = text(ringio.Shutdown(short))
		r.Log = entries()
	}
}

// laterInACrowd is later with many connections that are busy.
func laterInACrowd(calls ...uint32) func(context.Context, *report) {
	return func(ctx context.Context, r *report) {
		if err := ringio.Available(); err != nil {
			r.Skip = err.Error()
			return
		}
		e := ringio.Default()
		l, err := e.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.Skip = err.Error()
			return
		}
		const pairs = 64
		var all sync.WaitGroup
		errs := make(chan error, 2*pairs)
		var rounds atomic.Int64
		var stop atomic.Bool
		for range pairs {
			ours, err1 := e.Dial("tcp", l.Addr().String())
			theirs, err2 := l.Accept()
			if err := errors.Join(err1, err2); err != nil {
				r.Skip = err.Error()
				return
			}
			all.Go(func() {
				defer theirs.Close()
				io.Copy(struct{ io.Writer }{theirs}, struct{ io.Reader }{theirs})
			})
			all.Go(func() {
				defer ours.Close()
				b, want := make([]byte, 64), bytes.Repeat([]byte{5}, 64)
				for !stop.Load() {
					ours.SetDeadline(time.Now().Add(10 * time.Second))
					_, err := ours.Write(want)
					if err == nil {
						_, err = io.ReadFull(ours, b)
					}
					if err != nil || !bytes.Equal(b, want) {
						errs <- fmt.Errorf("%d: %w", rounds.Load(), err)
						return
					}
					rounds.Add(1)
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		for _, call := range calls {
			if err := ringtest.Deny(call, unix.EPERM); err != nil {
				r.Skip = err.Error()
				return
			}
		}
		before := rounds.Load()
		time.Sleep(200 * time.Millisecond)
		r.Numbers = []int{int(before), int(rounds.Load() - before)}
		stop.Store(true)
		all.Wait()
		close(errs)
		for err := range errs {
			r.Conns += err.Error() + "\n"
		}
		r.Files = text(useFiles(ctx, e)) // where few were busy nobody has entered the ring before
		r.Why, r.Fallback = e.Stats().Why, e.Stats().Fallback
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		r.Shutdown = text(errors.Join(l.Close(), ringio.Shutdown(short)))
		time.Sleep(10 * patience) // a goroutine logs
		r.Log = entries()
	}
}

// Connections that are busy then lose nothing.
func TestFilterThatComesToACrowd(t *testing.T) {
	for _, name := range []string{"later: crowd, enter", "later: crowd, all three"} {
		t.Run(name, func(t *testing.T) {
			r := under(t, name)
			require.Empty(t, r.Conns)
			require.Empty(t, r.Files)
			require.Empty(t, r.Shutdown)
			require.True(t, r.Fallback)
			require.NotZero(t, r.Numbers[0])
			require.NotZero(t, r.Numbers[1], "the connections go on")
			require.Equal(t, []entry{{"ringio goes on without io_uring", r.Why}}, r.Log)
		})
	}
}

// idle returns what the process computes while it has nothing to do for 200 ms.
func idle() time.Duration {
	before := computed()
	time.Sleep(200 * time.Millisecond)
	return computed() - before
}

func computed() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A filter that comes while the engine serves somebody has it go on without the ring if that is
// forbidden, and changes nothing if only what it has done already is.
func TestFilterThatComesLater(t *testing.T) {
	permission := []string{"permission"}
	for name, is := range map[string][]string{
		"later: setup EPERM": nil, "later: register EPERM": nil,
		"later: enter EPERM": permission, "later: enter ENOSYS": missing, "later: all three EPERM": permission,
	} {
		t.Run(name, func(t *testing.T) {
			r := under(t, name)
			require.Empty(t, r.Said, "what there was before")
			require.Empty(t, r.Shutdown)
			require.Empty(t, r.Files)
			require.Empty(t, r.Conns)
			require.Empty(t, r.Left)
			require.Less(t, r.Numbers[0], 100, "it is not idle")
			require.Equal(t, is, r.Causes)
			require.Equal(t, is != nil, r.Fallback)
			require.Equal(t, r.Available, r.Why)
			if is == nil {
				require.Empty(t, r.Log)
				return
			}
			requireSaid(t, "Available", r.Available, "seccomp", "allow io_uring_enter")
			require.Equal(t, []entry{{"ringio goes on without io_uring", r.Why}}, r.Log)
		})
	}
}
