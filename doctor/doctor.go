// Package doctor finds out whether io_uring works for this process: what the kernel can
// do, what stands in the way (a sysctl, a seccomp filter, the limit of locked memory, a
// control group), and what to do about each. This is what `uring doctor` prints, as a
// value that a service can log when it starts, or put on its health page:
//
//	expvar.Publish("io_uring", doctor.Diagnose())
//
// liburing.Require checks for single features.
package doctor

import "encoding/json"

// Status says how bad a finding is. Only what makes io_uring unusable is Fail.
type Status string

const (
	OK   Status = "ok"   // nothing stands in the way
	Warn Status = "warn" // io_uring works; something is missing, or may fail later
	Fail Status = "fail" // io_uring can't be used
)

// Finding is the result of a check. The names in JSON, and those of the checks, are
// stable.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Means  string `json:"means"`
	Do     string `json:"do,omitempty"` // the one thing to do; empty when all is well
}

// Support says whether the kernel has something.
type Support struct {
	Name      string `json:"name"`
	Number    uint32 `json:"number"`
	Supported bool   `json:"supported"`
}

// RingSize is a ring size that was tried.
type RingSize struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"` // below zero where liburing is too old to tell
	Fits    bool  `json:"fits"`
}

// Diagnosis is everything that was found. The lists are left out if no ring can be made
// to ask.
type Diagnosis struct {
	Usable    bool       `json:"usable"`
	Kernel    string     `json:"kernel"`
	Liburing  string     `json:"liburing"`
	Backend   string     `json:"backend"` // see liburing.Backend
	Findings  []Finding  `json:"findings"`
	Features  []Support  `json:"features,omitempty"`
	Abilities []Support  `json:"abilities,omitempty"`
	Opcodes   []Support  `json:"opcodes,omitempty"`
	Register  []Support  `json:"register,omitempty"`
	Rings     []RingSize `json:"rings,omitempty"`
}

// Diagnose makes all checks except those that need a file. It takes some milliseconds,
// sets up rings and closes them, and forks a child that makes three system calls,
// because a seccomp filter may kill the process for them. On other systems a single
// finding says that this is not Linux.
func Diagnose() *Diagnosis { return diagnose("") }

// DiagnoseIn is Diagnose that also creates a file in a folder, reads it in two ways,
// the ordinary one and polling the disk for completions (SetupIOPoll), and removes it.
func DiagnoseIn(dir string) *Diagnosis { return diagnose(dir) }

// String returns the diagnosis as JSON, which makes it an expvar.Var.
func (d *Diagnosis) String() string {
	text, err := json.Marshal(d)
	if err != nil {
		return "{}" // not of these types
	}
	return string(text)
}

// About returns the finding of a check.
func (d *Diagnosis) About(check string) (f Finding, ok bool) {
	for _, f := range d.Findings {
		if f.Check == check {
			return f, true
		}
	}
	return Finding{}, false
}

func (d *Diagnosis) add(f Finding) { d.Findings = append(d.Findings, f) }

// failed reports whether a finding makes io_uring unusable.
func (d *Diagnosis) failed() bool {
	for _, f := range d.Findings {
		if f.Status == Fail {
			return true
		}
	}
	return false
}
