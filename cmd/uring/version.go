package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const aboutVersion = `Tells the versions of this program, of the liburing that it is linked with or does the
same as, of the running kernel, and of the Go that built it. The backend is "cgo" where
liburing is linked, "go" where this program does without it.`

// versions are what a report of a fault should name.
type versions struct {
	Uring    string `json:"uring"`
	Liburing string `json:"liburing"`
	Backend  string `json:"backend"`
	Kernel   string `json:"kernel"`
	Go       string `json:"go"`
}

func version(args []string) error {
	flags := newFlags("version", "[-json]", aboutVersion)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	v := versions{
		Uring: moduleVersion(), Liburing: liburing.Version(), Backend: liburing.Backend(),
		Kernel: kernelRelease(), Go: runtime.Version(),
	}
	if *asJSON {
		return printJSON(v)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "uring\t%s\nliburing\t%s\nbackend\t%s\nLinux\t%s\nGo\t%s\n", v.Uring, v.Liburing, v.Backend, v.Kernel, v.Go)
	return w.Flush()
}

// moduleVersion returns the module's version, or (devel) where the program was
// built from something else than a release or a repository.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// kernelRelease returns the running kernel's version, such as 6.12.48-cloud.
func kernelRelease() string {
	var uts unix.Utsname
	if unix.Uname(&uts) != nil {
		return ""
	}
	return unix.ByteSliceToString(uts.Release[:])
}
