package ringio

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestContextEndsReadOfATerminal(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		keyboard, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip(err)
		}
		defer unix.Close(keyboard)
		require.NoError(t, unix.IoctlSetPointerInt(keyboard, unix.TIOCSPTLCK, 0))
		number, err := unix.IoctlGetInt(keyboard, unix.TIOCGPTN)
		require.NoError(t, err)
		fd, err := unix.Open(fmt.Sprint("/dev/pts/", number), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Skip(err)
		}
		terminal := e.Wrap(os.NewFile(uintptr(fd), "terminal"))
		defer terminal.Close()
		b := make([]byte, 10)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		results := make(chan error, 1)
		go func() {
			_, err := terminal.ReadContext(ctx, b)
			results <- err
		}()
		allEnd(t, results, 1, context.DeadlineExceeded)
		_, err = unix.Write(keyboard, []byte("line\n"))
		require.NoError(t, err)
		n, err := terminal.ReadContext(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, "line\n", string(b[:n]))
	})
}
