//go:build !unix

package ringio

import "syscall"

// waitRaw waits until one of net's connections has something to read: between two calls
// of the function RawConn does.
func waitRaw(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	asked := false
	return raw.Read(func(uintptr) bool {
		defer func() { asked = true }()
		return asked
	})
}
