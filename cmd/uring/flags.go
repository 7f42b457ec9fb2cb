package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

// usageError is the error of a command line that makes no sense.
type usageError struct {
	flags *flag.FlagSet
	why   string
}

func (e *usageError) Error() string { return e.why }

// badUsage makes a usageError.
func badUsage(flags *flag.FlagSet, format string, args ...any) error {
	return &usageError{flags, fmt.Sprintf(format, args...)}
}

// newFlags returns the flags of a command, empty; synopsis and about are what
// its usage says.
func newFlags(name, synopsis, about string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: uring %s %s\n\n%s\n", name, synopsis, about)
		hasFlags := false
		flags.VisitAll(func(*flag.Flag) { hasFlags = true })
		if hasFlags {
			fmt.Fprint(flags.Output(), "\nflags:\n")
			flags.PrintDefaults()
		}
	}
	return flags
}

// parse parses a command's arguments, of which least to most must be left when
// the flags are gone; most below zero is no limit. Asked for help, it prints the
// usage and returns flag.ErrHelp.
func parse(flags *flag.FlagSet, args []string, least, most int) error {
	flags.SetOutput(io.Discard) // what the package would print comes in an order of ours
	err := flags.Parse(args)
	switch {
	case err == flag.ErrHelp:
		flags.SetOutput(os.Stdout)
		flags.Usage()
		return err
	case err != nil:
		return badUsage(flags, "%v", err)
	case flags.NArg() < least:
		return badUsage(flags, "an argument is missing")
	case slices.Contains(flags.Args(), ""):
		return badUsage(flags, "an argument is empty")
	case most >= 0 && flags.NArg() > most:
		return badUsage(flags, "%q is one argument too many", flags.Arg(most))
	}
	return nil
}
