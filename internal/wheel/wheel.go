// Package wheel keeps the timers of a loop in their order.
package wheel

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Wheel is a hierarchical timing wheel, in which adding, removing and postponing a
// timer cost the same however many there are. The zero Wheel is an empty one, whose
// time is 0.
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
type Wheel struct {
	Pending int           // timers, read only
	Inner   int           // those of them that are Inner, read only
	Next    time.Duration // none is due before, read only
	Stale   bool          // Next may be too early by now, until Settle; read only

	hand   uint64 // the tick up to which all has been dealt with, itself in part
	seq    uint32
	levels uint8 // which are in use
	used   [wheelLevels]uint64
	slots  *[wheelSlots]list // nil until there is a timer
	due    list              // in the order in which they are to be called
	sorted []*Timer          // what sort works on
}

// Timer is a timer as the wheel has it.
type Timer struct {
	When  time.Duration // when it is due; to be changed only while it is not pending
	Inner bool          // it is counted apart

	place uint16
	seq   uint32
	next  *Timer // in its list
	prev  *Timer
}

// Pending reports whether the timer is in the wheel.
func (t *Timer) Pending() bool { return t.place != placeNone }

const (
	tickBits    = 16 // a tick is 66 µs
	slotBits    = 6
	slotMask    = 1<<slotBits - 1
	wheelLevels = (64 - tickBits) / slotBits
	wheelSlots  = wheelLevels << slotBits

	// Never is the time of no timer.
	Never = time.Duration(math.MaxInt64)
)

// Where a timer is: placeNone, placeDue, or in the slot of that number less one.
const (
	placeNone = 0
	placeDue  = wheelSlots + 1
)

func tickOf(when time.Duration) uint64 { return uint64(when) >> tickBits }

// list is a list that its timers are links of.
type list struct{ first, last *Timer }

func (s *list) push(t *Timer) {
	t.prev, t.next = s.last, nil
	if s.last != nil {
		s.last.next = t
	} else {
		s.first = t
	}
	s.last = t
}

