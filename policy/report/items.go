package report

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// listed is something beside findings: an item, or what the document has of a kind
// that no rule is about, whose outcome is "".
type listed struct {
	*policy.Item
	note string // what the document says of it beside
}

// beside lists the items, and the secrets and files that no rule is about, the worst
// first: the image, secrets, files. Nothing is listed where a finding was asked for.
func (v *view) beside(all bool) []listed {
	if v.opts.Vulnerability != "" || v.opts.Package != "" {
		return nil
	}
	notes := map[[3]string]string{}
	var out []listed
	for i := range v.opts.Secrets {
		s := &v.opts.Secrets[i]
		x := &policy.Item{About: policy.AboutSecret, Secret: s.Rule, Path: s.Path, Line: s.Line}
		note := s.Title
		if s.Removed {
			note = strings.TrimPrefix(note+", which a layer above removes: it is in the image all the same", ", ")
		}
		if notes[keyOf(x)] = note; !v.rulesAbout(policy.AboutSecret) {
			out = append(out, listed{x, note})
		}
	}
	for i := range v.opts.Packages {
		if p := &v.opts.Packages[i]; p.Type == sbom.TypeFile {
			x := &policy.Item{About: policy.AboutFile, Path: p.Name}
			if notes[keyOf(x)] = fileNote(p); !v.rulesAbout(policy.AboutFile) {
				out = append(out, listed{x, fileNote(p)})
			}
		}
	}
	for i := range v.Items {
		if x := &v.Items[i]; all || v.opts.Passing || x.Outcome != policy.Pass {
			out = append(out, listed{x, notes[keyOf(x)]})
		}
	}
	order := []policy.About{policy.AboutImage, policy.AboutSecret, policy.AboutFile}
	slices.SortStableFunc(out, func(a, b listed) int {
		return cmp.Or(b.Outcome.Rank()-a.Outcome.Rank(), slices.Index(order, a.About)-slices.Index(order, b.About))
	})
	return out
}

func keyOf(x *policy.Item) [3]string { return [3]string{x.Secret, x.Path, fmt.Sprint(x.Line)} }

func (v *view) rulesAbout(about policy.About) bool {
	return slices.ContainsFunc(v.Policy.Rules, func(r policy.Rule) bool { return r.About == about })
}

// fileNote says what is known of a file that no package accounts for.
func fileNote(p *sbom.Package) string {
	var parts []string
	for _, x := range p.Properties {
		if x.Name == "file:kind" || x.Name == "file:mode" {
			parts = append(parts, x.Value)
		}
	}
	for _, h := range p.Hashes {
		parts = append(parts, h.Algorithm+":"+h.Value)
	}
	return strings.Join(parts, " ")
}

// tally says how many things of a kind there are and what was decided about them; ""
// where nothing is known of them.
func (v *view) tally(about policy.About) string {
	n, removed, decided := 0, 0, v.rulesAbout(about)
	if about == policy.AboutSecret {
		n = len(v.opts.Secrets)
		for _, s := range v.opts.Secrets {
			if s.Removed {
				removed++
			}
		}
	} else {
		for i := range v.opts.Packages {
			if v.opts.Packages[i].Type == sbom.TypeFile {
				n++
			}
		}
	}
	counts, items := map[policy.Outcome]int{}, 0
	for i := range v.Items {
		if x := &v.Items[i]; x.About == about {
			if x.Path == "" && x.Secret == "" {
				return words(x.Outcome) + ": " + x.Because
			}
			counts[x.Outcome]++
			items++
		}
	}
	if n = max(n, items); n == 0 && !decided {
		return ""
	}
	parts := []string{fmt.Sprintf("%d in all", n)}
	for _, o := range []policy.Outcome{policy.Error, policy.Block, policy.NotAssessed, policy.Warn, policy.Pass} {
		if counts[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[o], words(o)))
		}
	}
	if removed > 0 {
		parts = append(parts, fmt.Sprintf("%d in files that a layer above removes", removed))
	}
	if !decided {
		parts = append(parts, "no rule is about them")
	}
	return strings.Join(parts, ", ")
}

// outcome says what was decided about something, for people.
func (x listed) outcome() string { return words(cmp.Or(x.Outcome, "no rule")) }

// why says in a line why it was decided so.
func (x listed) why() string {
	text := x.Because
	if x.Rule != "" {
		text += " (" + x.Rule + ")"
	}
	if x.note != "" {
		text = strings.TrimPrefix(text+"; "+x.note, "; ")
	}
	return text
}

// beside writes each of them with its story.
func (v *view) textBeside(b *textWriter) {
	list := v.beside(false)
	rows := cmp.Or(v.opts.Rows, maxBeside)
	for i, x := range list {
		b.line(0, "")
		if i == rows {
			b.line(0, "%d more secrets and files are not shown", len(list)-rows)
			return
		}
		b.line(0, "%s: %s", x.Title(), x.outcome())
		b.field(1, "because", x.Because)
		if x.Outcome != "" {
			b.field(1, "decided by", "gate "+string(x.Gate)+ruled(x.Rule))
		}
		b.field(1, "what", x.note)
		b.field(1, "warnings", strings.Join(x.Warnings, ", "))
		v.facts(b, 1, "facts", x.Facts)
		if len(x.Rules) > 0 {
			v.asked(b, x.About, &policy.Decided{Facts: x.Facts}, x.Rules)
		}
	}
}

// maxBeside is how many of them are shown where nothing is said.
const maxBeside = 100

// markdownBeside writes a table of them.
func (v *view) markdownBeside(b *bytes.Buffer) {
	list := v.beside(false)
	if len(list) == 0 {
		return
	}
	b.WriteString("\n### Secrets and files without a package\n")
	for _, about := range []policy.About{policy.AboutSecret, policy.AboutFile} {
		if text := v.tally(about); text != "" {
			fmt.Fprintf(b, "\n%s: %s\n", escaped(strings.ToUpper(about.Plural()[:1])+about.Plural()[1:]), escaped(text))
		}
	}
	b.WriteString("\n| Outcome | What | Why |\n|---|---|---|\n")
	rows := cmp.Or(v.opts.Rows, maxBeside)
	for i, x := range list {
		if i == rows {
			fmt.Fprintf(b, "\nand %d more\n", len(list)-rows)
			break
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", escaped(x.outcome()), escaped(x.Title()), escaped(x.why()))
	}
}

// csvBeside makes a row of each.
func (v *view) csvBeside() (rows [][]string) {
	for _, x := range v.beside(true) {
		row := make([]string, len(columns()))
		row[0], row[1], row[2], row[5], row[9], row[10], row[11] = string(x.About), string(x.Outcome), x.Secret, x.Path, string(x.Gate), x.Rule, x.Because
		row[12] = strings.Join(x.Warnings, " ")
		rows = append(rows, row)
	}
	return rows
}

// junitBeside makes a test case of each that rules were asked about.
func (v *view) junitBeside(doc *junitSuites) {
	for _, x := range v.beside(true) {
		if x.Outcome == "" {
			continue
		}
		c := junitCase{Class: string(x.About), Name: plain.Text(x.Title())}
		if x.Outcome == policy.Pass && x.Gate == policy.GateRules {
			c.Skipped = &junitReason{Message: plain.Text(cmp.Or(x.why(), "excused"))}
		} else {
			v.story(&c, x.Outcome, x.why(), nil)
		}
		doc.add(c)
	}
}
