// Package httpd serves the files of a folder over HTTP/1.1 and HTTP/1.0, for any
// number of clients in the one thread of a liburing.Loop.
//
// A connection never has more than one request at the ring: the callback of
// each makes the next, so the order of its code is the order of what happens.
package httpd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Options are what may be said about a server. The zero value is a good one.
type Options struct {
	// MaxConns is how many clients are served at a time, 1000 if it is 0. More
	// wait until one of them is gone.
	MaxConns int
	// Timeout is how long a client may be idle, how long it may take over the
	// head of a request, and how long it may take nothing of an answer; 30
	// seconds if it is 0.
	Timeout time.Duration
	// Grace is how long answers may go on when the server stops, 10 seconds if it
	// is 0.
	Grace time.Duration
	// Log, if not nil, is told each answer when it is over. It holds up all
	// clients until it returns.
	Log func(Entry)
	// Errors, if not nil, is told what the server could not do and clients are
	// not to blame for. It holds them up too.
	Errors func(error)
}

// Entry is a line of the log.
type Entry struct {
	Client         netip.AddrPort
	Method, Target string // empty if the request made no sense
	Status         int
	Sent           int64 // bytes, with the head
	Err            error // why not all was sent
}

func (o Options) withDefaults() Options {
	o.MaxConns = cmp.Or(o.MaxConns, 1000)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	return o
}

const (
	ringEntries       = 256
	completionEntries = 2048
	receiveBuffers    = 256
	receiveSize       = 4 << 10
)

// Server is a listening server. Its fields belong to the loop's thread.
type Server struct {
	options Options
	addr    net.Addr
	root    *os.File
	loop    *liburing.Loop
	buffers *liburing.BufGroup // what clients send comes in them
	parser  *bufio.Reader
	blocks  blocks
	door    door
	conns   map[*conn]struct{}
	ticker  *liburing.Timer

	stopping  bool
	graceEnds time.Time
	graceOver bool
}

// Listen begins to listen on an address, such as localhost:8080, for clients that
// want files of the folder dir. They wait until Serve is called, as it must be.
func Listen(addr, dir string, o Options) (_ *Server, err error) {
	s := &Server{options: o.withDefaults(), parser: bufio.NewReader(nil), conns: map[*conn]struct{}{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.root, err = os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return nil, err
	}
	if err := s.setUpLoop(); err != nil {
		return nil, err
	}
	if s.door.listener, s.addr, err = listen(addr); err != nil {
		return nil, err
	}
	mime.TypeByExtension(".html") // reads the system's list, which must not hold up clients
	return s, nil
}

func (s *Server) setUpLoop() (err error) {
	s.loop, err = liburing.NewLoop(ringEntries, liburing.WithCQEntries(completionEntries))
	if err != nil {
		return err
	}
	s.buffers, err = s.loop.NewBufGroup(receiveBuffers, receiveSize, 0)
	return err
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.addr }

// Serve serves clients until ctx ends. Then it takes no more of them, lets
// answers that have been begun come to their end, closes everything, and returns
// nil.
func (s *Server) Serve(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	s.accept()
	s.ticker = s.loop.Every(s.tick(), s.sweep)
	if err := s.loop.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	s.stop()
	return s.loop.RunUntilIdle(context.Background())
}

// close gives back what the server has. Connections that are open because the
// loop has failed end with it.
func (s *Server) close() (err error) {
	if s.loop != nil {
		err = s.loop.Close(context.Background())
	}
	if s.door.listener > 0 {
		err = errors.Join(err, unix.Close(s.door.listener))
	}
	if s.root != nil {
		err = errors.Join(err, s.root.Close())
	}
	return err
}

// closeFD closes a descriptor that no request uses.
func (s *Server) closeFD(fd int) {
	if s.loop.CloseFD(fd, nil).Err() != nil { // the loop is being closed
		unix.Close(fd)
	}
}

// report tells an error that is the server's.
func (s *Server) report(doing string, err error) {
	if s.options.Errors != nil {
		s.options.Errors(fmt.Errorf("%s: %w", doing, err))
	}
}
