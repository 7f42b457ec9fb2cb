package liburing

import "unsafe"

// Token names a request of a loop: it is the user data that the kernel gets, a place in
// the handle table and the place's generation. The zero Token names none. A token never
// names another request: once its own has completed, cancelling it finds nothing.
//
// A token's highest bit is set. Numbers with that bit clear are free for the program:
// the tags of registered files and buffers, and messages between rings.
type Token uint64

// tokenBit is the bit that tells tokens from other user data.
const tokenBit = firstGen << 32

func newToken(place, gen uint32) Token { return Token(gen)<<32 | Token(place) }

func (t Token) place() uint32 { return uint32(t) }
func (t Token) gen() uint32   { return uint32(t >> 32) }

// handle is the callback of a request in flight, and what keeps the memory alive
// that the kernel may touch until the terminal completion.
type handle struct {
	cb   Callback
	mem  unsafe.Pointer // the request's memory, or its *extra
	op   Op
	kind handleKind

	special bool // there is more to do at a completion than to call cb
	marks   marks
	group   uint16 // the place of the request's BufGroup, 0 if it has none
	pos     uint16 // where its entry is in the submission queue, or was; while it waits, its number in the backlog
}

// marks are what is to be known of a request.
type marks uint8

const (
	markTruncated marks = 1 << iota // its results may be more than what is in the buffer (MSG_TRUNC)
	markLinked                      // the next request is linked to it
	markWaits                       // its entry is in the backlog
)

// moved notes where the entry of a request is now.
func (t *handleTable) moved(userData uint64, waits bool, pos uint16) {
	h := t.handle(Token(userData))
	if h == nil { // a cancel of many (sweepToken)
		return
	}
	h.pos = pos
	h.marks &^= markWaits
	if waits {
		h.marks |= markWaits
	}
}

type handleKind uint8

const (
	_         handleKind = iota // a free place
	kindPlain                   // mem is the request's buffer
	kindInner                   // the loop's own: not counted as a request in flight
	kindExtra                   // mem is an *extra
)

// handleTable maps tokens to handles.
type handleTable struct {
	slots[handle]
	extras []*extra // in stock
	asides []*aside // of the handles that have one, by place
	spare  []*aside // in stock
}

// aside is what few requests have beside their handle.
type aside struct {
	refusal  error // why the request is bad, where the library knows
	watch    *watch
	chain    chain
	deadline *deadline
	limit    *timeLimit // see WithTimeout; it stays with the aside
	made     made       // what the request makes, if it has one of these
	kept     []any      // see Keep
}

// extra is memory for requests that name more than one object, or a value that
// has to live somewhere.
type extra struct {
	keep  [3]unsafe.Pointer
	ts    Timespec
	iov   []Iovec
	fds   []int32 // descriptors as the kernel has them
	fdsOf []int   // and where the caller has them
}

// setFDs has the kernel read and write descriptors in x.fds. What it writes is
// copied to the caller when the request has completed.
func (x *extra) setFDs(fds []int) {
	for _, fd := range fds {
		x.fds = append(x.fds, descriptor(fd))
	}
	x.fdsOf = fds
}

// setPair is setFDs for a pair, which pair returns.
func (x *extra) setPair(fds *[2]int) {
	if fds != nil {
		x.setFDs(fds[:])
	}
}

// pair returns the two descriptors in x.fds, nil if there are none.
func (x *extra) pair() *[2]int32 {
	if len(x.fds) == 0 {
		return nil
	}
	return (*[2]int32)(x.fds)
}

// handle returns the handle of a token, nil if its request has completed.
func (t *handleTable) handle(token Token) *handle {
	if e := t.find(token.place(), token.gen()); e != nil {
		return &e.v
	}
	return nil
}

// drop frees the place of a request that has had its terminal completion.
func (t *handleTable) drop(token Token) {
	place := token.place()
	e := t.find(place, token.gen())
	if e.v.kind == kindExtra {
		t.restock((*extra)(e.v.mem))
	}
	if a := t.aside(token); a != nil {
		a.watch.end()
		a.limit.end()
		clear(a.kept)
		*a = aside{kept: a.kept[:0], limit: a.limit}
		t.spare = append(t.spare, a)
		t.asides[place] = nil
	}
	t.release(place, e)
}

// aside returns what a request has beside its handle, nil if it has nothing.
func (t *handleTable) aside(token Token) *aside {
	if place := int(token.place()); place < len(t.asides) && t.handle(token) != nil {
		return t.asides[place]
	}
	return nil
}

