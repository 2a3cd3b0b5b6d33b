package cyclonedx

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// Decode yields what a document says, in its order: statements that are prepared,
// with Origin as far as the document tells, and a [*vex.StatementError] for each
// part that cannot be used. Any other error is the last: the document as a whole
// cannot be used. It wraps ErrInvalid, ErrLimit, or ErrUnsupported for another
// version or format. name is the document's, for errors; text is not kept.
func Decode(name string, text []byte, opts *Options) iter.Seq2[*vex.Statement, error] {
	limits := opts.limits()
	return func(yield func(*vex.Statement, error) bool) {
		r := reader{limits: limits, out: vexdoc.Out{
			Name: name, Yield: yield, Origin: vex.Origin{Format: "cyclonedx"},
			MaxStatements: limits.MaxStatements, MaxProducts: limits.MaxProducts,
		}}
		if err := r.read(text); err != nil {
			r.out.Refuse(err)
		}
	}
}

// reader reads one document.
type reader struct {
	limits Options
	out    vexdoc.Out
	bom    *BOM
	time   string // the document's
}

func (r *reader) read(text []byte) error {
	d, err := parse(text, &r.limits, "1.4", "1.5", "1.6", "1.7")
	if err != nil {
		return err
	}
	if r.bom, err = d.bom(&r.limits); err != nil {
		return err
	}
	r.out.Origin = vex.Origin{Document: vexdoc.Digest(text), ID: d.Serial, Version: strconv.Itoa(d.Version), Format: "cyclonedx", Author: d.Metadata.author()}
	r.time = d.Metadata.Timestamp
	for i := range d.parsed {
		if !r.vulnerability("/vulnerabilities/"+strconv.Itoa(i), &d.parsed[i]) {
			return nil
		}
	}
	for i, raw := range d.Vulnerabilities {
		var v vulnerability
		pointer := "/vulnerabilities/" + strconv.Itoa(i)
		// The document was checked as a whole: no name is in it twice.
		if err := json.Unmarshal(raw, &v, jsontext.AllowDuplicateNames(true)); err != nil {
			if !r.out.Broken(pointer, vexdoc.Invalid(err)) {
				return nil
			}
		} else if !r.vulnerability(pointer, &v) {
			return nil
		}
	}
	return nil
}

// states are what the states of an analysis mean.
var states = map[string]vex.Status{
	"not_affected": vex.NotAffected, "false_positive": vex.NotAffected,
	"resolved": vex.Fixed, "resolved_with_pedigree": vex.Fixed,
	"exploitable": vex.Affected, "in_triage": vex.UnderInvestigation,
}

// reasons are what the justifications of an analysis mean, "" where none is equal.
var reasons = map[string]vex.Justification{
	"code_not_present": vex.CodeNotPresent, "code_not_reachable": vex.CodeNotInExecutePath, "protected_by_compiler": vex.InlineMitigationsExist,
	"requires_configuration": "", "requires_dependency": "", "requires_environment": "",
	"protected_at_runtime": "", "protected_at_perimeter": "", "protected_by_mitigating_control": "",
}

// vulnerability passes on the statements about one vulnerability: one for each
// status. It reports whether to go on.
func (r *reader) vulnerability(pointer string, v *vulnerability) bool {
	if v.Analysis == nil || v.Analysis.State == "" {
		return true
	}
	status, ok := states[v.Analysis.State]
	if !ok {
		return r.out.Broken(pointer+"/analysis/state", fmt.Errorf("%.60q is none of the states: %w", v.Analysis.State, fault.Invalid))
	}
	if len(v.Affects) == 0 {
		return r.out.Broken(pointer+"/affects", fmt.Errorf("it names no product: %w", fault.Invalid))
	}
	g := grouper{reader: r, v: v, state: status}
	for i := range v.Affects {
		at := pointer + "/affects/" + strconv.Itoa(i)
		if !g.affects(at, &v.Affects[i]) {
			return false
		}
	}
	for _, s := range g.order {
		err := g.err
		if err != nil {
			return r.out.Broken(pointer+"/affects", err)
		}
		if s.Time, err = r.analysisTime(v.Analysis, vexdoc.Safe(s.Status)); err == nil {
			err = v.reason(s, status)
		}
		if err != nil {
			return r.out.Broken(pointer+"/analysis", err)
		}
		if !r.out.Statement(pointer, s) {
			return false
		}
	}
	return true
}

func (r *reader) analysisTime(a *analysis, safe bool) (time.Time, error) {
	if a.LastUpdated != "" || a.FirstIssued != "" {
		return vexdoc.NewerTime(a.LastUpdated, a.FirstIssued, safe)
	}
	if r.time == "" {
		return time.Time{}, nil
	}
	return vexdoc.Time(r.time)
}

