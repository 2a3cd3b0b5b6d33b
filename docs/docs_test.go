// Package docs_test holds the documents to what is there.
package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documents are the Markdown files of the repository by their paths below its root, but
// for those of test data.
func documents(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if path.Ext(p) == ".md" {
			text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(p)))
			if err != nil {
				return err
			}
			out[p] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	blocks  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	code    = regexp.MustCompile("`+[^`\n]+`+")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	named   = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	shown   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors are the names of a document's headings, as they are made where it is shown: a
// heading that occurs again gets a number.
func anchors(text string) []string {
	var out []string
	seen := map[string]int{}
	text = blocks.ReplaceAllString(text, "")
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := dropped.ReplaceAllString(strings.ToLower(shown.ReplaceAllString(m[1], "$1")), "")
		name = strings.ReplaceAll(name, " ", "-")
		if n := seen[name]; n > 0 {
			out = append(out, name+"-"+strconv.Itoa(n))
		} else {
			out = append(out, name)
		}
		seen[name]++
	}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestLinks: each relative link of a document leads to something, and its anchor to a
// heading there.
func TestLinks(t *testing.T) {
	all := documents(t)
	n := 0
	for name, text := range all {
		// code in running text is no link; but the text of a link may be code
		text = blocks.ReplaceAllString(text, "")
		text = code.ReplaceAllStringFunc(text, func(s string) string {
			if strings.Contains(s, "](") {
				return ""
			}
			return "code"
		})
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			n++
			file, anchor, _ := strings.Cut(target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			if !filepath.IsLocal(filepath.FromSlash(to)) {
				t.Errorf("%s: %s leads out of the repository", name, target)
				continue
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: %s: there is no %s", name, target, to)
				continue
			}
			if anchor != "" && path.Ext(to) == ".md" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s: %s: %s has no such heading", name, target, to)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d links in all documents: too few to be all", n)
	}
}

// TestIndex: docs/README.md leads to every document below docs, but for pages of the API,
// which api/README.md lists.
func TestIndex(t *testing.T) {
	all := documents(t)
	for name := range all {
		below, ok := strings.CutPrefix(name, "docs/")
		if !ok || below == "README.md" {
			continue
		}
		index, from := "docs/README.md", below
		if dir, file := path.Split(below); dir == "api/" && file != "README.md" {
			index, from = "docs/api/README.md", file
		}
		if !strings.Contains(all[index], "("+from+")") && !strings.Contains(all[index], "("+from+"#") {
			t.Errorf("%s does not lead to %s", index, name)
		}
	}
}

// TestReadmeIsShort: who is new reads one page.
func TestReadmeIsShort(t *testing.T) {
	text := documents(t)["README.md"]
	if n := strings.Count(text, "\n"); n > 150 {
		t.Errorf("README.md has %d lines, limit 150", n)
	}
}

// TestTestsThatAreNamed: tests that documents name as proof are there, by file and, where one
// is named, by function.
func TestTestsThatAreNamed(t *testing.T) {
	file := regexp.MustCompile("`([a-z][a-z0-9_/-]*_test\\.go)(?::(Test|Fuzz|Benchmark)(\\w+))?`")
	n := 0
	for name, text := range documents(t) {
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], "/") {
				continue // a file of the package that the page is about
			}
			n++
			source, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(m[1])))
			if err != nil {
				t.Errorf("%s: there is no %s", name, m[1])
				continue
			}
			if m[2] != "" && !strings.Contains(string(source), "func "+m[2]+m[3]+"(") {
				t.Errorf("%s: %s has no %s%s", name, m[1], m[2], m[3])
			}
		}
	}
	if n < 20 {
		t.Errorf("%d tests are named: too few to be all", n)
	}
}
