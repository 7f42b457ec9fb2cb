package main

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// warm has the page cache hold a file.
func warm(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(io.Discard, file)
	return err
}

// evict has the page cache drop a file: it does for pages that are on the disk
// and that nobody else maps.
func evict(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// reportedOrder says how large pieces of free memory are, as powers of two pages,
// which the kernel offers to the host of a virtual machine.
const reportedOrder = "/sys/module/page_reporting/parameters/page_reporting_order"

// memoryIsTaken reports whether the host of a virtual machine takes back what is
// free: to get it again may take longer than to copy into it.
func memoryIsTaken(file string) bool {
	const most = 10 // the largest pieces that there are
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	order, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && order >= 0 && order <= most
}

// haveMemory sees to it that this machine has free memory for a copy of the file
// at hand, most of the time: see memoryIsTaken.
func haveMemory(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(-1, 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	unix.Madvise(mem, unix.MADV_HUGEPAGE) // in large pieces, where there are some
	err = unix.Madvise(mem, unix.MADV_POPULATE_WRITE)
	return errors.Join(os.NewSyscallError("madvise", err), unix.Munmap(mem))
}