// reason fills in why the status is what it is, where it is that of the analysis.
func (v *vulnerability) reason(s *vex.Statement, state vex.Status) error {
	if s.Status != state {
		return nil
	}
	a := v.Analysis
	detail := strings.TrimSpace(a.Detail)
	switch s.Status {
	case vex.NotAffected:
		words := make([]string, 0, 3)
		if a.State == "false_positive" {
			words = append(words, a.State)
		}
		label, known := reasons[a.Justification]
		own := vex.Justification(v.property(justificationProperty))
		switch {
		case a.Justification != "" && !known:
			return fmt.Errorf("justification %.60q is none that there is: %w", a.Justification, fault.Invalid)
		case slices.Contains(vex.Justifications, own):
			label = own
		case label == "" && a.Justification != "":
			words = append(words, a.Justification)
		}
		if detail != "" {
			words = append(words, detail)
		}
		s.Justification, s.Impact, s.Notes = label, strings.Join(words, ": "), v.property(notesProperty)
	case vex.Affected:
		s.Action, s.Notes = v.action(), detail
	default:
		s.Notes = detail
	}
	return nil
}

// The properties that Encode writes.
const (
	justificationProperty = "stella:vex:justification"
	notesProperty         = "stella:vex:notes"
)

func (v *vulnerability) property(name string) string {
	for _, p := range v.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// action is what to do, a line for each word of it.
func (v *vulnerability) action() string {
	var lines []string
	for _, s := range []string{strings.Join(v.Analysis.Response, ", "), v.Recommendation, v.Workaround} {
		if s = strings.TrimSpace(s); s != "" {
			lines = append(lines, s)
		}
	}
	return strings.Join(lines, "\n")
}

// grouper makes the statements of one vulnerability.
type grouper struct {
	*reader
	v     *vulnerability
	state vex.Status
	order []*vex.Statement
	total int
	err   error // they are too many
}

// add adds what a reference stands for to the statement with a status. A bom-ref that
// many components have may be referred to many times over, so that it is counted
// before.
func (g *grouper) add(status vex.Status, ref string, v *affectedVersion) {
	nodes := g.lookup(ref)
	if g.total += max(1, len(nodes)); g.total > vex.MaxProducts {
		g.err = &fault.LimitError{What: "products", Where: "vulnerability", Max: vex.MaxProducts}
		return
	}
	products := productsOf(ref, nodes, v, vexdoc.Safe(status))
	i := slices.IndexFunc(g.order, func(s *vex.Statement) bool { return s.Status == status })
	if i < 0 {
		i = len(g.order)
		s := &vex.Statement{Vulnerability: g.v.ID, Status: status}
		for _, ref := range g.v.References {
			if ref.ID != "" && ref.ID != g.v.ID {
				s.Aliases = append(s.Aliases, ref.ID)
			}
		}
		g.order = append(g.order, s)
	}
	g.order[i].Products = append(g.order[i].Products, products...)
}

// affects adds what one reference, with its versions, is about. It reports whether
// to go on.
func (g *grouper) affects(pointer string, a *affects) bool {
	if a.Ref == "" {
		return g.out.Broken(pointer+"/ref", fmt.Errorf("it names no product: %w", fault.Invalid))
	}
	if len(a.Versions) == 0 {
		g.add(g.state, a.Ref, nil)
	}
	for i := range a.Versions {
		v := &a.Versions[i]
		status, err := versionStatus(g.state, v.Status)
		if err == nil && (v.Version == "") == (v.Range == "") {
			err = fmt.Errorf("it has neither a version nor a range, or both: %w", fault.Invalid)
		}
		if err != nil {
			if !g.out.Broken(pointer+"/versions/"+strconv.Itoa(i), err) {
				return false
			}
			continue
		}
		g.add(status, a.Ref, v)
	}
	return true
}

// versionStatus is what the status of a version means beside the state of the
// analysis: see the package comment.
func versionStatus(state vex.Status, version string) (vex.Status, error) {
	switch version {
	case "":
		return state, nil
	case "affected":
		if vexdoc.Safe(state) {
			return "", fmt.Errorf("the version is affected, and the analysis says %s: %w", state, fault.Invalid)
		}
		return state, nil
	case "unaffected":
		if state == vex.Fixed {
			return vex.Fixed, nil
		}
		return vex.NotAffected, nil
	case "unknown":
		return vex.UnderInvestigation, nil
	}
	return "", fmt.Errorf("status %.60q is none of affected, unaffected and unknown: %w", version, fault.Invalid)
}
