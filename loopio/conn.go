package loopio

import (
	"errors"
	"syscall"

	"github.com/go-liburing/liburing"
)

// Serve accepts the connections of a listening socket (Listen), and calls serve with
// the descriptor of each, which is close-on-exec. failed is called with errors: if over
// is false the stream goes on (after too many descriptors, when it has paused); if over
// is true it has ended. Ending by Stop or by the loop's Close is not an error. Needs
// Linux 5.19.
func Serve(l *liburing.Loop, listener int, serve func(fd int), failed func(err error, over bool)) *liburing.Stream {
	return l.Rearm(func(cb liburing.Callback) liburing.Request {
		return l.MultishotAccept(listener, nil, sockCloexec, cb)
	}, func(c liburing.Completion) {
		switch fd, err := c.Result(); {
		case err == nil && serve != nil:
			serve(fd)
		case err == nil:
			closeFD(fd)
		case failed != nil && !errors.Is(err, syscall.ECANCELED) && !errors.Is(err, liburing.ErrClosed):
			failed(err, !c.More())
		}
	})
}

// Conn is a connection on which messages come in and are answered: a Writer for what
// goes out, and for what comes in a stream that assembles messages from the pieces in
// which they arrive. Call its methods in callbacks, posted functions, and on the
// goroutine that will call Run.
type Conn struct {
	*Writer
	in      *liburing.Stream
	rest    []byte // what has come and was not used
	options ConnOptions
	ended   bool
}

// ConnOptions are the options of a Conn. Received and Buffers are required.
type ConnOptions struct {
	WriterOptions
	// Buffers are what the kernel receives into.
	Buffers *liburing.BufGroup
	// Received is called with everything that has come and was not used yet. It returns
	// how many bytes it is done with: the rest, such as the beginning of a message, is
	// passed again together with what comes next. data is valid only during the call. An
	// error stops receiving.
	Received func(data []byte) (used int, err error)
	// Most is how many bytes may come that Received does not use before the Conn ends with
	// EMSGSIZE; 0 stands for 1 MiB.
	Most int
	// Ended is called once, when receiving has ended: with nil if the peer has ended its
	// side, else with the error, that of Received, a receive or a send. Answers may still
	// be written. Without Ended the Conn is then closed, or aborted if the peer does not
	// read (ErrWriterFull).
	Ended func(err error)
}

// NewConn returns a Conn for a descriptor that nothing else reads or writes, and begins
// to receive. Close or Abort closes it. Needs Linux 6.0.
func NewConn(l *liburing.Loop, fd int, options ConnOptions) *Conn {
	if options.Most <= 0 {
		options.Most = 1 << 20
	}
	c := &Conn{options: options}
	writing := options.WriterOptions
	writing.Failed = c.failed
	c.Writer = NewWriter(l, fd, writing)
	c.in = l.Rearm(func(cb liburing.Callback) liburing.Request {
		if options.Buffers == nil || options.Received == nil {
			return l.Recv(-1, nil, 0, cb) // fails: see fault
		}
		return l.RecvMultishot(fd, nil, 0, cb).Buffers(options.Buffers)
	}, c.received)
	return c
}

// failed ends the receiving too: a peer that can't be answered need not be heard.
func (c *Conn) failed(err error) {
	if c.options.Failed != nil {
		defer c.options.Failed(err)
	}
	c.Stop()
}

// received hands on what has come.
func (c *Conn) received(got liburing.Completion) {
	var err error
	if got.Res > 0 && !c.ended && c.wanted < writerClosed {
		err = c.handOn(got.Buffer())
	}
	switch {
	case err != nil:
		c.end(err)
		c.Stop()
	case got.More():
	case c.Writer.err != nil:
		c.end(c.Writer.err)
	case got.Res == 0 && c.wanted == writerOpen && brokeOff(c.fd):
		c.end(&liburing.OpError{Op: "recv", Err: syscall.ECONNRESET, Hint: "a send has taken the error before"})
	default:
		c.end(c.fault(got.Err()))
	}
}

// fault returns what is wrong with the options if that is why the receiving has failed.
func (c *Conn) fault(err error) error {
	if (c.options.Buffers == nil || c.options.Received == nil) && errors.Is(err, syscall.EBADF) {
		return &liburing.OpError{Op: "conn", Err: syscall.EINVAL, Hint: "there are no Buffers, or no Received, in its options"}
	}
	return err
}

// handOn has Received see all that was not used, and keeps what is left of it.
func (c *Conn) handOn(data []byte) error {
	if len(c.rest) > 0 {
		c.rest = append(c.rest, data...)
		data = c.rest
	}
	used, err := c.options.Received(data)
	left := data[min(max(used, 0), len(data)):]
	if err == nil && len(left) > c.options.Most {
		return &liburing.OpError{Op: "conn", Err: syscall.EMSGSIZE, Hint: "a message has not ended after more bytes than Most"}
	}
	c.rest = append(c.rest[:0], left...)
	if len(c.rest) == 0 && cap(c.rest) > keptRest {
		c.rest = nil
	}
	return err
}

// keptRest is how much memory for unfinished messages an idle Conn may hold on to.
const keptRest = 16 << 10

// end tells that nothing more is received.
func (c *Conn) end(err error) {
	if c.ended {
		return
	}
	c.ended = true
	switch {
	case c.options.Ended != nil:
		c.options.Ended(err)
	case errors.Is(err, ErrWriterFull):
		c.Abort(nil)
	default:
		c.Close(nil)
	}
}

// Stop stops receiving: Ended is called with ECANCELED. What was written is still sent.
func (c *Conn) Stop() {
	if c.in != nil { // else the loop is closed, and tells so before there is a stream
		c.in.Stop()
	}
}

// Close is Writer.Close, and stops receiving.
func (c *Conn) Close(done func(error)) {
	c.Writer.Close(done)
	c.Stop()
}

// Abort is Writer.Abort, and stops receiving.
func (c *Conn) Abort(done func(error)) {
	c.Writer.Abort(done)
	c.Stop()
}
