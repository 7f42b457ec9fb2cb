//go:build linux

package ringio

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// few tells whether so few connections have something to say at a time that a ring has
// little to do together. Each then waits in the runtime's poller, as polled does, and reads
// and writes by plain calls: a turn of the pump costs more than those of a handful.
//
// On the ring the pump sees how many it wakes in a turn, and how many writes of theirs go to
// the kernel in one. In the poller nobody sees that, but how many are busy at the same time,
// whether they leave the processor no rest, and how often they write.
type few struct {
	not   atomic.Bool // there are many
	turns int         // of the pump that have woken somebody since its last look; the ring is locked
	woken int         // goroutines in these
	saved int         // sends that were spared because writes went together
	pace  pace        // looks for which there are not few again, whatever the pump sees

	mu     sync.Mutex
	all    map[*polled]struct{} // those in the poller
	looks  uint64               // of theirs, ever
	window uint64               // how many windows of looks there were
	first  uint64               // looks before the present one
	since  time.Time            // it began
	busy   int                  // how many of them have looked in it
	talk   int                  // how many of these write again and again between two reads
	proven bool                 // that there are many: they have said so since the pump's last look
	swept  time.Time            // when there was no room last, and silent ones had to leave
	room   int                  // how many may be in the poller
	scarce time.Time            // until when none comes, as there were no descriptors left
	closed bool                 // the engine is being shut down: none comes any more; who writes has the ring, too
}

// The figures are of servers of small messages and of net/http, with one connection to 256.
const (
	fewTurns  = 64                    // of the pump between two looks
	fewWoken  = 5                     // goroutines a turn at most, by the average
	manyWoken = 10                    // at least; between the two it stays as it is
	fewReads  = 32                    // of one in the poller between two looks
	fewLooks  = 64                    // of all of them in a window
	fewBusy   = 20                    // how many have looked in a window, at most,
	fewPause  = 15 * time.Microsecond // unless a read comes so seldom
	fewPolled = 256                   // in the poller at most: each has two descriptors,
	fewShare  = 8                     // and they take one part of so many that the process may have
	fewScarce = time.Minute           // for which none comes when descriptors were scarce
	fewSilent = time.Second           // without a read, then others may have the place,
	fewLeave  = 16                    // so many of them at a time
	talkative = 2                     // writes a read, of one that gains by sending them together
)

// are reports whether there are few.
func (f *few) are() bool { return !f.not.Load() }

// woke says how many goroutines a turn has woken. The ring is locked.
func (f *few) woke(n int) {
	if n == 0 {
		return
	}
	f.woken += n
	if f.turns++; f.turns < fewTurns {
		return
	}
	each, gain := f.woken/f.turns, f.saved >= f.woken
	f.turns, f.woken, f.saved = 0, 0, 0
	f.pace.took(f.takeProof())
	switch rests := f.pace.rests(); {
	case each >= manyWoken || gain:
		f.not.Store(true)
	case each < fewWoken && !rests && !f.closed:
		f.not.Store(false)
	}
}

// takeProof reports whether those in the poller have said that there are many.
func (f *few) takeProof() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	proven := f.proven
	f.proven = false
	return proven
}

// look is what each in the poller does from time to time, and says whether it talks. It
// returns how many looks there were, all in all.
func (f *few) look(p *polled, now time.Time, talks bool) (looks uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.has(p) {
		p.window, p.talks = f.window+1, false
		f.busy++
	}
	f.looks++
	f.setTalks(p, talks)
	switch full := f.looks-f.first == fewLooks; {
	case f.talk >= crowdSize, full && f.busy > fewBusy && now.Sub(f.since) < fewLooks*fewReads*fewPause:
		f.prove()
		fallthrough
	case full:
		f.window, f.first, f.since, f.busy, f.talk = f.window+1, f.looks, now, 0, 0
	}
	return f.looks
}

// has reports whether p has looked in the present window: who falls silent says nothing in
// the next one.
func (f *few) has(p *polled) bool { return p.window == f.window+1 }

func (f *few) prove() {
	f.proven = true
	f.not.Store(true)
}

func (f *few) setTalks(p *polled, talks bool) {
	switch {
	case talks && !p.talks:
		f.talk++
	case !talks && p.talks:
		f.talk--
	}
	p.talks = talks
}

// add takes p to those in the poller, if it has room.
func (f *few) add(p *polled) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) >= f.room || f.closed || f.isScarce() {
		return false
	}
	if f.all == nil {
		f.all = map[*polled]struct{}{}
	}
	f.all[p] = struct{}{}
	p.used.Store(true)
	return true
}

// full reports whether it has no room. Thousands may be silent: those leave that have read
// nothing since it was full the last time, a while ago.
func (f *few) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isScarce() {
		return true
	}
	if len(f.all) < f.room {
		return false
	}
	if now := time.Now(); now.Sub(f.swept) >= fewSilent {
		f.swept = now
		f.sweep()
	}
	return len(f.all) >= f.room
}

// pollerRoom is how many may be in the poller where the process may have so many descriptors.
func pollerRoom() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur/fewShare, fewPolled))
}

func (f *few) isScarce() bool { return !f.scarce.IsZero() && time.Now().Before(f.scarce) }

// giveBack has all leave, for a while, whose second descriptors the process needs for
// something else. It reports whether there were some.
func (f *few) giveBack() bool {
	if f.none() {
		return false
	}
	f.mu.Lock()
	f.scarce = time.Now().Add(fewScarce)
	f.mu.Unlock()
	f.end()
	return true
}

func (f *few) sweep() {
	left := fewLeave
	for p := range f.all {
		if left > 0 && !p.used.Swap(false) {
			f.drop(p)
			left--
		}
	}
}

// remove has p not be in the poller any more.
func (f *few) remove(p *polled) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(p)
}

func (f *few) drop(p *polled) {
	delete(f.all, p)
	if f.has(p) {
		f.setTalks(p, false)
	}
	p.file.Close() // if it is not
}

// close has none come any more, and who has read leave: its next wait the ring refuses. The
// ring is locked.
func (f *few) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.not.Store(true)
}

// end has none be in the poller: who waits looks up.
func (f *few) end() { f.endIf(func(*polled) bool { return true }) }

// endUnread is end of those that nobody reads.
func (f *few) endUnread() { f.endIf(func(p *polled) bool { return !p.waits.Load() }) }

func (f *few) endIf(is func(*polled) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range f.all {
		if is(p) {
			f.drop(p)
		}
	}
}

// none reports whether none is in the poller.
func (f *few) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all) == 0
}
