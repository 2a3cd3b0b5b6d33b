package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const record = `{"id": "EXAMPLE-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-0001"], "summary": "An overflow",
	"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
	"affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]}]}`

// world makes a folder with one Python package, and one of advisories.
func world(t *testing.T, version string) (folder, records string) {
	t.Helper()
	dir := t.TempDir()
	folder, records = filepath.Join(dir, "folder"), filepath.Join(dir, "records")
	for name, text := range map[string]string{
		filepath.Join(folder, "usr", "lib", "python3", "dist-packages", "demo-"+version+".dist-info", "METADATA"): "Metadata-Version: 2.1\nName: demo\nVersion: " + version + "\n",
		filepath.Join(records, "EXAMPLE-1.json"): record,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder, records
}

// TestRun: what blocks is stored, decided, signed and told of.
func TestRun(t *testing.T) {
	folder, records := world(t, "1.0")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var out bytes.Buffer
	if err := run(ctx, folder, records, &out); err != nil {
		t.Fatal(err)
	}
	want := `completed: 1 packages, 1 findings, verdict block
kept: sbom.spdx.json
kept: sbom.stella.json
signed: true
told: Scan of registry.example/shop:1 completed: 1 critical, verdict block
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPass: what passes is stored and signed as well, and nobody is told.
func TestPass(t *testing.T) {
	folder, records := world(t, "1.1")
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var out bytes.Buffer
	if err := run(ctx, folder, records, &out); err != nil {
		t.Fatal(err)
	}
	want := "completed: 1 packages, 0 findings, verdict pass\nkept: sbom.spdx.json\nkept: sbom.stella.json\nsigned: true\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFails: what cannot be scanned is no completed scan.
func TestFails(t *testing.T) {
	_, records := world(t, "1.1")
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var out bytes.Buffer
	if err := run(ctx, filepath.Join(t.TempDir(), "absent"), records, &out); err == nil || strings.Contains(out.String(), "completed") {
		t.Errorf("%v: %s", err, &out)
	}
	if err := run(ctx, t.TempDir(), filepath.Join(t.TempDir(), "absent"), &out); err == nil {
		t.Error("without advisories it runs")
	}
}
