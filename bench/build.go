package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// vendored is where liburing is built, if it is not the system's.
const vendored = "third_party/liburing"

// buildGo builds the program in a folder of the module and returns its path.
func (t *tools) buildGo(ctx context.Context, folder string) (string, error) {
	bin := filepath.Join(t.bin, strings.ReplaceAll(folder, "/", "-"))
	return bin, t.build(ctx, "go", "build", "-o", bin, "./"+folder)
}

// buildGoWith builds the program in a folder of the module together with a
// package that it does not import, which is there for its effect.
func (t *tools) buildGoWith(ctx context.Context, folder, imported string) (string, error) {
	overlay, err := t.importing(folder, imported, nil)
	if err != nil {
		return "", err
	}
	bin := filepath.Join(t.bin, strings.ReplaceAll(folder, "/", "-"))
	return bin, t.build(ctx, "go", "build", overlay, "-o", bin, "./"+folder)
}

// importing returns the option of go build that has the program in a folder import a
// package, and finds files where others are.
func (t *tools) importing(folder, imported string, others map[string]string) (option string, err error) {
	name := filepath.Join(t.bin, strings.ReplaceAll(folder, "/", "-"))
	source, overlay := name+"-import.go", name+"-overlay.json"
	if err := os.WriteFile(source, fmt.Appendf(nil, "package main\n\nimport _ %q\n", imported), 0o600); err != nil {
		return "", err
	}
	files := map[string]string{t.path(folder + "/zz_bench.go"): source}
	maps.Copy(files, others)
	replace, err := json.Marshal(map[string]map[string]string{"Replace": files})
	if err != nil {
		return "", err
	}
	return "-overlay=" + overlay, os.WriteFile(overlay, replace, 0o600)
}

// markingPeer returns the option of go build that has a peer import the package mark,
// which then is a package of the peers' module: this needs none of ours otherwise.
func (t *tools) markingPeer(p peer) (option string, err error) {
	const folder, within = "bench/peers/", "internal/mark"
	return t.importing(folder+p.folder, "github.com/go-liburing/liburing/"+folder+within,
		map[string]string{t.path(folder + within + "/mark.go"): t.path("bench/mark/mark.go")})
}

// buildC builds bench/c/NAME.c and returns the program's path.
func (t *tools) buildC(ctx context.Context, name string) (string, error) {
	return t.compile(ctx, name, "bench/c/"+name+".c")
}

// buildExample builds one of liburing's example programs from its sources,
// which come with the vendored liburing.
func (t *tools) buildExample(ctx context.Context, name string, sources ...string) (string, error) {
	if err := t.checkExamples(); err != nil {
		return "", err
	}
	args := []string{"-D_GNU_SOURCE"}
	for _, source := range sources {
		args = append(args, examples+source)
	}
	return t.compile(ctx, name, args...)
}

// examples is the folder of liburing's example programs.
const examples = vendored + "/src/examples/"

func (t *tools) checkExamples() error {
	if !exists(t.path(examples)) {
		return missing("liburing's examples are not in " + examples + ": run make deps")
	}
	return nil
}

// exampleWith writes a source of liburing's examples with a macro that is a number set to
// another one, and returns its path.
func (t *tools) exampleWith(source, macro string, number int) (string, error) {
	if err := t.checkExamples(); err != nil {
		return "", err
	}
	text, err := os.ReadFile(t.path(examples + source))
	if err != nil {
		return "", err
	}
	definition := regexp.MustCompile(`(?m)^(#define ` + macro + `\s+)\d+`)
	if !definition.Match(text) {
		return "", fmt.Errorf("%s defines no number %s", source, macro)
	}
	changed := filepath.Join(t.bin, source)
	text = definition.ReplaceAll(text, fmt.Appendf(nil, "${1}%d", number))
	return changed, os.WriteFile(changed, text, 0o600)
}

// compile compiles C with the liburing that the library is linked to, the
// vendored one if it is there.
func (t *tools) compile(ctx context.Context, name string, args ...string) (string, error) {
	bin := filepath.Join(t.bin, "c-"+name)
	args = append(append(compiler(), "-O2", "-o", bin), args...)
	if exists(t.path(vendored)) {
		args = append(args, "-I"+vendored+"/include", "-L"+vendored+"/lib")
	}
	return bin, t.build(ctx, append(args, "-luring")...)
}

func compiler() []string {
	if cc := strings.Fields(os.Getenv("CC")); len(cc) > 0 {
		return cc
	}
	return []string{"gcc"}
}

// peer is a program in bench/peers that does the work with another library.
type peer struct {
	name   string   // of the library
	folder string   // in bench/peers
	flags  []string // of go build
	marks  bool     // the package mark is built in
	bin    string
}

// buildPeers builds peers and returns those that it could build: they need
// modules that may be out of reach, and the results are worth having without.
func (t *tools) buildPeers(ctx context.Context, peers []peer) ([]peer, error) {
	var built []peer
	for _, p := range peers {
		p.bin = filepath.Join(t.bin, "peer-"+p.folder)
		args := append([]string{"go", "build", "-C", "bench/peers", "-o", p.bin}, p.flags...)
		if p.marks {
			overlay, err := t.markingPeer(p)
			if err != nil {
				return nil, err
			}
			args = append(args, overlay)
		}
		err := t.build(ctx, append(args, "./"+p.folder)...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			t.say(fmt.Sprintf("%s is left out, it can't be built: %v", p.name, err))
			continue
		}
		built = append(built, p)
	}
	return built, nil
}

func (t *tools) build(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = t.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out))
	}
	return nil
}
