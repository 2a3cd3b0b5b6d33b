package spdx

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	oraclejson "github.com/spdx/tools-golang/json"
	oracle "github.com/spdx/tools-golang/spdx"
	oracletag "github.com/spdx/tools-golang/tagvalue"

	"github.com/stella-ops/stella/internal/imagetest/scanned"
	"github.com/stella-ops/stella/scan/sbom"
)

// What scans of real package databases, lock files and archives say, written
// in every form: JSON is valid by the published schemas, SPDX 3 by the published
// model, the SPDX project's library reads the rest as we do, and we read back
// what we wrote.
func TestScannedIsValid(t *testing.T) {
	t.Parallel()
	m := loadModel3(t)
	for _, name := range scanned.Names {
		d := scanned.Document(t, name)
		for _, opt := range append(forms, EncodeOptions{Version: Version301}) {
			out, losses := encoded(t, d, &opt)
			if len(losses) > 0 {
				t.Errorf("%s %+v: losses %v", name, opt, losses)
			}
			if opt.Version == Version301 {
				if problems := m.checkGraph(out); len(problems) > 0 {
					t.Errorf("%s %+v: %.2000q", name, opt, problems)
				}
				continue
			}
			back, err := Decode(bytes.NewReader(out), nil)
			if err != nil {
				t.Fatalf("%s %+v: %v", name, opt, err)
			}
			if diff := changes(d, back, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s %+v: comes back changed (-was +is):\n%.2000s", name, opt, diff)
			}
			read := oracletag.Read
			if !opt.TagValue {
				version := Version23
				if opt.Version != "" {
					version = strings.TrimPrefix(opt.Version, "SPDX-")
				}
				if err := validate(t, version, out); err != nil {
					t.Errorf("%s %+v: output is invalid: %.1500v", name, opt, err)
				}
				read = oraclejson.Read
			}
			theirs, err := read(bytes.NewReader(out))
			if err != nil {
				t.Errorf("%s %+v: the library: %v", name, opt, err)
				continue
			}
			compareRows(t, name, theirs, out)
			if opt.TagValue {
				writtenByThem(t, name, theirs, back)
			}
		}
	}
}

func compareRows(t *testing.T, name string, theirs *oracle.Document, out []byte) {
	t.Helper()
	rows, edges := oracleRows(theirs)
	ours, ourEdges := wireRows(t, out)
	if diff := changes(rows, ours, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("%s: the library reads other packages (-theirs +ours):\n%.2000s", name, diff)
	}
	if diff := changes(edges, ourEdges); diff != "" {
		t.Errorf("%s: the library reads other relationships (-theirs +ours):\n%.2000s", name, diff)
	}
}

// writtenByThem lets the library write tag-value of what it read from ours: we find
// the packages and relationships of the first document in it.
func writtenByThem(t *testing.T, name string, theirs *oracle.Document, want *sbom.Document) {
	t.Helper()
	var b bytes.Buffer
	if err := oracletag.Write(theirs, &b); err != nil {
		t.Errorf("%s: the library writes: %v", name, err)
		return
	}
	got, err := Decode(&b, nil)
	if err != nil {
		t.Errorf("%s: written by the library: %v", name, err)
		return
	}
	if len(got.Packages) != len(want.Packages) || len(got.Relationships) != len(want.Relationships) {
		t.Errorf("%s: by the library %d packages, %d relationships; want %d, %d", name, len(got.Packages), len(got.Relationships), len(want.Packages), len(want.Relationships))
	}
	for i := range want.Packages {
		if p := got.PackageByID(want.Packages[i].ID); p == nil || p.PURL.String() != want.Packages[i].PURL.String() {
			t.Errorf("%s: by the library %s is %v", name, want.Packages[i].PURL.String(), p)
			return
		}
	}
}
