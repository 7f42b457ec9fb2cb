package main

import (
	"os"
	"sync"
)

// group is group commit over os.File: who comes while a batch is being written waits
// for the next one, and the first of those writes and syncs it for all.
type group struct {
	file    *os.File
	writing sync.Mutex // whoever commits a batch
	mu      sync.Mutex
	next    *batch
}

// batch is what is written and synced at once.
type batch struct {
	records []byte
	done    chan struct{}
	err     error
}

func openGroup(path string) (log, error) {
	file, err := create(path)
	return &group{file: file, next: newBatch()}, err
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

func (g *group) append(record []byte) error {
	g.mu.Lock()
	b := g.next
	first := len(b.records) == 0
	b.records = append(b.records, record...)
	g.mu.Unlock()
	if first {
		g.commit(b)
	}
	<-b.done
	return b.err
}

func (g *group) commit(b *batch) {
	g.writing.Lock()
	g.mu.Lock()
	g.next = newBatch()
	g.mu.Unlock()
	if _, b.err = g.file.Write(b.records); b.err == nil {
		b.err = g.file.Sync()
	}
	g.writing.Unlock()
	close(b.done)
}

func (g *group) close() error { return g.file.Close() }
