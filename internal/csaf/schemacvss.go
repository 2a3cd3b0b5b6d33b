package csaf

import "github.com/stella-ops/stella/internal/csaf/shape"

// A property of a CVSS object spells out one metric of its vector: its name,
// the metric's, and its values with the metric's.
//
// Source: FIRST, cvss-v2.0.json, cvss-v3.0.json and cvss-v3.1.json; their
// abbreviations are those of the CVSS specifications.
type property struct {
	name   string
	metric string
	values []pair
}

// pair is a value of a property and of a metric.
type pair struct{ long, short string }

func (p property) names() []string {
	out := make([]string, len(p.values))
	for i, v := range p.values {
		out[i] = v.long
	}
	return out
}

// long is the property's value for a metric's value, or "".
func (p property) long(short string) string {
	for _, v := range p.values {
		if v.short == short {
			return v.long
		}
	}
	return ""
}

// short is the metric's value for a property's value, or "".
func (p property) short(long string) string {
	for _, v := range p.values {
		if v.long == long {
			return v.short
		}
	}
	return ""
}

// Values that metrics share.
var (
	impact2 = []pair{{"NONE", "N"}, {"PARTIAL", "P"}, {"COMPLETE", "C"}}
	demand2 = []pair{{"LOW", "L"}, {"MEDIUM", "M"}, {"HIGH", "H"}, {"NOT_DEFINED", "ND"}}
	vector3 = []pair{{"NETWORK", "N"}, {"ADJACENT_NETWORK", "A"}, {"LOCAL", "L"}, {"PHYSICAL", "P"}}
	hard3   = []pair{{"HIGH", "H"}, {"LOW", "L"}}
	level3  = []pair{{"HIGH", "H"}, {"LOW", "L"}, {"NONE", "N"}}
	user3   = []pair{{"NONE", "N"}, {"REQUIRED", "R"}}
	scope3  = []pair{{"UNCHANGED", "U"}, {"CHANGED", "C"}}
	demand3 = []pair{{"LOW", "L"}, {"MEDIUM", "M"}, {"HIGH", "H"}, {"NOT_DEFINED", "X"}}
)

func orX(values []pair) []pair {
	return append(values[:len(values):len(values)], pair{"NOT_DEFINED", "X"})
}

// properties2 are in the order of a vector of version 2.0: six base, three
// temporal, five environmental metrics.
var properties2 = []property{
	{"accessVector", "AV", []pair{{"NETWORK", "N"}, {"ADJACENT_NETWORK", "A"}, {"LOCAL", "L"}}},
	{"accessComplexity", "AC", []pair{{"HIGH", "H"}, {"MEDIUM", "M"}, {"LOW", "L"}}},
	{"authentication", "Au", []pair{{"MULTIPLE", "M"}, {"SINGLE", "S"}, {"NONE", "N"}}},
	{"confidentialityImpact", "C", impact2},
	{"integrityImpact", "I", impact2},
	{"availabilityImpact", "A", impact2},
	{"exploitability", "E", []pair{{"UNPROVEN", "U"}, {"PROOF_OF_CONCEPT", "POC"}, {"FUNCTIONAL", "F"}, {"HIGH", "H"}, {"NOT_DEFINED", "ND"}}},
	{"remediationLevel", "RL", []pair{{"OFFICIAL_FIX", "OF"}, {"TEMPORARY_FIX", "TF"}, {"WORKAROUND", "W"}, {"UNAVAILABLE", "U"}, {"NOT_DEFINED", "ND"}}},
	{"reportConfidence", "RC", []pair{{"UNCONFIRMED", "UC"}, {"UNCORROBORATED", "UR"}, {"CONFIRMED", "C"}, {"NOT_DEFINED", "ND"}}},
	{"collateralDamagePotential", "CDP", []pair{{"NONE", "N"}, {"LOW", "L"}, {"LOW_MEDIUM", "LM"}, {"MEDIUM_HIGH", "MH"}, {"HIGH", "H"}, {"NOT_DEFINED", "ND"}}},
	{"targetDistribution", "TD", []pair{{"NONE", "N"}, {"LOW", "L"}, {"MEDIUM", "M"}, {"HIGH", "H"}, {"NOT_DEFINED", "ND"}}},
	{"confidentialityRequirement", "CR", demand2},
	{"integrityRequirement", "IR", demand2},
	{"availabilityRequirement", "AR", demand2},
}

