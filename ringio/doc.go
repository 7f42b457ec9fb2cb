// Package ringio has files and connections for ordinary goroutines, with the names,
// types and errors of os and net, that use io_uring where it is faster. A program only
// changes its import:
//
//	f, err := ringio.Open("data")         // os.Open
//	n, err := f.ReadAt(b, off)            // waits for the disk without a thread
//	l, err := ringio.Listen("tcp", ":80") // net.Listen
//	err = http.Serve(l, handler)
//
// # What it is for
//
// In os, a goroutine that waits for a disk occupies a thread; here thousands wait on
// one ring, whose requests go to the kernel together. Random reads by many goroutines
// that miss the page cache gain the most, and many connections with small messages. A
// single goroutine, and data in the page cache, take the plain system call, and lose
// nothing; one that waits for the disk again and again gains, too, because it yields now
// and then, which spares it the scheduler's monitor. A program that can be written with
// callbacks is faster still on a liburing.Loop.
//
// # What it promises
//
//   - A call returns only when the kernel no longer uses the caller's memory.
//   - A read that is cancelled or whose deadline passes loses nothing: bytes that have
//     come are returned, the others are left for the next read.
//   - An open, an accept or a dial that succeeds while its context ends is returned or
//     closed, not lost.
//   - The writes of one connection keep their order.
//   - A File or a connection that becomes garbage is closed, but not before its
//     requests have ended.
//   - Where io_uring is missing or forbidden everything works the same on os and net.
//     Available says why, and so does a log entry (log/slog) on first use, or when a
//     program has forbidden it to itself later.
//
// # Connections
//
// net makes the sockets: names, trying addresses in turn, options and errors are net's
// own. The ring serves them. Dial and Accept return TCPConns, UnixConns and UDPConns,
// interfaces with the methods of net's types of these names. Dialer and ListenConfig have
// the fields and methods of net's.
//
// What can be sent or received at once takes a plain system call; what has to wait
// waits on the ring, or, while few connections are busy at a time, in the runtime's
// poller: up to 256 of a ring, fewer where the process may have few descriptors, for
// each has a second one. Where many are busy, a TCP connection whose reads had to wait twice
// has a poll that stays in the kernel. What comes stays there too, until it is read: a
// descriptor that File or SyscallConn gives finds what net's would. A read behind one that
// found less than it had room for does not look, but waits for the poll; for a connection on
// which the peer sends urgent data (MSG_OOB) that may take up to two seconds, once.
//
// While many goroutines are running, writes of up to 4 KiB, on one connection 16 KiB in all,
// are sent together when all of them have run. This has consequences:
//
//   - Close, CloseWrite and Shutdown send what has been written. Where the peer does
//     not read, Close leaves that to the engine, which resets the connection after a
//     minute. Where Shutdown's context ends first, later writes fail, and Close resets
//     the connection. A process that ends without them loses what its busy connections wrote
//     in the last microseconds: os.Exit runs nothing that could send it.
//   - The peer's reset may be reported by the write after the first one that it
//     affects.
//   - Control and File wait until what was written is with the kernel, as the writer in
//     net has; the write deadline ends that. They do not wait for a write under way.
//
// io.Copy from a file to a TCP connection, or from a File to a Unix one, uses sendfile(2),
// as in net. From a connection to a file or another connection it reads and writes small
// amounts, and lets the kernel move large ones (splice(2)): the error of a copy that fails
// is that of the read or the write, where net's may name the splice and the other end.
// WriteBuffers, or a TCP connection's ReadFrom, write net.Buffers with one system call;
// their own WriteTo makes many calls on connections that are not net's.
//
// A listener, too, tries a plain call first, and waits on the ring for a connection:
// none is accepted in advance and then lost with a deadline. Writes are never sent
// without a copy (send_zc): the kernel uses such memory until the peer has acknowledged
// it, so a Write, which must not return before, could not keep its deadline. On loopback
// and between network namespaces there would be nothing to gain either: the kernel copies
// all the same.
//
// WaitReadable waits for a connection's next bytes without a buffer to put them into.
// Each of 10,000 silent connections then takes half the memory that it does in net with
// a buffer of 4 KiB; the function also works, with the same effect, on net's own
// connections.
//
// # Kernels
//
// Linux 5.7 is the first that has what a ring needs here; before it, os and net do the
// work. What later kernels add is used where it is: the kernel's threads are counted
// (Options.Workers) from 5.15 on, programs are spared interrupts (Options.Interrupts) from
// 5.19 on, and connections have polls that stay from 5.17 on.
//
// # The engine
//
// The package's functions share one engine, made on first use: a ring, and a goroutine
// that submits what others have staged, takes completions, and parks in the runtime's
// netpoller when there is nothing to do. No thread waits, and idle it costs nothing.
// New makes a separate engine, whose methods have the names of the package's functions; a
// Dialer and a ListenConfig have a field for it.
//
// A completion is delivered by the thread that submitted the request, when it is in the
// kernel or enters it. A thread that computes does so a few milliseconds later at most
// (Options.Interrupts); one that sits in an uninterruptible system call, such as an
// fsync of os, when that ends: so let ringio sync. With Options.SQPoll neither matters,
// at the price of a processor.
//
// The engine's goroutines belong to no bubble of testing/synctest, or never let theirs
// end: a test in a bubble uses an engine with Options.NoRing.
//
// A context costs a request little, and nothing if it can't end. What a disk is already
// doing can't be cancelled: the call returns when the disk has answered.
//
// Stats tells what an engine does; an Engine is an expvar.Var. With Options.Histograms
// it also tells how long operations take, and they are regions in a runtime/trace.
package ringio
