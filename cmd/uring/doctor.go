package main

import (
	"encoding/json"
	"os"
)

const aboutDoctor = `Tells whether io_uring works here: what the kernel can do, what stands in the way,
and the one thing to do about it. The exit code is 1 if it cannot be used.`

func doctor(args []string) error {
	flags := newFlags("doctor", "[-json] [-v] [-dir DIR]", aboutDoctor)
	asJSON := flags.Bool("json", false, "print JSON")
	verbose := flags.Bool("v", false, "explain also what is well")
	dir := flags.String("dir", os.TempDir(), "the `folder` whose files are tried")
	trying := flags.Bool("try", false, "only set a ring up and use it (doctor runs itself so, in case that is deadly)")
	if err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	if *trying {
		return tryRing()
	}
	d := diagnose(*dir)
	var err error
	if *asJSON {
		err = printJSON(d)
	} else {
		err = d.print(os.Stdout, *verbose)
	}
	if err == nil && !d.Usable {
		return errQuiet
	}
	return err
}

// printJSON writes what a command found for programs to read.
func printJSON(v any) error {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// status says how bad a finding is. Only what makes io_uring unusable is a
// failure.
type status string

const (
	ok   status = "ok"
	warn status = "warn"
	fail status = "fail"
)

// finding is what a check found. The names in JSON do not change.
type finding struct {
	Check  string `json:"check"`
	Status status `json:"status"`
	Found  string `json:"found"`
	Means  string `json:"means"`
	Do     string `json:"do,omitempty"` // the one thing to do; empty when all is well
}

// diagnosis is all that the doctor found. The lists are left out when there can
// be no ring to ask.
type diagnosis struct {
	Usable   bool       `json:"usable"`
	Kernel   string     `json:"kernel"`
	Liburing string     `json:"liburing"`
	Findings []finding  `json:"findings"`
	Features []ability  `json:"features,omitempty"`
	Opcodes  []ability  `json:"opcodes,omitempty"`
	Register []ability  `json:"register,omitempty"`
	Rings    []ringSize `json:"rings,omitempty"`
}

// diagnose makes all checks. What needs a ring comes last, and only if there can
// be one.
func diagnose(dir string) *diagnosis {
	d := new(diagnosis)
	self := readSelf()
	d.checkSystem()
	d.checkSysctls(self)
	d.checkSeccomp(self)
	if d.checkCalls() {
		d.checkAbilities()
		d.checkMemory(self)
		d.checkNop()
		d.checkSQPoll()
		d.checkFiles(dir)
	}
	d.Usable = !d.failed()
	return d
}

func (d *diagnosis) add(f finding) { d.Findings = append(d.Findings, f) }

// failed reports whether a finding makes io_uring unusable.
func (d *diagnosis) failed() bool {
	for _, f := range d.Findings {
		if f.Status == fail {
			return true
		}
	}
	return false
}