// withAside returns the aside of a request that has not completed.
func (t *handleTable) withAside(token Token) *aside {
	if a := t.aside(token); a != nil {
		return a
	}
	if len(t.asides) < len(t.list) {
		t.asides = append(t.asides, make([]*aside, len(t.list)-len(t.asides))...)
	}
	var a *aside
	if last := len(t.spare) - 1; last >= 0 {
		a, t.spare = t.spare[last], t.spare[:last]
	} else {
		a = new(aside)
	}
	t.asides[token.place()] = a
	t.handle(token).special = true
	return a
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

// restock empties an extra and puts it into the stock.
func (t *handleTable) restock(x *extra) {
	for i := range x.fdsOf {
		x.fdsOf[i] = int(x.fds[i])
	}
	clear(x.iov)
	*x = extra{iov: x.iov[:0], fds: x.fds[:0]}
	t.extras = append(t.extras, x)
}

// inFlight calls f for every token whose request has not completed, but for the
// loop's own. f may queue further requests.
func (t *handleTable) inFlight(f func(Token)) {
	for i := range t.list {
		if e := &t.list[i]; e.v.kind != 0 && e.v.kind != kindInner {
			f(newToken(uint32(i), e.gen))
		}
	}
}

// slots is a list of places that are used again the moment they are free, and so
// grows to what is in use at once and allocates nothing after that. A place and
// its generation together name one use of it for ever: whoever comes with the
// generation of an earlier use finds nothing.
type slots[T any] struct {
	list  []cell[T]
	free  uint32 // the first free place; len(list) if there is none
	uses  uint32 // how often a place was taken
	freed uint32 // and how often one was freed
}

type cell[T any] struct {
	v    T
	gen  uint32
	next uint32 // the free place behind this free place; of one in use its number of all uses
}

// firstGen is the generation that places begin with. Its highest bit stays set, so
// that no generation is 0, and a Token is never a small number.
const firstGen = 1 << 31

// used returns how many places are taken.
func (s *slots[T]) used() int { return int(s.uses - s.freed) }

// full reports whether there is no free place: then grow, before acquire.
func (s *slots[T]) full() bool { return int(s.free) >= len(s.list) }

// acquire reserves a place; its value is zero. It is small, so that the compiler
// puts it into the function that calls it for every request, which a call of grow
// would prevent.
func (s *slots[T]) acquire() (place uint32, e *cell[T]) {
	place = s.free
	e = &s.list[place]
	s.free = e.next
	e.next = s.uses
	s.uses++
	return
}

func (s *slots[T]) grow() {
	old := len(s.list)
	s.list = append(s.list, make([]cell[T], max(64, old))...)
	for i := old; i < len(s.list); i++ {
		s.list[i].gen = firstGen
		s.list[i].next = uint32(i + 1)
	}
}

// find returns the place if it is still in the use that gen names, else nil.
func (s *slots[T]) find(place, gen uint32) *cell[T] {
	if uint64(place) >= uint64(len(s.list)) {
		return nil
	}
	if e := &s.list[place]; e.gen == gen {
		return e
	}
	return nil
}

// release frees a place that is in use.
func (s *slots[T]) release(place uint32, e *cell[T]) {
	*e = cell[T]{gen: (e.gen + 1) | firstGen, next: s.free}
	s.free = place
	s.freed++
}

// nameKind is where a request keeps what its error is to tell.
type nameKind uint8

const (
	namesNothing nameKind = iota
	namesPath             // a path, its memory or the first of several
	namesPaths            // two, the first of several
	namesFile             // one, the third of several
	namesAddr             // its memory is an address
	namesMessage          // its memory is a message, which may have an address
	namesKept             // it may keep an address
)

// named is what a request was made for.
type named struct{ path, newPath, addr string }

// name has the error of a request tell what it was for.
func (l *Loop) name(h *handle, a *aside, c *Completion) {
	n := h.named(a)
	if n == nil || c.Res >= 0 {
		return
	}
	d := detail{named: n}
	if c.detail != nil {
		d = *c.detail
		d.named = n
	} else if h.group != 0 {
		d.group = l.groups[h.group-1]
	}
	c.detail = &d
}

// named returns what the request was made for, nil for most.
func (h *handle) named(a *aside) *named {
	kind := h.op.facts().names
	if kind == namesNothing || h.mem == nil {
		return nil
	}
	mem := [3]unsafe.Pointer{h.mem}
	if h.kind == kindExtra {
		mem = (*extra)(h.mem).keep
	}
	switch kind {
	case namesPath:
		return &named{path: goString(mem[0])}
	case namesPaths:
		return &named{path: goString(mem[0]), newPath: goString(mem[1])}
	case namesFile:
		return &named{path: goString(mem[2])}
	case namesAddr:
		return &named{addr: (*Sockaddr)(mem[0]).String()}
	case namesMessage:
		if addr := destination((*Msghdr)(mem[0])); addr != nil {
			return &named{addr: addr.String()}
		}
	case namesKept:
		return a.addr()
	}
	return nil
}

// addr returns the address among what a request keeps, nil if there is none.
func (a *aside) addr() *named {
	if a == nil {
		return nil
	}
	for _, kept := range a.kept {
		if to, ok := kept.(*Sockaddr); ok {
			return &named{addr: to.String()}
		}
	}
	return nil
}

// goString returns a string of the kernel's, which ends with a NUL.
func goString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
