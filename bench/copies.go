package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// What is copied beside the file: a tree of small files.
const (
	treeFolders = 200
	treeFiles   = 100       // in each folder
	treeLargest = 9000      // bytes of a file; half as many on average
	copiesSize  = 3 << 30   // of the file system that the copies go to
	treeName    = "cp.tree" // of the tree, in bench/tmp
)

// copiesContests has the uring command copy against the commands that people copy with,
// each with all processors. The copies go to a file system that is new: on one where many
// files were removed a moment ago ext4 may take several times as long to make others.
func copiesContests(ctx context.Context, t *tools) ([]contest, error) {
	if err := t.mounts(ctx); err != nil {
		return nil, err
	}
	uring, err := t.buildGo(ctx, "cmd/uring")
	if err != nil {
		return nil, err
	}
	ioCopy, err := t.buildGo(ctx, "bench/iocopy")
	if err != nil {
		return nil, err
	}
	file, err := t.dataFile(ctx, "cp.data", t.copySize, copiesSize)
	if err != nil {
		return nil, err
	}
	tree, err := t.smallFiles()
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, on := range []string{"ext4", "tmpfs"} {
		contests = append(contests,
			t.copies("file", on, copying{from: file, prepare: warm},
				side{"uring cp", []string{uring, "cp"}}, side{"io.Copy", []string{ioCopy}}, side{"cp", []string{"cp", "--reflink=never"}}),
			t.copies("tree", on, copying{from: tree, prepare: warmTree},
				side{"uring cp", []string{uring, "cp", "-r"}}, side{"cp", []string{"cp", "-r"}}))
	}
	return contests, nil
}

// side is a command that copies, and what it is called.
type side struct {
	name    string
	command []string
}

// copies has commands, ours first, copy what is the same to a new file system.
func (t *tools) copies(what, on string, c copying, sides ...side) contest {
	held := contest{title: fmt.Sprintf("copy of a %s on %s", what, on)}
	for i, s := range sides {
		c := c
		c.name, c.command, c.peer, c.free = s.name, s.command, i > 0, true
		held.programs = append(held.programs, program{name: s.name, takes: 3 * time.Second, peer: c.peer, run: func(ctx context.Context) (reading, error) {
			return t.onNew(ctx, on, c)
		}})
	}
	held.figures = []figure{{name: "copies/" + what + "/" + on, unit: "ms", reading: "ms", ours: sides[0].name, peers: held.peerNames()}}
	return held
}

// onNew copies to a new file system.
func (t *tools) onNew(ctx context.Context, on string, c copying) (reading, error) {
	dir, image := t.path("bench/tmp/copies"), t.path("bench/tmp/copies.ext4")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c.to = filepath.Join(dir, "copy")
	run := func() (reading, error) { return c.run(ctx) }
	if on == "tmpfs" {
		return mountedMemory(dir, copiesSize, run)
	}
	defer os.Remove(image)
	if err := makeImage(ctx, image, copiesSize); err != nil {
		return nil, err
	}
	return mountedImage(image, dir, run)
}

// smallFiles returns the folder of a tree of small files, which is made once.
func (t *tools) smallFiles() (string, error) {
	dir := t.path("bench/tmp/" + treeName)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	t.say(fmt.Sprintf("making %d small files in bench/tmp/%s, once", treeFolders*treeFiles, treeName))
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	content := make([]byte, treeLargest)
	for i := range treeFolders {
		folder := filepath.Join(part, fmt.Sprint(i))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", err
		}
		for j := range treeFiles {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(j)), content[:rnd.IntN(treeLargest)], 0o644); err != nil {
				return "", err
			}
		}
	}
	return dir, os.Rename(part, dir)
}

// warmTree has the page cache hold the files of a tree.
func warmTree(dir string) error {
	files, err := filepath.Glob(dir + "/*/*")
	for _, f := range files {
		if err := warm(f); err != nil {
			return err
		}
	}
	return err
}
