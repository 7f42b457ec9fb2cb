package ringio

import (
	"errors"
	"sync"

	"github.com/go-liburing/liburing"
)

var (
	errNoRing    = errors.New("ringio: Options.NoRing was set")
	errOldKernel = &liburing.OpError{Op: "ringio", Err: liburing.ErrNotSupported,
		Hint: "this kernel's io_uring is too old: Linux 5.7 is the first that will do"}
)

// Available returns nil if io_uring can be used here, else why not and what to do about
// it: a sandbox, a sysctl, a limit, an old kernel, another system. The whole package
// works then too, on os and net.
func Available() error { return available() }

var available = sync.OnceValue(func() error {
	e, err := newEngine(Options{Entries: 8})
	if err == nil {
		e.stop()
	}
	return err
})
