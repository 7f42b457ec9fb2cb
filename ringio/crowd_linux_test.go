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

// Handlers that take their time again and again send what they write themselves, for long.
// Where the pump was late once, as in a garbage collection, the crowd is soon there again.
func TestCrowdThatIsSlow(t *testing.T) {
	const quick, slow = 0, 2*crowdRuns + crowdSize*crowdRunsOne
	var c crowd
	writes := 0 // in each turn
	turn := func(took time.Duration) (crowded bool) {
		c.woke(crowdSize)
		crowded = c.here.Load()
		c.took(took, writes)
		return crowded
	}
	// without returns how many turns pass without the crowd.
	without := func(took time.Duration) (turns int) {
		for !turn(took) {
			turns++
		}
		return turns
	}
	require.True(t, turn(quick))
	require.True(t, turn(slow))
	require.Equal(t, 1, without(quick))

	require.True(t, turn(slow))
	longest := 0
	for range 10 {
		longest = without(slow)
	}
	require.Equal(t, pacePenalty, longest)

	without(quick)
	for range pacePenalty * paceQuick {
		require.True(t, turn(quick))
	}
	require.True(t, turn(slow))
	require.Equal(t, 1, without(quick), "what has long been quick is not slow again at once")
	for range paceQuick {
		require.True(t, turn(quick))
	}

	// Who writes more may take longer, if not as long for each write.
	const all = crowdRuns + crowdSize*crowdRunsOne
	writes = 3 * crowdSize
	require.True(t, turn(all+crowdSize*crowdRunsWrite))
	require.True(t, turn(quick))
	require.True(t, turn(all+4*crowdSize*crowdRunsWrite))
	require.False(t, turn(quick))
}

// What several writes put into a box is what is sent, whether little or much.
func TestBoxful(t *testing.T) {
	for _, size := range []int{1, 64, len(boxful{}.small), len(boxful{}.small) + 1, 1000, len(largeBox{}), len(largeBox{}) + 1, boxSize} {
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
