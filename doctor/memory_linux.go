package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// commonSizes are the sizes of rings that programs ask for.
var commonSizes = []int{64, 256, 1024, 4096, 32768}

// checkMemory finds out which rings the limit of locked memory leaves room for.
func (d *Diagnosis) checkMemory(s self) {
	d.add(ipcLockFinding(s))
	for _, entries := range commonSizes {
		bytes, err := liburing.MemorySize(entries, 0)
		if err != nil {
			bytes = -1 // the linked liburing is too old to tell
		}
		d.Rings = append(d.Rings, RingSize{entries, bytes, ringFits(entries)})
	}
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	d.add(memlockFinding(limit.Cur, d.Rings, ringsCount(s)))
}

// ringsCount tries whether rings count against RLIMIT_MEMLOCK for this process: one is
// refused where nothing may be locked.
func ringsCount(s self) bool {
	if s.can(unix.CAP_IPC_LOCK) {
		return false
	}
	end, err := inChild(true)
	return err == nil && end.errno == unix.ENOMEM
}

func ipcLockFinding(s self) Finding {
	f := Finding{Check: "CAP_IPC_LOCK", Status: OK, Found: "yes", Means: "RLIMIT_MEMLOCK does not count for this process"}
	switch {
	case s.can(unix.CAP_IPC_LOCK):
	case s.ownUserNS && s.caps>>unix.CAP_IPC_LOCK&1 != 0:
		f.Found, f.Means = "only in its user namespace", "that does not count for io_uring, RLIMIT_MEMLOCK does"
	default:
		f.Found, f.Means = "no", "registered buffers count against RLIMIT_MEMLOCK, on Linux 6.14 to 7.1 rings and buffer rings too"
	}
	return f
}

// ringFits tries a ring. The memory of one that was closed counts for a moment
// longer, so a refusal has to last.
func ringFits(entries int) bool {
	for range 20 {
		ring, err := liburing.New(entries)
		if err == nil {
			ring.Close()
			return true
		}
		if !errors.Is(err, unix.ENOMEM) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// needed is the size of ring that most programs get along with.
const needed = 1024

func memlockFinding(limit uint64, rings []RingSize, count bool) Finding {
	f := Finding{Check: "memlock", Status: OK, Means: "rings of all common sizes fit"}
	if !count {
		f.Means += ": this kernel does not count them for this process"
	}
	allFit := true
	var sizes []string
	for _, r := range rings {
		verdict := "fits"
		if !r.Fits {
			verdict = "does not fit"
			if allFit {
				allFit = false
				f.Means = fmt.Sprintf("rings of %d entries and more do not fit", r.Entries)
			}
			if r.Entries <= needed {
				f.Status = Warn
				f.Do = "raise `ulimit -l` (LimitMEMLOCK= in systemd, --ulimit memlock= in Docker), or use smaller rings"
			}
		}
		sizes = append(sizes, fmt.Sprintf("%d entries (%s) %s", r.Entries, kib(r.Bytes), verdict))
	}
	f.Found = "limit " + limitText(limit) + ": " + strings.Join(sizes, ", ")
	return f
}

func limitText(limit uint64) string {
	if limit == unix.RLIM_INFINITY {
		return "none"
	}
	return kib(int64(limit))
}

func kib(bytes int64) string {
	if bytes < 0 {
		return "size unknown"
	}
	return fmt.Sprintf("%d KiB", (bytes+1023)/1024)
}
