//go:build unix

package ringio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// limitTime is for what takes no time, and without the code under test for ever.
const limitTime = 20 * time.Second

// aPipe returns both ends of a pipe as Files, which are closed with the test.
func aPipe(t *testing.T, e *Engine) (r, w *File) {
	std, into, err := os.Pipe()
	require.NoError(t, err)
	r, w = e.Wrap(std), e.Wrap(into)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// fillPipe writes until a pipe takes no more.
func fillPipe(t *testing.T, w *File) {
	raw, err := w.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Write(func(fd uintptr) bool {
		for err == nil {
			_, err = unix.Write(int(fd), make([]byte, 1024))
		}
		return true
	}))
	require.ErrorIs(t, err, unix.EAGAIN)
}

// allEnd waits for calls that are going to end.
func allEnd(t *testing.T, results <-chan error, n int, want error) {
	t.Helper()
	late := time.After(limitTime)
	for i := range n {
		select {
		case err := <-results:
			require.ErrorIs(t, err, want)
		case <-late:
			t.Fatalf("%d of %d calls do not end", n-i, n)
		}
	}
}

func TestManyCallsOnAPipeEndWithTheirContexts(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		const calls = 8
		for range 50 {
			r, w := aPipe(t, e)
			fillPipe(t, w)
			empty, _ := aPipe(t, e)
			for _, call := range []func(context.Context, []byte) (int, error){empty.ReadContext, w.WriteContext} {
				ctx, cancel := context.WithCancel(context.Background())
				results := make(chan error, calls)
				for range calls {
					go func() {
						_, err := call(ctx, make([]byte, 8))
						results <- err
					}()
				}
				time.Sleep(time.Millisecond) // that they wait: otherwise there is less to see
				cancel()
				allEnd(t, results, calls, context.Canceled)
			}
			r.Close()
		}
	})
}

// While one reads, others leave with their own contexts, and it does not notice.
func TestContextsThatEndBehindAReader(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		r, w := aPipe(t, e)
		first := make(chan error, 1)
		go func() {
			_, err := r.Read(make([]byte, 1))
			first <- err
		}()
		for range 100 {
			ctx, cancel := context.WithCancel(context.Background())
			results := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := r.ReadContext(ctx, make([]byte, 1))
					results <- err
				}()
			}
			cancel()
			allEnd(t, results, 2, context.Canceled)
		}
		require.Empty(t, first)
		_, err := w.Write([]byte("x"))
		require.NoError(t, err)
		allEnd(t, first, 1, nil)
	})
}

func TestWriteGoesOnWhenAnothersContextEnds(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		r, w := aPipe(t, e)
		const size = 200_000
		results := make(chan error, 3)
		for _, write := range []func() (int, error){
			func() (int, error) { return w.Write(bytes.Repeat([]byte("a"), size)) },
			func() (int, error) { return w.WriteString(strings.Repeat("b", size)) },
			func() (int, error) {
				return w.WriteContext(context.WithoutCancel(t.Context()), bytes.Repeat([]byte("c"), size))
			},
		} {
			go func() {
				n, err := write()
				if err == nil && n != size {
					err = io.ErrShortWrite
				}
				results <- err
			}()
		}
		require.NoError(t, r.SetReadDeadline(time.Now().Add(limitTime)))
		start := make([]byte, 1)
		_, err := r.Read(start) // one is writing
		require.NoError(t, err)
		for range 20 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
			_, err := w.WriteContext(ctx, []byte("x"))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		rest := make([]byte, 3*size-1)
		_, err = io.ReadFull(r, rest)
		require.NoError(t, err)
		allEnd(t, results, 3, nil)
		all := append(start, rest...)
		for ; len(all) != 0; all = all[size:] {
			require.Equal(t, size, bytes.Count(all[:size], all[:1]), "nobody writes into what another does")
		}
	})
}

// Those who wait for their turn are let go by Close, as in os.
func TestCloseEndsAllReaders(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		for range 100 {
			r, _ := aPipe(t, e)
			var all sync.WaitGroup
			results := make(chan error, 4)
			for range cap(results) {
				all.Go(func() {
					_, err := r.Read(make([]byte, 1))
					results <- err
				})
			}
			require.NoError(t, r.Close())
			allEnd(t, results, cap(results), os.ErrClosed)
			all.Wait()
			require.True(t, errors.Is(r.Close(), os.ErrClosed))
		}
	})
}

