// Package cvss reads CVSS vector strings of the versions 2.0, 3.0, 3.1 and 4.0
// and computes their scores, in integers, so that a score is the same on every
// machine.
//
// [Parse] accepts what the specifications accept: a vector that is wrong in
// any metric has no score. Scores are those of FIRST's own equations and
// tables; each version's file names the section.
package cvss

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
)

// ErrInvalid is the kind of error that [Parse] returns, for [errors.Is].
var ErrInvalid error = fault.Invalid

// maxVector bounds the text of a vector in bytes; the longest valid one, of
// version 4.0, has about 200.
const maxVector = 512

// Score is a CVSS score in tenths: 98 is 9.8.
type Score int

// String writes the score with its decimal, "9.8" or "10.0".
func (s Score) String() string { return fmt.Sprintf("%d.%d", s/10, s%10) }

// Vector is a valid vector. The zero Vector is of no version and scores 0. It
// is immutable and comparable.
type Vector struct {
	version version
	values  [maxMetrics]uint8 // by metric, the index of its value
}

// Parse reads a vector. An error wraps [ErrInvalid] and says which metric is
// wrong. Version 2.0 and 4.0 metrics must be in the order of their
// specification, and optional groups of version 2.0 complete; version 3
// metrics may be in any order.
func Parse(s string) (Vector, error) {
	if len(s) > maxVector {
		return Vector{}, fmt.Errorf("parse CVSS vector %.32q…: %d bytes are over the limit of %d: %w", s, len(s), maxVector, ErrInvalid)
	}
	v, why := parse(s)
	if why != "" {
		return Vector{}, fmt.Errorf("parse CVSS vector %q: %s: %w", s, why, ErrInvalid)
	}
	return v, nil
}

func parse(s string) (v Vector, why string) {
	v.version = v2
	for _, version := range []version{v30, v31, v40} {
		if rest, ok := strings.CutPrefix(s, "CVSS:"+version.String()+"/"); ok {
			v.version, s = version, rest
			break
		}
	}
	metrics := v.version.metrics()
	var seen [maxMetrics]bool
	last := -1
	for part := range strings.SplitSeq(s, "/") {
		name, value, _ := strings.Cut(part, ":")
		i := find(metrics, name)
		switch {
		case i < 0:
			return Vector{}, fmt.Sprintf("version %s has no metric %q", v.version, name)
		case seen[i]:
			return Vector{}, fmt.Sprintf("metric %s is there twice", name)
		case i < last && v.version.ordered():
			return Vector{}, fmt.Sprintf("metric %s is out of order", name)
		}
		n := metrics[i].index(value)
		if n < 0 {
			return Vector{}, fmt.Sprintf("metric %s has no value %q", name, value)
		}
		v.values[i], seen[i], last = uint8(n), true, i
	}
	return v, incomplete(v.version, metrics, seen)
}

// incomplete says which metric of a group that must be complete is missing.
func incomplete(version version, metrics []metric, seen [maxMetrics]bool) string {
	for i, m := range metrics {
		if seen[i] {
			continue
		}
		for j, other := range metrics {
			if m.group == base || version == v2 && m.group == other.group && seen[j] {
				return fmt.Sprintf("metric %s is missing", m.name)
			}
		}
	}
	return ""
}

// Version returns "2.0", "3.0", "3.1" or "4.0"; empty for the zero Vector.
func (v Vector) Version() string { return v.version.String() }

// Base returns the score of the base metrics alone: how bad it is of itself.
func (v Vector) Base() Score {
	for i, m := range v.version.metrics() {
		if m.group != base {
			v.values[i] = 0
		}
	}
	return v.Score()
}

// Score returns the score of all metrics that the vector defines: base, and
// threat or temporal and environmental ones where they are given.
func (v Vector) Score() Score {
	switch v.version {
	case v2:
		return v.score2()
	case v30, v31:
		return v.score3()
	case v40:
		return v.score4()
	}
	return 0
}

// Severity returns the rating of the base score: for version 3 and 4 by the
// scale of their specifications (v3.1 §5, v4.0 §6), for version 2, which has
// none, by the one that the NVD uses: low below 4.0, medium below 7.0, high.
func (v Vector) Severity() finding.Severity {
	s := v.Base()
	switch {
	case v.version == none:
		return finding.Unknown
	case s == 0 && v.version != v2:
		return finding.None
	case s < 40:
		return finding.Low
	case s < 70:
		return finding.Medium
	case s < 90 || v.version == v2:
		return finding.High
	}
	return finding.Critical
}

// String returns the vector with its metrics in the order of the
// specification; optional metrics that are not defined are left out, for
// version 2.0 unless their group has a defined one. Empty for the zero Vector.
func (v Vector) String() string {
	metrics := v.version.metrics()
	var defined [groups]bool
	for i, m := range metrics {
		defined[m.group] = defined[m.group] || v.values[i] != 0
	}
	var b strings.Builder
	if v.version > v2 {
		b.WriteString("CVSS:" + v.version.String())
	}
	for i, m := range metrics {
		if m.group != base && v.values[i] == 0 && !(v.version == v2 && defined[m.group]) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(m.name + ":" + m.values[v.values[i]])
	}
	return b.String()
}
