// Pebble measures a storage engine, github.com/cockroachdb/pebble, on its own file
// system and on one of package ringio: reads of single keys, scans, and writes that
// are on the disk when they return.
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"

	"github.com/go-liburing/liburing/bench/internal/meter"
)

const (
	valueSize = 400
	warmUp    = 200 * time.Millisecond
	scanned   = 100 // keys of a scan
)

func main() {
	on := flag.String("on", "ringio", "the file system: ringio or os")
	work := flag.String("work", "read", "what to measure: read, scan or write; fill writes the database and ends")
	dir := flag.String("dir", "", "the database")
	keys := flag.Int("keys", 2_000_000, "how many keys it has")
	goroutines := flag.Int("goroutines", 64, "how many work at once")
	seconds := flag.Float64("seconds", 1, "how long to measure")
	flag.Parse()
	fs := map[string]func() vfs.FS{"ringio": newRingFS, "os": func() vfs.FS { return vfs.Default }}[*on]
	works := map[string]func(*database) error{"read": (*database).read, "scan": (*database).scan, "write": (*database).write, "fill": nil}
	do, known := works[*work]
	if fs == nil || !known || *dir == "" || *keys < scanned || *goroutines < 1 || *seconds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*dir, fs(), *keys, *goroutines, do, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "pebble:", err)
		os.Exit(1)
	}
}

// database is a database of so many keys.
type database struct {
	*pebble.DB
	keys int
}

func run(dir string, fs vfs.FS, keys, goroutines int, work func(*database) error, long time.Duration) (err error) {
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, Cache: cache, MaxOpenFiles: 1000, Logger: silent{}})
	if err != nil {
		return err
	}
	d := &database{db, keys}
	defer func() { err = errors.Join(err, db.Close()) }()
	if work == nil {
		return d.fill()
	}
	if _, err := d.repeat(work, goroutines, warmUp); err != nil {
		return err
	}
	var n uint64
	cost, err := meter.Measure(func() (err error) {
		n, err = d.repeat(work, goroutines, long)
		return err
	})
	if err != nil {
		return err
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	fmt.Printf("per_second=%.1f threads=%d %s\n", float64(n)/cost.Took.Seconds(), len(tasks), cost.Readings(n))
	return nil
}

// repeat has goroutines work for a time, and returns how often they did.
func (d *database) repeat(work func(*database) error, goroutines int, long time.Duration) (uint64, error) {
	var all sync.WaitGroup
	var n atomic.Uint64
	errs := make([]error, goroutines)
	end := time.Now().Add(long)
	for i := range goroutines {
		all.Go(func() {
			for errs[i] == nil && time.Now().Before(end) {
				errs[i] = work(d)
				n.Add(1)
			}
		})
	}
	all.Wait()
	return n.Load(), errors.Join(errs...)
}

func (d *database) read() error {
	value, closer, err := d.Get(d.key())
	if err != nil {
		return err
	}
	if len(value) != valueSize {
		return fmt.Errorf("a value has %d bytes", len(value))
	}
	return closer.Close()
}

func (d *database) scan() error {
	it, err := d.NewIter(nil)
	if err != nil {
		return err
	}
	n := 0
	for ok := it.SeekGE(d.key()); ok && n < scanned; ok = it.Next() {
		n++
	}
	return it.Close()
}

func (d *database) write() error { return d.Set(d.key(), value(rand.Uint64()), pebble.Sync) }

// fill writes all keys.
func (d *database) fill() error {
	b := d.NewBatch()
	for i := range d.keys {
		if err := b.Set(binary.BigEndian.AppendUint64(nil, uint64(i)), value(uint64(i)), nil); err != nil {
			return err
		}
		if b.Len() > 4<<20 {
			if err := b.Commit(pebble.NoSync); err != nil {
				return err
			}
			b = d.NewBatch()
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	return d.Compact([]byte{0}, []byte{0xff}, true)
}

func (d *database) key() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(rand.IntN(d.keys)))
}

// value returns bytes that don't compress.
func value(seed uint64) []byte {
	v := make([]byte, valueSize)
	rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), seed))).Read(v)
	return v
}

// silent is a log of nothing.
type silent struct{}

func (silent) Infof(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}
