package ringio_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-liburing/liburing/ringio"
)

// exampleFile makes a file that says where its blocks are.
func exampleFile() (name string, remove func()) {
	dir, err := os.MkdirTemp("", "ringio")
	if err != nil {
		log.Fatal(err)
	}
	name = filepath.Join(dir, "data")
	var content []byte
	for i := range 100 {
		content = fmt.Appendf(content, "block %03d\n", i)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		log.Fatal(err)
	}
	return name, func() { os.RemoveAll(dir) }
}

// A hundred goroutines read at a time. Those that have to wait for the disk keep no
// threads.
func Example() {
	name, remove := exampleFile()
	defer remove()
	f, err := ringio.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var all sync.WaitGroup
	blocks := make([]string, 100)
	for i := range blocks {
		all.Go(func() {
			b := make([]byte, 10)
			if _, err := f.ReadAt(b, int64(i)*10); err != nil {
				log.Fatal(err)
			}
			blocks[i] = string(b)
		})
	}
	all.Wait()
	fmt.Print(blocks[0], blocks[99])
	// Output:
	// block 000
	// block 099
}

// A read ends with its context, and the error says so.
func ExampleFile_ReadAtContext() {
	name, remove := exampleFile()
	defer remove()
	f, err := ringio.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b := make([]byte, 20)
	n, err := f.ReadAtContext(ctx, b, 990)
	fmt.Printf("%q %v\n", b[:n], err)
	cancel()
	_, err = f.ReadAtContext(ctx, b, 0)
	fmt.Println(errors.Is(err, context.Canceled))
	// Output:
	// "block 099\n" EOF
	// true
}

// Several reads, of several files if need be, go to the kernel as one.
func ExampleReadBatch() {
	name, remove := exampleFile()
	defer remove()
	f, err := ringio.Open(name)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	reads := []ringio.ReadRequest{
		{File: f, Buf: make([]byte, 10), Off: 70},
		{File: f, Buf: make([]byte, 10), Off: 420},
		{File: f, Buf: make([]byte, 10), Off: 1000},
	}
	err = ringio.ReadBatch(reads)
	for _, r := range reads {
		fmt.Printf("%q %v\n", r.Buf[:r.N], r.Err)
	}
	fmt.Println(err)
	// Output:
	// "block 007\n" <nil>
	// "block 042\n" <nil>
	// "" EOF
	// EOF
}

// A log for many goroutines: each Append returns when the disk has the record, and one
// write and one sync do for all that come at a time.
func ExampleAppender() {
	dir, err := os.MkdirTemp("", "ringio")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f, err := ringio.Create(filepath.Join(dir, "log"))
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	records, err := ringio.NewAppender(f)
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			record := fmt.Sprintf("record %02d\n", i)
			off, err := records.Append([]byte(record))
			if err != nil {
				log.Fatal(err)
			}
			b := make([]byte, len(record))
			if _, err := f.ReadAt(b, off); err != nil || string(b) != record {
				log.Fatal("it is not there")
			}
		})
	}
	all.Wait()
	info, _ := f.Stat()
	fmt.Println(info.Size())
	// Output: 500
}

// What takes an fs.FS takes these files.
func ExampleDirFS() {
	name, remove := exampleFile()
	defer remove()
	b, err := fs.ReadFile(ringio.DirFS(filepath.Dir(name)), "data")
	fmt.Println(len(b), err)
	// Output: 1000 <nil>
}

func ExampleWalkDir() {
	name, remove := exampleFile()
	defer remove()
	err := ringio.WalkDir(filepath.Dir(name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Println(d.Name(), info.Size())
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// data 1000
	// <nil>
}

// An engine of one's own, with buffers that the kernel knows beforehand: the fastest way
// to read a disk without its cache.
func ExampleNew() {
	engine, err := ringio.New(ringio.Options{FixedBuffers: 64, FixedBufferSize: 4096})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(context.Background())
	name, remove := exampleFile()
	defer remove()
	f, err := engine.Open(name) // with syscall.O_DIRECT, on a disk
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if engine.Buffers() == nil {
		return // this system has none
	}
	b, ok := engine.Buffers().Get()
	if !ok {
		log.Fatal("all are out")
	}
	defer engine.Buffers().Put(b)
	n, err := f.ReadAt(b.Bytes, 0)
	fmt.Println(n, err == io.EOF)
	// Output: 1000 true
}

func ExampleAvailable() {
	if err := ringio.Available(); err != nil {
		log.Println("ringio does without io_uring:", err) // why, and what to do about it
	}
}

// Figures at /debug/vars.
func ExampleEngine_Stats() {
	expvar.Publish("ringio", ringio.Default())
	s := ringio.Default().Stats()
	fmt.Println(s.InFlight >= 0)
	// Output: true
}
