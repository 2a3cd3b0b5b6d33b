package hostile

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed classes.txt
var classesText string

// class is one kind of bad image.
type class struct {
	number   int
	section  string
	name     string
	patterns []*regexp.Regexp // of cases, as class/name
	tests    []string         // FOLDER/TEST elsewhere in the module
}

// classes reads the table. It panics where the table is not what its head says.
func classes() (out []class) {
	section := ""
	for line := range strings.Lines(classesText) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# "); ok || line == "" {
			section = rest
			continue
		}
		c := class{section: section}
		name, list, ok := strings.Cut(line, " = ")
		number, name, ok2 := strings.Cut(name, " ")
		if _, err := fmt.Sscanf(number, "%03d", &c.number); err != nil || !ok || !ok2 || c.number != len(out)+1 {
			panic(fmt.Sprintf("class %d: %q: %v", len(out)+1, line, err))
		}
		c.name = name
		for p := range strings.SplitSeq(list, " ; ") {
			test, elsewhere := strings.CutPrefix(p, "go:")
			reference, named := strings.CutPrefix(p, "@")
			switch {
			case elsewhere:
				c.tests = append(c.tests, test)
			case named:
				c.patterns = append(c.patterns, glob("reference/"+reference), glob("name/"+reference), glob("name/"+reference+" in an index"))
			default:
				c.patterns = append(c.patterns, glob(p))
			}
		}
		out = append(out, c)
	}
	return out
}

func glob(p string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*") + "$")
}

// has reports whether a case, as class/name, is of the class.
func (c *class) has(id string) bool {
	for _, p := range c.patterns {
		if p.MatchString(id) {
			return true
		}
	}
	return false
}
