package sarif

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// beside is something that is no finding and becomes a result: an item of the trace, or
// a secret of the document that no rule of the policy is about.
type beside struct {
	*policy.Item
	secret *sbom.Secret // nil where it is none, or not known
}

// others lists them in the order of the trace. What passes and nothing excuses is left
// out, as with findings.
func (w *writer) others() (out []beside) {
	known := map[[3]string]*sbom.Secret{}
	for i := range w.opts.Secrets {
		s := &w.opts.Secrets[i]
		known[[3]string{s.Rule, s.Path, fmt.Sprint(s.Line)}] = s
	}
	decided := false
	for i := range w.trace.Policy.Rules {
		decided = decided || w.trace.Policy.Rules[i].About == policy.AboutSecret
	}
	for i := range w.trace.Items {
		if x := &w.trace.Items[i]; x.Outcome != policy.Pass || w.opts.Passing || x.Gate == policy.GateRules {
			out = append(out, beside{x, known[[3]string{x.Secret, x.Path, fmt.Sprint(x.Line)}]})
		}
	}
	for i := range w.opts.Secrets {
		if s := &w.opts.Secrets[i]; !decided {
			out = append(out, beside{&policy.Item{About: policy.AboutSecret, Secret: s.Rule, Path: s.Path, Line: s.Line, Outcome: policy.Warn, Because: "no rule of the policy is about secrets"}, s})
		}
	}
	return out
}

// other writes one of them.
func (w *writer) other(x beside) {
	r := result{RuleID: x.ruleID(), Level: level(x.Outcome), Message: message{Text: said(x.say())}, Properties: map[string]any{"outcome": string(x.Outcome), "about": string(x.About)}}
	index, ok := w.ruleIndex[r.RuleID]
	if !ok {
		index = len(w.rules)
		w.ruleIndex[r.RuleID] = index
		w.rules = append(w.rules, x.descriptor(r.RuleID))
	}
	r.RuleIndex = index
	line := max(x.Line, 1)
	r.Locations = []location{{PhysicalLocation: physical{artifact{cmp.Or(relative(x.Path), w.standIn())}, region{line, 1, line, 1}}}}
	sum := sha256.Sum256([]byte(strings.Join([]string{r.RuleID, x.Path}, "\x00"))) // lines come and go
	hash := hex.EncodeToString(sum[:16])
	w.seen[hash]++
	print := fmt.Sprintf("%s:%d", hash, w.seen[hash])
	r.PartialFingerprints = map[string]string{"primaryLocationLineHash": print, "stella/v1": print}
	for name, v := range map[string]string{"gate": string(x.Gate), "rule": x.Rule} {
		if v != "" {
			r.Properties[name] = v
		}
	}
	if s := x.secret; s != nil {
		r.Properties["removed"] = s.Removed
		if s.Layer != "" {
			r.Properties["layer"] = s.Layer
		}
	}
	switch {
	case x.Outcome == policy.Pass && x.Gate == policy.GateRules:
		r.Level = "note"
		r.Suppressions = []suppression{{Kind: "external", Status: "accepted", Justification: sentence(fmt.Sprintf("Rule '%s': %s", x.Rule, x.Because))}}
	case x.Outcome == policy.Pass:
		r.Kind, r.Level = "pass", "none"
	}
	w.results = append(w.results, r)
}

// ruleID is what SARIF calls the rule: of secrets the one that found them.
func (x beside) ruleID() string {
	if x.About == policy.AboutSecret && x.Secret != "" {
		return "stella/secret/" + segment(x.Secret)
	}
	return "stella/" + string(x.About)
}

func (x beside) say() string {
	text := x.Title() + ": " + strings.ReplaceAll(string(x.Outcome), "_", " ")
	if x.Rule != "" {
		text += fmt.Sprintf(" by rule '%s'", x.Rule)
	}
	if x.Because != "" {
		text += ", because " + x.Because
	}
	if x.secret != nil && x.secret.Removed {
		text += ". A layer above removes the file: whoever has the image has the secret all the same"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// helpURI is where rules about what is no finding are described.
const helpURI = "https://stella-ops.dev/docs/policy#what-rules-are-about"

// descriptor describes the rule.
func (x beside) descriptor(id string) descriptor {
	name, text, tags := "Image", "What the policy says of the image as a whole.", []string{"security"}
	switch x.About {
	case policy.AboutSecret:
		name, text, tags = "Secret", "Something that looks like a credential lies in the image for everybody to read.", []string{"security", "secret"}
		if x.secret != nil && x.secret.Title != "" {
			text = x.secret.Title + " lies in the image for everybody to read."
		}
	case policy.AboutFile:
		name, text = "FileWithoutPackage", "A program that no package accounts for lies in the image."
	}
	return descriptor{
		ID: id, Name: name, ShortDescription: &message{Text: said(limited(text, 1000))}, FullDescription: &message{Text: said(limited(text, 1000))},
		HelpURI: helpURI, Help: &message{Text: said("See " + helpURI), Markdown: sentence("See <" + helpURI + ">")},
		DefaultConfiguration: &configuration{Level: level(x.Outcome)}, Properties: map[string]any{"tags": tags, "precision": "high"},
	}
}
