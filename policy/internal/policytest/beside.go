package policytest

import (
	"testing"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/sbom"
)

const besideText = `
id: beside
version: 1
rules:
  - {id: reached, match: {usage: [reached, unknown], severity: ">= high"}, action: block, because: what is started leads to it}
  - {id: tests, about: secret, match: {path: "*/testdata/*"}, action: ignore, because: keys of tests open nothing}
  - {id: keys, about: secret, match: {secret: "aws-*"}, action: block, because: everybody has the key}
  - {id: others, about: secret, action: warn, because: somebody should look}
  - {id: known, about: file, match: {file_digest: "sha256:aa"}, action: allow, because: it is on the list}
  - {id: strangers, about: file, match: {file_kind: executable}, action: block, because: nobody knows where it comes from}
  - {id: few, about: image, match: {secrets: "> 9"}, action: block, because: there are too many}
`

// Beside decides about an image with secrets, files that no package accounts for, and
// packages with a usage. Without rules, the policy has the first alone.
func Beside(t testing.TB, rules bool) (*policy.Inputs, *policy.Result, *policy.Trace) {
	t.Helper()
	in := Inputs(t)
	in.Findings, in.Gaps, in.Exceptions = in.Findings[:3], nil, nil
	in.Packages = in.Packages[:3]
	in.Packages[0].Usage = &sbom.Usage{State: sbom.Reached, Chain: []string{"usr/bin/api", "usr/lib/libssl.so.3"}}
	in.Packages[1].Usage = &sbom.Usage{State: sbom.Unreached}
	in.Findings[1].Severity = finding.Critical
	in.Looked = sbom.Looked{Secrets: true, Programs: true}
	in.Secrets = []sbom.Secret{
		{Rule: "aws-access-key-id", Title: "AWS access key", Path: "root/.aws/credentials", Layer: Digest("1"), Line: 2, Removed: true},
		{Rule: "private-key", Path: "app/testdata/key.pem", Line: 1},
		{Rule: "token\x1b[31m|<b>", Title: "A token of [x](https://evil.example)", Path: "app/=cmd\n.env"},
	}
	file := func(id, name, kind, digest string) {
		p := sbom.Package{ID: id, Type: sbom.TypeFile, Name: name, Properties: []sbom.Property{{Name: "file:kind", Value: kind}, {Name: "file:mode", Value: "4755"}}}
		if digest != "" {
			p.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: digest}}
		}
		in.Packages = append(in.Packages, p)
	}
	file("f1", "usr/local/bin/tool", "executable", "aa")
	file("f2", "tmp/.x/miner", "executable", "bb")
	file("f3", "usr/bin/nobody-read-it", "executable", "")
	file("f4", "opt/run.sh", "script", "cc")
	p, _, err := policyfile.Parse("beside.yaml", []byte(besideText))
	if err != nil {
		t.Fatal(err)
	}
	if !rules {
		p.Rules = p.Rules[:1]
	}
	result, trace := decide(t, p, in)
	return in, result, trace
}