// properties3 are those of the versions 3.0 and 3.1: eight base, three
// temporal, eleven environmental metrics.
var properties3 = []property{
	{"attackVector", "AV", vector3},
	{"attackComplexity", "AC", hard3},
	{"privilegesRequired", "PR", level3},
	{"userInteraction", "UI", user3},
	{"scope", "S", scope3},
	{"confidentialityImpact", "C", level3},
	{"integrityImpact", "I", level3},
	{"availabilityImpact", "A", level3},
	{"exploitCodeMaturity", "E", []pair{{"UNPROVEN", "U"}, {"PROOF_OF_CONCEPT", "P"}, {"FUNCTIONAL", "F"}, {"HIGH", "H"}, {"NOT_DEFINED", "X"}}},
	{"remediationLevel", "RL", []pair{{"OFFICIAL_FIX", "O"}, {"TEMPORARY_FIX", "T"}, {"WORKAROUND", "W"}, {"UNAVAILABLE", "U"}, {"NOT_DEFINED", "X"}}},
	{"reportConfidence", "RC", []pair{{"UNKNOWN", "U"}, {"REASONABLE", "R"}, {"CONFIRMED", "C"}, {"NOT_DEFINED", "X"}}},
	{"confidentialityRequirement", "CR", demand3},
	{"integrityRequirement", "IR", demand3},
	{"availabilityRequirement", "AR", demand3},
	{"modifiedAttackVector", "MAV", orX(vector3)},
	{"modifiedAttackComplexity", "MAC", orX(hard3)},
	{"modifiedPrivilegesRequired", "MPR", orX(level3)},
	{"modifiedUserInteraction", "MUI", orX(user3)},
	{"modifiedScope", "MS", orX(scope3)},
	{"modifiedConfidentialityImpact", "MC", orX(level3)},
	{"modifiedIntegrityImpact", "MI", orX(level3)},
	{"modifiedAvailabilityImpact", "MA", orX(level3)},
}

// vectorOf is the rule for a vector of any number of metrics in any order,
// which may repeat: the schemas ask for no more.
func vectorOf(prefix string, properties []property) *shape.Rule {
	name := "a CVSS vector " + prefix
	return shape.Formatted(0, shape.Format{Name: name, OK: func(s string) bool {
		_, ok := readVector(s, prefix, properties)
		return ok
	}})
}

func cvss(version, prefix string, properties []property, required ...string) *shape.Rule {
	score := &shape.Rule{Kind: shape.Number, Formats: []shape.Format{scoreOK}}
	m := members{
		"version": shape.OneOf(version), "vectorString": vectorOf(prefix, properties),
		"baseScore": score, "temporalScore": score, "environmentalScore": score,
	}
	for _, p := range properties {
		m[p.name] = shape.OneOf(p.names()...)
	}
	for _, name := range []string{"baseSeverity", "temporalSeverity", "environmentalSeverity"} {
		m[name] = shape.OneOf(severities...)
		if prefix == "" {
			m[name] = &shape.Rule{Foreign: true} // version 2.0 has none
		}
	}
	return shape.Struct(m, required...)
}

var severities = []string{"NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

func cvss2() *shape.Rule {
	return cvss("2.0", "", properties2, "version", "vectorString", "baseScore")
}

func cvss3() *shape.Rule {
	required := []string{"version", "vectorString", "baseScore", "baseSeverity"}
	return &shape.Rule{Kind: shape.Object, By: "version", Alternatives: members{
		"3.0": cvss("3.0", "CVSS:3.0/", properties3, required...),
		"3.1": cvss("3.1", "CVSS:3.1/", properties3, required...),
	}}
}