func (s *list) remove(t *Timer) {
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
func (s *list) all(yield func(*Timer) bool) {
	for t := s.first; t != nil; {
		next := t.next
		if !yield(t) {
			return
		}
		t = next
	}
}

// Add has a timer that is not pending be due at t.When.
func (w *Wheel) Add(t *Timer) {
	if w.slots == nil {
		w.slots = new([wheelSlots]list)
	}
	if w.Pending == 0 {
		w.Next, w.Stale = Never, false
	}
	w.Pending++
	if t.Inner {
		w.Inner++
	}
	w.number(t)
	w.file(t)
	if t.When < w.Next {
		w.Next, w.Stale = t.When, false
	}
}

// number says where a timer is in the order of those that are due at the same time.
func (w *Wheel) number(t *Timer) {
	w.seq++
	t.seq = w.seq
}

// file puts a timer into its slot.
func (w *Wheel) file(t *Timer) {
	level, slot := w.slotOf(t.When)
	w.used[level] |= 1 << slot
	w.levels |= 1 << level
	place := level<<slotBits | slot
	t.place = uint16(place + 1)
	w.slots[place].push(t)
}

// slotOf returns where a timer of a time belongs.
func (w *Wheel) slotOf(when time.Duration) (level, slot int) {
	tick := max(tickOf(when), w.hand)
	if differ := tick ^ w.hand; differ != 0 {
		level = (bits.Len64(differ) - 1) / slotBits
	}
	return level, int(tick>>(slotBits*level)) & slotMask
}

// Remove takes out a timer that is pending.
func (w *Wheel) Remove(t *Timer) {
	w.unfile(t)
	w.Pending--
	if t.Inner {
		w.Inner--
	}
	w.leftAt(t.When)
}

// leftAt is told of a time at which a timer is due no more.
func (w *Wheel) leftAt(when time.Duration) { w.Stale = w.Stale || when == w.Next }

func (w *Wheel) unfile(t *Timer) {
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

func (w *Wheel) unuse(level, slot int) {
	w.used[level] &^= 1 << slot
	if w.used[level] == 0 {
		w.levels &^= 1 << level
	}
}

// PutOff has a timer be due at when. It reports false, and does nothing, if the timer
// has to be taken out and added anew for that.
func (w *Wheel) PutOff(t *Timer, when time.Duration) bool {
	if t.place == placeNone || t.place == placeDue || when < t.When {
		return false
	}
	w.leftAt(t.When)
	t.When = when
	w.number(t)
	return true
}

// earliest returns the first slot in use, and its first tick. There must be one.
func (w *Wheel) earliest() (level, slot int, tick uint64) {
	level = bits.TrailingZeros8(w.levels)
	slot = bits.TrailingZeros64(w.used[level])
	shift := slotBits * level
	return level, slot, w.hand>>(shift+slotBits)<<(shift+slotBits) | uint64(slot)<<shift
}

// Turn moves the hand on: what is due by now is removed by the caller, one after another
// (First), who calls Settle then; until then the next look is to be at once.
func (w *Wheel) Turn(now time.Duration) {
	w.Next, w.Stale = 0, false
	target := tickOf(now)
	for w.levels != 0 {
		level, slot, tick := w.earliest()
		if tick > target {
			break
		}
		reached := w.slots[level<<slotBits|slot]
		w.slots[level<<slotBits|slot] = list{}
		w.unuse(level, slot)
		w.hand = tick
		if level == 0 {
			w.takeDue(reached, now)
			if tick == target {
				break // what is left of it is not due
			}
			continue
		}
		for t := range reached.all {
			w.file(t)
		}
	}
	w.hand = target
}

// First returns the first of what is due, nil if nothing is.
func (w *Wheel) First() *Timer { return w.due.first }

// takeDue moves what is due of a tick to the end of w.due, in its order, and files the
// rest anew.
func (w *Wheel) takeDue(slot list, now time.Duration) {
	var due list
	ordered := true
	for t := range slot.all {
		if t.When > now || tickOf(t.When) > w.hand { // it was put off
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
func (w *Wheel) sort(s *list) {
	for t := range s.all {
		w.sorted = append(w.sorted, t)
	}
	slices.SortFunc(w.sorted, func(a, b *Timer) int {
		return cmp.Or(cmp.Compare(a.When, b.When), int(int32(a.seq-b.seq)))
	})
	*s = list{}
	for _, t := range w.sorted {
		s.push(t)
	}
	clear(w.sorted)
	w.sorted = w.sorted[:0]
}

// before reports whether a timer is to be called before another.
func (t *Timer) before(other *Timer) bool {
	return t.When < other.When || t.When == other.When && int32(t.seq-other.seq) < 0
}

// fewTimers is how many timers of a slot are looked at to know when the first is due.
// With more the hand comes by when the slot begins, which it has to in any case.
const fewTimers = 8

// Settle finds out when the next timer is due.
func (w *Wheel) Settle() {
	w.Next, w.Stale = Never, false
	if w.due.first != nil {
		w.Next = 0
		return
	}
	for w.levels != 0 && w.Next == Never {
		w.Next = w.firstOf(w.earliest())
	}
}

// firstOf returns when the first timer of the earliest slot is due. Those that were put
// off to a later one go there; if none is left the result is never.
func (w *Wheel) firstOf(level, slot int, tick uint64) time.Duration {
	first, seen := Never, 0
	for t := range w.slots[level<<slotBits|slot].all {
		if l, s := w.slotOf(t.When); l != level || s != slot {
			w.unfile(t)
			w.file(t)
			continue
		}
		first = min(first, t.When)
		if seen++; seen > fewTimers && level > 0 {
			return time.Duration(tick << tickBits)
		}
	}
	return first
}

// Clear takes out all timers.
func (w *Wheel) Clear() {
	w.due.forget()
	for w.levels != 0 {
		level, slot, _ := w.earliest()
		w.slots[level<<slotBits|slot].forget()
		w.unuse(level, slot)
	}
	*w = Wheel{hand: w.hand, Next: Never}
}

func (s *list) forget() {
	for t := range s.all {
		t.place, t.prev, t.next = placeNone, nil, nil
	}
	*s = list{}
}
