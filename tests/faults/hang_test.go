//go:build linux

package faults_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// hangs is how long the disk does.
func hangs() time.Duration {
	if long {
		return 10 * time.Second
	}
	return time.Second
}

// While the disk hangs timers and sockets go on; what waits for the disk waits, also when
// its time is over, since the disk may still write to its memory; then all comes right.
func TestHangingDiskOfLoop(t *testing.T) {
	d := newHangingDisk(t)
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 64, s.Opts...)
			fd := openDisk(t, d.device, unix.O_DIRECT)
			const n = 8
			mem := ringtest.Memory(t, 2*n*4096)
			want := ringtest.Pattern(n*4096, byte(len(s.Name)))
			copy(mem, want)
			left := 0
			var early, failed []error
			hanging := true
			note := func(c liburing.Completion) {
				left--
				if hanging {
					early = append(early, c.Err())
				}
				if c.Err() != nil {
					failed = append(failed, c.Err())
				}
			}
			d.order("hang")
			defer d.order("go") // should it fail
			for i := range n {
				left += 2
				l.Write(fd, mem[i*4096:(i+1)*4096], uint64(i*4096), note).LinkNext()
				l.Read(fd, mem[(n+i)*4096:(n+i+1)*4096], uint64(i*4096), note)
			}
			left += 2
			l.Fsync(fd, 0, note)
			l.Write(fd, mem[:4096], 1<<20, func(c liburing.Completion) {
				left--
				if hanging {
					early = append(early, c.Err())
				}
			}).WithTimeout(50 * time.Millisecond)
			a, b := ringtest.SocketPair(t)
			echoes, ticks := echoOn(t, l, a, b), 0
			l.Every(10*time.Millisecond, func() { ticks++ })
			ctx, cancel := context.WithTimeout(context.Background(), hangs()/4)
			require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
			cancel()
			require.Empty(t, early, "the disk hangs")
			require.Greater(t, ticks, 2)
			require.Greater(t, *echoes, 10)
			hanging = false
			d.order("go")
			ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return left == 0 })
			require.Empty(t, failed)
			requireSame(t, want, mem[n*4096:])
		})
	}
}

// echoOn has bytes go round on a pair of sockets, and counts.
func echoOn(t *testing.T, l *liburing.Loop, a, b int) *int {
	rounds := new(int)
	buf := make([]byte, 8)
	var send func()
	send = func() {
		l.Send(a, []byte("8 bytes."), 0, nil)
		l.Recv(b, buf, 0, func(c liburing.Completion) {
			if c.Err() == nil {
				*rounds++
				send()
			}
		})
	}
	send()
	return rounds
}

// Close with a context does not wait for the disk, and says so; what it leaves behind ends
// with the hanging, if that is not too long.
func TestHangingDiskAtClose(t *testing.T) {
	d := newHangingDisk(t)
	for _, direct := range []int{unix.O_DIRECT, 0} {
		l, err := liburing.NewLoop(8)
		require.NoError(t, err)
		fd := openDisk(t, d.device, direct)
		mem := ringtest.Memory(t, 4096)
		told := make(chan error, 1)
		d.order("hang")
		defer d.order("go")
		l.Read(fd, mem, 1<<20, func(c liburing.Completion) { told <- c.Err() })
		ringtest.RunFor(t, l, time.Millisecond)
		ctx, cancel := context.WithTimeout(context.Background(), hangs()/4)
		err = l.Close(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "still in flight")
		time.Sleep(hangs() / 2)
		d.order("go")
		err = within(told)
		require.True(t, err == nil || errors.Is(err, unix.ECANCELED) || errors.Is(err, unix.EINTR), "%v", err)
		err = l.Close(context.Background())
		switch {
		case long && direct != 0: // no cancel finds it, so Close gives up after some seconds
			require.ErrorContains(t, err, "the memory that they use is kept for good")
		case long && err != nil: // whether one finds it depends on who waits for the page: a worker, or nobody
			require.ErrorContains(t, err, "the memory that they use is kept for good")
		default:
			require.NoError(t, err)
		}
	}
}

func TestHangingDiskOfEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	d := newHangingDisk(t)
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	f, err := e.OpenFile(d.device, os.O_RDWR, 0)
	require.NoError(t, err)
	want := ringtest.Pattern(16*4096, 77)
	_, err = f.WriteAt(want, 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, dropCache(d.device))
	d.order("hang")
	defer d.order("go")
	start := time.Now()
	var all sync.WaitGroup
	errs := make([]error, 16)
	got := make([]byte, len(want))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	for i := range errs {
		all.Go(func() {
			part := got[i*4096 : (i+1)*4096]
			if _, errs[i] = f.ReadAtContext(ctx, part, int64(i*4096)); errors.Is(errs[i], context.DeadlineExceeded) {
				copy(part, want[i*4096:])
				errs[i] = nil
			}
		})
	}
	for time.Since(start) < hangs()/4 {
		require.NoError(t, useConn(e), "connections go on")
	}
	d.order("go")
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	requireSame(t, want, got)
	require.NoError(t, f.Close())
	require.NoError(t, e.Shutdown(context.Background()))
}

// dropCache has the page cache forget a device.
func dropCache(device string) error {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
}
