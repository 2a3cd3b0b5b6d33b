package secrets

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// Compile checks a bundle and makes it ready for use. It keeps what b points to, which
// must not change any more. An error names the rule and the member that is wrong, and wraps
// ErrInvalid, ErrUnsupported or ErrLimit.
func Compile(b *Bundle) (*Rules, error) {
	if b.Format != Format {
		return nil, fmt.Errorf("format %d: this program reads format %d: %w", b.Format, Format, fault.Unsupported)
	}
	r := &Rules{bundle: *b}
	if r.bundle.MaxFile == 0 {
		r.bundle.MaxFile = defaultMaxFile
	}
	r.bundle.Rules = slices.Clone(b.Rules)
	if err := r.head(); err != nil {
		return nil, err
	}
	if len(b.Rules) == 0 || len(b.Rules) > MaxRules {
		return nil, invalid("rules: there are %d, want 1 to %d", len(b.Rules), MaxRules)
	}
	seen := map[string]bool{}
	for i := range r.bundle.Rules {
		c := &r.bundle.Rules[i]
		if c.Max == 0 {
			c.Max = defaultMax
		}
		compiled, err := compileRule(c)
		if err == nil && seen[c.ID] {
			err = invalid("id: it is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("rule %d (%.80q): %w", i+1, c.ID, err)
		}
		seen[c.ID] = true
		r.list = append(r.list, *compiled)
	}
	r.index()
	var err error
	r.canonical, r.digest, err = canonicalJSON(&r.bundle)
	return r, err
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fault.Invalid)...)
}

// head compiles what is said for all rules.
func (r *Rules) head() (err error) {
	b := &r.bundle
	switch {
	case !isName(b.Name, "-."):
		return invalid("name: %.80q: want 1 to 64 of a-z, 0-9, - and .", b.Name)
	case !isText(b.Version, 64):
		return invalid("version: %.80q: want 1 to 64 bytes of printable text", b.Version)
	case b.MaxFile < 1 || b.MaxFile > MaxFile:
		return invalid("max_file: %d: want 1 to %d bytes", b.MaxFile, int64(MaxFile))
	}
	if r.skip, err = listOfGlobs("skip", b.Skip); err != nil {
		return err
	}
	r.dummies, err = compileDummies(b.Stopwords, b.Allow)
	return err
}

func isName(s, also string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789"+also) == "" &&
		strings.IndexFunc(s, func(c rune) bool {
			return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune(also, c))
		}) < 0
}

// isText reports whether s is one line of 1 to limit bytes.
func isText(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0
}

var severities = []string{string(Critical), string(High), string(Medium), string(Low)}

func compileRule(c *Rule) (*rule, error) {
	switch {
	case !isName(c.ID, "-"):
		return nil, invalid("id: want 1 to 64 of a-z, 0-9 and -")
	case !isText(c.Title, 120):
		return nil, invalid("title: %.40q: want 1 to 120 bytes of printable text", c.Title)
	case !slices.Contains(severities, string(c.Severity)):
		return nil, invalid("severity: %.40q is none of %s%s", string(c.Severity), strings.Join(severities, ", "), suggest.Phrase(string(c.Severity), severities))
	case c.Lines < 0 || c.Lines > MaxLines:
		return nil, invalid("lines: %d: want 0 to %d", c.Lines, MaxLines)
	case c.Entropy < 0 || c.Entropy > 8000:
		return nil, invalid("entropy: %d: want 0 to 8000 thousandths of a bit", c.Entropy)
	case c.Max < 1 || c.Max > MaxFindings:
		return nil, invalid("max: %d: want 1 to %d", c.Max, MaxFindings)
	case len(c.Keywords) == 0 || len(c.Keywords) > MaxKeywords:
		return nil, invalid("keywords: there are %d, want 1 to %d", len(c.Keywords), MaxKeywords)
	}
	for i, w := range c.Keywords {
		if !isText(w, 64) || len(w) < 3 {
			return nil, invalid("keywords[%d]: %.80q: want 3 to 64 bytes of printable text", i, w)
		}
	}
	re, group, err := compileRegexp(c.Regexp)
	if err != nil {
		return nil, fmt.Errorf("regexp: %w", err)
	}
	out := &rule{id: c.ID, title: c.Title, re: re, group: group, lines: c.Lines, entropy: c.Entropy, max: c.Max}
	if len(c.Paths) > 0 {
		if out.paths, err = listOfGlobs("paths", c.Paths); err != nil {
			return nil, err
		}
	}
	if out.not, err = listOfGlobs("not_paths", c.NotPaths); err != nil {
		return nil, err
	}
	if out.dummies, err = compileDummies(c.Stopwords, c.Allow); err != nil {
		return nil, err
	}
	return out, checkExamples(&c.Examples)
}

// compileRegexp compiles an expression and says which group is the secret.
func compileRegexp(expr string) (*regexp.Regexp, int, error) {
	if expr == "" || len(expr) > MaxRegexp {
		return nil, 0, invalid("%d bytes, want 1 to %d", len(expr), MaxRegexp)
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	if len(program.Inst) > MaxProgram {
		return nil, 0, &fault.LimitError{What: "instructions of an expression", Where: fmt.Sprintf("%.40q", expr), Max: MaxProgram, Seen: int64(len(program.Inst))}
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	group := 0
	for i, name := range re.SubexpNames() {
		switch {
		case name == "secret" && group > 0:
			return nil, 0, invalid("two groups are named secret")
		case name == "secret":
			group = i
		case name != "":
			return nil, 0, invalid("a group is named %q: only secret has a meaning", name)
		}
	}
	return re, group, nil
}

func listOfGlobs(member string, patterns []string) (*globs, error) {
	if len(patterns) > MaxList {
		return nil, invalid("%s: there are %d, at most %d", member, len(patterns), MaxList)
	}
	g, err := compileGlobs(patterns)
	if err != nil {
		return nil, fmt.Errorf("%s%w", member, err)
	}
	return g, nil
}

func compileDummies(words, allow []string) (d dummies, err error) {
	if len(words) > MaxList || len(allow) > MaxList {
		return d, invalid("stopwords and allow: there are %d and %d, at most %d each", len(words), len(allow), MaxList)
	}
	for i, w := range words {
		if !isText(w, 64) || len(w) < 3 {
			return d, invalid("stopwords[%d]: %.80q: want 3 to 64 bytes of printable text", i, w)
		}
		folded := []byte(w)
		for j, c := range folded {
			folded[j] = lower(c)
		}
		d.words = append(d.words, string(folded))
	}
	for i, expr := range allow {
		re, group, err := compileRegexp(expr)
		if err == nil && group > 0 {
			err = invalid("it has a group named secret: what is matched is the secret")
		}
		if err != nil {
			return d, fmt.Errorf("allow[%d]: %w", i, err)
		}
		d.allow = append(d.allow, re)
	}
	return d, nil
}

// index makes the automaton of all keywords.
func (r *Rules) index() {
	at := map[string]int{}
	var words []string
	var rules [][]int32
	for i, c := range r.bundle.Rules {
		for _, w := range c.Keywords {
			folded := []byte(w)
			for j, b := range folded {
				folded[j] = lower(b)
			}
			n, ok := at[string(folded)]
			if !ok {
				n = len(words)
				at[string(folded)] = n
				words, rules = append(words, string(folded)), append(rules, nil)
			}
			if !slices.Contains(rules[n], int32(i)) {
				rules[n] = append(rules[n], int32(i))
			}
		}
	}
	r.keywords = newKeywords(words, rules)
}
