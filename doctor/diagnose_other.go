//go:build !linux

package doctor

import "runtime"

func diagnose(string) *Diagnosis {
	return &Diagnosis{Findings: []Finding{{
		Check: "kernel", Status: Fail, Found: runtime.GOOS, Means: "io_uring is a part of Linux", Do: "use Linux",
	}}}
}
