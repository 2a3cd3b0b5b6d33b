package advisory

import "github.com/stella-ops/stella/advisory/finding"

// Comparison is how what a source says now differs from what is released of it:
// what a human should look at before it becomes current. Records are compared by
// document and id.
type Comparison struct {
	// Released is the run that is compared with, 0 for none.
	Released int64
	// Before and Now are how many records there are.
	Before, Now int
	// Withdrawn are records that were taken back since, Emptied those that
	// affected a package and affect none any more.
	Withdrawn, Emptied int
	// Back are documents whose changed records were all modified earlier than
	// before.
	Back int
	// Example is one document that went back, the first by name.
	Example string
}

// Severity derives how bad the record is by what it states for every package,
// and says from which statement: a CVSS vector, of several the newest version
// and highest base score, before the database's own word. Without one it is
// unknown.
func (r *Record) Severity() (finding.Severity, string) {
	return severity(&hit{record: r}, false)
}
