// Package ringio has files and connections for ordinary goroutines, with the names, the
// types and the errors of os and net, that use io_uring where it is faster. A program
// changes its import:
//
//	f, err := ringio.Open("data")         // os.Open
//	n, err := f.ReadAt(b, off)            // waits for the disk without a thread
//	l, err := ringio.Listen("tcp", ":80") // net.Listen
//	err = http.Serve(l, handler)
//
// # What it is for
//
// A goroutine that waits for a disk in os keeps a thread of its own; here thousands wait
// on one ring, whose requests go to the kernel together. Random reads that miss the page
// cache, from many goroutines, gain the most, and many connections with small messages.
// A single goroutine, and data that the page cache has, gain nothing: there the package
// makes the plain system call, and loses nothing. A program that can be made of callbacks
// is faster still on a liburing.Loop.
//
// # What it promises
//
//   - A call returns only when the kernel has no more of the caller's memory.
//   - A read that is cancelled or whose deadline passes loses nothing: bytes that came
//     are returned, the others stay for the next read.
//   - An open, an accept or a dial that succeeds while its context ends is returned or
//     closed, not lost.
//   - The writes of one connection keep their order.
//   - A File or a connection that is garbage is closed, not before its requests are back.
//   - Where io_uring is missing or forbidden everything works the same on os and net.
//     Available says why it is, and the first use tells log/slog.
//
// # Connections
//
// net makes the sockets: names, addresses that are tried in turn, options and errors are
// its own. The ring serves them. Dial and Accept return TCPConns, UnixConns and UDPConns,
// interfaces that have the methods of net's types of these names.
//
// What can be sent or received at once goes by a plain system call, what has to wait
// waits on the ring. A TCP connection that is read again and again receives in advance,
// up to 16 KiB and what is on its way then, and while many goroutines run at a time small
// writes are sent when all of them have run. What follows from that:
//
//   - Close, CloseWrite and Shutdown send what has been written. A process that ends
//     without them loses what its busy connections wrote in the last microseconds: nothing
//     runs in os.Exit that could send it.
//   - The peer's reset may be told by the write after the first one that it concerns.
//   - SyscallConn's Read and Write, and File, end receiving in advance, for good. Read
//     shows its function bytes that came before; File is refused while there are any.
//     SyscallConn's Control looks at nothing: do not read from its descriptor.
//
// io.Copy from a file to a TCP connection is sendfile(2), as in net. From one to a file or
// another connection it reads and writes what is little, and has the kernel move what is
// much (splice(2)). net.Buffers are written by one system call if WriteBuffers does it, or
// a TCP connection's ReadFrom: their own WriteTo makes many calls of what is not net's.
//
// A listener asks for a connection by a plain call, too, and waits on the ring for there
// to be one: none is accepted in advance, to be lost with a deadline. Writes are never
// sent without a copy (send_zc): the kernel has such memory until the peer has
// acknowledged it, so a Write that may not return before could not keep its deadline.
//
// WaitReadable waits for a connection's next bytes without a buffer to put them into.
// One of 10,000 connections that say nothing takes half the memory then that it does in
// net with a buffer of 4 KiB; so it does in net, of whose connections the function knows
// too.
//
// # The engine
//
// The package's functions share one engine, made on first use: a ring, and a goroutine
// that submits what others have staged, takes completions, and parks in the runtime's
// netpoller when there is nothing to do. No thread waits, and idle it costs nothing. New
// makes an engine of one's own, whose methods have the names of the package's functions.
//
// A completion is told to the thread that had submitted the request, when it is in the
// kernel, or enters it. A thread that computes does so a few milliseconds later at most
// (Options.Interrupts); one that sits in an uninterruptible system call, such as an fsync
// of os, when that ends: let ringio sync. With Options.SQPoll neither matters, at the
// price of a processor.
//
// A context costs a request little, and nothing where it can't end. What is under way on
// a disk can't be cancelled: the call returns when the disk has answered.
//
// Stats tells what an engine does; an Engine is an expvar.Var. With Options.Histograms it
// tells how long operations take, and runtime/trace has regions of them.
package ringio
