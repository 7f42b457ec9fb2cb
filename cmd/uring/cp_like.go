package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The extended attributes that access control lists are.
const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default" // of a folder, for what is made in it
)

// like gives what is open as out, by O_PATH if need be, the times, the owner and
// the permissions of what is open as in.
func (c *copier) like(in, out int, info *unix.Stat_t, to place) error {
	err := timesLike(out, info)
	allowed, ownerErr := ownerLike(out, info)
	mode := info.Mode & 0o7777
	if !allowed { // somebody else's program must not run with our rights
		mode &^= unix.S_ISUID | unix.S_ISGID
		if !kindOf(info).IsDir() {
			mode &^= unix.S_ISVTX
		}
	}
	err = errors.Join(err, ownerErr)
	if kindOf(info) == kindLink {
		return to.failed("preserve", err)
	}
	return to.failed("preserve", errors.Join(err, permissionsLike(in, out, mode, kindOf(info).IsDir())))
}

func timesLike(out int, info *unix.Stat_t) error {
	times := []unix.Timespec{info.Atim, info.Mtim}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(out, "", times, unix.AT_EMPTY_PATH))
}

// ownerLike gives a copy its owner and group, or if that is not allowed its group
// only, which is no error to those who may not do it anyway.
func ownerLike(out int, info *unix.Stat_t) (allowed bool, err error) {
	err = unix.Fchownat(out, "", int(info.Uid), int(info.Gid), unix.AT_EMPTY_PATH)
	if err == nil {
		return true, nil
	}
	if err == unix.EPERM || err == unix.EINVAL {
		unix.Fchownat(out, "", -1, int(info.Gid), unix.AT_EMPTY_PATH)
		if os.Geteuid() != 0 {
			return false, nil
		}
	}
	return false, os.NewSyscallError("chown", err)
}

// permissionsLike takes lists first that the copy has got from its folder, or had
// before: with them, the mode's group bits are the list's mask.
func permissionsLike(in, out int, mode uint32, folder bool) error {
	list, err := getAttr(in, accessList)
	if err == nil && list == nil {
		err = removeAttr(out, accessList)
	}
	if err == nil {
		err = chmod(out, mode)
	}
	if err == nil && list != nil {
		err = setAttr(out, accessList, list)
	}
	if err != nil || !folder {
		return err
	}
	if list, err = getAttr(in, defaultList); err != nil {
		return err
	}
	if list == nil {
		return removeAttr(out, defaultList)
	}
	return setAttr(out, defaultList, list)
}

// restrict takes the rights from an old file that it must not have with a new
// owner, until it gets those of the other.
func (c *copier) restrict(out int, info, there *unix.Stat_t) error {
	if !c.preserve || info.Uid == there.Uid && info.Gid == there.Gid {
		return nil
	}
	return chmod(out, info.Mode&there.Mode&0o700)
}

// viaProc is a path of what is open by O_PATH, for calls that don't take such a
// descriptor.
func viaProc(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

func chmod(fd int, mode uint32) error {
	err := unix.Fchmod(fd, mode)
	if err == unix.EBADF {
		err = unix.Chmod(viaProc(fd), mode)
	}
	return os.NewSyscallError("chmod", err)
}

// getAttr returns an extended attribute, or nil if there is none.
func getAttr(fd int, name string) ([]byte, error) {
	buf := make([]byte, 64<<10) // the longest that there can be
	n, err := unix.Fgetxattr(fd, name, buf)
	if err == unix.EBADF {
		n, err = unix.Getxattr(viaProc(fd), name, buf)
	}
	if noAttr(err) {
		return nil, nil
	}
	return buf[:max(n, 0)], os.NewSyscallError("getxattr", err)
}

func setAttr(fd int, name string, value []byte) error {
	err := unix.Fsetxattr(fd, name, value, 0)
	if err == unix.EBADF {
		err = unix.Setxattr(viaProc(fd), name, value, 0)
	}
	return os.NewSyscallError("setxattr", err)
}

func removeAttr(fd int, name string) error {
	err := unix.Fremovexattr(fd, name)
	if err == unix.EBADF {
		err = unix.Removexattr(viaProc(fd), name)
	}
	if noAttr(err) {
		return nil
	}
	return os.NewSyscallError("removexattr", err)
}

func noAttr(err error) bool { return err == unix.ENODATA || err == unix.EOPNOTSUPP }
