package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

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
