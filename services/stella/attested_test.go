package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// shelf is a registry without the referrers API: it has what was put there, by path.
type shelf map[string][]byte

func (s shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	b, ok := s[path]
	if !ok && path != "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if strings.Contains(path, "/manifests/") {
		var m struct{ MediaType string }
		json.Unmarshal(b, &m)
		w.Header().Set("Content-Type", m.MediaType)
	}
	w.Write(b)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// blob puts bytes, and returns their descriptor.
func (s shelf) blob(kind, mediaType string, b []byte) map[string]any {
	s["team/app/"+kind+"/"+digest(b)] = b
	return map[string]any{"mediaType": mediaType, "digest": digest(b), "size": len(b)}
}

// TestAttested: a scan hears what the registry has beside the image, as far as the
// trust goes, and says so in the verdict.
func TestAttested(t *testing.T) {
	dir := t.TempDir()
	imagetest.Layout(filepath.Join(dir, "img"), imagetest.Gzip, imagetest.Tar(imagetest.File{
		Name: "usr/lib/python3/dist-packages/demo-1.0.dist-info/METADATA", Data: "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"}))
	s := shelf{}
	host := httptest.NewServer(s)
	t.Cleanup(host.Close)
	name := strings.TrimPrefix(host.URL, "http://") + "/team/app"
	image := s.copyLayout(t, filepath.Join(dir, "img"))

	says := `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://maker.example/1", "author": "Maker", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [
		{"vulnerability": {"name": "CVE-2099-0001"}, "products": [{"@id": "pkg:pypi/demo@1.0"}], "status": "not_affected", "justification": "vulnerable_code_not_present"}]}`
	manifest, _ := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "artifactType": "application/vnd.openvex+json",
		"config": s.blob("blobs", "application/vnd.oci.empty.v1+json", []byte("{}")), "layers": []any{s.blob("blobs", "application/vnd.openvex+json", []byte(says))},
		"subject": map[string]any{"mediaType": manifestType, "digest": image, "size": 1},
	})
	about := s.blob("manifests", manifestType, manifest)
	about["artifactType"] = "application/vnd.openvex+json"
	index, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{about}})
	s["team/app/manifests/"+strings.Replace(image, ":", "-", 1)] = index

	write := func(file, text string) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	record := write("r.json", `{"id":"PYSEC-2099-1","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2099-0001"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
		"affected":[{"package":{"ecosystem":"PyPI","name":"demo"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`)
	mine := write("mine.yaml", "issuers: [{id: maker, tier: 1, sources: [attestation], products: ['pkg:oci/*?repository_url="+name+"'], unsigned: [not_affected]}]\n")
	theirs := write("theirs.yaml", "issuers: [{id: maker, tier: 1, sources: [attestation], products: ['pkg:oci/*?repository_url=registry.example.com/**'], unsigned: [not_affected]}]\n")
	policy := write("p.yaml", "id: p\nversion: 1\nthreshold: {block: low}\n")

	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &out, env: func(k string) string {
			return map[string]string{"XDG_CACHE_HOME": filepath.Join(dir, "cache"), "XDG_DATA_HOME": filepath.Join(dir, "data")}[k]
		}}
		return p.run(context.Background(), args), out.String()
	}
	if code, out := run("db", "import", record); code != 0 {
		t.Fatal(out)
	}
	scan := func(more ...string) (int, string) {
		return run(append([]string{"scan", "docker://" + name + ":1", "-q", "--policy", policy}, more...)...)
	}
	for _, c := range []struct {
		name string
		code int
		args []string
		says string
	}{
		{"without asking", exitBlocked, nil, "CVE-2099-0001"},
		{"whom nobody trusts", exitBlocked, []string{"--vex", "oci"}, "CVE-2099-0001"},
		{"the issuer of this repository", exitPass, []string{"--vex", "oci", "--trust", mine, "--show-suppressed"}, "not affected, says maker"},
		{"the issuer of another repository", exitBlocked, []string{"--vex", "oci", "--trust", theirs, "-o", "explain"}, "out of scope"},
	} {
		code, out := scan(c.args...)
		if code != c.code || !strings.Contains(strings.ReplaceAll(out, "_", " "), c.says) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", c.name, code, c.code, c.says, out)
		}
	}
	if code, out := run("scan", "oci:"+filepath.Join(dir, "img"), "-q", "--vex", "oci"); code != exitUsage {
		t.Errorf("a layout has no registry: exit code %d\n%s", code, out)
	}
}

// copyLayout puts what an OCI layout has under the tag 1, and returns the digest of
// the image's manifest.
func (s shelf) copyLayout(t *testing.T, dir string) string {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var index struct {
		Manifests []struct{ Digest string }
	}
	if err := json.Unmarshal(read("index.json"), &index); err != nil || len(index.Manifests) == 0 {
		t.Fatal(err)
	}
	image := index.Manifests[0].Digest
	s["team/app/manifests/1"] = read("blobs/sha256/" + strings.TrimPrefix(image, "sha256:"))
	s["team/app/manifests/"+image] = s["team/app/manifests/1"]
	files, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		s["team/app/blobs/sha256:"+f.Name()] = read("blobs/sha256/" + f.Name())
	}
	return image
}
