// Walk measures how long it takes to learn the sizes of all files below a folder: with
// filepath.WalkDir and an Lstat for each, on one goroutine or on several; with
// ringio.WalkDir; and with Statx requests on a Loop, many in flight. With -make it makes
// the folder first, if it is not there.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-liburing/liburing/bench/internal/meter"
	"github.com/go-liburing/liburing/ringio"
)

// sums is what is learnt.
type sums struct{ files, bytes int64 }

var ways = map[string]func(string) (sums, error){
	"walkdir": walkOne, "walkdir2": walkTwo, "ringio": walkRingio, "loop": walkLoop,
}

func main() {
	mode := flag.String("mode", "loop", "how to walk: walkdir, walkdir2, ringio or loop")
	dir := flag.String("dir", "", "the folder to walk")
	files := flag.Int("make", 0, "make the folder with so many files")
	flag.Parse()
	walk := ways[*mode]
	if walk == nil || *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(walk, *dir, *files); err != nil {
		fmt.Fprintln(os.Stderr, "walk:", err)
		os.Exit(1)
	}
}

func run(walk func(string) (sums, error), dir string, files int) error {
	if files > 0 {
		return makeTree(dir, files)
	}
	var found sums
	cost, err := meter.Measure(func() (err error) {
		found, err = walk(dir)
		return err
	})
	if err != nil {
		return err
	}
	if found.files == 0 || found.bytes != found.files*fileSize {
		return fmt.Errorf("%d files with %d bytes were found: the folder is not whole, take it away", found.files, found.bytes)
	}
	fmt.Printf("ms=%.3f %s\n", cost.Took.Seconds()*1000, cost.Readings(uint64(found.files)))
	return nil
}

const (
	perFolder = 100
	fileSize  = 7
)

// makeTree makes a folder with files, a hundred in each folder below it, and the mark
// that it is whole.
func makeTree(dir string, files int) error {
	whole := dir + ".whole"
	if mark, err := os.ReadFile(whole); err == nil && string(mark) == fmt.Sprint(files) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for i := range files {
		folder := filepath.Join(dir, fmt.Sprint(i/perFolder/perFolder), fmt.Sprint(i/perFolder%perFolder))
		if i%perFolder == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("file-%d", i)), make([]byte, fileSize), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(whole, fmt.Append(nil, files), 0o644)
}

// visit adds up files.
func (s *sums) visit(_ string, entry fs.DirEntry, err error) error {
	if err != nil || entry.IsDir() {
		return err
	}
	info, err := entry.Info()
	if err == nil {
		s.files, s.bytes = s.files+1, s.bytes+info.Size()
	}
	return err
}

func walkOne(dir string) (found sums, err error) {
	return found, filepath.WalkDir(dir, found.visit)
}

func walkRingio(dir string) (found sums, err error) {
	return found, ringio.WalkDir(dir, found.visit)
}

// walkTwo has two goroutines take the folders at the top in turns.
func walkTwo(dir string) (found sums, err error) {
	tops, err := os.ReadDir(dir)
	if err != nil {
		return sums{}, err
	}
	names := make(chan string, len(tops))
	for _, top := range tops {
		names <- filepath.Join(dir, top.Name())
	}
	close(names)
	type end struct {
		sums
		err error
	}
	ends := make(chan end)
	const goroutines = 2
	for range goroutines {
		go func() {
			var e end
			for name := range names {
				if e.err == nil {
					e.err = filepath.WalkDir(name, e.visit)
				}
			}
			ends <- e
		}()
	}
	for range goroutines {
		e := <-ends
		found.files, found.bytes = found.files+e.files, found.bytes+e.bytes
		if e.err != nil {
			err = e.err
		}
	}
	return found, err
}
