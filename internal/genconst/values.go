package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// value is what the C compiler makes of a symbol: a sign and a magnitude, wide
// enough for any integer constant of C.
type value struct {
	negative  bool
	magnitude uint64
}

// compile returns what a C program prints. CC names the compiler, with
// arguments if need be.
func compile(program, include string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "genconst")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	source, binary := filepath.Join(dir, "values.c"), filepath.Join(dir, "values")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		return nil, err
	}
	cc := strings.Fields(cmp.Or(os.Getenv("CC"), "gcc"))
	args := append(cc[1:], "-D_GNU_SOURCE", "-w", "-I", include, "-o", binary, source)
	if out, err := exec.Command(cc[0], args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s cannot compile the headers in %s: %w\n%s", cc[0], include, err, out)
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		return nil, fmt.Errorf("the program that %s made does not run here: %w", cc[0], err)
	}
	return out, nil
}

// valuesOf asks the C compiler for the values of names. They must all be
// defined where the generator runs.
func valuesOf(names, headers []string, include string) (map[string]value, error) {
	var c strings.Builder
	c.WriteString("#include <liburing.h>\n#include <stdio.h>\n")
	for _, h := range headers {
		abs, err := filepath.Abs(h)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&c, "#include %q\n", abs)
	}
	c.WriteString("#define SHOW(x) printf(\"%s %c%llu\\n\", #x, (x) < 0 ? '-' : '+', \\\n" +
		"\t(x) < 0 ? -(unsigned long long) (x) : (unsigned long long) (x));\n" +
		"int main(void)\n{\n")
	for _, n := range names {
		fmt.Fprintf(&c, "\tSHOW(%s)\n", n)
	}
	c.WriteString("\treturn 0;\n}\n")

	out, err := compile(c.String(), include)
	if err != nil {
		return nil, err
	}
	values := make(map[string]value, len(names))
	for line := range bytes.Lines(out) {
		name, digits, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if len(digits) < 2 {
			return nil, fmt.Errorf("no value for %s in %q", name, line)
		}
		magnitude, err := strconv.ParseUint(digits[1:], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", name, err)
		}
		values[name] = value{digits[0] == '-', magnitude}
	}
	return values, nil
}
