package csaf

import (
	_ "embed" // the names
	"fmt"
	"strings"
	"sync"
)

//go:embed cwe.txt
var weaknessText string

// weaknesses are the names of CWE 4.15 by number, such as "CWE-79".
var weaknesses = sync.OnceValue(func() map[string]string {
	out := make(map[string]string, 1024)
	for l := range strings.Lines(weaknessText) {
		if number, name, ok := strings.Cut(strings.TrimSpace(l), " "); ok && number != "#" {
			out["CWE-"+number] = name
		}
	}
	return out
})

// weaknessFault says why c is no weakness, or "".
func weaknessFault(c CWE) string {
	switch name, ok := weaknesses()[c.ID]; {
	case !ok:
		return fmt.Sprintf("%.16q is not a weakness of CWE 4.15", c.ID)
	case name != c.Name:
		return fmt.Sprintf("%s is %q in CWE 4.15, not %.200q", c.ID, name, c.Name)
	}
	return ""
}
