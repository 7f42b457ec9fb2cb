package liburing

import "syscall"

// What a request needs to stay alive that is no memory of the kernel's: above all
// the Go object that owns its descriptor.

// FD returns the descriptor of a file, a connection or a listener, as a request
// wants it, -1 if it is closed: requests of that fail with EBADF.
//
//	loop.Read(liburing.FD(file), buf, 0, cb).Keep(file)
//
// A descriptor is a number: the collector closes a file that nothing else refers
// to, and the number becomes another file's. So Keep the owner, or hold it as long
// as its requests are in flight, and don't close it before they have completed.
//
// FD leaves the file as it is. The method Fd of an os.File makes one blocking that os
// or net had made non-blocking (a pipe, a FIFO, a terminal, a socket), and with it
// every other descriptor of the same open file. After conn.File() and Fd the connection
// or listener itself knows no deadline any more, and its Close does not end a Read or
// an Accept that waits; os.Pipe and the pipes of os/exec lose SetDeadline. No request
// needs that: the kernel waits for what a non-blocking file lacks too.
func FD(owner syscall.Conn) int {
	fd := -1
	if owner == nil {
		return fd
	}
	conn, err := owner.SyscallConn()
	if err != nil {
		return fd
	}
	if conn.Control(func(n uintptr) { fd = int(n) }) != nil {
		return -1
	}
	return fd
}

// Keep has the loop hold x until the request has had its terminal completion: the
// owner of its descriptor (see FD), or what else must not be collected. A request may
// keep several. One that has completed, or was refused, keeps nothing.
func (r Request) Keep(x any) Request {
	if r.token == 0 {
		return r
	}
	r.loop.checkCaller()
	if t := &r.loop.table; t.handle(r.token) != nil {
		a := t.withAside(r.token)
		a.kept = append(a.kept, x)
	}
	return r
}
