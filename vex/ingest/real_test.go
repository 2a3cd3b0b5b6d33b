package ingest_test

import (
	"bytes"
	"context"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/snapshot"
)

// packed is a source of the documents of a pack.
type packed struct {
	t    *testing.T
	pack string
}

func (p packed) Describe() vex.Description { return vex.Description{Name: "real"} }

func (p packed) Fetch(_ context.Context, _ vex.Door, _ []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	var failed error
	testdata.Walk(p.t, p.pack, func(name string, r io.Reader) {
		text, err := io.ReadAll(r)
		if err == nil && failed == nil && format.Detect(text) != format.Unknown {
			err = emit(&vex.Document{Source: "real", Name: strings.TrimPrefix(path.Clean("/"+name), "/"), Content: text})
		}
		if failed == nil {
			failed = err
		}
	})
	return &vex.Fetched{Complete: true}, failed
}

func (p packed) Parse(d *vex.Document) iter.Seq2[*vex.Statement, error] {
	return format.Decode(d.Name, d.Content, nil)
}

// TestReal ingests documents of real publishers, decides, and keeps the set as a
// snapshot that says the same.
func TestReal(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	packs := []string{"vex/csaf-vex-claircore.tar.gz", "vex/cdx-vex.tar.gz", "vex/openvex-rancher-oci.tar.gz"}
	if os.Getenv("STELLA_LONG") == "1" {
		packs = append(packs, "vex/openvex-aqua-vexhub.tar.gz", "vex/openvex-dhi.tar.gz", "vex/openvex-rancher-golang.tar.gz", "vex/csaf-vex-redhat-trustify.tar.gz", "vex/csaf-cisa-ics.tar.gz", "vex/csaf-provider-trees.tar.gz")
	}
	for _, pack := range packs {
		t.Run(strings.TrimSuffix(path.Base(pack), ".tar.gz"), func(t *testing.T) { real(t, packed{t, pack}) })
	}
}

func real(t *testing.T, source packed) {
	v := newStore(t).VEX()
	trust := &vex.Trust{Issuers: []vex.Issuer{{ID: "real", Tier: 1, Sources: []string{"real"}, Products: []string{"*"}, Unsigned: vex.Statuses}}}
	if _, err := v.SetTrust(t.Context(), trust, "test"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out, err := newIngester(v).Run(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	ingested := time.Since(began)
	began = time.Now()
	head := publish(t, publisher(v, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)))
	decisions, err := v.Consensus(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	decided := time.Since(began)
	var file bytes.Buffer
	info, err := snapshot.Build(t.Context(), &file, v.Statements(t.Context(), head, nil))
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.New(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err == nil {
		err = s.Verify(t.Context(), head.Digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents, %d quarantined, %d problems, %d statements in %v; %d decisions in %v; snapshot of %d bytes with %d names",
		out.Documents, out.Quarantined, out.Problems, info.Statements, ingested.Round(time.Millisecond), len(decisions), decided.Round(time.Millisecond), info.Size, info.Names)
	identified := 0
	for st, err := range v.Statements(t.Context(), head, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(st.Products, func(p vex.Product) bool { return p.Identified() }) {
			identified++
		}
	}
	if out.Documents == 0 || info.Statements == 0 || identified > 0 && len(decisions) == 0 {
		t.Errorf("nothing came of %d statements about identified products", identified)
	}
	for _, d := range decisions {
		if d.Value == "" || len(d.Deciding) == 0 && d.NextChange.IsZero() || !slices.IsSorted(d.Deciding) && len(d.Deciding) > 2 {
			t.Fatalf("%+v", d)
		}
	}
	// What is quarantined says why.
	for k, err := range v.Known(t.Context(), "real") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.Reading(t.Context(), "real", k.Name)
		if err != nil || r.Pending {
			t.Fatalf("%s: %+v, %v", k.Name, r, err)
		}
		if r.Quarantined != "" {
			t.Logf("%s: %.200s", filepath.Base(k.Name), r.Quarantined)
		}
	}
}
