// Echo-go-uring is a TCP echo server with go-uring's rings: an event loop that
// alternates a receive and a send for each connection.
package main

import (
	"errors"
	"flag"
	"log"
	"net"
	"syscall"

	"github.com/godzie44/go-uring/uring"
)

const (
	entries    = 4096
	bufferSize = 4096
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "the address to listen on")
	flag.Parse()
	if err := serve(*addr); err != nil {
		log.Fatal(err)
	}
}

func serve(addr string) error {
	tcpAddr, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp4", tcpAddr)
	if err != nil {
		return err
	}
	defer listener.Close()
	file, err := listener.File() // blocking, as the ring likes it
	if err != nil {
		return err
	}
	defer file.Close()
	ring, err := uring.New(entries)
	if err != nil {
		return err
	}
	defer ring.Close()
	s := server{ring: ring, accept: uring.Accept(file.Fd(), 0), conns: make(map[uint64]*connection)}
	return s.run()
}

type server struct {
	ring   *uring.Ring
	accept *uring.AcceptOp
	conns  map[uint64]*connection // by descriptor, which is their user data
}

// acceptData is the user data of the accept request.
const acceptData = 1 << 32

type connection struct {
	fd   int
	buf  []byte
	recv *uring.RecvOp
	send *uring.SendOp
	sent bool // the request in flight is a send
}

func (s *server) run() error {
	if err := s.queue(s.accept, acceptData); err != nil {
		return err
	}
	cqes := make([]*uring.CQEvent, entries)
	for {
		_, err := s.ring.SubmitAndWaitCQEvents(1)
		if err != nil && !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		n := s.ring.PeekCQEventBatch(cqes)
		for _, cqe := range cqes[:n] {
			if err := s.take(cqe); err != nil {
				return err
			}
		}
		s.ring.AdvanceCQ(uint32(n))
	}
}

func (s *server) take(cqe *uring.CQEvent) error {
	if cqe.UserData == acceptData {
		if err := cqe.Error(); err != nil {
			return err
		}
		if err := s.begin(int(cqe.Res)); err != nil {
			return err
		}
		return s.queue(s.accept, acceptData)
	}
	c := s.conns[cqe.UserData]
	switch {
	case cqe.Res <= 0:
		delete(s.conns, cqe.UserData)
		return syscall.Close(c.fd)
	case c.sent:
		c.sent = false
		return s.queue(c.recv, cqe.UserData)
	default:
		c.sent = true
		c.send.SetBuffer(c.buf[:cqe.Res])
		return s.queue(c.send, cqe.UserData)
	}
}

func (s *server) begin(fd int) error {
	buf := make([]byte, bufferSize)
	c := &connection{fd: fd, buf: buf, recv: uring.Recv(uintptr(fd), buf, 0), send: uring.Send(uintptr(fd), nil, syscall.MSG_WAITALL)}
	s.conns[uint64(fd)] = c
	return s.queue(c.recv, uint64(fd))
}

// queue queues a request, after handing over those that wait if there is no
// room for it.
func (s *server) queue(op uring.Operation, data uint64) error {
	err := s.ring.QueueSQE(op, 0, data)
	if !errors.Is(err, uring.ErrSQOverflow) {
		return err
	}
	if _, err := s.ring.Submit(); err != nil {
		return err
	}
	return s.ring.QueueSQE(op, 0, data)
}
