package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const aboutBench = `Measures this machine: requests that do nothing, in batches through a Ring and a
Loop, and random reads of 4 KiB, past the page cache, of a file that is made for
it. Another load on the machine spoils the figures.`

func bench(args []string) error {
	flags := newFlags("bench", "[-json] [-seconds N] [-dir DIR] [-size SIZE]", aboutBench)
	asJSON := flags.Bool("json", false, "print JSON, when all is measured")
	seconds := flags.Float64("seconds", 0.4, "how long each of the 12 figures is measured")
	dir := flags.String("dir", os.TempDir(), "the `folder` of the file to read")
	size := byteSize(128 << 20)
	flags.Var(&size, "size", "the size of the file, such as 64M or 4G")
	if err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	if !(*seconds > 0 && *seconds <= 3600) {
		return badUsage(flags, "-seconds must be above zero, and 3600 at most")
	}
	if size < readBlock {
		return badUsage(flags, "-size must be 4K at least, what one read takes")
	}
	if err := checkFolder(*dir, int64(size)); err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	b := benchmark{ctx: ctx, each: time.Duration(*seconds * float64(time.Second)), quiet: *asJSON}
	err := b.nops()
	if err == nil {
		err = b.reads(*dir, int64(size))
	}
	if ctx.Err() != nil {
		err = errInterrupted
	}
	if err == nil && *asJSON {
		err = printJSON(map[string]any{"charts": b.charts})
	}
	return err
}

// benchmark is a run of all measurements.
type benchmark struct {
	ctx    context.Context
	each   time.Duration // for one figure
	quiet  bool          // the charts are not shown as soon as they are done
	charts []chart
}

func (b *benchmark) add(c chart) error {
	b.charts = append(b.charts, c)
	if b.quiet {
		return nil
	}
	return c.print(os.Stdout)
}

// byteSize is a flag that is a number of bytes, with K, M or G behind it or not.
type byteSize int64

func (s *byteSize) String() string {
	n := int64(*s)
	for _, unit := range []string{"", "K", "M"} {
		if n == 0 || n%1024 != 0 {
			return strconv.FormatInt(n, 10) + unit
		}
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + "G"
}

func (s *byteSize) Set(text string) error {
	digits := strings.TrimRight(strings.ToUpper(text), "KMG")
	shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30}
	by, ok := shift[strings.ToUpper(text[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n <= 0 || n > 1<<62>>by {
		return fmt.Errorf("give a number of bytes, such as 65536, 64M or 4G")
	}
	*s = byteSize(n << by)
	return nil
}
