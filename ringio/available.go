package ringio

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-liburing/liburing"
)

var (
	errNoRing    = errors.New("ringio: Options.NoRing was set")
	errOldKernel = &liburing.OpError{Op: "ringio", Err: liburing.ErrNotSupported,
		Hint: "this kernel's io_uring is too old: Linux 5.7 is the first that will do"}
)

// Available returns nil if io_uring can be used here, else why not and what to do about
// it: a sandbox, a sysctl, a limit, an old kernel, another system. The whole package
// works then too, on os and net. Where a program has forbidden it to itself later, it returns
// why from then on.
func Available() error {
	if why := refusedLater.Load(); why != nil {
		return *why
	}
	return available()
}

// refusedLater is why the first engine that was there already was forbidden its ring.
var refusedLater atomic.Pointer[error]

var available = sync.OnceValue(func() error {
	e, err := newEngine(Options{Entries: 8})
	if err == nil {
		e.stop()
	}
	return err
})
