package oval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// affected fills in the packages of the ways in which a definition holds. It
// returns a line for each.
func (p *publisher) affected(doc string, r *advisory.Record, def *definition, ways []way) ([]string, error) {
	b := builder{record: r, at: map[[3]string]int{}, states: resolutions(def)}
	b.isUnaffected = strings.Contains(def.ID, ".unaffected:") || strings.EqualFold(strings.TrimSpace(def.Metadata.Patchable), "Not Applicable")
	for _, w := range ways {
		if len(w.bounds) == 0 {
			continue
		}
		ecosystems := p.ecosystems(doc, def, w.product)
		if len(ecosystems) == 0 {
			return b.lines, fmt.Errorf("it is about %.80q, which is no system that is known: %w", w.product, fault.Unsupported)
		}
		for _, pkg := range packages(w.bounds) {
			for _, e := range ecosystems {
				if err := b.add(e, w.module, pkg); err != nil {
					return b.lines, err
				}
			}
		}
	}
	return b.lines, nil
}

// packages puts the bounds of one way together by package.
func packages(bounds []bound) []bound {
	var out []bound
	bounded := false
	for _, b := range bounds {
		i := slices.IndexFunc(out, func(o bound) bool { return o.name == b.name })
		if i < 0 {
			out = append(out, b)
			i = len(out) - 1
		} else {
			out[i] = out[i].and(b)
		}
		bounded = bounded || out[i].hasVersions()
	}
	if bounded && len(out) > 1 {
		// A package that need only be there beside one that is too old is not
		// what is wrong.
		out = slices.DeleteFunc(out, func(b bound) bool { return !b.hasVersions() && !b.absent })
	}
	return out
}

func (b bound) hasVersions() bool {
	return b.less+b.lessEqual+b.above+b.fromEqual != "" || len(b.equals) > 0
}

// and is both bounds of one package. Where both set the same one, the later
// counts, which no publisher writes.
func (b bound) and(o bound) bound {
	set := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	set(&b.less, o.less)
	set(&b.lessEqual, o.lessEqual)
	set(&b.above, o.above)
	set(&b.fromEqual, o.fromEqual)
	b.equals = append(b.equals[:len(b.equals):len(b.equals)], o.equals...)
	b.absent = b.absent || o.absent
	return b
}

// events are the bounds as a range. The version that a range begins after is
// in it: OSV has no other start.
func (b bound) events() []version.Event {
	start := "0"
	if b.above != "" {
		start = b.above
	}
	if b.fromEqual != "" {
		start = b.fromEqual
	}
	events := []version.Event{{Introduced: start}}
	switch {
	case b.less != "":
		events = append(events, version.Event{Fixed: b.less})
	case b.lessEqual != "":
		events = append(events, version.Event{LastAffected: b.lessEqual})
	}
	return events
}

// builder collects affected packages, one for each ecosystem, stream and name.
type builder struct {
	record       *advisory.Record
	at           map[[3]string]int
	states       map[string]advisory.Status // by component
	isUnaffected bool
	lines        []string
}

func (b *builder) add(ecosystem, module string, pkg bound) error {
	ecosystem += variant(pkg)
	key := [3]string{ecosystem, module, pkg.name}
	i, known := b.at[key]
	if !known {
		if len(b.record.Affected) == advisory.MaxAffected {
			return &fault.LimitError{What: "affected packages", Where: b.record.ID, Max: advisory.MaxAffected}
		}
		i = len(b.record.Affected)
		b.at[key] = i
		b.record.Affected = append(b.record.Affected, advisory.Affected{Ecosystem: ecosystem, Name: pkg.name, Stream: module})
	}
	a := &b.record.Affected[i]
	if pkg.absent || b.isUnaffected {
		if !known {
			a.Status = advisory.NotAffected
			b.line(ecosystem, module, pkg.name, "not affected")
		}
		return nil
	}
	if a.Status == advisory.NotAffected {
		a.Status = "" // one way in which it is affected is enough
	}
	if status, ok := b.status(module, pkg.name); ok {
		a.Status = status
	}
	if len(pkg.equals) > 0 {
		versions := slices.Collect(a.Versions.All())
		for _, v := range pkg.equals {
			if !slices.Contains(versions, v) {
				versions = append(versions, v)
			}
		}
		a.Versions = advisory.NewVersionList(versions...)
		b.line(ecosystem, module, pkg.name, strings.Join(versions, " "))
		return nil
	}
	events := pkg.events()
	if slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool { return slices.Equal(r.Events, events) }) {
		return nil
	}
	a.Ranges = append(a.Ranges, advisory.Range{Type: advisory.RangeEcosystem, Events: events})
	b.line(ecosystem, module, pkg.name, fmt.Sprint(events))
	return nil
}

func (b *builder) line(parts ...string) { b.lines = append(b.lines, strings.Join(parts, "\t")) }

// variant is the suffix of the ecosystem of builds that replace a package
// beside its own stream: their versions say so, and are greater than those of
// the stream.
func variant(pkg bound) string {
	switch v := pkg.less + pkg.lessEqual; {
	case strings.Contains(v, ".ksplice"):
		return ":ksplice"
	case strings.HasSuffix(v, "_fips"), strings.Contains(v, ".fips."), strings.Contains(v, "_fips."):
		return ":fips"
	}
	return ""
}

// resolutions are what Red Hat decided about the components of a CVE without a
// patch. A component is a package, or "nodejs:18/nodejs" of a module.
func resolutions(def *definition) map[string]advisory.Status {
	out := map[string]advisory.Status{}
	for _, r := range def.Metadata.Advisory.Resolutions {
		status, ok := resolution(r.State)
		if !ok {
			continue
		}
		for _, c := range r.Components {
			out[strings.TrimSpace(c)] = status
		}
	}
	return out
}

// resolution reads the state of a resolution. Source: Red Hat, "Fix states".
func resolution(state string) (s advisory.Status, ok bool) {
	switch strings.ToLower(strings.TrimSpace(state)) {
	case "affected", "fix":
		return "", true
	case "will not fix":
		return advisory.WillNotFix, true
	case "fix deferred", "defer":
		return advisory.FixDeferred, true
	case "under investigation":
		return advisory.UnderInvestigation, true
	case "out of support scope":
		return advisory.EndOfLife, true
	case "not affected":
		return advisory.NotAffected, true
	}
	return "", false
}

// status finds what was decided about a package. A component names the source
// package; where only one state is given, it is that of all.
func (b *builder) status(module, name string) (advisory.Status, bool) {
	if module != "" {
		if s, ok := b.states[module+"/"+name]; ok {
			return s, true
		}
	}
	if s, ok := b.states[name]; ok {
		return s, true
	}
	var one advisory.Status
	n := 0
	for _, s := range b.states {
		if n == 0 || s != one {
			one = s
			n++
		}
	}
	return one, n == 1
}
