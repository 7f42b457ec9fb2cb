package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// findFio returns fio's path, or says that it is missing.
func findFio(t *tools) string {
	path, err := exec.LookPath("fio")
	if err != nil {
		t.say("fio is left out: it is not installed (make bench does that, or apt-get install fio)")
		return ""
	}
	return path
}

// fioStartUp is about what fio needs beside its measuring time.
const fioStartUp = 700 * time.Millisecond

// fio returns a contest's side that has one of fio's engines read random blocks.
func (t *tools) fio(fio, engine, file string, depth int) program {
	args := []string{
		"--name=randread", "--rw=randread", "--bs=4k", "--direct=1", "--time_based", "--readonly",
		"--norandommap", "--randrepeat=0", "--gtod_reduce=1", "--output-format=json",
		"--filename=" + file,
		"--ioengine=" + engine,
		fmt.Sprintf("--iodepth=%d", depth),
		"--ramp_time=100ms",
		fmt.Sprintf("--runtime=%dms", max(t.time().Milliseconds(), 1)),
	}
	if engine == "io_uring" {
		args = append(args, "--fixedbufs=1", "--registerfiles=1", "--nonvectored=1")
	}
	return t.command("fio "+engine, fioStartUp+t.time(), parseFio, fio, args...).asPeer()
}

// parseFio reads the report of a job that only reads.
func parseFio(out []byte) (reading, error) {
	// Warnings may come before the report.
	if at := bytes.IndexByte(out, '{'); at >= 0 {
		out = out[at:]
	}
	var report struct {
		Jobs []struct {
			Error int
			Read  struct {
				IOPS    float64 `json:"iops"`
				Total   float64 `json:"total_ios"`
				Runtime float64 // milliseconds
			}
			User   float64 `json:"usr_cpu"` // percent of the time
			System float64 `json:"sys_cpu"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, fmt.Errorf("fio's report: %w", err)
	}
	if len(report.Jobs) != 1 {
		return nil, fmt.Errorf("fio's report has %d jobs, not one", len(report.Jobs))
	}
	job := report.Jobs[0]
	switch {
	case job.Error != 0:
		return nil, fmt.Errorf("fio's job failed with errno %d", job.Error)
	case job.Read.Total == 0 || job.Read.IOPS == 0:
		return nil, errors.New("fio has read nothing: -seconds is too short for it")
	}
	busy := (job.User + job.System) / 100 * job.Read.Runtime * 1000 // microseconds
	return reading{"iops": job.Read.IOPS, cpuReading: busy / job.Read.Total}, nil
}
