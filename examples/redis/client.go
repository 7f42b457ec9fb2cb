package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-liburing/liburing/loopio"
)

// serve serves one client.
func (s *server) serve(fd int) {
	var conn *loopio.Conn
	conn = loopio.NewConn(s.loop, fd, loopio.ConnOptions{
		WriterOptions: loopio.WriterOptions{Limit: 64 << 20}, // who asks for more without reading is given up
		Buffers:       s.buffers,
		Received:      func(data []byte) (int, error) { return s.received(conn, data) },
		Most:          2 * mostBytes,
	})
}

// received carries out the commands in data. If one of them changes something the
// answers wait for the log, and those behind them too, for they come in order.
func (s *server) received(conn *loopio.Conn, data []byte) (used int, err error) {
	changed := false
	for err == nil {
		args, n, bad := parse(data[used:])
		if bad != nil {
			err = bad
			fmt.Fprintf(&s.answers, "-ERR Protocol error: %v\r\n", bad)
		}
		if n == 0 {
			break
		}
		if len(args) > 0 && s.do(args) {
			changed = true
			if _, err := s.log.Write(data[used : used+n]); err != nil {
				s.loop.Fail(err)
			}
		}
		used += n
	}
	if changed {
		release := conn.Hold()
		s.log.Sync(func(err error) {
			if err == nil {
				release()
			}
		})
	}
	_, full := conn.Write(s.answers.Bytes())
	s.answers.Reset()
	return used, errors.Join(err, full)
}

// do carries out one command, and reports whether it has changed anything.
func (s *server) do(args [][]byte) (changed bool) {
	out := &s.answers
	switch name := strings.ToUpper(string(args[0])); {
	case name == "PING" && len(args) == 1:
		out.WriteString("+PONG\r\n")
	case name == "GET" && len(args) == 2:
		if value, ok := s.data[string(args[1])]; ok {
			fmt.Fprintf(out, "$%d\r\n%s\r\n", len(value), value)
		} else {
			out.WriteString("$-1\r\n")
		}
	case name == "SET" && len(args) == 3:
		s.data[string(args[1])] = string(args[2])
		out.WriteString("+OK\r\n")
		return true
	case name == "DEL" && len(args) > 1:
		before := len(s.data)
		for _, key := range args[1:] {
			delete(s.data, string(key))
		}
		fmt.Fprintf(out, ":%d\r\n", before-len(s.data))
		return before != len(s.data)
	case name == "INCR" && len(args) == 2:
		n, err := strconv.ParseInt(s.data[string(args[1])], 10, 64)
		if s.data[string(args[1])] != "" && err != nil || n == 1<<63-1 {
			out.WriteString("-ERR value is not an integer or out of range\r\n")
			return false
		}
		s.data[string(args[1])] = strconv.FormatInt(n+1, 10)
		fmt.Fprintf(out, ":%d\r\n", n+1)
		return true
	default:
		fmt.Fprintf(out, "-ERR unknown command or wrong number of arguments: %.32q\r\n", name)
	}
	return false
}

const (
	mostArgs  = 1024
	mostBytes = 1 << 20 // of an argument
)

// parse takes the first command apart: an array of strings, or a line of words. used
// is its length, 0 if it is not whole.
func parse(data []byte) (args [][]byte, used int, err error) {
	line, rest, ok := bytes.Cut(data, []byte("\r\n"))
	switch {
	case !ok && len(data) > mostBytes:
		return nil, 0, errors.New("too long")
	case !ok:
		return nil, 0, nil
	case len(line) == 0 || line[0] != '*':
		return bytes.Fields(line), len(data) - len(rest), nil
	}
	count, err := strconv.Atoi(string(line[1:]))
	if err != nil || count > mostArgs {
		return nil, 0, errors.New("invalid multibulk length")
	}
	for range count {
		head, body, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok && len(rest) < 32 {
			return nil, 0, nil
		}
		size, err := strconv.Atoi(string(bytes.TrimPrefix(head, []byte("$"))))
		if !bytes.HasPrefix(head, []byte("$")) || err != nil || size < 0 || size > mostBytes {
			return nil, 0, errors.New("invalid bulk length")
		}
		if len(body) < size+2 {
			return nil, 0, nil
		}
		args, rest = append(args, body[:size]), body[size+2:]
	}
	return args, len(data) - len(rest), nil
}
