//go:build linux

package ringio

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Where others compute it is long until the pump runs again: it tells all who wait, however
// many these are.
func TestPumpWhereOthersCompute(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n = 32 * mostAtOnce
	ring := ownEngine(t, Options{}).rings[0]
	rd, wr := testPipe(t)
	var others, all sync.WaitGroup
	var stop atomic.Bool
	defer others.Wait()
	defer stop.Store(true)
	for range 2 {
		others.Go(func() {
			for !stop.Load() {
			}
		})
	}
	for range n {
		o := ring.acquire()
		o.entry().PrepPollAdd(rd, unix.POLLIN)
		require.NoError(t, ring.stage(o))
		all.Go(func() {
			ring.wait(o, nil)
			ring.release(o)
		})
	}
	require.Eventually(t, func() bool {
		ring.kick()
		return ring.snapshot().inFlight == n
	}, time.Minute, time.Millisecond)

	told := make(chan struct{})
	go func() {
		all.Wait()
		close(told)
	}()
	_, err := unix.Write(wr, []byte("x"))
	require.NoError(t, err)
	for turns := 0; ; turns++ { // as many as the pump has
		select {
		case <-told:
			require.Less(t, turns, n/mostAtOnce/2)
			return
		default:
			runtime.Gosched()
		}
	}
}

// However much is to be submitted and told, a turn tells a bounded part of it: those whom
// it wakes are to run.
func TestTurnsAreBounded(t *testing.T) {
	const n = 1000 // several of the ring's queues
	ring := ownEngine(t, Options{}).rings[0]
	ops := make([]*op, n)
	ring.mu.Lock()
	for i := range ops {
		ops[i] = ring.acquire()
		ops[i].entry().PrepNop()
		require.NoError(t, ring.stage(ops[i]))
	}
	ring.turn(mostAtOnce)
	counts := ring.counts
	ring.mu.Unlock()
	require.EqualValues(t, n, counts.submitted)
	require.EqualValues(t, mostAtOnce, counts.completed)

	// The pump sleeps: whoever drives has the rest told, too.
	ring.drive()
	for _, o := range ops {
		ring.wait(o, nil)
		ring.release(o)
	}
}

// What several writes put into a box is what is sent, whether little or much.
func TestBoxful(t *testing.T) {
	for _, size := range []int{1, 64, 240, 241, 1000, boxSize} {
		var want []byte
		box := boxfuls.Get().(*boxful)
		for i := 0; ; i++ {
			p := bytes.Repeat([]byte{byte(i + 1)}, size)
			if !box.add(p) {
				break
			}
			want = append(want, p...)
			require.Equal(t, want, box.all()[:box.n], size)
		}
		require.Len(t, want, boxSize/size*size)
		box.release()
	}
}
