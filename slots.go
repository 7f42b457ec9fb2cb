package liburing

// slots is a list of places that are used again the moment they are free, and so
// grows to what is in use at once and allocates nothing after that. A place and
// its generation together name one use of it for ever: whoever comes with the
// generation of an earlier use finds nothing.
type slots[T any] struct {
	list []cell[T]
	free uint32 // the first free place; len(list) if there is none
	used int
}

type cell[T any] struct {
	v    T
	gen  uint32
	next uint32 // the free place behind this free place
}

// firstGen is the generation that places begin with. Its highest bit stays set, so
// that no generation is 0, and a Token is never a small number.
const firstGen = 1 << 31

// full reports whether there is no free place: then grow, before acquire.
func (s *slots[T]) full() bool { return int(s.free) >= len(s.list) }

// acquire reserves a place; its value is zero. It is small, so that the compiler
// puts it into the function that calls it for every request, which a call of grow
// would prevent.
func (s *slots[T]) acquire() (place uint32, e *cell[T]) {
	place = s.free
	e = &s.list[place]
	s.free = e.next
	s.used++
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
	s.used--
}
