package scan

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxProblems bounds the inconsistencies of an SBOM that become gaps one by one.
const maxProblems = 20

// read decodes the SBOM that a job is of.
func (w *Worker) read(ctx context.Context, from Artifacts, m *Manifest) (*sbom.Document, *Stored, error) {
	if w.Decode == nil || w.MediaType == nil {
		return nil, nil, fmt.Errorf("%s: this worker reads no SBOMs: %w", m.Reference, fault.Unsupported)
	}
	ref := m.SBOM.Ref()
	if ref.Size > MaxUpload {
		return nil, nil, &fault.LimitError{What: "bytes of an SBOM", Where: m.Reference, Max: MaxUpload, Seen: ref.Size}
	}
	r, err := from.Open(ctx, ref)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", m.Reference, err)
	}
	defer r.Close()
	doc, format, err := w.Decode(io.LimitReader(r, MaxUpload))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", m.Reference, err)
	}
	declare(doc, m.Name)
	mediaType, suffix := w.MediaType(format)
	return doc, &Stored{Format: Uploaded, MediaType: mediaType, Name: "uploaded." + suffix, Ref: ref}, nil
}

// declare makes of a document what its uploader says, and no more: it is not the image
// that it may claim to be of, which nobody has read here, so no digest in it may become
// the subject of what is signed. What it says of itself is noted, beside what it cannot
// say.
func declare(doc *sbom.Document, name string) {
	note := func(blocking bool, code sbom.GapCode, where, format string, args ...any) {
		doc.Gaps = append(doc.Gaps, sbom.Gap{Code: code, Blocking: blocking, Where: where, What: fmt.Sprintf(format, args...)})
	}
	note(false, sbom.GapOddity, "sbom", "an uploaded document says what is inside; what it leaves out is not known")
	s := &doc.Subject
	if claim := cmp.Or(s.ConfigDigest, manifestOf(doc)); claim != "" {
		note(false, sbom.GapOddity, "sbom", "it says to be of the image %.80q, which was not read: not taken for it", claim)
	}
	s.ConfigDigest, s.Platform, s.Labels, s.Layers = "", "", nil, nil
	doc.Source, doc.Composition = nil, nil
	s.Name = cmp.Or(s.Name, name)
	if len(doc.Packages) == 0 {
		note(true, sbom.GapUnresolved, "sbom", "it names no package: there is nothing to assess")
	}
	problems := doc.Check()
	for i, p := range problems {
		if i == maxProblems {
			note(false, sbom.GapOddity, "sbom", "%d more inconsistencies", len(problems)-i)
			break
		}
		note(false, sbom.GapOddity, p.Where, "%s", p.What)
	}
	doc.Normalize()
}

func manifestOf(doc *sbom.Document) string {
	if doc.Source == nil {
		return ""
	}
	return cmp.Or(doc.Source.Manifest, doc.Source.Index)
}

// unseal opens what the registry is asked with.
func (w *Worker) unseal(tenant string, l *Lease) (Secret, error) {
	switch {
	case !l.Manifest.Credential:
		return "", nil
	case l.Sealed == nil:
		return "", fmt.Errorf("job %s: the credential for the registry that came with it is kept no longer: submit it again: %w", l.JobID, fault.Forbidden)
	case w.Unseal == nil:
		return "", fmt.Errorf("job %s: this worker has no key for credentials of registries: %w", l.JobID, fault.Unsupported)
	}
	s, err := w.Unseal(tenant, l.JobID, l.Sealed)
	if err != nil {
		return "", fmt.Errorf("job %s: the credential for the registry: %w", l.JobID, err)
	}
	return s, nil
}
