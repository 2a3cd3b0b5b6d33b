package policyfile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/vex"
)

const twoExceptions = `exceptions:
  - id: later
    effect: defer
    owner: ann@example.com
    approver: bob@example.com
    reason: the fix comes with the next release
    created: 2026-11-01
    expires: 2026-12-01T12:00:00Z
    vulnerabilities: [CVE-2026-0001]
    packages: ["pkg:npm/foo"]
    basis:
      - {vulnerability: CVE-2026-0001, severity: high, fix_available: true}
  - {id: unused, effect: suppress, owner: ann, reason: it is not called, created: 2026-11-01, justification: vulnerable_code_not_in_execute_path, vulnerabilities: ["CVE-2026-*"]}
`

func TestParseExceptions(t *testing.T) {
	got, err := policyfile.ParseExceptions("e.yaml", []byte(twoExceptions))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	want := []policy.Exception{
		{ID: "later", Effect: policy.Defer, Owner: "ann@example.com", Approver: "bob@example.com", Reason: "the fix comes with the next release", Created: day, Expires: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC),
			Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-2026-0001"}, Packages: []string{"pkg:npm/foo"}}, Basis: []policy.Basis{{Vulnerability: "CVE-2026-0001", Severity: "high", FixAvailable: true}}},
		{ID: "unused", Effect: policy.Suppress, Owner: "ann", Reason: "it is not called", Created: day, Justification: vex.CodeNotInExecutePath, Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-2026-*"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, says := range map[string]string{
		strings.Replace(twoExceptions, "owner: ann@", "ownr: ann@", 1):                 "owner",
		strings.Replace(twoExceptions, "effect: defer", "effect: later", 1):            "effect",
		strings.Replace(twoExceptions, "id: unused", "id: later", 1):                   "twice",
		strings.Replace(twoExceptions, "pkg:npm/foo", "pkg:npm/f*", 1):                 "pattern",
		strings.Replace(twoExceptions, "created: 2026-11-01", "created: yesterday", 1): "created",
		"- a\n":             "exceptions",
		"exceptions: {}\n":  "exceptions",
		"exceptions: [1]\n": "exceptions[0]",
		"":                  "empty",
	} {
		_, err := policyfile.ParseExceptions("e.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), says) || !errors.Is(err, policyfile.ErrInvalid) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func FuzzParseExceptions(f *testing.F) {
	f.Add([]byte(twoExceptions))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := policyfile.ParseExceptions("e.yaml", text)
		if err != nil {
			return
		}
		for i := range list {
			if err := list[i].Check(); err != nil {
				t.Errorf("an exception that is none: %v", err)
			}
		}
	})
}
