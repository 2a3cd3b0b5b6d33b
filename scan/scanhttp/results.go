package scanhttp

import (
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
)

// results are scan.Results.
type results struct {
	ImageDigest string             `json:"image_digest,omitempty"`
	SBOMDigest  string             `json:"sbom_digest"`
	Documents   []document         `json:"documents"`
	Fragments   []object           `json:"fragments,omitempty"`
	Packages    []scan.PackageFact `json:"packages"`
	Gaps        int                `json:"gaps,omitzero"`
	Blocked     bool               `json:"blocked,omitzero"`
	Report      *finding.Report    `json:"report,omitempty"`
	Inputs      map[string]string  `json:"inputs,omitempty"`
}

func resultsOf(r scan.Results) results {
	out := results{
		ImageDigest: r.ImageDigest, SBOMDigest: r.SBOMDigest, Packages: r.Packages,
		Gaps: r.Gaps, Blocked: r.Blocked, Report: r.Report, Inputs: r.Inputs,
	}
	for _, d := range r.Documents {
		out.Documents = append(out.Documents, documentOf(d))
	}
	for _, f := range r.Fragments {
		out.Fragments = append(out.Fragments, objectOf(f))
	}
	return out
}

func (r results) found() scan.Results {
	out := scan.Results{
		ImageDigest: r.ImageDigest, SBOMDigest: r.SBOMDigest, Packages: r.Packages,
		Gaps: r.Gaps, Blocked: r.Blocked, Report: r.Report, Inputs: r.Inputs,
	}
	for _, d := range r.Documents {
		out.Documents = append(out.Documents, d.kept())
	}
	for _, f := range r.Fragments {
		out.Fragments = append(out.Fragments, f.ref())
	}
	return out
}
