//go:build linux

package examples_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const ublkSize = 16 << 20

// startUblk has a file of ublkSize served, and returns the device and the file.
func startUblk(t *testing.T) (s *server, device *os.File, name string) {
	t.Helper()
	if _, err := os.Stat("/dev/ublk-control"); err != nil {
		t.Skipf("this kernel has no block devices of programs: %v", err)
	}
	name = filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	// An empty file is refused, but only where the driver can do what serving one takes.
	if said := run(t, program(t, "ublk"), name).stderr; strings.Contains(said, "does not register the memory") {
		t.Skip(strings.TrimSpace(said))
	}
	require.NoError(t, os.Truncate(name, ublkSize))
	s = startSaying(t, "serving on ", "ublk", name)
	device, err := os.OpenFile(s.addr, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { device.Close() })
	size, err := device.Seek(0, io.SeekEnd)
	require.NoError(t, err)
	require.EqualValues(t, ublkSize, size)
	return s, device, name
}

// What is written to the device is in the file and is read back, by many at once, by
// the page cache and past it.
func TestUblk(t *testing.T) {
	s, device, name := startUblk(t)
	direct, err := os.OpenFile(s.addr, os.O_RDWR|unix.O_DIRECT, 0)
	require.NoError(t, err)
	defer direct.Close()
	const writers = 8
	var all []func() error
	want := make([]byte, ublkSize)
	for i := range writers {
		all = append(all, func() error { return fill(device, direct, want, i*ublkSize/writers, ublkSize/writers) })
	}
	atOnce(t, all...)
	require.NoError(t, device.Sync())
	requireContent(t, want, name)
	mem, err := unix.Mmap(-1, 0, ublkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	defer unix.Munmap(mem)
	_, err = direct.ReadAt(mem, 0)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, mem))

	require.NoError(t, device.Close())
	require.NoError(t, direct.Close())
	require.Empty(t, s.stop(t, os.Interrupt).stderr)
	require.NoFileExists(t, s.addr)
	require.NoFileExists(t, strings.Replace(s.addr, "ublkb", "ublkc", 1))
	requireContent(t, want, name)
}

// fill writes to a part of the device, and reads some of it again.
func fill(cached, direct *os.File, want []byte, first, n int) error {
	const most = 1 << 20
	mem, err := unix.Mmap(-1, 0, most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	defer unix.Munmap(mem)
	rnd := rand.New(rand.NewPCG(uint64(first), 1))
	for n > 0 {
		f, piece := cached, mem[:min(n, (1+rnd.IntN(most/4096))*4096)]
		if rnd.IntN(2) == 0 {
			f = direct
		}
		pattern(piece, first, first)
		copy(want[first:], piece)
		if _, err := f.WriteAt(piece, int64(first)); err != nil {
			return err
		}
		clear(piece)
		if _, err := f.ReadAt(piece, int64(first)); err != nil {
			return err
		}
		if !bytes.Equal(want[first:first+len(piece)], piece) {
			return fmt.Errorf("the %d bytes at %d are others than were written", len(piece), first)
		}
		first, n = first+len(piece), n-len(piece)
	}
	return nil
}

// A file that has become shorter is an error of the device, and the device goes on.
func TestUblkOfAShortFile(t *testing.T) {
	_, device, name := startUblk(t)
	require.NoError(t, os.Truncate(name, ublkSize/2))
	piece := make([]byte, 4096)
	_, err := device.ReadAt(piece, ublkSize/2)
	require.ErrorIs(t, err, unix.EIO)
	_, err = device.ReadAt(piece, ublkSize/2-4096)
	require.NoError(t, err)
}

// It is stopped while it is written to: writers learn of it, and it ends in order.
func TestUblkStoppedUnderLoad(t *testing.T) {
	s, device, _ := startUblk(t)
	wrote, failed := make(chan bool, 1), make(chan error, 1)
	go func() {
		piece := make([]byte, 64<<10)
		for at := int64(0); ; at = (at + 64<<10) % ublkSize {
			if _, err := device.WriteAt(piece, at); err != nil {
				failed <- err
				return
			}
			if err := device.Sync(); err != nil {
				failed <- err
				return
			}
			select {
			case wrote <- true:
			default:
			}
		}
	}()
	<-wrote
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
	select {
	case err := <-failed:
		require.Error(t, err)
	case <-time.After(runFor):
		require.FailNow(t, "the writer hangs")
	}
}
