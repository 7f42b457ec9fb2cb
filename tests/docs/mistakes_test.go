//go:build linux && !race

package docs_test

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// madeUp has a block of each kind with a mistake, which a comment marks, and blocks that are not Go.
const madeUp = `# Made up

~~~sh
loop.NoSuch()
~~~
~~~go
package main

import "github.com/go-liburing/liburing"

func main() {
	loop, _ := liburing.NewLoop(8)
	loop.NoSuch() // MISTAKE
	loop.Nop(nil)
}
~~~

- in a list:
  ~~~go
  func serve(loop *liburing.Loop) {
  	fmt.Println(ringio.Open("data"))
  	loop.Nop(func(liburing.Completion) { loop.NoSuch() }) // MISTAKE
  }
  ~~~

> ~~~~ Go in a quotation
> r, err := liburing.New(8)
> for range 2 {
> 	r.GetSQE().PrepNoSuch(buf) // MISTAKE
> }
> _, unused := file.Stat()
> ~~~~

~~~go
var rec liburing.PolicyRecorder
unused := func() {
	n := 1 // MISTAKE
}
~~~
~~~go
loop.Nop(nil // MISTAKE
~~~

~~~~markdown
~~~go
loop.NoSuch()
~~~
~~~~
`

// A wrong name or form is told with its line, in whatever kind of block.
func TestMistakesAreTold(t *testing.T) {
	name := filepath.Join(root(t), "made-up.md")
	for _, text := range []string{madeUp, strings.ReplaceAll(madeUp, "~", "`")} {
		said, err := compile(t, root(t), blocksIn(name, text))
		require.Error(t, err)
		var told []string
		for _, place := range regexp.MustCompile(`(?m)^\./made-up\.md:(\d+)`).FindAllStringSubmatch(said, -1) {
			told = append(told, place[1])
		}
		require.ElementsMatch(t, marked(text), told, "%s", said)
	}
}

// marked returns the numbers of the lines that have a mistake.
func marked(text string) (numbers []string) {
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "MISTAKE") {
			numbers = append(numbers, strconv.Itoa(i+1))
		}
	}
	return numbers
}
