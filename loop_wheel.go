package liburing

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"
)

// wheel keeps the timers of a loop: a hierarchical timing wheel, in which to arm, to
// stop and to put off a timer costs the same however many there are.
//
// A level has 64 slots, each of which is as long as all of the level below; those of the
// lowest are a tick long. A timer lies on the level of the highest digit in which its
// tick differs from the hand's, in the slot that this digit names: so each slot is ahead
// of the hand, and the first one that is in use on the lowest level in use is the
// earliest. When the hand reaches a slot of a higher level its timers go down. What is
// due is sorted by its exact time.
//
// A timer that is put off stays where it is until the hand comes by.
//
// (A 4-ary heap was measured beside it: a reset was twice as dear with 1,000 timers, and
// three times with a million.)
type wheel struct {
	pending int           // timers, those of the loop's own among them
	inner   int           // those
	next    time.Duration // none is due before
	stale   bool          // next may be too early by now

	hand   uint64 // the tick up to which all has been dealt with, itself in part
	seq    uint32
	levels uint8 // which are in use
	used   [wheelLevels]uint64
	slots  *[wheelSlots]timerList // nil until there is a timer
	due    timerList              // in the order in which they are to be called
	sorted []*Timer               // what sort works on
}

const (
	tickBits    = 16 // a tick is 66 µs
	slotBits    = 6
	slotMask    = 1<<slotBits - 1
	wheelLevels = (64 - tickBits) / slotBits
	wheelSlots  = wheelLevels << slotBits

	never = time.Duration(math.MaxInt64)
)

// Where a timer is: placeNone, placeDue, or in the slot of that number less one.
const (
	placeNone = 0
	placeDue  = wheelSlots + 1
)

func tickOf(when time.Duration) uint64 { return uint64(when) >> tickBits }

// timerList is a list that its timers are links of.
type timerList struct{ first, last *Timer }

func (s *timerList) push(t *Timer) {
	t.prev, t.next = s.last, nil
	if s.last != nil {
		s.last.next = t
	} else {
		s.first = t
	}
	s.last = t
}

func (s *timerList) remove(t *Timer) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		s.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		s.last = t.prev
	}
	t.prev, t.next = nil, nil
}

// all yields the timers, which may be taken out or filed elsewhere meanwhile.
func (s *timerList) all(yield func(*Timer) bool) {
	for t := s.first; t != nil; {
		next := t.next
		if !yield(t) {
			return
		}
		t = next
	}
}

// add has a timer be due at t.when.
func (w *wheel) add(t *Timer) {
	if w.slots == nil {
		w.slots = new([wheelSlots]timerList)
	}
	if w.pending == 0 {
		w.next, w.stale = never, false
	}
	w.pending++
	if t.inner {
		w.inner++
	}
	w.number(t)
	w.file(t)
	if t.when < w.next {
		w.next, w.stale = t.when, false
	}
}

// number says where a timer is in the order of those that are due at the same time.
func (w *wheel) number(t *Timer) {
	w.seq++
	t.seq = w.seq
}

// file puts a timer into its slot.
func (w *wheel) file(t *Timer) {
	level, slot := w.slotOf(t.when)
	w.used[level] |= 1 << slot
	w.levels |= 1 << level
	place := level<<slotBits | slot
	t.place = uint16(place + 1)
	w.slots[place].push(t)
}

// slotOf returns where a timer of a time belongs.
func (w *wheel) slotOf(when time.Duration) (level, slot int) {
	tick := max(tickOf(when), w.hand)
	if differ := tick ^ w.hand; differ != 0 {
		level = (bits.Len64(differ) - 1) / slotBits
	}
	return level, int(tick>>(slotBits*level)) & slotMask
}

// remove takes out a timer that is pending.
func (w *wheel) remove(t *Timer) {
	w.unfile(t)
	w.pending--
	if t.inner {
		w.inner--
	}
	w.leftAt(t.when)
}

// leftAt is told of a time at which a timer is due no more.
func (w *wheel) leftAt(when time.Duration) { w.stale = w.stale || when == w.next }

func (w *wheel) unfile(t *Timer) {
	place := int(t.place) - 1
	t.place = placeNone
	if place == placeDue-1 {
		w.due.remove(t)
		return
	}
	w.slots[place].remove(t)
	if w.slots[place].first == nil {
		w.unuse(place>>slotBits, place&slotMask)
	}
}

