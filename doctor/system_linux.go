package doctor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

func kernelFinding(release string) Finding {
	f := Finding{
		Check: "kernel", Status: OK, Found: "Linux " + release,
		Means: "io_uring came with Linux 5.1; the kernel has what event loops want (one issuer, deferred task work)",
	}
	var major, minor int
	fmt.Sscanf(release, "%d.%d", &major, &minor)
	switch newer := func(a, b int) bool { return major > a || major == a && minor >= b }; {
	case !newer(5, 1):
		f.Status, f.Means, f.Do = Fail, "io_uring came with Linux 5.1", "use a kernel of 5.1 or newer, best 6.1 or newer"
	case !newer(6, 1):
		f.Status = Warn
		f.Means = "io_uring came with Linux 5.1; setup flags that make event loops quick came with 6.1, and later fixes matter"
		f.Do = "use a kernel of 6.1 or newer if you can"
	}
	return f
}

// self is what /proc tells of this process.
type self struct {
	groups    []int
	seccomp   int // 0 none, 1 strict, 2 a filter
	filters   int
	caps      uint64
	unknown   bool // there is no /proc
	ownUserNS bool // in a user namespace of its own, where capabilities don't count for io_uring
}

func readSelf() self {
	var s self
	groups, _ := os.Getgroups()
	s.groups = append(groups, os.Getegid())
	status := readFile("/proc/self/status")
	s.unknown = status == ""
	s.readStatus(status)
	uids := strings.Fields(readFile("/proc/self/uid_map"))
	s.ownUserNS = len(uids) > 0 && !slices.Equal(uids, []string{"0", "0", "4294967295"})
	return s
}

// readStatus takes what it needs from the text of /proc/self/status.
func (s *self) readStatus(text string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Seccomp":
			s.seccomp, _ = strconv.Atoi(value)
		case "Seccomp_filters":
			s.filters, _ = strconv.Atoi(value)
		case "CapEff":
			s.caps, _ = strconv.ParseUint(value, 16, 64)
		}
	}
}

// can reports whether the process has a capability that counts.
func (s *self) can(capability int) bool {
	return !s.ownUserNS && s.caps>>capability&1 != 0
}

// readFile returns the text of a file of /proc, empty if it is not there.
func readFile(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}
