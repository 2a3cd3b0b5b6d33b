package airgap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/examples/airgap"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan/image"
)

const (
	record = `{"id": "EXAMPLE-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-0001"], "summary": "An overflow",
		"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
		"affected": [{"package": {"ecosystem": "PyPI", "name": "demo"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "%s"}]}]}]}`
	release = "id: release\nversion: 1\nthreshold: {block: high}\n"
)

var at = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

// outside is the side with a network, and what it keeps.
type outside struct {
	keys  airgap.Keys
	root  []byte
	state role.State
	dir   string
}

func open(ctx context.Context, dir string) (*outside, error) {
	o := &outside{dir: filepath.Join(dir, "records")}
	var failed [4]error
	o.keys.Owner, failed[0] = key.Generate(key.Ed25519)
	o.keys.Release, failed[1] = key.Generate(key.Ed25519)
	o.keys.Online, failed[2] = key.Generate(key.Ed25519)
	failed[3] = os.MkdirAll(o.dir, 0o755)
	if err := errors.Join(failed[:]...); err != nil {
		return nil, err
	}
	var err error
	if o.root, err = airgap.Root(ctx, "kits.example", o.keys, at); err != nil {
		return nil, err
	}
	o.state, err = role.Trust(o.root)
	return o, err
}

// kit makes the next kit, by which demo is repaired in a version.
func (o *outside) kit(ctx context.Context, fixed string, at time.Time) ([]byte, error) {
	if err := os.WriteFile(filepath.Join(o.dir, "one.json"), fmt.Appendf(nil, record, fixed), 0o644); err != nil {
		return nil, err
	}
	var file bytes.Buffer
	state, err := airgap.Make(ctx, &file, o.state, o.keys, []byte(release), at, o.dir)
	o.state = state
	return file.Bytes(), err
}

// scan scans a folder with one Python package.
func scan(ctx context.Context, site airgap.Site, dir, version string, at time.Time) (*policy.Result, error) {
	name := filepath.Join(dir, "root-"+version, "usr/lib/python3/dist-packages/demo-"+version+".dist-info/METADATA")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(name, []byte("Metadata-Version: 2.1\nName: demo\nVersion: "+version+"\n"), 0o644); err != nil {
		return nil, err
	}
	img, err := image.Open(ctx, "dir:"+filepath.Join(dir, "root-"+version), airgap.Options())
	if err != nil {
		return nil, err
	}
	defer img.Close()
	return site.Scan(ctx, img, at)
}

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "airgap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	out, err := open(ctx, dir) // outside
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := out.kit(ctx, "1.1", at)
	if err != nil {
		fmt.Println(err)
		return
	}

	site := airgap.Site{Dir: filepath.Join(dir, "site")} // inside
	if err := site.Trust(out.root); err != nil {
		fmt.Println(err)
		return
	}
	loaded, err := site.Load(ctx, bytes.NewReader(file), at.Add(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("kit %d of %s, good until %s\n", loaded.Version, loaded.Feed, loaded.Expires.Format(time.DateOnly))
	for _, version := range []string{"1.0", "1.1"} {
		result, err := scan(ctx, site, dir, version, at.Add(time.Hour))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("demo %s: %s %s\n", version, result.Verdict.Outcome, result.Verdict.Because)
	}
	// Output:
	// kit 1 of kits.example, good until 2026-12-31
	// demo 1.0: block CVE-2026-0001 in demo: its severity is critical
	// demo 1.1: pass
}

// TestSite: only what is signed, whole and not older than what was seen is believed, and a
// kit that is refused changes nothing.
func TestSite(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	out, err := open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	next := func(fixed string, at time.Time) []byte {
		file, err := out.kit(ctx, fixed, at)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	first, second := next("1.1", at), next("1.2", at.Add(24*time.Hour))
	stranger, err := open(ctx, filepath.Join(dir, "stranger"))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.kit(ctx, "0.1", at)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(second)
	changed[len(changed)-1536] ^= 1

	site, now := airgap.Site{Dir: filepath.Join(dir, "site")}, at.Add(25*time.Hour)
	if _, err := site.Load(ctx, bytes.NewReader(first), now); err == nil {
		t.Error("without a root a kit is loaded")
	}
	if _, err := scan(ctx, site, dir, "1.0", now); err == nil {
		t.Error("without a kit there is a verdict")
	}
	if err := site.Trust(out.root); err != nil {
		t.Fatal(err)
	}
	outcome := func(version string, want policy.Outcome) {
		t.Helper()
		result, err := scan(ctx, site, dir, version, now)
		if err != nil || result.Verdict.Outcome != want {
			t.Fatalf("demo %s: %+v, %v; want %s", version, result, err, want)
		}
		if _, err := verify.Verdict(result.Body, result.Trace); err != nil {
			t.Errorf("demo %s: %v", version, err)
		}
	}
	if _, err := site.Load(ctx, bytes.NewReader(first), now); err != nil {
		t.Fatal(err)
	}
	outcome("1.1", policy.Pass)
	for name, file := range map[string][]byte{"one bit": changed, "the end": second[:len(second)/2], "another publisher": forged, "nothing": nil} {
		if _, err := site.Load(ctx, bytes.NewReader(file), now); err == nil {
			t.Errorf("a kit that lacks or has changed %s is loaded", name)
		}
	}
	outcome("1.1", policy.Pass) // as before
	if _, err := site.Load(ctx, bytes.NewReader(second), now); err != nil {
		t.Fatal(err)
	}
	outcome("1.1", policy.Block)
	outcome("1.2", policy.Pass)
	if _, err := site.Load(ctx, bytes.NewReader(first), now); role.ReasonOf(err) != role.ReasonRollback {
		t.Errorf("an older kit: %v", err)
	}
	// What is too old says nothing any more.
	late := now.AddDate(0, 2, 0)
	if _, err := scan(ctx, site, dir, "1.2", late); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("with a kit that expired: %v", err)
	}
	if _, err := site.Load(ctx, bytes.NewReader(second), late); err == nil {
		t.Error("a kit that expired is loaded")
	}
}

// TestMake: mistakes are told outside, where somebody can mend them.
func TestMake(t *testing.T) {
	out, err := open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := airgap.Make(t.Context(), &file, out.state, out.keys, []byte("id: release\n"), at, out.dir); err == nil || file.Len() > 0 {
		t.Errorf("a policy that is none: %v", err)
	}
	if err := os.WriteFile(filepath.Join(out.dir, "bad.json"), []byte(`{"id": 7}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := airgap.Make(t.Context(), &file, out.state, out.keys, []byte(release), at, out.dir); err == nil || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("a record that is none: %v", err)
	}
}

// TestShut: no registry is asked but those inside.
func TestShut(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; http.NotFound(w, nil) }))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if _, err := image.Open(t.Context(), host+"/team/web:1", airgap.Options()); !errors.Is(err, image.ErrForbidden) || asked > 0 {
		t.Errorf("a registry was asked %d times: %v", asked, err)
	}
	if _, err := image.Open(t.Context(), host+"/team/web:1", airgap.Options(host)); errors.Is(err, image.ErrForbidden) || asked == 0 {
		t.Errorf("one that is listed was asked %d times: %v", asked, err)
	}
}
