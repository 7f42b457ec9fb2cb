package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What is copied beside the file: a tree of small files.
const (
	treeFolders = 200
	treeFiles   = 100       // in each folder
	treeLargest = 9000      // bytes of a file; half as many on average
	copiesSize  = 3 << 30   // of the file system that the copies go to
	treeName    = "cp.tree" // of the tree, in bench/tmp
	treeSize    = 512 << 20 // of the file system that it is on where it is to be cold
)

// copiesContests has the uring command copy against the commands that people copy with,
// and with io.Copy (os.CopyFS for the tree), each with all processors. The copies go to a
// file system that is new: on one where many files were removed a moment ago ext4 may take
// several times as long to make others.
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
	treeImage, err := t.smallFilesImage(ctx, tree)
	if err != nil {
		return nil, err
	}
	sides := []side{{"uring cp", []string{uring, "cp", "-r"}}, {"io.Copy", []string{ioCopy}}, {"cp", []string{"cp", "-r"}}}
	return []contest{
		t.copies("file/ext4", copying{from: file, prepare: warm}, sides),
		t.copies("file/ext4/cold", copying{from: file, prepare: evict}, sides),
		t.copies("tree/ext4", copying{from: tree, prepare: warmTree}, sides),
		t.copies("tree/ext4/cold", copying{image: treeImage, prepare: asMounted}, sides),
		t.copies("file/tmpfs", copying{from: file, prepare: warm}, sides),
		t.copies("tree/tmpfs", copying{from: tree, prepare: warmTree}, sides),
	}, nil
}

// side is a command that copies, and what it is called.
type side struct {
	name    string
	command []string
}

// copies has commands, ours first, copy what is the same to a new file system: to that of
// the name's second part.
func (t *tools) copies(name string, c copying, sides []side) contest {
	parts := strings.Split(name, "/")
	on := parts[1]
	held := contest{title: fmt.Sprintf("copy of a %s on %s", parts[0], strings.Join(parts[1:], ", "))}
	for i, s := range sides {
		c := c
		c.name, c.command, c.peer, c.cpu = s.name, s.command, i > 0, everywhere
		held.programs = append(held.programs, program{name: s.name, takes: 3 * time.Second, peer: c.peer, run: func(ctx context.Context) (reading, error) {
			return t.onNew(ctx, on, c)
		}})
	}
	held.figures = []figure{{name: "copies/" + name, unit: "ms", reading: "ms", ours: sides[0].name, peers: held.peerNames()}}
	return held
}

// onNew copies to a new file system, and from one that is mounted anew if it is of an image.
func (t *tools) onNew(ctx context.Context, on string, c copying) (reading, error) {
	dir, image := t.path("bench/tmp/copies"), t.path("bench/tmp/copies.ext4")
	source := t.path("bench/tmp/copies.from")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(source, 0o755)); err != nil {
		return nil, err
	}
	c.to = filepath.Join(dir, "copy")
	run := func() (reading, error) { return c.run(ctx) }
	if c.image != "" {
		c.from = filepath.Join(source, treeName)
		run = func() (reading, error) {
			return mountedImage(c.image, source, func() (reading, error) { return c.run(ctx) })
		}
	}
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

// smallFilesImage returns an image of a file system with the tree, which is made once: where
// that is mounted, the kernel knows neither what is in the files nor where they are.
func (t *tools) smallFilesImage(ctx context.Context, tree string) (string, error) {
	image, dir := t.path("bench/tmp/copies.tree.ext4"), t.path("bench/tmp/copies.from")
	if exists(image) {
		return image, nil
	}
	if err := errors.Join(checkRoom(filepath.Dir(image), treeSize), os.MkdirAll(dir, 0o755)); err != nil {
		return "", err
	}
	t.say("copying the small files to bench/tmp/copies.tree.ext4, once")
	part := image + ".part"
	if err := makeImage(ctx, part, treeSize, "-N", strconv.Itoa(2*treeFolders*treeFiles)); err != nil {
		return "", err
	}
	_, err := mountedImage(part, dir, func() (reading, error) {
		_, err := command(ctx, "cp", "-r", tree, dir)
		return nil, err
	})
	if err != nil {
		return "", err
	}
	return image, os.Rename(part, image)
}

// asMounted leaves what is copied as a new mount has it.
func asMounted(string) error { return nil }

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
