package csaf

import "fmt"

// scheme is what tells the vectors of one CVSS version from others.
type scheme struct {
	prefix     string
	properties []property
	temporal   int // index of the first temporal metric
	further    int // index of the first environmental metric
	undefined  string
	rated      bool // scores have a severity
}

// schemes are by the version of a CVSS object.
var schemes = map[string]scheme{
	"2.0": {"", properties2, 6, 9, "ND", false},
	"3.0": {"CVSS:3.0/", properties3, 8, 11, "X", true},
	"3.1": {"CVSS:3.1/", properties3, 8, 11, "X", true},
}

// testCVSS performs 6.1.9 and 6.1.10. Objects that break their schema, 6.1.8,
// are tested as far as they have a vector.
func (v *validator) testCVSS() {
	for i := range v.doc.Vulnerabilities {
		for j := range v.doc.Vulnerabilities[i].Scores {
			for _, c := range v.doc.Vulnerabilities[i].Scores[j].objects() {
				pointer := at("vulnerabilities", i, "scores", j, c.name)
				s, ok := schemes[c.Version]
				if !ok || (c.Version == "2.0") != (c.name == "cvss_v2") {
					continue // 6.1.8
				}
				if metrics, ok := readVector(c.Vector, s.prefix, s.properties); ok {
					v.computation(pointer, c.CVSS, s, metrics)
					v.consistency(pointer, c.CVSS, s, metrics)
				}
			}
		}
	}
}

// consistency performs 6.1.10: a property says what the vector says, where it
// has the metric.
func (v *validator) consistency(pointer string, c *CVSS, s scheme, metrics vector) {
	for _, p := range s.properties {
		value, ok := metrics[p.metric]
		if got := c.Property(p.name); ok && got != "" && got != p.long(value) {
			v.fail("6.1.10", pointer+at(p.name), "it is %.32q, but the vector has %s:%s, %q", got, p.metric, value, p.long(value))
		}
	}
}

// computation performs 6.1.9: scores and severities are those of the vector
// alone, or of the vector with the metrics that only properties have. The
// standard gives the vector precedence, and speaks of such properties (6.2.19),
// so either reading passes.
func (v *validator) computation(pointer string, c *CVSS, s scheme, metrics vector) {
	all := s.complete(c, metrics)
	for _, x := range []rated{
		{"base", c.BaseScore, c.BaseSeverity, [2]string{s.upTo(metrics, s.temporal), s.upTo(all, s.temporal)}},
		{"temporal", c.TemporalScore, c.TemporalSeverity, [2]string{s.upTo(metrics, s.further), s.upTo(all, s.further)}},
		{"environmental", c.EnvironmentalScore, c.EnvironmentalSeverity, [2]string{s.environmental(metrics), s.environmental(all)}},
	} {
		if !s.rated {
			x.severity = ""
		}
		if x.score == "" && x.severity == "" {
			continue
		}
		if v.opts.CVSS == nil {
			v.fail("6.1.9", pointer, "it was not tested: there is no calculator")
			return
		}
		where, why := x.compute(v.opts.CVSS, x.vectors[0])
		if why != "" && x.vectors[1] != x.vectors[0] {
			if _, other := x.compute(v.opts.CVSS, x.vectors[1]); other == "" {
				why = ""
			}
		}
		if why != "" {
			v.fail("6.1.9", pointer+where, "%s", why)
		}
	}
}

// rated is one of the scores of a CVSS object, with its severity if it has one,
// and the vectors that it may be of.
type rated struct {
	name     string
	score    Decimal
	severity string
	vectors  [2]string
}

// compute says what is wrong with a score if it is of this vector, and where in
// the object; or "".
func (x rated) compute(calculate func(string) (int, error), vector string) (pointer, why string) {
	want, err := calculate(vector)
	if err != nil {
		return "/vectorString", fmt.Sprintf("it has no %s score: %v", x.name, err)
	}
	if got, ok := x.score.Tenths(); x.score != "" && (!ok || got != want) {
		return at(x.name + "Score"), fmt.Sprintf("it is %.16s, but the vector gives %d.%d", x.score, want/10, want%10)
	}
	if severity := rating(want); x.severity != "" && x.severity != severity {
		return at(x.name + "Severity"), fmt.Sprintf("it is %.16q, but the vector gives %q", x.severity, severity)
	}
	return "", ""
}

// complete adds to a vector the metrics that only properties have.
func (s scheme) complete(c *CVSS, metrics vector) vector {
	all := vector{}
	for _, p := range s.properties {
		if value, ok := metrics[p.metric]; ok {
			all[p.metric] = value
		} else if value := p.short(c.Property(p.name)); value != "" {
			all[p.metric] = value
		}
	}
	return all
}

// upTo writes the vector of the first n metrics, optional ones filled in.
func (s scheme) upTo(all vector, n int) string {
	part := vector{}
	for i, p := range s.properties[:n] {
		if value, ok := all[p.metric]; ok {
			part[p.metric] = value
		} else if i >= s.temporal {
			part[p.metric] = s.undefined
		}
	}
	return part.write(s.prefix, s.properties)
}

// environmental writes the whole vector in a way that the environmental
// equations apply: where confidentiality requirements are not defined they are
// medium, which weighs the same.
func (s scheme) environmental(all vector) string {
	part := vector{}
	for i, p := range s.properties {
		value, ok := all[p.metric]
		if !ok && i >= s.temporal {
			value, ok = s.undefined, true
		}
		if p.metric == "CR" && value == s.undefined {
			value = "M"
		}
		if ok {
			part[p.metric] = value
		}
	}
	return part.write(s.prefix, s.properties)
}

// rating is the severity of a score in tenths (CVSS 3.1, section 5).
func rating(tenths int) string {
	switch {
	case tenths <= 0:
		return "NONE"
	case tenths < 40:
		return "LOW"
	case tenths < 70:
		return "MEDIUM"
	case tenths < 90:
		return "HIGH"
	}
	return "CRITICAL"
}
