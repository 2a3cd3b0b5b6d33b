package report

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/internal/policytest"
)

// TestBeside: secrets and files without a package are listed, decided or not.
func TestBeside(t *testing.T) {
	const name = "testdata/beside.txtar"
	var got []txtar.File
	for _, rules := range []bool{true, false} {
		in, _, trace := policytest.Beside(t, rules)
		for _, r := range renderings {
			var b bytes.Buffer
			if err := r.write(&b, trace, &Options{Secrets: in.Secrets, Packages: in.Packages}); err != nil {
				t.Fatal(err)
			}
			title := map[bool]string{true: "-decided", false: "-listed"}[rules]
			got = append(got, txtar.File{Name: r.name + title, Data: b.Bytes()})
		}
	}
	if *update {
		text := txtar.Format(&txtar.Archive{Comment: []byte("Secrets and files without a package, as they are shown. go test -update writes this.\n"), Files: got})
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Files, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestBesideRows: however many there are, text and Markdown are bounded, and say so.
// Who asks for one finding does not hear of them.
func TestBesideRows(t *testing.T) {
	in, _, trace := policytest.Beside(t, true)
	for _, r := range renderings[:2] {
		var b bytes.Buffer
		if err := r.write(&b, trace, &Options{Secrets: in.Secrets, Packages: in.Packages, Rows: 1}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "3 more") || strings.Contains(b.String(), "nobody-read-it:") {
			t.Errorf("%s shows all:\n%s", r.name, b.String())
		}
		b.Reset()
		if err := r.write(&b, trace, &Options{Secrets: in.Secrets, Packages: in.Packages, Vulnerability: "CVE-2026-0001"}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "miner:") || strings.Contains(b.String(), "secret aws-access-key-id in") {
			t.Errorf("%s of one finding shows others:\n%s", r.name, b.String())
		}
	}
	trace.Items = []policy.Item{{About: policy.AboutSecret, Outcome: policy.NotAssessed, Gate: policy.GateEvidence, Because: "nobody looked for secrets"}}
	var b bytes.Buffer
	if err := Text(&b, trace, nil); err != nil || !strings.Contains(b.String(), "secrets: not assessed\n  because      nobody looked for secrets\n") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
