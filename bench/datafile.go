package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dataFile returns the path of a file in bench/tmp that is filled with random
// bytes. It is made once, and used again as long as it has the size. There must be
// room for it, and for what the programs write.
func (t *tools) dataFile(ctx context.Context, name string, size, written int64) (string, error) {
	path := t.path("bench/tmp/" + name)
	there := isWritten(path, size)
	if !there {
		written += size
	}
	if err := checkRoom(filepath.Dir(path), written); err != nil || there {
		return path, err
	}
	t.say(fmt.Sprintf("writing %d MiB to bench/tmp/%s, once", size>>20, name))
	return path, writeRandom(ctx, path, size)
}

// checkRoom sees to it that a folder is there and that so much can be written to
// it.
func checkRoom(folder string, size int64) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return fmt.Errorf("statfs %s: %w", folder, err)
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) // whose type depends on the machine
	if free < size {
		return missing(fmt.Sprintf("it writes %d MiB to %s, where %d MiB are free: make room there", size>>20, folder, free>>20))
	}
	return nil
}

// isWritten reports whether a file has the size, and all of it on the disk: of
// a sparse file nothing would be read.
func isWritten(path string, size int64) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() != size {
		return false
	}
	const unit = 512 // what stat counts blocks in, whatever the file system has
	return info.Sys().(*syscall.Stat_t).Blocks*unit >= size
}

// writeRandom makes a file as a whole or not at all.
func writeRandom(ctx context.Context, path string, size int64) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(fill(ctx, file, size), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

func fill(ctx context.Context, file *os.File, size int64) error {
	random := rand.NewChaCha8([32]byte{})
	buf := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(buf)) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		buf = buf[:min(int64(len(buf)), left)]
		random.Read(buf)
		if _, err := file.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
