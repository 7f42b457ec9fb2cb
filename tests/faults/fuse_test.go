//go:build linux

package faults_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A disk that hangs when it is told to: a block device, whose bytes lie in a file, whose
// file system is a process of its own (FUSE). What waits for a block device waits without
// a way out, as for a disk; and were it in one process with who waits, a kill would have
// both wait for each other for ever.

func init() { programs["disk"] = serveDisk }

const diskSize = 64 << 20

// hangingDisk is the test's side of it.
type hangingDisk struct {
	t      *testing.T
	device string
	orders io.Writer
	says   *bufio.Reader
}

// order has it hang, or go on, and returns when it does.
func (d *hangingDisk) order(what string) {
	_, err := fmt.Fprintln(d.orders, what)
	require.NoError(d.t, err)
	line, err := d.says.ReadString('\n')
	require.NoError(d.t, err)
	require.Equal(d.t, what+"\n", line)
}

// newHangingDisk starts the process and makes the device.
func newHangingDisk(t *testing.T) *hangingDisk {
	if os.Getuid() != 0 {
		t.Skip("only root makes disks")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := program(ctx, "disk", dir)
	orders, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	says := bufio.NewReader(out)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { endDisk(cmd, orders, cancel) })
	line, err := says.ReadString('\n')
	if line != "ready\n" {
		t.Skipf("there is no FUSE: %s %v", line, err)
	}
	return &hangingDisk{t, loopDevice(t, filepath.Join(dir, "disk")), orders, says}
}

func endDisk(cmd *exec.Cmd, orders io.Closer, cancel context.CancelFunc) {
	orders.Close()
	cmd.Wait()
	cancel()
}

// serveDisk is the process.
func serveDisk() int {
	dir := os.Args[1]
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fatal(err)
	}
	if err := unix.Mount("disk", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)); err != nil {
		return fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	d := &disk{fd: fd, bytes: make([]byte, diskSize)}
	go d.serve()
	fmt.Println("ready")
	hangs := false
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch hang := lines.Text() == "hang"; {
		case hang && !hangs:
			d.hanging.Lock()
			hangs = true
		case !hang && hangs:
			d.hanging.Unlock()
			hangs = false
		}
		fmt.Println(lines.Text())
	}
	return 0
}

// disk is a file system with one file.
type disk struct {
	fd      int
	bytes   []byte
	hanging sync.RWMutex
}

// Operations of FUSE.
const (
	fuseLookup      = 1
	fuseForget      = 2
	fuseGetattr     = 3
	fuseSetattr     = 4
	fuseOpen        = 14
	fuseRead        = 15
	fuseWrite       = 16
	fuseRelease     = 18
	fuseFsync       = 20
	fuseFlush       = 25
	fuseInit        = 26
	fuseInterrupt   = 36
	fuseBatchForget = 42
)

const (
	fuseInHeader = 40
	fuseInWrite  = 40
	fuseMaxWrite = 128 << 10
	rootNode     = 1
	diskNode     = 2
)

func (d *disk) serve() {
	for {
		buf := make([]byte, fuseMaxWrite+4096)
		n, err := unix.Read(d.fd, buf)
		switch err {
		case nil:
			go d.handle(buf[:n])
		case unix.EINTR, unix.ENOENT, unix.EAGAIN:
		default:
			return // it has been unmounted
		}
	}
}

func (d *disk) handle(in []byte) {
	op, unique, node := u32(in, 4), binary.NativeEndian.Uint64(in[8:]), binary.NativeEndian.Uint64(in[16:])
	if op == fuseForget || op == fuseBatchForget || op == fuseInterrupt {
		return
	}
	errno, body := d.answer(op, node, in[fuseInHeader:])
	out := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
	out = binary.NativeEndian.AppendUint32(out, uint32(-int32(errno)))
	out = binary.NativeEndian.AppendUint64(out, unique)
	unix.Write(d.fd, append(out, body...))
}

func u32(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }

func (d *disk) answer(op uint32, node uint64, in []byte) (unix.Errno, []byte) {
	switch op {
	case fuseInit:
		out := make([]byte, 64)
		binary.NativeEndian.PutUint32(out, 7)
		binary.NativeEndian.PutUint32(out[4:], 31)
		binary.NativeEndian.PutUint32(out[20:], fuseMaxWrite)
		return 0, out
	case fuseLookup:
		if strings.TrimRight(string(in), "\x00") != "disk" {
			return unix.ENOENT, nil
		}
		out := make([]byte, 40)
		binary.NativeEndian.PutUint64(out, diskNode)
		return 0, append(out, attributes(diskNode)...)
	case fuseGetattr, fuseSetattr:
		return 0, append(make([]byte, 16), attributes(node)...)
	case fuseOpen:
		out := make([]byte, 16)
		out[8] = 1 // without a page cache
		return 0, out
	case fuseRelease, fuseFlush:
		return 0, nil
	}
	d.hanging.RLock() // what comes to the disk itself
	defer d.hanging.RUnlock()
	switch op {
	case fuseRead:
		off, size := binary.NativeEndian.Uint64(in[8:]), u32(in, 16)
		return 0, d.bytes[off:min(off+uint64(size), diskSize)]
	case fuseWrite:
		off, size := binary.NativeEndian.Uint64(in[8:]), u32(in, 16)
		copy(d.bytes[off:], in[fuseInWrite:][:size])
		return 0, binary.NativeEndian.AppendUint64(nil, uint64(size))
	case fuseFsync:
		return 0, nil
	}
	return unix.ENOSYS, nil
}

// attributes is struct fuse_attr.
func attributes(node uint64) []byte {
	out := make([]byte, 88)
	binary.NativeEndian.PutUint64(out, node)
	mode := uint32(unix.S_IFDIR | 0o700)
	if node == diskNode {
		mode = unix.S_IFREG | 0o600
		binary.NativeEndian.PutUint64(out[8:], diskSize)
	}
	binary.NativeEndian.PutUint32(out[60:], mode)
	binary.NativeEndian.PutUint32(out[64:], 1)
	return out
}