// A deadline that is set at the moment when a context ends does not undo that end.
func TestDeadlineSetAsAContextEnds(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		r, _ := aPipe(t, e)
		stop := make(chan struct{})
		var setter sync.WaitGroup
		setter.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Microsecond): // others run, too
					r.SetReadDeadline(time.Now().Add(time.Hour))
				}
			}
		})
		defer setter.Wait()
		defer close(stop)
		for range 200 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			results := make(chan error, 1)
			go func() {
				_, err := r.ReadContext(ctx, make([]byte, 1))
				results <- err
			}()
			allEnd(t, results, 1, context.DeadlineExceeded)
			cancel()
		}
	})
}

// And it holds for the calls that come after.
func TestDeadlineSetWhileAContextHasEnded(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		r, _ := aPipe(t, e)
		ctx, cancel := context.WithCancel(context.Background())
		done := r.reads.watch(ctx, r, &osRead)
		cancel()
		for !r.reads.hasEnded() {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, r.SetReadDeadline(time.Now().Add(time.Hour)))
		_, err := r.osFile.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the call is not back: it must not wait")
		require.NoError(t, r.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		done()
		_, err = r.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

func (l *limit) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// blockingPipes are pipes whose descriptors wait in the kernel.
func blockingPipes(t *testing.T, test func(t *testing.T, r, w *File)) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		t.Run("by NewFile", func(t *testing.T) {
			var fds [2]int
			require.NoError(t, unix.Pipe(fds[:]))
			r, w := e.Wrap(os.NewFile(uintptr(fds[0]), "r")), e.Wrap(os.NewFile(uintptr(fds[1]), "w"))
			defer r.Close()
			defer w.Close()
			require.ErrorIs(t, r.SetDeadline(time.Now()), os.ErrNoDeadline)
			test(t, r, w)
		})
		t.Run("by Fd", func(t *testing.T) {
			r, w := aPipe(t, e)
			r.Fd()
			w.Fd()
			test(t, r, w)
		})
	})
}

func TestContextEndsReadsThatHaveNoDeadline(t *testing.T) {
	blockingPipes(t, func(t *testing.T, r, w *File) {
		const readers, bytes = 3, 300
		got, results := make(chan byte, bytes), make(chan error, readers)
		stop, cancel := context.WithCancel(context.Background())
		for range readers {
			go func() {
				b := make([]byte, 1)
				for {
					ctx, end := context.WithTimeout(stop, 200*time.Microsecond)
					n, err := r.ReadContext(ctx, b)
					end()
					if n == 1 {
						got <- b[0]
					}
					if stop.Err() != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
						results <- err
						return
					}
				}
			}()
		}
		for i := range bytes {
			_, err := w.Write([]byte{byte(i)})
			require.NoError(t, err)
			if i%16 == 0 {
				time.Sleep(time.Millisecond) // so that contexts end
			}
		}
		late := time.After(limitTime)
		for i := range bytes {
			select {
			case <-got:
			case <-late:
				t.Fatalf("%d of %d bytes were lost", bytes-i, bytes)
			}
		}
		cancel()
		for range readers {
			select {
			case <-results:
			case <-late:
				t.Fatal("a read does not end")
			}
		}
		n, err := r.ReadContext(t.Context(), nil)
		require.NoError(t, err, "there is nothing to wait for")
		require.Zero(t, n)
		require.NoError(t, w.Close())
		_, err = r.ReadContext(t.Context(), make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestContextEndsWritesThatHaveNoDeadline(t *testing.T) {
	blockingPipes(t, func(t *testing.T, r, w *File) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		data := make([]byte, 1<<20+1)
		for i := range data {
			data[i] = byte(i >> 8)
		}
		var n int
		results := make(chan error, 1)
		go func() {
			var err error
			n, err = w.WriteContext(ctx, data)
			results <- err
		}()
		allEnd(t, results, 1, context.DeadlineExceeded)
		go func() {
			m, err := w.WriteContext(t.Context(), data[n:])
			if err == nil && n+m != len(data) {
				err = io.ErrShortWrite
			}
			w.Close()
			results <- err
		}()
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		allEnd(t, results, 1, nil)
	})
}
