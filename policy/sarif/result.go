package sarif

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
)

// result writes one finding.
func (w *writer) result(c chosen) {
	d := c.Decided
	index, ok := w.ruleIndex[d.Vulnerability]
	if !ok {
		index = len(w.rules)
		w.ruleIndex[d.Vulnerability] = index
		w.rules = append(w.rules, descriptor{ID: d.Vulnerability})
	}
	w.about[d.Vulnerability] = append(w.about[d.Vulnerability], c)
	r := result{
		RuleID: d.Vulnerability, RuleIndex: index, Level: level(d.Outcome), Message: message{Text: said(w.say(c))},
		Locations: w.locations(d), Suppressions: w.suppressions(d),
		Properties: map[string]any{"outcome": string(d.Outcome), "gate": string(d.Gate), "package": d.Name, "version": d.Version, "advisory": d.Advisory},
	}
	r.PartialFingerprints = map[string]string{"primaryLocationLineHash": w.prints[c.order], "stella/v1": w.prints[c.order]}
	for name, v := range map[string]string{"purl": d.PURL, "rule": d.Rule, "exception": d.Exception, "record": d.Record, "severity": severityName(c.rank)} {
		if v != "" {
			r.Properties[name] = v
		}
	}
	if p := w.packages[d.Package]; p != nil && p.Usage != nil {
		r.Properties["usage"] = string(p.Usage.State)
		if len(p.Usage.Chain) > 0 {
			r.Properties["usageChain"] = p.Usage.Chain
		}
	}
	switch {
	case len(r.Suppressions) > 0 && d.Before != nil:
		r.Level = level(d.Before.Outcome)
	case len(r.Suppressions) > 0:
		r.Level = "note"
	case d.Outcome == policy.Pass:
		r.Kind, r.Level = "pass", "none"
	}
	w.results = append(w.results, r)
}

func level(o policy.Outcome) string {
	switch o {
	case policy.Block, policy.Error:
		return "error"
	case policy.Warn, policy.NotAssessed:
		return "warning"
	}
	return "note"
}

// say says what is decided about a finding, and why.
func (w *writer) say(c chosen) string {
	d := c.Decided
	text := fmt.Sprintf("%s affects '%s': %s", d.Vulnerability, strings.TrimSpace(d.Name+" "+d.Version), strings.ReplaceAll(string(d.Outcome), "_", " "))
	if d.Rule != "" {
		text += fmt.Sprintf(" by rule '%s'", d.Rule)
	}
	if d.Because != "" {
		text += ", because " + d.Because
	}
	if c.finding != nil && len(c.finding.Fixed) > 0 {
		text += fmt.Sprintf(". Fixed in %s", strings.Join(c.finding.Fixed, ", "))
	}
	return text
}

// sentence makes one line that ends with a period.
func sentence(s string) string {
	s = strings.TrimSpace(plain.Text(s))
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// said is a sentence as the text of a message, in which brackets would make links and
// braces placeholders (SARIF 2.1.0 §3.11.5 and §3.11.6).
func said(s string) string {
	s = sentence(s)
	if !strings.ContainsAny(s, `\[]{}`) {
		return s
	}
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "{", "{{", "}", "}}").Replace(s)
}

// locations says where the package lies, one at least.
func (w *writer) locations(d *policy.Decided) []location {
	var paths []string
	if p := w.packages[d.Package]; p != nil {
		for _, l := range p.Locations {
			if uri := relative(l.Path); uri != "" && !slices.Contains(paths, uri) && len(paths) < maxLocations {
				paths = append(paths, uri)
			}
		}
	}
	slices.Sort(paths)
	if len(paths) == 0 {
		paths = []string{w.standIn()}
	}
	out := make([]location, len(paths))
	for i, p := range paths {
		out[i] = location{PhysicalLocation: physical{artifact{p}, region{1, 1, 1, 1}}}
		if d.PURL != "" {
			out[i].LogicalLocations = []logical{{FullyQualifiedName: d.PURL, Kind: "package"}}
		}
	}
	return out
}

// standIn is what is named where a package has no path.
func (w *writer) standIn() string {
	return cmp.Or(relative(w.opts.Artifact), relative(w.trace.Subject.Name), "image")
}

