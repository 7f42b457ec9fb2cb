// Package loopio has what programs of a liburing.Loop do with connections, pipes and
// files beside single requests: a Writer that sends everything in its order, a Conn that
// puts messages together, whole buffers, sockets to listen and to dial.
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
// It stands on the public methods of the Loop alone, so what it does not have can be
// written beside it: Loop.BeforeSubmit is how the Writers of a loop collect what the
// callbacks of a turn write, Loop.Local where they keep their buffers.
//
// All of it is called where requests are made: in callbacks, posted functions, and on the
// goroutine that will call Run. Package ringio is for ordinary goroutines.
package loopio