func (w *wheel) unuse(level, slot int) {
	w.used[level] &^= 1 << slot
	if w.used[level] == 0 {
		w.levels &^= 1 << level
	}
}

// putOff has a timer be due at when. It reports false, and does nothing, if the timer
// has to be taken out and added anew for that.
func (w *wheel) putOff(t *Timer, when time.Duration) bool {
	if t.place == placeNone || t.place == placeDue || when < t.when {
		return false
	}
	w.leftAt(t.when)
	t.when = when
	w.number(t)
	return true
}

// earliest returns the first slot in use, and its first tick. There must be one.
func (w *wheel) earliest() (level, slot int, tick uint64) {
	level = bits.TrailingZeros8(w.levels)
	slot = bits.TrailingZeros64(w.used[level])
	shift := slotBits * level
	return level, slot, w.hand>>(shift+slotBits)<<(shift+slotBits) | uint64(slot)<<shift
}

// turn moves the hand on, and what is due to the end of w.due. The caller calls settle
// when it has dealt with that; until then the next look is to be at once.
func (w *wheel) turn(now time.Duration) {
	w.next, w.stale = 0, false
	target := tickOf(now)
	for w.levels != 0 {
		level, slot, tick := w.earliest()
		if tick > target {
			break
		}
		list := w.slots[level<<slotBits|slot]
		w.slots[level<<slotBits|slot] = timerList{}
		w.unuse(level, slot)
		w.hand = tick
		if level == 0 {
			w.takeDue(list, now)
			if tick == target {
				break // what is left of it is not due
			}
			continue
		}
		for t := range list.all {
			w.file(t)
		}
	}
	w.hand = target
}

// takeDue moves what is due of a tick to the end of w.due, in its order, and files the
// rest anew.
func (w *wheel) takeDue(list timerList, now time.Duration) {
	var due timerList
	ordered := true
	for t := range list.all {
		if t.when > now || tickOf(t.when) > w.hand { // it was put off
			w.file(t)
			continue
		}
		ordered = ordered && (due.last == nil || due.last.before(t))
		due.push(t)
	}
	if !ordered {
		w.sort(&due)
	}
	for t := range due.all {
		t.place = placeDue
		w.due.push(t)
	}
}

// sort sorts a list.
func (w *wheel) sort(list *timerList) {
	for t := range list.all {
		w.sorted = append(w.sorted, t)
	}
	slices.SortFunc(w.sorted, func(a, b *Timer) int {
		return cmp.Or(cmp.Compare(a.when, b.when), int(int32(a.seq-b.seq)))
	})
	*list = timerList{}
	for _, t := range w.sorted {
		list.push(t)
	}
	clear(w.sorted)
	w.sorted = w.sorted[:0]
}

// before reports whether a timer is to be called before another.
func (t *Timer) before(other *Timer) bool {
	return t.when < other.when || t.when == other.when && int32(t.seq-other.seq) < 0
}

// fewTimers is how many timers of a slot are looked at to know when the first is due.
// With more the hand comes by when the slot begins, which it has to in any case.
const fewTimers = 8

// settle finds out when the next timer is due.
func (w *wheel) settle() {
	w.next, w.stale = never, false
	if w.due.first != nil {
		w.next = 0
		return
	}
	for w.levels != 0 && w.next == never {
		w.next = w.firstOf(w.earliest())
	}
}

// firstOf returns when the first timer of the earliest slot is due. Those that were put
// off to a later one go there; if none is left the result is never.
func (w *wheel) firstOf(level, slot int, tick uint64) time.Duration {
	first, seen := never, 0
	for t := range w.slots[level<<slotBits|slot].all {
		if l, s := w.slotOf(t.when); l != level || s != slot {
			w.unfile(t)
			w.file(t)
			continue
		}
		first = min(first, t.when)
		if seen++; seen > fewTimers && level > 0 {
			return time.Duration(tick << tickBits)
		}
	}
	return first
}

// clear takes out all timers.
func (w *wheel) clear() {
	w.due.forget()
	for w.levels != 0 {
		level, slot, _ := w.earliest()
		w.slots[level<<slotBits|slot].forget()
		w.unuse(level, slot)
	}
	*w = wheel{hand: w.hand, next: never}
}

func (s *timerList) forget() {
	for t := range s.all {
		t.place, t.prev, t.next = placeNone, nil, nil
	}
	*s = timerList{}
}
