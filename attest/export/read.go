package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// MaxDocument bounds a document that is read to be exported, in bytes.
const MaxDocument = 512 << 20

// Objects keep documents and bundles by their content, and copy them to human names. A
// blob.Bucket is one.
type Objects interface {
	attest.Objects
	// Name copies an object, once it is verified, to a human name.
	Name(ctx context.Context, ref blob.Ref, name string) error
}

// neutralFormat is the document that everything is derived from.
const neutralFormat = format.StellaJSON

// Reader reads what exports are made of. Both fields are required; it is safe for
// concurrent use.
type Reader struct {
	Source  Source
	Objects Objects
	// Tool and Author are as in Material.
	Tool, Author string
}

// Basis says on what a decision about a scan is read. The zero value reads none.
type Basis struct {
	Decision bool
	// Verdict is the verdict, by the key of its inputs or by its digest; "" for the one
	// that holds and is the worst, the first of several by environment. Its findings are
	// those that it was made on.
	Verdict string
	// Report is the head of the findings where there is no verdict; 0 for the newest.
	Report int64
}

// Read returns the material of a scan. Every document is verified by its digest. One
// whose object is gone or damaged is put back from what the relational store has; where
// that has nothing, one that can be written of the neutral document is, and without
// that the error wraps ErrNotFound or ErrMismatch and names the object.
func (r *Reader) Read(ctx context.Context, scanID string, basis Basis) (*Scan, *Material, error) {
	scan, err := r.Source.Scan(ctx, scanID)
	if err != nil {
		return nil, nil, err
	}
	m := &Material{Image: scan.Image, Kept: map[Format][]byte{}, At: scan.At.UTC(), Tool: r.Tool, Author: r.Author}
	for i := range scan.Documents {
		d := &scan.Documents[i]
		f := sbomFormat(d.Format)
		if d.Format != neutralFormat && f == "" {
			continue
		}
		text, err := r.document(ctx, d)
		switch {
		case err == nil && f == "":
			m.Neutral = text
		case err == nil:
			m.Kept[f] = text
		case f == "" || !lost(err):
			return nil, nil, fmt.Errorf("document %s of scan %s: %w", d.Name, scanID, err)
		}
	}
	if m.Neutral == nil {
		return nil, nil, fmt.Errorf("scan %s has no %s document: %w", scanID, neutralFormat, fault.NotFound)
	}
	if m.Document, _, err = format.Decode(bytes.NewReader(m.Neutral)); err != nil {
		return nil, nil, fmt.Errorf("neutral document of scan %s: %w", scanID, err)
	}
	if basis.Decision {
		if err := r.decision(ctx, scan, m, basis); err != nil {
			return nil, nil, fmt.Errorf("decision about scan %s: %w", scanID, err)
		}
	}
	crashpoint.Hit(crashpoint.ExportRead)
	return scan, m, nil
}

// lost reports whether an object is gone or damaged, which says nothing about others.
func lost(err error) bool {
	return errors.Is(err, fault.NotFound) || errors.Is(err, fault.Mismatch)
}

// document reads a document that is kept, and heals its object.
func (r *Reader) document(ctx context.Context, d *Document) ([]byte, error) {
	if d.Ref.Size > MaxDocument {
		return nil, &fault.LimitError{What: "bytes of a document", Where: d.Name, Max: MaxDocument, Seen: d.Ref.Size}
	}
	text, err := readObject(ctx, r.Objects, d.Ref)
	if err == nil || !lost(err) || sum.Of(d.Content) != d.Ref.Digest {
		return text, err
	}
	if _, err := r.Objects.Put(ctx, bytes.NewReader(d.Content)); err != nil {
		return nil, fmt.Errorf("put object %s back: %w", d.Ref.Digest, err)
	}
	return d.Content, nil
}

// readObject reads an object whole.
func readObject(ctx context.Context, objects attest.Objects, ref blob.Ref) ([]byte, error) {
	body, err := objects.Open(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", ref.Digest, err)
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, ref.Size+1))
	if err != nil {
		return nil, fmt.Errorf("object %s: %w", ref.Digest, err)
	}
	if got := sum.Of(text); got != ref.Digest {
		return nil, &fault.MismatchError{What: "digest of object", Want: ref.Digest, Got: got}
	}
	return text, nil
}

// decision reads what was decided about the findings, and them.
func (r *Reader) decision(ctx context.Context, scan *Scan, m *Material, basis Basis) error {
	name := basis.Verdict
	if name == "" && basis.Report == 0 {
		name = worst(scan.Verdicts)
	}
	var err error
	if name == "" {
		if basis.Report == 0 && len(scan.Reports) > 0 {
			basis.Report = scan.Reports[0]
		}
		if len(scan.Reports) > 0 {
			m.Report, err = r.Source.Report(ctx, scan.ID, basis.Report)
		}
		return err
	}
	if m.Verdict, err = r.Source.Verdict(ctx, scan.ID, name); err != nil {
		return fmt.Errorf("verdict %.80s: %w", name, err)
	}
	v, err := policy.DecodeVerdict(m.Verdict.Body)
	if err != nil {
		return err
	}
	if m.Trace, err = policy.DecodeTrace(m.Verdict.Trace); err != nil {
		return err
	}
	for _, head := range scan.Reports {
		if m.Report, err = r.Source.Report(ctx, scan.ID, head); err != nil {
			return err
		}
		if m.reportDigest() == v.Inputs.Report {
			return nil
		}
	}
	m.Report = nil
	if m.reportDigest() != v.Inputs.Report {
		return fmt.Errorf("the findings %s that verdict %s was made on: %w", v.Inputs.Report, m.Verdict.Digest, fault.NotFound)
	}
	return nil
}

// reportDigest is the digest of the findings and gaps, as a verdict names it.
func (m *Material) reportDigest() string {
	in := m.inputs()
	return policy.ReportDigest(in.Findings, in.Gaps)
}

// inputs are what a policy decides on, beside what suppliers and people say.
func (m *Material) inputs() *policy.Inputs {
	in := new(policy.Inputs)
	if m.Report != nil {
		in.Findings, in.Gaps, in.Digests.Advisories = m.Report.Findings, slices.Clone(m.Report.Gaps), m.Report.Snapshot
	}
	in.Of(m.Document)
	return in
}

// worst is the key of the worst verdict that holds, "" where there is none.
func worst(list []policy.Standing) string {
	key, rank := "", -1
	for i := range list {
		if s := &list[i]; s.Key != "" && s.Outcome.Rank() > rank {
			key, rank = s.Key, s.Outcome.Rank()
		}
	}
	return key
}
