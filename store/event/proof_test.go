package event_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/event"
)

// TestProofGolden: what travels is what is written here, and read back it is what it
// was.
func TestProofGolden(t *testing.T) {
	for _, c := range []struct {
		typ  event.Type
		data interface{ Encode() ([]byte, error) }
		read func(*event.Event) (any, error)
		want string
	}{
		{event.ExportRequested, &event.ExportJob{JobID: "scan-1", Format: "spdx", Key: "sha256:k", Version: 2},
			func(e *event.Event) (any, error) { return event.DecodeExportJob(e) },
			`{"format":"spdx","id":"e","job_id":"scan-1","key":"sha256:k","source":"export","tenant":"acme","type":"export.requested","version":2}`},
		{event.ExportPush, &event.PushJob{JobID: "scan-1", Format: "spdx", Destination: "bucket", Digest: "sha256:d"},
			func(e *event.Event) (any, error) { return event.DecodePushJob(e) },
			`{"destination":"bucket","digest":"sha256:d","format":"spdx","id":"e","job_id":"scan-1","source":"export","tenant":"acme","type":"export.push"}`},
		{event.AttestationKept, &event.Submission{Attestation: "sha256:a"},
			func(e *event.Event) (any, error) { return event.DecodeSubmission(e) },
			`{"attestation":"sha256:a","id":"e","source":"export","tenant":"acme","type":"attestation.kept"}`},
	} {
		data, err := c.data.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: "e", Type: c.typ, Source: "export", Tenant: "acme", Data: data}
		body, err := e.Encode()
		if diff := cmp.Diff(c.want, string(body)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.typ, err, diff)
			continue
		}
		back, err := event.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.read(back)
		if diff := cmp.Diff(any(c.data), got); err != nil || diff != "" {
			t.Errorf("%s read back: %v\n%s", c.typ, err, diff)
		}
	}
}

func TestProofEventsRefuse(t *testing.T) {
	for _, data := range []string{``, `[]`, `{}`, `{"job_id":"s","format":"f","key":"k"}`, `{"job_id":"s","format":"f","key":"k","version":0}`, `{"job_id":"s","format":"f","version":1}`,
		`{"job_id":"s","key":"k","version":1}`, `{"format":"f","key":"k","version":1}`, `{"job_id":"s","format":"f","key":"k","version":"1"}`} {
		if _, err := event.DecodeExportJob(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("export %s: %v", data, err)
		}
	}
	for _, data := range []string{``, `[]`, `{}`, `{"job_id":"s","format":"f","destination":"d"}`, `{"job_id":"s","format":"f","digest":"d"}`, `{"job_id":"s","destination":"d","digest":"d"}`,
		`{"format":"f","destination":"d","digest":"d"}`} {
		if _, err := event.DecodePushJob(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("push %s: %v", data, err)
		}
	}
	for _, data := range []string{``, `[]`, `{}`, `{"attestation":""}`, `{"attestation":1}`} {
		if _, err := event.DecodeSubmission(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("submission %s: %v", data, err)
		}
	}
}
