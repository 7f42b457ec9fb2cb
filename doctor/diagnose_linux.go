package doctor

import (
	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// diagnose makes all checks. What needs a ring comes last, and only if there can
// be one.
func diagnose(dir string) *Diagnosis {
	d := new(Diagnosis)
	self := readSelf()
	d.checkSystem()
	d.checkSysctls(self)
	d.checkSeccomp(self)
	if d.checkCalls(self) {
		d.checkSupport()
		d.checkMemory(self)
		d.add(cgroupFinding(readCgroup("/sys/fs/cgroup", readFile("/proc/self/cgroup"))))
		d.checkNop()
		d.checkSQPoll()
		if dir != "" {
			d.checkFiles(dir)
		}
	}
	d.Usable = !d.failed()
	return d
}

// checkSystem tells the versions.
func (d *Diagnosis) checkSystem() {
	var name unix.Utsname
	unix.Uname(&name)
	d.Kernel = unix.ByteSliceToString(name.Release[:])
	d.Liburing, d.Backend = liburing.Version(), liburing.Backend()
	d.add(kernelFinding(d.Kernel))
	d.add(liburingFinding(d.Liburing, d.Backend))
}

func liburingFinding(version, backend string) Finding {
	f := Finding{
		Check: "liburing", Status: OK, Found: version + ", linked by cgo",
		Means: "the version of the C library that this program is linked with",
	}
	if backend == liburing.BackendGo {
		f.Found = "none, in Go as " + version
		f.Means = "this program was built without cgo, or with -tags liburing_go: Go does what liburing " + version + " does"
	}
	return f
}
