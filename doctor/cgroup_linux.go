package doctor

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// cgroup is what the control groups leave to this process; below zero: no limit.
type cgroup struct {
	memoryUsed, memoryMax int64 // bytes
	tasksUsed, tasksMax   int64
	cpus                  float64
}

// cgroupFiles are a controller's files: version 2's, and 1's.
var cgroupFiles = map[string][2][2]string{
	"memory": {{"memory.max", "memory.current"}, {"memory.limit_in_bytes", "memory.usage_in_bytes"}},
	"pids":   {{"pids.max", "pids.current"}, {"pids.max", "pids.current"}},
}

// readCgroup reads the limits below root of the groups that /proc/self/cgroup names,
// and of those that these are in: the narrowest counts.
func readCgroup(root, proc string) cgroup {
	c := cgroup{memoryMax: -1, tasksMax: -1, cpus: -1}
	for line := range strings.Lines(proc) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		version := 2
		mount := root
		if controllers != "" {
			version, mount = 1, path.Join(root, controllers)
		}
		for ; ; group = path.Dir(group) {
			dir := path.Join(mount, group)
			c.take(dir, version)
			if version == 2 { // beside version 1 it is mounted here
				c.take(path.Join(root, "unified", group), version)
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	return c
}

// take takes the limits of a group that are narrower.
func (c *cgroup) take(dir string, version int) {
	limit := func(controller string) (used, most int64) {
		files := cgroupFiles[controller][2-version]
		return number(path.Join(dir, files[1])), number(path.Join(dir, files[0]))
	}
	if used, most := limit("memory"); narrower(used, most, c.memoryUsed, c.memoryMax) {
		c.memoryUsed, c.memoryMax = used, most
	}
	if used, most := limit("pids"); narrower(used, most, c.tasksUsed, c.tasksMax) {
		c.tasksUsed, c.tasksMax = used, most
	}
	quota, period := number(path.Join(dir, "cpu.cfs_quota_us")), number(path.Join(dir, "cpu.cfs_period_us"))
	if version == 2 {
		quota, period = -1, 0
		fmt.Sscan(readFile(path.Join(dir, "cpu.max")), &quota, &period)
	}
	if quota >= 0 && period > 0 {
		if cpus := float64(quota) / float64(period); c.cpus < 0 || cpus < c.cpus {
			c.cpus = cpus
		}
	}
}

// narrower reports whether a limit leaves less than another one.
func narrower(used, most, otherUsed, otherMost int64) bool {
	return most >= 0 && used >= 0 && (otherMost < 0 || most-used < otherMost-otherUsed)
}

// number returns the number in a file, below zero if there is none, or no limit.
func number(name string) int64 {
	n, err := strconv.ParseInt(readFile(name), 10, 64)
	if err != nil || n > 1<<60 { // version 1's word for no limit
		return -1
	}
	return n
}

// What a program with rings gets along with.
const (
	fewBytes = 32 << 20
	fewTasks = 64 // the kernel's workers are some
	fewCPUs  = 2
)

func cgroupFinding(c cgroup) Finding {
	f := Finding{Check: "cgroup", Status: OK, Found: "no limit", Means: "no control group limits memory, tasks or processors"}
	var limits []string
	if c.memoryMax >= 0 {
		limits = append(limits, fmt.Sprintf("memory %d of %d MiB used", c.memoryUsed>>20, c.memoryMax>>20))
	}
	if c.tasksMax >= 0 {
		limits = append(limits, fmt.Sprintf("tasks %d of %d used", c.tasksUsed, c.tasksMax))
	}
	if c.cpus >= 0 {
		limits = append(limits, fmt.Sprintf("processors %.3g", c.cpus))
	}
	if len(limits) == 0 {
		return f
	}
	f.Found, f.Means = strings.Join(limits, ", "), "there is room for rings, buffers and the kernel's workers"
	switch {
	case c.memoryMax >= 0 && c.memoryMax-c.memoryUsed < fewBytes:
		f.Status = Warn
		f.Means = "rings and buffers count as memory of the group, and little is left: ENOMEM, or the process is killed"
		f.Do = "raise memory.max of the group (MemoryMax= in systemd, --memory in Docker)"
	case c.tasksMax >= 0 && c.tasksMax-c.tasksUsed < fewTasks:
		f.Status = Warn
		f.Means = "the kernel's worker threads count as tasks of the group: where none can be made, requests for files fail (ECANCELED)"
		f.Do = "raise pids.max of the group (TasksMax= in systemd, --pids-limit in Docker)"
	case c.cpus >= 0 && c.cpus < fewCPUs:
		f.Status = Warn
		f.Means = "a loop's thread and Go's monitor share less than two processors, which makes waits slower"
		f.Do = "give the group two processors (CPUQuota=200% in systemd, --cpus 2 in Docker)"
	}
	return f
}
