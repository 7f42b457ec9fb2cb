package liburing

import "unsafe"

// Token names a request of a loop: it is what the kernel gets as user data, a
// place in the handle table and the place's generation. The zero Token names
// none. A token stays a name for its one request for ever: once that has
// completed, cancelling it finds nothing.
type Token uint64

func newToken(index, gen uint32) Token { return Token(gen)<<32 | Token(index) }

func (t Token) index() uint32 { return uint32(t) }
func (t Token) gen() uint32   { return uint32(t >> 32) }

// handle is a place in the table: the callback of a request in flight, and what
// keeps the memory alive that the kernel may touch until the terminal
// completion.
type handle struct {
	cb   Callback
	mem  unsafe.Pointer // the request's memory, or its *extra
	gen  uint32         // of the token that is valid now; never 0
	next uint32         // the free place behind this free place
	op   Op
	kind handleKind

	group     uint16 // the place of the request's BufGroup, 0 if it has none
	truncated bool   // its results may be more than what is in the buffer (MSG_TRUNC)
}

type handleKind uint8

const (
	kindFree  handleKind = iota
	kindPlain            // mem is the request's buffer
	kindExtra            // mem is an *extra
	kindInner            // the loop's own: not counted as a request in flight
)

// handleTable maps tokens to handles. It grows and never shrinks, and a place
// is used again the moment it is free: nothing is allocated in steady state.
type handleTable struct {
	handles []handle
	free    uint32 // the first free place; len(handles) if there is none
	extras  []*extra
}

// extra is memory for requests that name more than one object, or a value that
// has to live somewhere: it is part of the table's stock.
type extra struct {
	keep [3]unsafe.Pointer
	ts   Timespec
	iov  []Iovec
}

// take reserves a place; the caller fills it. It is small, so that the compiler
// puts it into the one function that calls it for every request.
func (t *handleTable) take() (index uint32, h *handle) {
	index = t.free
	if int(index) >= len(t.handles) {
		t.grow()
	}
	h = &t.handles[index]
	t.free = h.next
	return
}

// grow adds places to a table without a free one.
func (t *handleTable) grow() {
	old := len(t.handles)
	t.handles = append(t.handles, make([]handle, max(64, old))...)
	for i := old; i < len(t.handles); i++ {
		t.handles[i].gen = 1
		t.handles[i].next = uint32(i + 1)
	}
}

// find returns the handle of a token, nil if its request has completed.
func (t *handleTable) find(token Token) *handle {
	i := token.index()
	if uint64(i) >= uint64(len(t.handles)) {
		return nil
	}
	h := &t.handles[i]
	if h.gen != token.gen() || h.kind == kindFree {
		return nil
	}
	return h
}

// release frees the place of a request that has had its terminal completion.
func (t *handleTable) release(index uint32, h *handle) {
	if h.kind == kindExtra {
		t.giveBack((*extra)(h.mem))
	}
	t.vacate(index, h)
}

// vacate is release for a request without an extra.
func (t *handleTable) vacate(index uint32, h *handle) {
	h.cb = nil
	h.mem = nil
	h.kind = kindFree
	h.group = 0
	if h.gen++; h.gen == 0 {
		h.gen = 1
	}
	h.next = t.free
	t.free = index
}

// busy returns the number of places that are not free.
func (t *handleTable) busy() (n int) {
	for i := range t.handles {
		if t.handles[i].kind != kindFree {
			n++
		}
	}
	return n
}

// extra takes an extra from the stock.
func (t *handleTable) extra() *extra {
	if last := len(t.extras) - 1; last >= 0 {
		x := t.extras[last]
		t.extras = t.extras[:last]
		return x
	}
	return new(extra)
}

// giveBack empties an extra and puts it into the stock.
func (t *handleTable) giveBack(x *extra) {
	clear(x.iov)
	*x = extra{iov: x.iov[:0]}
	t.extras = append(t.extras, x)
}

// inFlight calls f for every token whose request has not completed, but for the
// loop's own. f may take further handles.
func (t *handleTable) inFlight(f func(Token)) {
	for i := range t.handles {
		if h := &t.handles[i]; h.kind == kindPlain || h.kind == kindExtra {
			f(newToken(uint32(i), h.gen))
		}
	}
}
