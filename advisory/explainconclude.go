package advisory

import (
	"fmt"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// conclude draws the conclusion of what was found.
func (e *explainer) conclude() {
	x, s := e.x, e.scope
	set := func(c finding.Conclusion, r finding.Reason, why string) { x.Conclusion, x.Reason, x.Why = c, r, why }
	switch {
	case len(x.Findings) > 0:
		f := &x.Findings[0]
		why := f.Evidence.Version + " is in " + f.Evidence.Range
		if f.Evidence.Range == spanVersions {
			why = f.Evidence.Version + " is one of the enumerated versions"
		}
		set(finding.Affected, finding.ReasonInRange, fmt.Sprintf("%s of %s %s (%s)", why, f.Evidence.Ecosystem, f.Evidence.Name, f.Advisory))
	case len(e.topic.records) == 0 && e.topic.related:
		set(finding.UnknownID, finding.ReasonUnknownID, "no record is about "+x.Asked+"; some about others name it as related")
	case len(e.topic.records) == 0:
		set(finding.UnknownID, finding.ReasonUnknownID, "no record of this data names "+x.Asked)
	case e.topic.full:
		set(finding.NotAssessed, finding.ReasonLimit, fmt.Sprintf("more than %d records hang together with %s", maxTopic, x.Asked))
	case s == nil:
		set(finding.NotAssessed, finding.ReasonUnsupported, "it is not a package that advisories are about")
	case e.isOwned():
		set(finding.NotAssessed, finding.ReasonOwned, "its distribution repairs it without changing its version: ask about "+x.Package.Owner)
	case len(s.ecosystems) == 0:
		set(finding.NotAssessed, reasonOf(s.code), s.name+": "+s.why)
	default:
		e.concludeFromRecords()
	}
}

// reasonOf is the reason of having no data.
func reasonOf(code sbom.GapCode) finding.Reason {
	switch code {
	case sbom.GapUnsupported:
		return finding.ReasonUnsupported
	case sbom.GapUnidentified:
		return finding.ReasonUnidentified
	}
	return finding.ReasonNoData
}

// concludeFromRecords concludes from records of which none applies.
func (e *explainer) concludeFromRecords() {
	x := e.x
	best := &x.Records[0]
	for i := range x.Records {
		if r := &x.Records[i]; rank(r.Reason) < rank(best.Reason) {
			best = r
		}
	}
	x.Conclusion, x.Reason, x.Why = finding.NotAffected, best.Reason, best.ID+": "+best.Why
	switch best.Reason {
	case finding.ReasonNoVersion, finding.ReasonBadVersion, finding.ReasonBadRange:
		x.Conclusion = finding.NotAssessed
	case finding.ReasonOtherPackage:
		x.Why = "the records about it that speak about " + x.Scope.Name + " are about other packages"
	case finding.ReasonOtherRelease, finding.ReasonOtherEcosystem, finding.ReasonNoPackages, finding.ReasonNoData:
		x.Conclusion, x.Why = finding.NotAssessed, "no record about it says anything about "+x.Scope.Name
	}
	if x.Conclusion != finding.NotAffected {
		return
	}
	for _, g := range x.Gaps {
		switch {
		case g.Code == sbom.GapStale:
			x.Conclusion, x.Reason, x.Why = finding.NotAssessed, finding.ReasonStale, g.Where+": "+g.What
			return
		case g.Code == sbom.GapEndOfLife && x.Reason == finding.ReasonOtherPackage:
			x.Conclusion, x.Reason, x.Why = finding.NotAssessed, finding.ReasonEndOfLife, g.Where+": "+g.What
			return
		}
	}
}
