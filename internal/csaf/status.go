package csaf

import "slices"

// ProductStatus lists product ids by how they stand to the vulnerability.
type ProductStatus struct {
	FirstAffected      []string `json:"first_affected,omitzero"`
	FirstFixed         []string `json:"first_fixed,omitzero"`
	Fixed              []string `json:"fixed,omitzero"`
	KnownAffected      []string `json:"known_affected,omitzero"`
	KnownNotAffected   []string `json:"known_not_affected,omitzero"`
	LastAffected       []string `json:"last_affected,omitzero"`
	Recommended        []string `json:"recommended,omitzero"`
	UnderInvestigation []string `json:"under_investigation,omitzero"`
	Unknown            []string `json:"unknown,omitzero"` // 2.1
}

// A StatusGroup is one of the groups of lists that contradict each other.
//
// Source: CSAF 2.0, section 6.1.6.
type StatusGroup uint8

const (
	// Affected are first_affected, known_affected and last_affected.
	Affected StatusGroup = iota
	// NotAffected is known_not_affected.
	NotAffected
	// Fixed are first_fixed and fixed.
	Fixed
	// UnderInvestigation is under_investigation.
	UnderInvestigation
	// NoGroup are recommended, which goes with any group, and unknown.
	NoGroup
)

var groupNames = [...]string{"affected", "not affected", "fixed", "under investigation", "none"}

// String names the group as the standard does.
func (g StatusGroup) String() string { return groupNames[g] }

// A StatusList is one list of a [ProductStatus].
type StatusList struct {
	Name  string // the member, such as "known_affected"
	Group StatusGroup
	IDs   []string
}

// Lists returns all lists that are there, by name; none for a nil status.
func (s *ProductStatus) Lists() []StatusList {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc([]StatusList{
		{"first_affected", Affected, s.FirstAffected},
		{"first_fixed", Fixed, s.FirstFixed},
		{"fixed", Fixed, s.Fixed},
		{"known_affected", Affected, s.KnownAffected},
		{"known_not_affected", NotAffected, s.KnownNotAffected},
		{"last_affected", Affected, s.LastAffected},
		{"recommended", NoGroup, s.Recommended},
		{"under_investigation", UnderInvestigation, s.UnderInvestigation},
		{"unknown", NoGroup, s.Unknown},
	}, func(l StatusList) bool { return l.IDs == nil })
}