// relative makes a relative URI of a path. Segments that would lead out are left out.
func relative(path string) string {
	var out []string
	for s := range strings.SplitSeq(strings.ReplaceAll(path, `\`, "/"), "/") {
		if s != "" && s != "." && s != ".." {
			out = append(out, segment(s))
		}
	}
	return strings.Join(out, "/")
}

// segment encodes what is not plain in a segment of a URI (RFC 3986 §3.3). A colon is
// encoded too: in a first segment it would end a scheme.
func segment(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// fingerprint identifies each finding by its vulnerability, the package without its
// version, and the first place. Several alike are numbered in the order of the trace,
// whatever is decided about them.
func (w *writer) fingerprint() {
	for i := range w.trace.Decisions {
		d := &w.trace.Decisions[i]
		name := d.Name
		if u, err := purl.Parse(d.PURL); err == nil {
			u.Version, u.Qualifiers, u.Subpath = "", nil, ""
			name = u.String()
		}
		path := w.locations(d)[0].PhysicalLocation.ArtifactLocation.URI
		sum := sha256.Sum256([]byte(strings.Join([]string{d.Vulnerability, name, path}, "\x00")))
		hash := hex.EncodeToString(sum[:16])
		w.seen[hash]++
		w.prints = append(w.prints, fmt.Sprintf("%s:%d", hash, w.seen[hash]))
	}
}

// suppressions say why a finding passes that would not have to.
func (w *writer) suppressions(d *policy.Decided) []suppression {
	if !excused(d) {
		return nil
	}
	accept := func(why string) []suppression {
		return []suppression{{Kind: "external", Status: "accepted", Justification: sentence(why)}}
	}
	switch e := w.exceptions[d.Exception]; {
	case e != nil:
		why := fmt.Sprintf("Exception '%s' of %s: %s", e.ID, e.Owner, e.Reason)
		if !e.Expires.IsZero() {
			why += ", until " + e.Expires.UTC().Format(time.RFC3339)
		}
		return accept(why)
	case d.Gate == policy.GateTrust && d.VEX != nil:
		return accept(supplier(d.VEX))
	case d.Rule != "":
		return accept(fmt.Sprintf("Rule '%s': %s", d.Rule, d.Because))
	}
	return accept(d.Because)
}

func supplier(v *policy.Heard) string {
	text := "Suppliers say that it is " + strings.ReplaceAll(v.Status, "_", " ")
	for _, i := range v.Deciding {
		if i < 0 || i >= len(v.Claims) {
			continue
		}
		said := &v.Claims[i]
		text += fmt.Sprintf("; '%s' in document %s", cmp.Or(said.Issuer, "somebody"), said.Document)
		if said.Reason != "" {
			text += ": " + strings.ReplaceAll(said.Reason, "_", " ")
		}
	}
	return text
}

// describeRules writes the rules: what is known of each vulnerability.
func (w *writer) describeRules() {
	for i := range w.rules {
		r := &w.rules[i]
		list := w.about[r.ID]
		if len(list) == 0 { // it is about no vulnerability, and described
			continue
		}
		first := list[0] // of the worst outcome and severity
		summary, url, score := "", "", -1
		var aliases []string
		for _, c := range list {
			aliases = append(aliases, c.Aliases...)
			if f := c.finding; f != nil {
				summary, url = cmp.Or(summary, f.Summary), cmp.Or(url, f.URL)
				score = max(score, scoreOf(f))
			}
		}
		slices.Sort(aliases)
		aliases = slices.Compact(aliases)
		if score < 0 || first.rank > 0 && severityOf(score) != severityName(first.rank) {
			score = typicalScore(first.rank) // what counts is the severity that was decided by
		}
		short := r.ID
		if summary != "" {
			short += ": " + summary
		}
		r.Name, r.HelpURI = "VulnerablePackage", link(url, r.ID)
		r.ShortDescription, r.FullDescription = &message{Text: said(limited(short, 1000))}, &message{Text: said(limited(short, 1000))}
		help := "See " + r.HelpURI
		if len(aliases) > 0 {
			help = "Also known as " + strings.Join(aliases[:min(len(aliases), 20)], ", ") + ". " + help
		}
		r.Help = &message{Text: said(help), Markdown: sentence(markdown(strings.TrimSuffix(help, r.HelpURI)) + "<" + r.HelpURI + ">")}
		r.DefaultConfiguration = &configuration{Level: level(first.Outcome)}
		r.Properties = map[string]any{"tags": []string{"security", "vulnerability"}, "precision": "high"}
		if score >= 0 {
			r.Properties["security-severity"] = fmt.Sprintf("%d.%d", score/10, score%10)
		}
	}
}

func limited(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// markdown keeps a text from being more than text.
func markdown(s string) string {
	if !strings.ContainsAny(s, "\\`*_[]<>|#") {
		return s
	}
	return strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<", "&lt;", ">", "&gt;", "|", "\\|", "#", "\\#").Replace(s)
}

// link is where to read about a vulnerability.
func link(url, id string) string {
	if strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		if !strings.ContainsFunc(url, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"\\^`{|}", r) }) {
			return url
		}
	}
	return "https://osv.dev/vulnerability/" + segment(id)
}

// scoreOf is the highest CVSS score in tenths, -1 for none.
func scoreOf(f *finding.Finding) int {
	best := -1
	for _, s := range f.Scores {
		if v, err := cvss.Parse(s.Value); err == nil {
			best = max(best, int(v.Score()))
		}
	}
	return best
}

// severityOf is the severity of a score in tenths (CVSS v3.1 §5).
func severityOf(score int) string {
	switch {
	case score >= 90:
		return string(finding.Critical)
	case score >= 70:
		return string(finding.High)
	case score >= 40:
		return string(finding.Medium)
	case score > 0:
		return string(finding.Low)
	}
	return string(finding.None)
}

func severityName(rank int) string {
	list := []finding.Severity{finding.Unknown, finding.None, finding.Low, finding.Medium, finding.High, finding.Critical}
	if rank < 0 || rank >= len(list) {
		return ""
	}
	return string(list[rank])
}

// typicalScore is a score in tenths that has a severity, -1 for an unknown one.
func typicalScore(rank int) int {
	return [...]int{-1, 0, 20, 55, 80, 95}[min(max(rank, 0), 5)]
}
