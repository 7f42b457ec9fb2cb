package ringio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFIFOReadThatIsCancelledLosesNothing(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := makeFIFO(name); err != nil {
			t.Skip(err)
		}
		f, err := e.OpenFile(name, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		got := make(chan byte, 2000)
		var all sync.WaitGroup
		const n = 1000
		for range 2 { // one that has a context, and one that must not notice
			all.Go(func() {
				b := make([]byte, 1)
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
					m, err := f.ReadContext(ctx, b)
					cancel()
					if errors.Is(err, context.DeadlineExceeded) {
						continue
					}
					if err != nil || m != 1 {
						panic(fmt.Sprint(m, err))
					}
					if b[0] == 'q' {
						return
					}
					got <- b[0]
				}
			})
		}
		all.Go(func() {
			b := make([]byte, 1)
			for {
				if _, err := f.Read(b); err != nil {
					panic(err)
				}
				if b[0] == 'q' {
					return
				}
				got <- b[0]
			}
		})
		for range n {
			_, err := f.Write([]byte{'x'})
			require.NoError(t, err)
		}
		for range n {
			select {
			case <-got:
			case <-time.After(10 * time.Second):
				t.Fatal("bytes were lost")
			}
		}
		_, err = f.Write([]byte("qqq"))
		require.NoError(t, err)
		all.Wait()
		require.Empty(t, got)
	})
}

func TestOpenFIFOThatIsCancelled(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := makeFIFO(name); err != nil {
			t.Skip(err)
		}
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			_, err := e.OpenFileContext(ctx, name, flag, 0)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			require.Equal(t, "open", path.Op)
			require.Equal(t, name, path.Path)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		type end struct {
			f   *File
			err error
		}
		ends := make(chan end, 2)
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
			go func() {
				f, err := e.OpenFileContext(ctx, name, flag, 0)
				ends <- end{f, err}
			}()
		}
		for _, end := range []end{<-ends, <-ends} { // both, before one is closed: who comes late would wait
			require.NoError(t, end.err)
			require.Equal(t, name, end.f.Name())
			require.NoError(t, end.f.SetDeadline(time.Now().Add(time.Second)), "it has deadlines")
			require.NoError(t, end.f.Close())
		}
		f, err := e.OpenFileContext(ctx, filepath.Join(t.TempDir(), "new"), os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	})
}
