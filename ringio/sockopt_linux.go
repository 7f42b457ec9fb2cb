//go:build linux

package ringio

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// What net sets where it is asked for 0.
const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 9
)

func (s *socket) setInt(level, option, value int) error {
	return s.control(func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
	})
}

func (s *socket) setBool(level, option int, value bool) error {
	n := 0
	if value {
		n = 1
	}
	return s.setInt(level, option, n)
}

func (s *socket) setLinger(sec int) error {
	linger := unix.Linger{}
	if sec >= 0 {
		linger = unix.Linger{Onoff: 1, Linger: int32(sec)}
	}
	return s.control(func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &linger))
	})
}

func (s *socket) setKeepAlive(config net.KeepAliveConfig) error {
	err := s.setBool(unix.SOL_SOCKET, unix.SO_KEEPALIVE, config.Enable)
	if err == nil {
		err = s.setSeconds(unix.TCP_KEEPIDLE, config.Idle, keepAliveIdle)
	}
	if err == nil {
		err = s.setSeconds(unix.TCP_KEEPINTVL, config.Interval, keepAliveInterval)
	}
	if err == nil && config.Count >= 0 {
		if config.Count == 0 {
			config.Count = keepAliveCount
		}
		err = s.setInt(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, config.Count)
	}
	return err
}

// setSeconds sets an option to whole seconds, rounded up; 0 stands for usual, and what
// is below it leaves the option alone.
func (s *socket) setSeconds(option int, d, usual time.Duration) error {
	if d < 0 {
		return nil
	}
	if d == 0 {
		d = usual
	}
	return s.setInt(unix.IPPROTO_TCP, option, int((d+time.Second-1)/time.Second))
}
