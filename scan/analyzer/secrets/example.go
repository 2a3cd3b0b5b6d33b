package secrets

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/scan/analyzer"
)

// alphabets are the kinds of text that stands for itself in an example.
var alphabets = map[string]string{
	"digit": "0123456789", "hex": "0123456789abcdef", "HEX": "0123456789ABCDEF",
	"lower": "abcdefghijklmnopqrstuvwxyz0123456789", "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
	"alnum":     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"base32":    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
	"base64":    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"base64url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
}

// maxExample bounds the bytes of an example, also when it is written out.
const maxExample = 16 << 10

var filler = lazyre.New(`<(?:([A-Za-z0-9]+) ([0-9]{1,5}))?>`)

func checkExamples(e *Examples) error {
	for _, list := range []struct {
		name  string
		texts []string
	}{{"match", e.Match}, {"miss", e.Miss}} {
		if len(list.texts) == 0 || len(list.texts) > MaxExamples {
			return invalid("examples.%s: there are %d, want 1 to %d: a rule shows what it finds and what it leaves alone", list.name, len(list.texts), MaxExamples)
		}
		for i, text := range list.texts {
			if _, err := expand(text); err != nil {
				return fmt.Errorf("examples.%s[%d]: %w", list.name, i, err)
			}
		}
	}
	if e.Path != "" && (!isText(e.Path, 256) || badGlob(e.Path) != "" || strings.ContainsAny(e.Path, "*?")) {
		return invalid("examples.path: %.80q is no path relative to the root", e.Path)
	}
	return nil
}

// expand writes an example out.
func expand(text string) (string, error) {
	if text == "" || len(text) > maxExample {
		return "", invalid("%d bytes, want 1 to %d", len(text), maxExample)
	}
	var out strings.Builder
	rest, re := text, filler.Get()
	for n := 0; ; n++ {
		m := re.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		out.WriteString(rest[:m[0]])
		if m[2] >= 0 {
			kind, digits := rest[m[2]:m[3]], rest[m[4]:m[5]]
			count, err := strconv.Atoi(digits)
			if err != nil || alphabets[kind] == "" || count == 0 || out.Len()+count > maxExample {
				return "", invalid("%.40q: no such kind, or 0 bytes, or more than %d", rest[m[0]:m[1]], maxExample)
			}
			out.WriteString(fill(alphabets[kind], count, rest[m[0]:m[1]]+strconv.Itoa(n)))
		}
		rest = rest[m[1]:]
	}
	out.WriteString(rest)
	return out.String(), nil
}

// fill returns n characters that look random: SplitMix64 (Steele et al., "Fast splittable
// pseudorandom number generators", 2014), which begins with a hash of seed.
func fill(alphabet string, n int, seed string) string {
	h := fnv.New64a()
	h.Write([]byte(seed))
	state := h.Sum64()
	out := make([]byte, n)
	for i := range out {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		out[i] = alphabet[(z^z>>31)%uint64(len(alphabet))]
	}
	return string(out)
}

// Check runs the examples of every rule: each of match must give a finding of the rule, none
// of miss may. All rules take part, so that a rule whose finding another one takes is told.
// An error names rule and example, all that fail up to 20, and wraps ErrMismatch.
func (r *Rules) Check() error {
	var failed []string
	for i := range r.bundle.Rules {
		c := &r.bundle.Rules[i]
		for n, text := range c.Examples.Match {
			if ids := r.found(&c.Examples, text); !ids[c.ID] {
				failed = append(failed, fmt.Sprintf("rule %q: match[%d] gives no finding of it (%s)", c.ID, n, others(ids)))
			}
		}
		for n, text := range c.Examples.Miss {
			if r.found(&c.Examples, text)[c.ID] {
				failed = append(failed, fmt.Sprintf("rule %q: miss[%d] gives a finding", c.ID, n))
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d examples fail: %s: %w", len(failed), strings.Join(failed[:min(20, len(failed))], "; "), fault.Mismatch)
}

// found gives the ids of the rules that find something in an example.
func (r *Rules) found(e *Examples, text string) map[string]bool {
	text, err := expand(text)
	if err != nil {
		return nil // Compile has refused it
	}
	path := e.Path
	if path == "" {
		path = "example"
	}
	ids := map[string]bool{}
	facts, _ := Analyzer{Rules: r}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(text))) // a maximum may be reached
	for _, f := range facts {
		ids[f.Secret.Rule] = true
	}
	return ids
}

func others(ids map[string]bool) string {
	if len(ids) == 0 {
		return "no other rule finds anything"
	}
	return "found by " + strings.Join(slices.Sorted(maps.Keys(ids)), ", ")
}
