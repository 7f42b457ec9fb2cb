package ringio

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAppender(t *testing.T) {
	const many, each, size = 64, 20, 512
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		for _, flag := range []int{0, os.O_APPEND} {
			f, err := e.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_RDWR|os.O_CREATE|flag, 0o600)
			require.NoError(t, err)
			defer f.Close()
			_, err = f.Write([]byte("head"))
			require.NoError(t, err)
			log, err := NewAppender(f)
			require.NoError(t, err)
			var all sync.WaitGroup
			for g := range many {
				all.Go(func() {
					record := bytes.Repeat([]byte{byte(g)}, size)
					for i := range each {
						binary.LittleEndian.PutUint32(record, uint32(i))
						off, err := log.Append(record)
						if err != nil {
							panic(err)
						}
						got := make([]byte, size)
						if _, err := f.ReadAt(got, off); err != nil || !bytes.Equal(got, record) {
							panic("another record is there")
						}
					}
				})
			}
			all.Wait()
			info, err := f.Stat()
			require.NoError(t, err)
			require.Equal(t, int64(4+many*each*size), info.Size())
			long := bytes.Repeat([]byte("l"), 3*maxGroup)
			off, err := log.Append(long)
			require.NoError(t, err)
			require.Equal(t, info.Size(), off)
			off, err = log.Append(nil)
			require.NoError(t, err)
			require.Equal(t, info.Size()+3*maxGroup, off)
		}
	})
}

func TestAppenderThatFails(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		f, err := e.Create(filepath.Join(t.TempDir(), "log"))
		require.NoError(t, err)
		log, err := NewAppender(f)
		require.NoError(t, err)
		_, err = log.Append([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := log.Append([]byte("y")); err == nil {
					panic("it was closed")
				}
			})
		}
		all.Wait()
		_, err = log.Append(nil)
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = NewAppender(f)
		require.ErrorIs(t, err, fs.ErrClosed)
		_, err = NewAppender(nil)
		require.Error(t, err)
	})
}

// What can't be appended to is refused when there is something to append.
func TestAppenderRefusesWhatIsNoLog(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		reader, err := e.Open(name)
		require.NoError(t, err)
		folder, err := e.Open(filepath.Dir(name))
		require.NoError(t, err)
		for _, f := range []*File{reader, folder, e.Wrap(w)} {
			defer f.Close()
			log, err := NewAppender(f)
			require.NoError(t, err)
			_, err = log.Append([]byte("x"))
			require.Error(t, err, f.Name())
		}
	})
}

// What is appended while a group is being written goes together, and is told together.
func TestAppenderWritesGroups(t *testing.T) {
	const many, rounds = 20, 30
	f, err := ownEngine(t, Options{}).Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer f.Close()
	log, err := NewAppender(f)
	require.NoError(t, err)
	var groups []int
	begun, goOn := make(chan struct{}), make(chan struct{})
	log.durably = func(b []byte, off int64) error {
		groups = append(groups, len(b))
		begun <- struct{}{}
		<-goOn
		return nil
	}
	var all sync.WaitGroup
	add := func() {
		all.Go(func() {
			if _, err := log.Append([]byte{1}); err != nil {
				panic(err)
			}
		})
	}
	add()
	<-begun
	for range many {
		add()
	}
	require.Eventually(t, func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(log.filling.bytes) == many
	}, 20*time.Second, time.Millisecond)
	goOn <- struct{}{}
	<-begun
	goOn <- struct{}{}
	all.Wait()
	require.Equal(t, []int{1, many}, groups)

	// Those who append one after the other are let in, too.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	groups = nil
	log.durably = func(b []byte, off int64) error {
		groups = append(groups, len(b))
		return nil
	}
	for range many {
		all.Go(func() {
			for range rounds {
				if _, err := log.Append([]byte{1}); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	require.Less(t, len(groups), many*rounds/4)
}
