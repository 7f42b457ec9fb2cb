//go:build linux && !race

package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// block is one of Go in a Markdown file.
type block struct {
	file string
	line int // of its first line of Go
	text string
}

// unpublished are the folders of what a checkout makes or fetches, as .gitignore has them.
var unpublished = map[string]bool{
	"bench/results": true, "bench/tmp": true, "bin": true, "third_party/liburing": true,
}

// documents returns the module's Markdown files. Every folder is read for it, and not git asked, so that go test does
// not repeat an old result when a file has come or changed, of Markdown or of Go: it knows of what a test reads itself.
func documents(t *testing.T, root string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (unpublished[name] || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.Type().IsRegular() && filepath.Ext(name) == ".md":
			names = append(names, path)
		}
		return nil
	}))
	return names
}

// blocksOf returns the blocks of Go in a file.
func blocksOf(t *testing.T, name string) []block {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return blocksIn(name, string(text))
}

// fence is what begins and ends a block, in a list or a quotation too, and the language that it is of.
var fence = regexp.MustCompile("^((?:[ \t>]|[-*+] |[0-9]+[.)] )*)(```+|~~~+)[ \t]*([^ \t\n]*)")

// blocksIn returns the blocks of Go in a text. Blocks of other languages are followed to their ends as well, because
// such a block may show a Markdown file.
func blocksIn(name, text string) (blocks []block) {
	var open, margin, language string // the fence that is not closed yet, and what stands before and behind it
	number := 0
	for line := range strings.Lines(text) {
		number++
		found := fence.FindStringSubmatch(line)
		switch {
		case open == "" && found != nil:
			margin, open, language = found[1], found[2], found[3]
			if isGo(language) {
				blocks = append(blocks, block{file: name, line: number + 1})
			}
		case found != nil && found[3] == "" && strings.HasPrefix(found[2], open):
			open = ""
		case open != "" && isGo(language):
			blocks[len(blocks)-1].text += strings.TrimPrefix(line, margin)
		}
	}
	return blocks
}

func isGo(language string) bool {
	return strings.EqualFold(language, "go") || strings.EqualFold(language, "golang")
}
