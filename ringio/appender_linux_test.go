//go:build linux

package ringio

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// notOnDisk returns how many pages of a file the disk does not have yet, by cachestat(2).
func notOnDisk(t *testing.T, f *File) uint64 {
	var pages unix.Cachestat_t
	var err error
	rawControl(t, f, func(fd int) { err = unix.Cachestat(uint(fd), &unix.CachestatRange{}, &pages, 0) })
	if err != nil {
		t.Skip("the kernel does not say what is on the disk: ", err)
	}
	return pages.Dirty + pages.Writeback
}

// What Append has returned of is on the disk, and took one request.
func TestAppendedIsOnTheDisk(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		for _, flag := range []int{0, os.O_APPEND} {
			f, err := e.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_RDWR|os.O_CREATE|flag, 0o600)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.Write(make([]byte, 100))
			require.NoError(t, err)
			if notOnDisk(t, f) == 0 {
				t.Skip("it is on the disk anyway")
			}
			require.NoError(t, f.Sync())
			log, err := NewAppender(f)
			require.NoError(t, err)
			before := e.Stats().Submitted
			const times = 5
			for range times {
				_, err := log.Append(make([]byte, 100))
				require.NoError(t, err)
				require.Zero(t, notOnDisk(t, f))
			}
			if byRing := e.Stats().Submitted - before; byRing != 0 {
				require.EqualValues(t, times, byRing)
			}
		}
	})
}
