package main

import (
	"fmt"
	"log"
	"regexp"
	"slices"
	"strings"

	"github.com/go-liburing/liburing/internal/optable"
)

var (
	prepName    = regexp.MustCompile(`\bPrep[A-Z]\w*`)
	needsKernel = regexp.MustCompile(`Needs Linux (\d+\.\d+)\.$`)
	word        = regexp.MustCompile(`\b\w+\b`)
)

// doc returns the comment of the Loop's method: the first paragraph of that of
// PrepX, with the Loop's names, and before its last sentence, which tells the
// kernel, what PrepX has for the Loop alone.
func (m *method) doc() string {
	text := firstParagraph(m.prep)
	at := strings.LastIndex(text, "Needs Linux ")
	text = text[:at] + strings.Join(append(loopSentences(m.prep), text[at:]), " ")
	text = prepName.ReplaceAllStringFunc(text, func(prep string) string {
		if name, ok := optable.LoopForms.Name(prep); ok {
			return name
		}
		return "SQE." + prep
	})
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if name, ok := m.renamed[w]; ok {
			return name
		}
		return w
	})
}

func firstParagraph(p optable.Prep) string {
	first, _, _ := strings.Cut(p.Decl.Doc.Text(), "\n\n")
	return strings.Join(strings.Fields(first), " ")
}

// loopSentences returns what the lines //loop:doc have.
func loopSentences(p optable.Prep) (sentences []string) {
	for _, line := range p.Decl.Doc.List {
		if s, ok := strings.CutPrefix(line.Text, "//loop:doc "); ok {
			sentences = append(sentences, s)
		}
	}
	return sentences
}

// checkDocs holds the comments of the Prep methods to the table: each begins with
// the name, has the C function in parentheses and ends with the kernel, for one of
// an operation's methods the operation's own, for none an older one; and where
// the operation always takes a worker thread it says so.
func checkDocs(preps []optable.Prep, table map[string]optable.Row) {
	least := map[string]string{}
	for _, p := range preps {
		row, ok := table[p.Op]
		if !ok {
			log.Fatalf("optable.go has no row for %s", p.Op)
		}
		kernel, err := checkDoc(p, row)
		if err != nil {
			log.Fatalf("%s: the doc comment %v; its first paragraph goes \"%s … (io_uring_prep_…). Needs Linux %s.\"", p.Name, err, p.Name, row.Kernel)
		}
		if least[p.Op] == "" || older(kernel, least[p.Op]) {
			least[p.Op] = kernel
		}
	}
	for op, kernel := range least {
		if kernel != table[op].Kernel {
			log.Fatalf("%s needs Linux %s by optable.go, %s by the doc comments", op, table[op].Kernel, kernel)
		}
	}
}

func checkDoc(p optable.Prep, row optable.Row) (kernel string, err error) {
	doc := firstParagraph(p)
	needs := needsKernel.FindStringSubmatch(doc)
	switch {
	case !strings.HasPrefix(doc, p.Name+" "):
		return "", fmt.Errorf("does not begin with the name")
	case !strings.Contains(doc, "(io_uring_prep_"):
		return "", fmt.Errorf("has not the C function in parentheses")
	case needs == nil:
		return "", fmt.Errorf("does not end its first paragraph with \"Needs Linux X.Y.\"")
	case row.Worker != strings.Contains(doc, "t always takes a worker thread"):
		return "", fmt.Errorf("and optable.go don't agree on whether it always takes a worker thread")
	}
	return needs[1], nil
}

// older reports whether a kernel's version comes before another.
func older(a, b string) bool { return slices.Compare(version(a), version(b)) < 0 }

func version(s string) []int {
	v := make([]int, 2)
	if _, err := fmt.Sscanf(s, "%d.%d", &v[0], &v[1]); err != nil {
		log.Fatalf("%q is no kernel: %v", s, err)
	}
	return v
}

// wrap breaks text into lines of a comment's width.
func wrap(text string) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > 77 {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
