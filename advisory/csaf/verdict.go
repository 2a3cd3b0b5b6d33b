package csaf

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
)

// tolerated are the mandatory tests that a document may fail. None of them
// bears on which product stands how to which vulnerability: they are about
// languages (12, 15, 28), names and weaknesses (11, 25, 26), the history (14, 16,
// 18 to 22), text that a profile asks for (27.1 to 27.3, 27.5), an action that is
// missing for what is affected (27.10), and flags and remediations that this
// package does not read or that speak of no product (24, 29, 32, 33). Package
// URLs that break the rules of their type (13) and versions that are ranges (30,
// 31) are read as far as they can be.
//
// Three depend: products that are defined twice (2) may be so in the same words;
// a VEX document may have no status of the four that the profile asks for (27.7)
// if it has others, as SUSE's have "recommended"; products that are not affected
// for no reason (27.9) are left out, with all that are not in that document.
//
// All others refuse the document: the schema, products and groups that are not
// defined or in a circle (1, 3 to 5), statuses that contradict each other (6,
// 23), a draft that counts as final (17), and what a profile must have (27.4, 27.6, 27.8, 27.11).
var tolerated = []string{
	"6.1.11", "6.1.12", "6.1.13", "6.1.14", "6.1.15", "6.1.16", "6.1.18", "6.1.19", "6.1.20", "6.1.21", "6.1.22", "6.1.24", "6.1.25", "6.1.26",
	"6.1.27.1", "6.1.27.2", "6.1.27.3", "6.1.27.5", "6.1.27.10", "6.1.28", "6.1.29", "6.1.30", "6.1.31", "6.1.32", "6.1.33",
}

// aboutScores are the tests on scores: a document that fails one has none.
var aboutScores = []string{"6.1.7", "6.1.8", "6.1.9", "6.1.10"}

// verdict is what reading a document found.
type verdict struct {
	doc      *csaf.Document
	notes    []csaf.Problem // mandatory tests that it fails and may fail
	noScores bool
	noExcuse bool // what is not affected is so for no reason
}

// judge reads a document and says why it must not be used.
func (s *Source) judge(doc *advisory.Document) (*verdict, error) {
	d, err := csaf.Decode(doc.Content, &csaf.Options{MaxBytes: MaxDocument})
	if err != nil {
		return nil, err
	}
	if err := provider.CheckName(path.Base(doc.Name), d); err != nil {
		return nil, err
	}
	if err := provider.CheckLabel(d.Label(), "", true); err != nil {
		return nil, err
	}
	if got := strings.TrimSuffix(d.Head.Publisher.Namespace, "/"); got != s.publisher.namespace {
		return nil, &fault.MismatchError{What: "publisher's namespace", Want: s.publisher.namespace, Got: got}
	}
	v := &verdict{doc: d}
	if d.Head.Tracking.Status == "draft" {
		return nil, fmt.Errorf("it is a draft: %w", fault.Invalid)
	}
	if d.Head.CSAFVersion == csaf.Version21 {
		return v, nil
	}
	problems, err := csaf.Validate(d, "", &csaf.ValidateOptions{CVSS: score})
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		switch {
		case slices.Contains(aboutScores, p.Test):
			v.noScores = true
		case p.Test == "6.1.27.9":
			v.noExcuse = true
		case p.Test == "6.1.2" && sameDefinitions(d.ProductTree), p.Test == "6.1.27.7" && haveStatus(d):
		case !slices.Contains(tolerated, p.Test):
			return nil, fmt.Errorf("test %s fails at %s: %s: %w", p.Test, p.Pointer, p.Message, fault.Invalid)
		}
		v.notes = append(v.notes, p)
	}
	return v, nil
}

// score is the calculator of the validator.
func score(vector string) (int, error) {
	v, err := cvss.Parse(vector)
	return int(v.Score()), err
}

// Notes returns the mandatory tests that a document fails and that do not keep
// Parse from reading it, a line each. An error says why Parse refuses it.
func (s *Source) Notes(doc *advisory.Document) ([]string, error) {
	v, err := s.judge(doc)
	if err != nil {
		return nil, refusal(doc.Name, err)
	}
	out := make([]string, 0, len(v.notes))
	for _, p := range v.notes {
		out = append(out, p.String())
	}
	return out, nil
}

// refusal is the error about a document as a whole. It wraps ErrInvalid beside
// a kind that tells what is wrong with where it was found.
func refusal(name string, err error) error {
	if errors.Is(err, fault.Invalid) || errors.Is(err, fault.Limit) || errors.Is(err, fault.Unsupported) {
		return fmt.Errorf("read CSAF from %s: %w", name, err)
	}
	return fmt.Errorf("read CSAF from %s: %w: %w", name, err, fault.Invalid)
}

// haveStatus reports whether every vulnerability says how some product stands.
func haveStatus(d *csaf.Document) bool {
	return !slices.ContainsFunc(d.Vulnerabilities, func(v csaf.Vulnerability) bool { return len(v.ProductStatus.Lists()) == 0 })
}

// sameDefinitions reports whether products that are defined more than once are
// so in the same words.
func sameDefinitions(tree *csaf.ProductTree) bool {
	seen, same := map[string]csaf.FullProductName{}, true
	add := func(p csaf.FullProductName) {
		if have, ok := seen[p.ProductID]; ok && !reflect.DeepEqual(have, p) {
			same = false
		}
		seen[p.ProductID] = p
	}
	var walk func([]csaf.Branch)
	walk = func(list []csaf.Branch) { // as deep as Decode allows
		for _, b := range list {
			if b.Product != nil {
				add(*b.Product)
			}
			walk(b.Branches)
		}
	}
	walk(tree.Branches)
	for _, p := range tree.FullProductNames {
		add(p)
	}
	for _, r := range tree.Relationships {
		add(r.FullProductName)
	}
	return same
}
