package liburing

import "fmt"

// Version returns the version of the linked liburing, such as "2.15".
func Version() string { return fmt.Sprintf("%d.%d", MajorVersion(), MinorVersion()) }

// MajorVersion returns the first part of the linked liburing's version
// (io_uring_major_version).
func MajorVersion() int {
	major, _ := cVersion()
	return int(major)
}

// MinorVersion returns the second part of the linked liburing's version
// (io_uring_minor_version).
func MinorVersion() int {
	_, minor := cVersion()
	return int(minor)
}

// CheckVersion reports whether the linked liburing is older than the given
// version (io_uring_check_version).
func CheckVersion(major, minor int) bool {
	return major > MajorVersion() || major == MajorVersion() && minor > MinorVersion()
}
