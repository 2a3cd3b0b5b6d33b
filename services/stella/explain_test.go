package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/image"
)

// TestSourceSchemes: what is taken for a source is opened as one, and nothing else that
// scans open is missed.
func TestSourceSchemes(t *testing.T) {
	for _, scheme := range sourceSchemes() {
		if scheme == "sbom:" {
			continue
		}
		_, err := image.Open(context.Background(), scheme, nil)
		if err == nil || !strings.Contains(err.Error(), "nothing follows the scheme") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	for text, want := range map[string]bool{
		"alpine": false, "alpine:3.20": true, "alpine@sha256:00": true, "ghcr.io/a/b": true, "library/alpine": true,
		"./alpine:3.20": false, "/alpine:3": false, "dir:/": true, "verdict": false, "a/b.json": false, "docker://alpine": true,
	} {
		if got := isReference(text); got != want {
			t.Errorf("%s: a reference %v, want %v", text, got, want)
		}
	}
}

// commands runs command lines in a world of their own: folders below a temporary one,
// and the variables that are given, NAME=VALUE.
func commands(t *testing.T, env ...string) func(args ...string) (code int, out, complaint string) {
	t.Helper()
	dir := t.TempDir()
	vars := map[string]string{
		"XDG_CONFIG_HOME": filepath.Join(dir, "config"), "XDG_DATA_HOME": filepath.Join(dir, "data"), "XDG_CACHE_HOME": filepath.Join(dir, "cache"),
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	return func(args ...string) (int, string, string) {
		var out, complaint bytes.Buffer
		p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &complaint, env: func(name string) string { return vars[name] }}
		code := p.run(context.Background(), args)
		return code, out.String(), complaint.String()
	}
}

// TestExplainRemote: a scan of a server is told of as the policy there decided.
func TestExplainRemote(t *testing.T) {
	server, _ := startServer(t)
	run := commands(t, "STELLA_SERVER="+server.url)
	need := func(want int, args ...string) (string, string) {
		t.Helper()
		code, out, complaint := run(args...)
		if code != want {
			t.Fatalf("stella %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, complaint)
		}
		return out, complaint
	}
	need(0, "login", "-q")
	need(2, "scan", "registry.example/explain-policy:1", "-q")
	id, _ := need(0, "scans", "list", "--image", "registry.example/explain-policy:1", "-o", "template={{range .scans}}{{.job_id}}{{end}}")
	id = strings.TrimSpace(id)
	out, _ := need(0, "explain", id)
	for _, want := range []string{"registry.example/explain-policy:1: block, because ", "CVE-2026-0001 in musl 1.2.5-r0: block", "Policy release version 1 decided for the environment production", "threshold: block", "  Digests"} {
		if !strings.Contains(out, strings.TrimSpace(want)) {
			t.Errorf("nothing of %q in\n%s", want, out)
		}
	}
	if out, _ := need(0, "explain", id, "CVE-2026-0001", "--environment", "production", "-o", "json"); !strings.Contains(out, `"kind": "verdict"`) {
		t.Errorf("as JSON:\n%s", out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{id, "CVE-2026-0002"}, "did you mean CVE-2026-0001 in musl?"},
		{[]string{id, "CVE-2026-0001", "--environment", "staging"}, `no policy is in force for environment "staging"`},
		{[]string{"scan-00000000000000000000009999"}, "stella scans list --server"},
	} {
		if _, complaint := need(1, append([]string{"explain"}, c.args...)...); !strings.Contains(complaint, c.want) {
			t.Errorf("%v: %s, want %q", c.args, complaint, c.want)
		}
	}
	if _, complaint := need(64, "explain", id, "--policy", "default"); !strings.Contains(complaint, "is a scan of a server") {
		t.Errorf("a flag of others: %s", complaint)
	}
}
