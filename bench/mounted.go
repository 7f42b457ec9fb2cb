package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// mountedImage calls run while the file system in a file is mounted: the kernel knows
// nothing of its files then.
func mountedImage(image, dir string, run func() (reading, error)) (r reading, err error) {
	device, err := whole("losetup", "--find", "--show", "--direct-io=on", image)
	if err != nil {
		return nil, err
	}
	defer undo(&err, "losetup", "--detach", device)
	if _, err := whole("mount", "-o", "noatime", device, dir); err != nil {
		return nil, err
	}
	defer undo(&err, "umount", dir)
	return run()
}

// mountedMemory is mountedImage for a new file system in memory.
func mountedMemory(dir string, size int64, run func() (reading, error)) (r reading, err error) {
	if _, err := whole("mount", "-t", "tmpfs", "-o", "size="+strconv.FormatInt(size, 10), "tmpfs", dir); err != nil {
		return nil, err
	}
	defer undo(&err, "umount", dir)
	return run()
}

// undo runs a command that takes something back.
func undo(err *error, name string, args ...string) {
	_, failed := whole(name, args...)
	*err = errors.Join(*err, failed)
}

// whole is command for one that comes to its end also when all is to end: of one that is
// killed nobody knows what has to be taken back. A terminal's Ctrl-C goes to all of a group.
func whole(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return output(cmd)
}

// makeImage makes an empty ext4 in a new file.
func makeImage(ctx context.Context, image string, size int64, args ...string) error {
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size)); err != nil {
		return err
	}
	_, err := command(ctx, "mkfs.ext4", append(append([]string{"-q", "-F"}, args...), image)...)
	return err
}

// mounts sees to it that images can be made and mounted here, before anything is measured.
func (t *tools) mounts(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return missing("it mounts file systems of its own: run it as root")
	}
	if err := needs("mkfs.ext4", "losetup", "mount", "umount"); err != nil {
		return err
	}
	image, dir := filepath.Join(t.bin, "image"), filepath.Join(t.bin, "mounted")
	defer os.Remove(image)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := makeImage(ctx, image, 4<<20)
	if err == nil {
		_, err = mountedImage(image, dir, func() (reading, error) { return nil, nil })
	}
	if err != nil && ctx.Err() == nil {
		return missing(fmt.Sprintf("it mounts file systems of its own, which fails here: %v", err))
	}
	return errors.Join(err, ctx.Err())
}
