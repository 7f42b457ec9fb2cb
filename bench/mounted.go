package main

import (
	"context"
	"errors"
	"os"
	"strconv"
)

// mountedImage calls run while the file system in a file is mounted: the kernel knows
// nothing of its files then.
func mountedImage(ctx context.Context, image, dir string, run func() (reading, error)) (r reading, err error) {
	device, err := command(ctx, "losetup", "--find", "--show", "--direct-io=on", image)
	if err != nil {
		return nil, err
	}
	defer undo(ctx, &err, "losetup", "--detach", device)
	if _, err := command(ctx, "mount", "-o", "noatime", device, dir); err != nil {
		return nil, err
	}
	defer undo(ctx, &err, "umount", dir)
	return run()
}

// mountedMemory is mountedImage for a new file system in memory.
func mountedMemory(ctx context.Context, dir string, size int64, run func() (reading, error)) (r reading, err error) {
	if _, err := command(ctx, "mount", "-t", "tmpfs", "-o", "size="+strconv.FormatInt(size, 10), "tmpfs", dir); err != nil {
		return nil, err
	}
	defer undo(ctx, &err, "umount", dir)
	return run()
}

// undo runs a command that takes something back, also when all is to end.
func undo(ctx context.Context, err *error, name string, args ...string) {
	_, failed := command(context.WithoutCancel(ctx), name, args...)
	*err = errors.Join(*err, failed)
}

// makeImage makes an empty ext4 in a new file.
func makeImage(ctx context.Context, image string, size int64, args ...string) error {
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		return err
	}
	_, err := command(ctx, "mke2fs", append(append([]string{"-q", "-F", "-t", "ext4"}, args...), image)...)
	return err
}
