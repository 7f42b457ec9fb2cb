//go:build linux

package ringio

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// turnsOf has the pump wake so many goroutines a turn until it looks.
func (f *few) turnsOf(n int) {
	for range fewTurns {
		f.woke(n)
	}
}

func TestFewByTheTurnsOfThePump(t *testing.T) {
	f := new(few)
	require.True(t, f.are(), "at first")
	f.turnsOf(manyWoken)
	require.False(t, f.are())
	f.turnsOf(fewWoken)
	require.False(t, f.are(), "as it is")
	f.turnsOf(0)
	require.False(t, f.are(), "turns that wake nobody say nothing")
	f.turnsOf(fewWoken - 1)
	require.True(t, f.are())
	f.turnsOf(manyWoken - 1)
	require.True(t, f.are(), "as it is")

	// A few who write again and again gain by a ring.
	f.saved = 2 * fewTurns
	f.turnsOf(2)
	require.False(t, f.are())
	f.saved = 2*fewTurns - 1
	f.turnsOf(2)
	require.True(t, f.are())
}

// looksOf has so many in the poller look by turns, for two windows, at each read's pause.
func (f *few) looksOf(n int, pause time.Duration, talk int) {
	all := make([]polled, n)
	now := time.Now()
	for i := range 2 * fewLooks {
		now = now.Add(fewReads * pause)
		f.look(&all[i%n], now, i%n < talk)
	}
}

func TestFewByThoseInThePoller(t *testing.T) {
	f := new(few)
	f.looksOf(fewBusy, time.Microsecond, 0)
	require.True(t, f.are())
	f.looksOf(fewLooks, 2*fewPause, 0)
	require.True(t, f.are(), "there is time between any two reads")
	f.looksOf(fewBusy, time.Microsecond, crowdSize-1)
	require.True(t, f.are())

	f = new(few)
	f.looksOf(fewBusy+1, time.Microsecond, 0)
	require.False(t, f.are())

	f = new(few)
	f.looksOf(fewBusy, 2*fewPause, crowdSize)
	require.False(t, f.are(), "they write again and again")
}

// Who has stopped to talk, or has gone, does not count.
func TestTalkersAreCounted(t *testing.T) {
	f := &few{room: fewPolled}
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	a, b := &polled{file: file}, new(polled)
	f.add(a)
	for range 3 {
		f.look(a, time.Now(), true)
		f.look(b, time.Now(), true)
		require.Equal(t, 2, f.talk)
	}
	f.look(b, time.Now(), false)
	f.remove(a)
	require.Zero(t, f.talk)
}

// Nor do those who have talked and do not look any more: they may wait for hours.
func TestSilentTalkersAreForgotten(t *testing.T) {
	f := new(few)
	all := make([]polled, crowdSize+1)
	now := time.Now()
	for i := range crowdSize {
		require.True(t, f.are())
		f.look(&all[i], now, true)
	}
	require.False(t, f.are())
	f.not.Store(false)
	for i := range crowdSize - 1 {
		f.look(&all[i], now, true)
	}
	for i := range 3 * fewLooks {
		now = now.Add(time.Second)
		f.look(&all[crowdSize], now, i >= fewLooks)
	}
	require.True(t, f.are())
}

// The pump takes few for many, and those in the poller say the contrary, again and again: each
// time it takes longer.
func TestFewAndManyByTurns(t *testing.T) {
	f := new(few)
	flips := 0
	for range 1000 {
		if f.are() {
			flips++
			f.looksOf(fewBusy+1, time.Microsecond, 0)
			require.False(t, f.are())
		}
		f.turnsOf(1)
	}
	require.Less(t, flips, 30)
	for range 2 * pacePenalty * paceQuick { // that is forgotten
		f.turnsOf(1)
	}
	f.turnsOf(manyWoken)
	f.turnsOf(1)
	require.True(t, f.are())
}

func TestRoomInThePoller(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) })
	for descriptors, room := range map[uint64]int{800: 100, min(limit.Max, 4000): fewPolled} {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: descriptors, Max: limit.Max}))
		require.Equal(t, room, pollerRoom())
	}
}

// A server that has no descriptor left for a connection gets one that it can do without.
func TestAcceptTakesPolledDescriptors(t *testing.T) {
	e := fewEngine(t, Options{})
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ours, theirs := polledPair(t, e)
	waits := waits(t, func() {
		n, err := ours.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	refill := useUpDescriptors(t)
	c, err := l.Accept()
	refill()
	require.NoError(t, err)
	defer c.Close()
	theirs.Write([]byte("x"))
	within(t, func() { <-waits })
	for range 4 * warmReads {
		passByte(t, theirs, ours)
	}
	require.False(t, isPolled(ours), "it has to do without for a while")
}
