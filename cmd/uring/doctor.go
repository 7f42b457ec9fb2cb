package main

import (
	"encoding/json"
	"os"

	"github.com/go-liburing/liburing/doctor"
)

const aboutDoctor = `Tells whether io_uring works here: what the kernel can do, what stands in the way,
and the one thing to do about it. The exit code is 1 if it cannot be used.`

func diagnose(args []string) error {
	flags := newFlags("doctor", "[-json] [-v] [-dir DIR]", aboutDoctor)
	asJSON := flags.Bool("json", false, "print JSON")
	verbose := flags.Bool("v", false, "explain also what is well")
	dir := flags.String("dir", os.TempDir(), "the `folder` whose files are tried")
	if err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	d := doctor.DiagnoseIn(*dir)
	var err error
	if *asJSON {
		err = printJSON(d)
	} else {
		err = d.Print(os.Stdout, *verbose)
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
