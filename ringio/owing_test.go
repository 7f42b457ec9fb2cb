//go:build linux

package ringio

import (
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A thread that has requests in the kernel does not sit in an fsync; others do, which costs
// less than a worker.
func TestSyncOfAThreadThatOwes(t *testing.T) {
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	f, err := e.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	bySync := func() (submitted uint64) {
		before := ring.snapshot().submitted
		require.NoError(t, f.Sync())
		return ring.snapshot().submitted - before
	}
	require.Zero(t, bySync(), "there is nothing in flight")

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rd, wr := testPipe(t)
	o := ring.acquire()
	o.entry().PrepPollAdd(rd, unix.POLLIN)
	ring.mu.Lock()
	require.NoError(t, ring.stage(o))
	ring.turn(math.MaxInt)
	ring.mu.Unlock()
	require.EqualValues(t, 1, bySync(), "by the thread that has submitted")
	elsewhere := make(chan uint64)
	go func() { elsewhere <- bySync() }()
	require.Zero(t, <-elsewhere, "by another thread")

	_, err = unix.Write(wr, []byte("x"))
	require.NoError(t, err)
	res, _ := ring.wait(o, nil)
	require.EqualValues(t, unix.POLLIN, res)
	ring.release(o)
	require.Zero(t, bySync(), "there is nothing in flight any more")
}

func TestOwing(t *testing.T) {
	var w owing
	require.False(t, w.owes(1))
	first, second := w.more(1), w.more(2)
	require.NotEqual(t, first, second)
	require.Equal(t, first, w.more(1))
	w.less(first)
	require.True(t, w.owes(1))
	w.less(first)
	require.False(t, w.owes(1))
	require.True(t, w.owes(2))
	require.Equal(t, first, w.more(3), "a place that is free")

	var places []uint8
	for thread := range int32(2 * len(w)) { // more than there are places
		places = append(places, w.more(100+thread))
	}
	for thread := range int32(2 * len(w)) {
		require.True(t, w.owes(100+thread))
	}
	for _, place := range append(places, first, second) {
		w.less(place)
	}
	for thread := range int32(200) {
		require.False(t, w.owes(thread))
	}
}
