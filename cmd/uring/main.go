// Uring is io_uring on the command line: it diagnoses this machine's io_uring, shows
// and copies files, serves a folder and measures speed, all through package liburing.
// README.md has examples.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// command is a subcommand. Its run function parses the arguments behind the
// name.
type command struct {
	name, about string
	run         func(args []string) error
}

// commands are the subcommands, in the order that the usage tells them.
var commands = []command{
	{"doctor", "tell whether io_uring works here, and what to do if not", diagnose},
	{"cat", "write files to the standard output", cat},
	{"cp", "copy a file or a folder", cp},
	{"serve", "serve a folder on the web", serve},
	{"bench", "measure this machine", bench},
	{"version", "tell the versions of this program, liburing and the kernel", version},
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run carries out a command line and returns the exit code: 0 done, 1 failed, 2
// not understood.
func run(args []string) int {
	if len(args) == 0 {
		usage(os.Stderr)
		return 2
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		usage(os.Stdout)
		return 0
	case "-version", "--version":
		args[0] = "version"
	}
	for _, c := range commands {
		if c.name == args[0] {
			return report(c.name, c.run(args[1:]))
		}
	}
	fmt.Fprintf(os.Stderr, "uring: there is no command %q\n\n", args[0])
	usage(os.Stderr)
	return 2
}

func usage(out io.Writer) {
	fmt.Fprint(out, "usage: uring COMMAND [flags] [arguments]\n\nio_uring on the command line.\n\ncommands:\n")
	for _, c := range commands {
		fmt.Fprintf(out, "  %-9s%s\n", c.name, c.about)
	}
	fmt.Fprint(out, "\n`uring COMMAND -h` tells the flags of each.\n")
}

// errQuiet is the error of a command that has said all there is to say.
var errQuiet = errors.New("failed")

// report prints the error of a command and returns the exit code.
func report(name string, err error) int {
	switch bad := (*usageError)(nil); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &bad):
		fmt.Fprintf(os.Stderr, "uring %s: %s\n\n", name, bad.why)
		bad.flags.SetOutput(os.Stderr)
		bad.flags.Usage()
		return 2
	case !errors.Is(err, errQuiet):
		complain(name, err)
	}
	return 1
}

// complain prints an error, or each of several that were joined, on a line.
func complain(name string, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range several.Unwrap() {
			complain(name, err)
		}
		return
	}
	fmt.Fprintf(os.Stderr, "uring %s: %s\n", name, strings.Map(printable, err.Error()))
}

// printable replaces what a terminal would obey, which may come from the name of
// a file.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return '?'
	}
	return r
}
