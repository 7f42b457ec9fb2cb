// Wal measures a log: goroutines append records to a file, and each goes on when its
// record is on the disk.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing/bench/internal/meter"
	"github.com/go-liburing/liburing/ringio"
)

const warmUp = 100 * time.Millisecond

// log is where records go.
type log interface {
	// Append returns when the record is on the disk.
	append(record []byte) error
	close() error
}

func main() {
	mode := flag.String("mode", "ringio", "how to append: ringio, os or os-group")
	dir := flag.String("dir", ".", "the folder for the log")
	goroutines := flag.Int("goroutines", 64, "how many append")
	size := flag.Int("size", 512, "bytes of a record")
	seconds := flag.Float64("seconds", 0.4, "how long to measure")
	flag.Parse()
	open := map[string]func(path string) (log, error){"ringio": openRingio, "os": openOS, "os-group": openGroup}[*mode]
	if open == nil || *goroutines < 1 || *size < 1 || *seconds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	path := filepath.Join(*dir, fmt.Sprintf("wal-%d.data", os.Getpid()))
	err := run(open, path, *goroutines, make([]byte, *size), time.Duration(*seconds*float64(time.Second)))
	os.Remove(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wal:", err)
		os.Exit(1)
	}
}

func run(open func(string) (log, error), path string, goroutines int, record []byte, long time.Duration) error {
	l, err := open(path)
	if err != nil {
		return err
	}
	defer l.close()
	if _, err := appendUntil(l, goroutines, record, time.Now().Add(warmUp)); err != nil {
		return err
	}
	var records uint64
	cost, err := meter.Measure(func() (err error) {
		records, err = appendUntil(l, goroutines, record, time.Now().Add(long))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("appends_per_second=%.1f %s\n", float64(records)/cost.Took.Seconds(), cost.Readings(records))
	return nil
}

func appendUntil(l log, goroutines int, record []byte, end time.Time) (uint64, error) {
	var all sync.WaitGroup
	var records atomic.Uint64
	errs := make([]error, goroutines)
	for i := range goroutines {
		all.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				errs[i] = l.append(record)
				records.Add(1)
			}
		})
	}
	all.Wait()
	return records.Load(), errors.Join(errs...)
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
}

// osLog has each goroutine write and sync for itself.
type osLog struct{ file *os.File }

func openOS(path string) (log, error) {
	file, err := create(path)
	return osLog{file}, err
}

func (l osLog) append(record []byte) error {
	if _, err := l.file.Write(record); err != nil {
		return err
	}
	return l.file.Sync()
}

func (l osLog) close() error { return l.file.Close() }

// ringioLog is an Appender.
type ringioLog struct {
	file *ringio.File
	*ringio.Appender
}

func openRingio(path string) (log, error) {
	file, err := ringio.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	a, err := ringio.NewAppender(file)
	return ringioLog{file, a}, err
}

func (l ringioLog) append(record []byte) error {
	_, err := l.Append(record)
	return err
}

func (l ringioLog) close() error { return l.file.Close() }
