package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	records = `{"id": "PYSEC-2026-1", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-0001"], "summary": "one",
		"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
		"affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]}]}`
	releasePolicy = "id: release\nversion: 3\nthreshold: {block: high, warn: low}\n"
)

// TestDeploy builds the stella command, has it sign what it says of two images, and deploys
// by the script and by the program: what is good, and what is not.
func TestDeploy(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the stella command is not built, and deploy.sh was not run")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh here: deploy.sh was not run")
	}
	script, err := filepath.Abs("deploy.sh")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	stella, program := filepath.Join(dir, "stella"), filepath.Join(dir, "deploy-verify")
	build(t, stella, "github.com/stella-ops/stella/services/stella")
	build(t, program, ".")
	env := append(os.Environ(), "HOME="+dir, "STELLA="+stella, "TRUST_ROOT=trust.json", "STELLA_DB="+filepath.Join(dir, "db"), "STELLA_SERVER=")
	run := func(name string, args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	do := func(args ...string) {
		t.Helper()
		if out, code := run(stella, args...); code != 0 {
			t.Fatalf("stella %q: exit code %d: %s", args, code, out)
		}
	}
	write(t, filepath.Join(dir, "records", "one.json"), records)
	write(t, filepath.Join(dir, "policy.yaml"), releasePolicy)
	good, bad := oci(t, filepath.Join(dir, "good"), "1.1"), oci(t, filepath.Join(dir, "bad"), "1.0")
	do("db", "import", "records")
	for _, name := range []string{"release", "other"} {
		do("attest", "keygen", "--no-password", name)
	}
	for _, name := range []string{"good", "bad"} {
		do("attest", "oci:"+name, "-q", "--no-cache", "--offline", "--key", "release.key", "--policy", "policy.yaml", "-o", "bundle="+name+".jsonl")
	}
	do("attest", "oci:good", "-q", "--no-cache", "--offline", "--key", "other.key", "--policy", "policy.yaml", "-o", "bundle=stranger.jsonl")
	do("attest", "oci:good", "-q", "--no-cache", "--offline", "--key", "release.key", "--type", "spdxjson", "-o", "bundle=sbom.jsonl")
	do("attest", "trust", "trust.json", "--key", "release.pub@2020-01-01..")
	text, err := os.ReadFile(filepath.Join(dir, "good.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	write(t, filepath.Join(dir, "cut.jsonl"), string(rest))
	write(t, filepath.Join(dir, "changed.jsonl"), strings.Replace(string(first), `"payload":"`, `"payload":"A`, 1)+"\n"+string(rest))

	const name = "registry.example/web"
	for _, c := range []struct {
		name, image, bundle string
		code                int // of the script; the program knows no other refusal than 4
		says                string
	}{
		{"a verdict that passes", name + "@" + good, "good.jsonl", 0, "deployed " + name + "@" + good},
		{"with a tag beside the digest", name + ":1.1@" + good, "good.jsonl", 0, "deployed " + name + ":1.1@" + good},
		{"a verdict that blocks", name + "@" + bad, "bad.jsonl", 4, "outcome"},
		{"the verdict of another image", name + "@" + bad, "good.jsonl", 4, "subject"},
		{"a stranger's", name + "@" + good, "stranger.jsonl", 4, "not signed by whom it must be"},
		{"no verdict", name + "@" + good, "sbom.jsonl", 4, "predicate type"},
		{"a line that was left out", name + "@" + good, "cut.jsonl", 4, "evidence"},
		{"a line that was changed", name + "@" + good, "changed.jsonl", 4, ""},
		{"no bundle", name + "@" + good, "absent.jsonl", 1, "absent.jsonl"},
		{"a tag", name + ":1.1", "good.jsonl", 64, "digest"},
	} {
		command := []string{sh, "-c", `echo "deployed $IMAGE"`}
		out, code := run(sh, append([]string{script, c.image, c.bundle}, command...)...)
		if code != c.code || !strings.Contains(out, c.says) || strings.Contains(out, "deployed") != (c.code == 0) {
			t.Errorf("deploy.sh, %s: exit code %d, want %d with %q: %s", c.name, code, c.code, c.says, out)
		}
		want := c.code
		if want != 0 {
			want = 4
		}
		out, code = run(program, append([]string{"trust.json", c.image, c.bundle}, command...)...)
		if code != want || strings.Contains(out, "deployed") != (c.code == 0) {
			t.Errorf("deploy-verify, %s: exit code %d, want %d: %s", c.name, code, want, out)
		}
	}
	if out, code := run(sh, script, name+"@"+good); code != 64 || !strings.Contains(out, "usage") {
		t.Errorf("without a command: exit code %d: %s", code, out)
	}
	if out, code := run(sh, script, name+"@"+good, "good.jsonl", sh, "-c", "exit 7"); code != 7 {
		t.Errorf("a deployment that fails: exit code %d: %s", code, out)
	}
	// A verdict ages: the program can hold it against another time.
	if err := verify(t.Context(), filepath.Join(dir, "trust.json"), name+"@"+good, filepath.Join(dir, "good.jsonl"), time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("before the key was in force the verdict is believed")
	}
}

func build(t *testing.T, out, pkg string) {
	t.Helper()
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", pkg, err, text)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// oci writes an OCI layout with an image that has one Python package, and returns the
// image's digest.
func oci(t *testing.T, dir, version string) string {
	t.Helper()
	metadata := "Metadata-Version: 2.1\nName: demo\nVersion: " + version + "\n"
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	err := w.WriteHeader(&tar.Header{Name: "usr/lib/python3/dist-packages/demo-" + version + ".dist-info/METADATA", Mode: 0o644, Size: int64(len(metadata)), Typeflag: tar.TypeReg})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, metadata); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}
