// Package loopio has what programs on a liburing.Loop need for connections, pipes and
// files beyond single requests: a Writer that sends everything in order, a Conn that
// assembles messages, transfers of whole buffers, sockets to listen on and to dial.
//
//	fd, addr, err := loopio.Listen("tcp", ":7000")
//	loopio.Serve(loop, fd, func(fd int) {
//		var conn *loopio.Conn
//		conn = loopio.NewConn(loop, fd, loopio.ConnOptions{
//			Buffers: buffers, // of loop.NewBufGroup
//			Received: func(data []byte) (used int, err error) {
//				return conn.Write(data)
//			},
//		})
//	}, nil)
//
// It uses only the Loop's public methods, so you can write what it lacks in the same
// way: through Loop.BeforeSubmit the Writers of a loop collect what the callbacks of a
// turn write, in Loop.Local they keep their buffers.
//
// Call all of it where requests are made: in callbacks, posted functions, and on the
// goroutine that will call Run. Package ringio is for ordinary goroutines.
package loopio
