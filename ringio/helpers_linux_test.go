//go:build linux

package ringio

import (
	"math"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// keepBusy has the rings believe that many wait for the disk.
func keepBusy(e *Engine) {
	for _, ring := range e.rings {
		ring.waiters.Add(1)
		ring.syncs.Add(mostPlainSyncs)
	}
}

// keepMany has the rings believe that many connections have something to say, for good.
func keepMany(e *Engine) {
	for _, ring := range e.rings {
		ring.mu.Lock()
		ring.few.not.Store(true)
		ring.few.pace.rest = math.MaxInt
		ring.unlock()
	}
}

func makeFIFO(name string) error { return unix.Mkfifo(name, 0o600) }

// dropCache has the page cache forget a file.
func dropCache(t testing.TB, name string) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Fdatasync(int(f.Fd())))
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}

func bigSlice(t testing.TB, size int) (b []byte, free func()) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	require.NoError(t, err)
	return b, func() { unix.Munmap(b) }
}

var directFlags = []int{os.O_RDWR | unix.O_DIRECT, os.O_RDWR | unix.O_DIRECT | unix.O_DSYNC}

func isDirect(flag int) bool { return flag&unix.O_DIRECT != 0 }

// alignedBytes returns memory that O_DIRECT takes.
func alignedBytes(size int) []byte {
	b := make([]byte, size+4096)
	skip := -int(uintptr(unsafe.Pointer(&b[0]))) & 4095
	return b[skip : skip+size : skip+size]
}

// takesDirect reports whether the file system of a folder knows O_DIRECT.
func takesDirect(dir string) bool {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		panic(err)
	}
	f.Close()
	defer os.Remove(f.Name())
	f, err = os.OpenFile(f.Name(), os.O_RDWR|unix.O_DIRECT, 0)
	if err == nil {
		f.Close()
	}
	return err == nil
}
