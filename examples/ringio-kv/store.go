package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/go-liburing/liburing/ringio"
)

// maxLine is how long a line may be, its end among it.
const maxLine = 4096

// store has the values in memory, and in a log the lines that have changed them.
type store struct {
	file *ringio.File
	log  *ringio.Appender

	mu     sync.Mutex
	values map[string]entry
}

// entry is what a key has, and where the log says so: of two clients who set it at a
// time the later in the log is right, whoever comes to the map first.
type entry struct {
	value string
	at    int64
	gone  bool
}

// openStore reads the log. A last line without its end was not confirmed, and is cut off.
func openStore(name string) (*store, error) {
	f, err := ringio.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{file: f, values: map[string]entry{}}
	whole, err := s.replay()
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		s.log, err = ringio.NewAppender(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// replay carries out the log's lines, and returns how many bytes they have.
func (s *store) replay() (whole int64, err error) {
	for r := bufio.NewReader(s.file); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		s.change(line, whole)
		whole += int64(len(line))
	}
}

// answer carries a line out.
func (s *store) answer(line string) string {
	line = strings.TrimRight(line, "\r\n")
	verb, rest, _ := strings.Cut(line, " ")
	key, _, given := strings.Cut(rest, " ")
	switch {
	case key == "":
	case verb == "GET" && !given:
		s.mu.Lock()
		defer s.mu.Unlock()
		if e, ok := s.values[key]; ok && !e.gone {
			return "VALUE " + e.value
		}
		return "NONE"
	case verb == "SET" && given, verb == "DEL" && !given:
		at, err := s.log.Append([]byte(line + "\n"))
		if err != nil {
			return fmt.Sprint("ERROR ", err)
		}
		s.change(line, at)
		return "OK"
	}
	return "ERROR send SET KEY VALUE, GET KEY or DEL KEY"
}

// change carries out a line of the log.
func (s *store) change(line string, at int64) {
	verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	key, value, _ := strings.Cut(rest, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.values[key]; !ok || at > e.at {
		s.values[key] = entry{value, at, verb == "DEL"}
	}
}
