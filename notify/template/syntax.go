package template

import (
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/template/parse"
)

// syntax notes an error of the parser, which names a line only: the column is that of the
// first action without which the text before it is all right.
func (c *checker) syntax(err error) {
	line, what := syntaxError(err)
	at := lineStart(c.text, line)
	if strings.Contains(what, "unexpected EOF") {
		c.at(c.lastOpen(), "this has no end")
		return
	}
	end := at + len(firstLine(c.text[at:]))
	if i := strings.LastIndex(c.text[:end], "{{"); i >= 0 && strings.Contains(what, "unclosed") {
		at, end = i, i
	}
	// The parser stops at the first error, so what begins with a text that has one has it.
	var begins, ends []int
	for begin := at; ; {
		i := strings.Index(c.text[begin:end], "{{")
		if i < 0 {
			break
		}
		stop := strings.Index(c.text[begin+i:], "}}")
		if stop < 0 {
			stop = len(c.text) - begin - i - 2
		}
		begins, ends = append(begins, begin+i), append(ends, begin+i+stop+2)
		if begin += i + stop + 2; begin >= end {
			break
		}
	}
	n := sort.Search(len(ends), func(i int) bool {
		tree := parse.New(mainName)
		tree.Mode = parse.SkipFuncCheck
		_, err := tree.Parse(c.text[:ends[i]], "{{", "}}", map[string]*parse.Tree{})
		return err != nil && !strings.Contains(err.Error(), "unexpected EOF")
	})
	if n < len(begins) {
		at = begins[n]
	}
	c.at(at, "%s", what)
}

// syntaxError splits an error of the parser, "template: name:line: what".
func syntaxError(err error) (line int, what string) {
	what = strings.TrimPrefix(err.Error(), "template: ")
	name, rest, _ := strings.Cut(what, ":")
	if name == mainName || name == "definition" {
		number, after, _ := strings.Cut(rest, ":")
		if n, err := strconv.Atoi(number); err == nil {
			return n, strings.TrimPrefix(strings.TrimSpace(after), "template: ")
		}
	}
	return 1, what
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// lastOpen is where the action begins that has no end: of those that want one, the last
// that is left.
func (c *checker) lastOpen() int {
	var open []int
	for _, m := range opening.FindAllStringSubmatchIndex(c.text, -1) {
		if c.text[m[2]:m[3]] != "end" {
			open = append(open, m[0])
		} else if len(open) > 0 {
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return len(c.text)
	}
	return open[len(open)-1]
}

var opening = regexp.MustCompile(`\{\{(?:- )?\s*(if|with|range|define|block|end)\b`)
