package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newTransfer returns a transfer of a file with that content, and a function that returns
// what the copy has.
func newTransfer(t *testing.T, content []byte) (*transfer, func() []byte) {
	t.Helper()
	ring, err := newCpRing()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ring.close()) })
	dir := t.TempDir()
	in, err := os.Open(newFile(t, filepath.Join(dir, "from"), content))
	require.NoError(t, err)
	out, err := os.Create(filepath.Join(dir, "to"))
	require.NoError(t, err)
	t.Cleanup(func() { in.Close(); out.Close() })
	size := int64(len(content))
	return &transfer{
		cpRing: ring, ctx: context.Background(), bar: &progress{}, in: int(in.Fd()), out: int(out.Fd()),
		size: size, ended: size, whole: size,
	}, func() []byte { return read(t, out.Name()) }
}

// Not every file system can map its files.
func TestCpWithoutMapping(t *testing.T) {
	content := randomBytes(cpDepth*cpBlock + 17)
	copying, copied := newTransfer(t, content)
	copying.unmapped = true
	n, err := copying.run()
	require.NoError(t, err)
	require.EqualValues(t, len(content), n)
	same(t, content, copied())
}

// What is in /sys may be a device's memory.
func TestCpMapsOnlyWhatIsStored(t *testing.T) {
	var file, device unix.Stat_t
	require.NoError(t, unix.Stat(newFile(t, filepath.Join(t.TempDir(), "f"), randomBytes(cpBlock)), &file))
	require.True(t, isStored(&file))
	if unix.Stat("/sys/kernel/uevent_seqnum", &device) != nil {
		t.Skip("there is no /sys")
	}
	require.False(t, isStored(&device))
}

// Where memory has nothing, because the disk fails or the file has become shorter, the rest
// is read: that works, or tells why not.
func TestCpReadsWhatMemoryDoesNotHave(t *testing.T) {
	content := randomBytes(cpMapped + cpBlock + 17)
	copying, copied := newTransfer(t, content)
	buf, _ := copying.pool.Get()
	nothing, err := unix.Mmap(-1, 0, cpMapped, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	copying.next, copying.end = cpMapped, copying.size
	(&block{transfer: copying, buf: buf, rest: nothing, mapped: nothing}).write()
	require.NoError(t, copying.loop.RunUntilIdle(context.Background()))
	require.NoError(t, copying.err)
	same(t, content, copied())
}

// Data of which somebody makes a hole while it is looked for does not end the copy.
func TestNextDataBesidePunches(t *testing.T) {
	const size = 64 << 10
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(randomBytes(size))
	require.NoError(t, err)
	fd, over, stopped := int(f.Fd()), make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		page := randomBytes(4096)
		for {
			select {
			case <-over:
				return
			default:
				unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
				unix.Pwrite(fd, page, 0)
			}
		}
	}()
	defer func() { close(over); <-stopped }()
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		from, to, err := nextData(fd, 0, size)
		require.NoError(t, err)
		require.Less(t, from, to)
	}
}
