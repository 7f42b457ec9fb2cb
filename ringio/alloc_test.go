//go:build linux

package ringio

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What a file does again and again allocates nothing, whichever way it goes.
func TestFilesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector pools forget at random")
	}
	e := busyEngine(t, Options{})
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	synced, err := e.OpenFile(f.Name(), unix.O_RDWR|unix.O_DSYNC, 0)
	require.NoError(t, err)
	defer synced.Close()
	idle, err := ownEngine(t, Options{}).OpenFile(f.Name(), unix.O_RDWR, 0)
	require.NoError(t, err)
	defer idle.Close()
	logFile, err := e.Create(f.Name() + ".log")
	require.NoError(t, err)
	defer logFile.Close()
	log, err := NewAppender(logFile)
	require.NoError(t, err)
	b := make([]byte, 4096)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	vector := [][]byte{b[:10], b[10:30]}
	batch := make([]ReadRequest, 10)
	for i := range batch {
		batch[i] = ReadRequest{File: f, Buf: b, Off: 0}
	}
	hopelessly := func(run func() error) func() error {
		return func() error {
			f.disk.score.Store(hopeless)
			return run()
		}
	}
	for name, run := range map[string]func() error{
		"read from the cache":    func() error { _, err := f.ReadAt(b, 0); return err },
		"read by the ring":       hopelessly(func() error { _, err := f.ReadAt(b, 0); return err }),
		"read with a context":    hopelessly(func() error { _, err := f.ReadAtContext(ctx, b, 0); return err }),
		"vectored by the ring":   hopelessly(func() error { _, err := f.ReadVAt(vector, 0); return err }),
		"write to the cache":     func() error { _, err := f.WriteAt(b, 0); return err },
		"write by the ring":      func() error { _, err := synced.WriteAt(b, 0); return err },
		"vectored write by ring": func() error { _, err := synced.WriteVAt(vector, 0); return err },
		"batch":                  func() error { return ReadBatch(batch) },
		"read at the position":   func() error { f.Seek(0, 0); _, err := f.Read(b); return err },
		"write at the position":  func() error { f.Seek(0, 0); _, err := f.Write(b); return err },
		"string":                 func() error { f.Seek(0, 0); _, err := f.WriteString("text"); return err },
		"sync by the ring":       f.Sync,
		"sync of the data":       f.SyncData,
		"sync with a context":    func() error { return f.SyncContext(ctx) },
		"plain sync":             idle.Sync,
		"append":                 func() error { _, err := log.Append(b[:512]); return err },
	} {
		_, err := f.WriteAt(b, 0)
		require.NoError(t, err)
		require.NoError(t, run())
		got := testing.AllocsPerRun(100, func() {
			if err := run(); err != nil {
				panic(err)
			}
		})
		require.Zero(t, got, name)
	}
}

// The end of a request that is cancelled allocates nothing.
func TestCancelsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector pools forget at random")
	}
	e := testEngine(t, Options{})
	r, _ := testPipe(t)
	b := make([]byte, 1)
	require.Less(t, testing.AllocsPerRun(200, func() {
		o := e.acquire()
		o.hold(b)
		o.entry().PrepRead(r, b, 0)
		if e.submit(o) != nil {
			panic("closed")
		}
		e.cancel(o)
		e.wait(o, nil)
		e.release(o)
	}), 0.5)
}
