package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// One advisory about a package of Alpine, which is severe and fixed in 1.3.1-r2.
const record = `{"id": "EXAMPLE-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-0001"], "summary": "An overflow",
	"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
	"affected": [{"package": {"ecosystem": "Alpine:v3.20", "name": "zlib"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3.1-r2"}]}]}]}`

// Alpine 3.20 was supported then; afterwards nothing about it can be said to be assessed.
var at = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)

// TestRun runs the program as a CI system does: every way in which it ends.
func TestRun(t *testing.T) {
	db := advisories(t)
	bad := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(bad, []byte("id: release\nversion: 1\nrules: [{id: a, match: {severty: high}, action: block, because: b}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	affected, mended, old := rootfs(t, "1.3.1-r1"), rootfs(t, "1.3.1-r2"), rootfs(t, "1.3.1-r2")
	if err := os.WriteFile(filepath.Join(old, "etc", "os-release"), []byte("ID=alpine\nVERSION_ID=3.10.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string // on either output
	}{
		{"a severe finding", []string{"-db", db, "dir:" + affected}, exitBlocked, "block: CVE-2026-0001 in zlib: it is severe, and a repaired version is there"},
		{"nothing found", []string{"-db", db, "dir:" + mended}, exitPass, "pass"},
		{"no advisory data", []string{"-db", t.TempDir(), "dir:" + mended}, exitNotAssessed, "not_assessed"},
		{"a distribution whose support ended", []string{"-db", db, "dir:" + old}, exitNotAssessed, "its security support ended"},
		{"no such folder", []string{"-db", db, "dir:" + filepath.Join(affected, "absent")}, exitError, "absent"},
		{"a policy with a mistake", []string{"-db", db, "-policy", bad, "dir:" + mended}, exitError, "severty"},
		{"no source", []string{"-db", db}, exitUsage, "usage"},
		{"an unknown flag", []string{"-fail", "dir:."}, exitUsage, "-fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			args := append([]string{"-out", t.TempDir()}, c.args...)
			if code := run(t.Context(), args, at, &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, &out)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("it does not say %q: %s", c.says, &out)
			}
		})
	}
}

// TestReports reads what is written for others, and computes the verdict again.
func TestReports(t *testing.T) {
	dir, db, root := t.TempDir(), advisories(t), rootfs(t, "1.3.1-r1")
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-db", db, "-out", dir, "dir:" + root}, at, &out, &out); code != exitBlocked {
		t.Fatalf("exit code %d: %s", code, &out)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, name := range []string{"sbom.cdx.json", "sbom.spdx.json"} {
		doc, _, err := format.Decode(bytes.NewReader(read(name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(doc.Packages) != 1 || doc.Packages[0].PURL.String() != "pkg:apk/alpine/zlib@1.3.1-r1?arch=x86_64&distro=alpine-3.20.1" {
			t.Errorf("%s has %v", name, doc.Packages)
		}
	}
	var log struct {
		Version string
		Runs    []struct {
			Results []struct{ RuleID, Level string }
		}
	}
	if err := json.Unmarshal(read("scan.sarif"), &log, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || fmt.Sprint(log.Runs) != "[{[{CVE-2026-0001 error}]}]" {
		t.Errorf("SARIF %+v", log)
	}
	if v, err := verify.Verdict(read("verdict.json"), read("trace.json")); err != nil || v.Outcome != "block" {
		t.Errorf("the verdict computed again: %v, %v", v, err)
	}
}

// TestPolicy runs the tests of the policy.
func TestPolicy(t *testing.T) {
	text, err := os.ReadFile("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, warnings, err := policyfile.Parse("policy.yaml", text)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if text, err = os.ReadFile("policy_tests.yaml"); err != nil {
		t.Fatal(err)
	}
	results, err := policyfile.Test(p, "policy_tests.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: want %s, got %s", r.Name, r.Want, r.Got)
		}
	}
}

// advisories makes a folder of advisory data, as "stella db import" does.
func advisories(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "advisories")
	_, err := snapshot.Store{Dir: dir}.Import(func(yield func(*advisory.Record, error) bool) { yield(osv.Parse([]byte(record), nil)) })
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// rootfs makes the files of a small Alpine system.
func rootfs(t *testing.T, zlib string) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/os-release":       "ID=alpine\nVERSION_ID=3.20.1\n",
		"lib/apk/db/installed": "P:zlib\nV:" + zlib + "\nA:x86_64\n\n",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
