package schedule_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// one is the evaluations of a tenant that has one.
type one struct {
	work     schedule.Work
	claim    error
	finish   error
	finished *finding.Report
	failed   *scan.Failure
}

func (o *one) Claim(_ context.Context, c schedule.ClaimRequest) (*schedule.Work, error) {
	if c.ScanID != "scan-1" || c.Head != 7 || c.Holder != "v" || c.Message == "" || c.Length != schedule.DefaultLease {
		return nil, fmt.Errorf("claimed %+v", c)
	}
	return &o.work, o.claim
}

func (o *one) Finish(_ context.Context, _ schedule.Lease, r *finding.Report) error {
	o.finished = r
	return o.finish
}

func (o *one) Fail(_ context.Context, _ schedule.Lease, f scan.Failure) error {
	o.failed = &f
	return nil
}

func (o *one) List(context.Context, string) ([]schedule.Evaluation, error) { return nil, nil }

func (o *one) Open(_ context.Context, ref blob.Ref) (io.ReadCloser, error) {
	if ref.Digest != o.work.Document.Ref.Digest {
		return nil, schedule.ErrNotFound
	}
	return io.NopCloser(strings.NewReader("large")), nil
}

func message(t *testing.T) []byte {
	e := event.Event{ID: "scan-1/evaluation/7/1", Type: event.EvaluationJob, Source: "scheduler", Tenant: "acme", Data: (&event.Evaluation{JobID: "scan-1", Head: 7}).Encode()}
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEvaluator(t *testing.T) {
	digest := func(s string) string { sum := sha256.Sum256([]byte(s)); return "sha256:" + hex.EncodeToString(sum[:]) }
	small := scan.Stored{Ref: blob.Ref{Digest: digest("small"), Size: 5}, Content: []byte("small")}
	changed := small
	changed.Content = []byte("forged") // not what its digest says: the object counts
	for name, c := range map[string]struct {
		document      scan.Stored
		claim, finish error
		snapshot      string
		decode        error
		read          string // what was decoded
		failed        string // "" for none
		permanent     bool
		err           error
	}{
		"inline":         {document: small, snapshot: "sha256:s", read: "small"},
		"object":         {document: scan.Stored{Ref: blob.Ref{Digest: "sha256:l", Size: 5}}, snapshot: "sha256:s", read: "large"},
		"forged":         {document: changed, snapshot: "sha256:s", read: "large"},
		"nothing to do":  {claim: schedule.ErrConflict},
		"gone":           {claim: schedule.ErrNotFound},
		"store is away":  {claim: schedule.ErrUnavailable, err: schedule.ErrUnavailable},
		"too large":      {document: scan.Stored{Ref: blob.Ref{Size: schedule.MaxDocument + 1}}, failed: "limit", permanent: true},
		"unreadable":     {document: small, decode: schedule.ErrInvalid, read: "small", failed: "invalid", permanent: true},
		"other snapshot": {document: small, snapshot: "sha256:other", read: "small", failed: "sha256:other"},
		"too late":       {document: small, snapshot: "sha256:s", read: "small", finish: schedule.ErrFenced},
		"not stored":     {document: small, snapshot: "sha256:s", read: "small", finish: errors.New("disk full"), failed: "disk full"},
	} {
		o := &one{work: schedule.Work{Lease: schedule.Lease{ScanID: "scan-1", Head: 7, Epoch: 1}, Snapshot: "sha256:s", Document: c.document}, claim: c.claim, finish: c.finish}
		read := ""
		v := schedule.Evaluator{
			Jobs:    func(string) (schedule.Evaluations, error) { return o, nil },
			Objects: func(string) (schedule.Objects, error) { return o, nil },
			Decode: func(r io.Reader) (*sbom.Document, error) {
				var b bytes.Buffer
				_, err := b.ReadFrom(r)
				read = b.String()
				return &sbom.Document{}, errors.Join(err, c.decode)
			},
			Match: func(_ context.Context, snapshot string, _ time.Time, _ *sbom.Document) (*finding.Report, error) {
				if snapshot != "sha256:s" {
					t.Errorf("%s: matched with %q", name, snapshot)
				}
				return &finding.Report{Snapshot: c.snapshot}, nil
			},
			Holder: "v",
		}
		err := v.Handle(t.Context(), message(t))
		if !errors.Is(err, c.err) || c.err == nil && err != nil || read != c.read {
			t.Errorf("%s: %v, read %q", name, err, read)
		}
		if failed := o.failed != nil; failed != (c.failed != "") || failed && (!strings.Contains(o.failed.Cause, c.failed) || o.failed.Permanent != c.permanent) {
			t.Errorf("%s: failed with %+v", name, o.failed)
		}
	}
}

func TestHandleLeavesOthersAlone(t *testing.T) {
	e := event.Event{ID: "x", Type: event.ScanCompleted, Source: "scanner"}
	other, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, handle := range map[string]func(context.Context, []byte) error{"evaluator": (&schedule.Evaluator{}).Handle, "scheduler": (&schedule.Scheduler{}).Handle} {
		if err := handle(t.Context(), other); err != nil {
			t.Errorf("%s: another type: %v", name, err)
		}
		for _, typ := range []event.Type{event.EvaluationJob, event.AdvisoryDrift, event.AdvisoryDelta} {
			bad := event.Event{ID: "x", Type: typ, Source: "s", Data: []byte(`{"head":0}`)}
			body, _ := bad.Encode()
			err := handle(t.Context(), body)
			if mine := (typ == event.EvaluationJob) == (name == "evaluator"); mine != errors.Is(err, schedule.ErrInvalid) {
				t.Errorf("%s: %s without its data: %v", name, typ, err)
			}
		}
	}
}
