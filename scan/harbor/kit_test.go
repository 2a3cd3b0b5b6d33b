package harbor_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/harbor"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/pullsecret"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

// canary is the password of the registry.
const canary = "canary-8f1c2e77d0"

var basic = "Basic " + base64.StdEncoding.EncodeToString([]byte("robot$scanner:"+canary))

// site is Harbor's registry, and the scanner with its worker.
type site struct {
	testing.TB
	folder   string
	root     *store.Root
	bucket   *blob.Bucket
	handler  *harbor.Handler
	server   *httptest.Server
	worker   *scan.Worker
	registry *httptest.Server
	digest   string // of the image library/demo
	matcher  matcher
	quota    scan.Quota
	mu       sync.Mutex
	reports  []string
	refused  int // requests that the registry refused
}

// matcher gives what it is.
type matcher struct{ report *finding.Report }

func (m *matcher) Match(context.Context, *sbom.Document) (*finding.Report, error) {
	if m.report == nil {
		return nil, errors.New("no data")
	}
	return m.report, nil
}

func identify(r *http.Request) (harbor.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	tenant, subject, both := strings.Cut(token, "/")
	if !ok || !both {
		return harbor.Identity{}, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return harbor.Identity{Tenant: tenant, Subject: subject}, nil
}

func newSite(t testing.TB) *site {
	s := &site{TB: t, folder: t.TempDir()}
	s.startRegistry()
	var err error
	if s.root, err = sqlite.Open(t.Context(), filepath.Join(s.folder, "stella.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.root.Close() })
	if s.bucket, err = blob.Open(t.Context(), "file:"+filepath.Join(s.folder, "objects")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.bucket.Close() })
	box, err := pullsecret.New(bytes.Repeat([]byte{9}, pullsecret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s.handler = &harbor.Handler{
		Store:     func(tenant string) (scan.Store, error) { return s.scans(tenant, box) },
		Documents: func(tenant string) (harbor.Documents, error) { return s.bucket.Sub(tenant) },
		Identify:  identify, Scanner: harbor.Scanner{Name: "stella", Vendor: "Stella Ops", Version: "1.0.0"}, PlainHTTP: true,
		Updated: func(context.Context) (time.Time, error) { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), nil },
		Report:  s.report,
	}
	s.server = httptest.NewServer(http.StripPrefix("/harbor", s.handler))
	t.Cleanup(s.server.Close)
	s.worker = &scan.Worker{
		Jobs:      func(tenant string) (scan.Jobs, error) { return s.scans(tenant, box) },
		Open:      open,
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Matcher:   &s.matcher,
		Artifacts: func(tenant string) (scan.Artifacts, error) { return s.bucket.Sub(tenant) },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
		Unseal: box.Open, Holder: "worker-1", Report: func(err error) { s.report("worker", err) },
	}
	return s
}

func (s *site) report(id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, id+" "+err.Error())
}

// open opens an image with what came along, as a service does.
func open(ctx context.Context, t scan.Target) (*scan.Image, error) {
	o := &image.Options{Platform: t.Platform, PlainHTTP: t.PlainHTTP, Credentials: image.NoCredentials}
	if t.Authorization != "" {
		var err error
		if o.Credentials, err = image.Authorization(string(t.Authorization)); err != nil {
			return nil, err
		}
	}
	return image.Open(ctx, t.Reference, o)
}

func (s *site) scans(tenant string, box *pullsecret.Box) (*store.Scans, error) {
	t, err := s.root.Tenant(tenant)
	if err != nil {
		return nil, err
	}
	return t.Scans().With(&store.ScansOptions{Quota: s.quota, Seal: box.Seal}), nil
}

// startRegistry starts a registry that asks for the robot's name and password, and pushes
// an image there.
func (s *site) startRegistry() {
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.registry = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != basic {
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
			w.Header().Set("WWW-Authenticate", `Basic realm="harbor"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	s.Cleanup(s.registry.Close)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n"},
		))), nil
	})
	if err != nil {
		s.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		img, err = mutate.ConfigFile(img, configOf(img))
	}
	if err != nil {
		s.Fatal(err)
	}
	ref, err := name.NewTag(s.host()+"/library/demo:1", name.Insecure)
	if err != nil {
		s.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: "robot$scanner", Password: canary})); err != nil {
		s.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		s.Fatal(err)
	}
	s.digest = d.String()
	s.refused = 0
}

func configOf(img v1.Image) *v1.ConfigFile {
	c, err := img.ConfigFile()
	if err != nil {
		return &v1.ConfigFile{}
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", "amd64"
	return c
}

func (s *site) host() string { return strings.TrimPrefix(s.registry.URL, "http://") }

// ask is a scan request as Harbor sends it.
func (s *site) ask(authorization string) string {
	return fmt.Sprintf(`{"registry":{"url":%q,"authorization":%q},"artifact":{"namespace_id":1,"repository":"library/demo","digest":%q,"tag":"1","mime_type":"application/vnd.docker.distribution.manifest.v2+json"},
		"enabled_capabilities":[{"type":"vulnerability","produces_mime_types":["application/vnd.security.vulnerability.report; version=1.1"],"parameters":null}]}`, s.registry.URL, authorization, s.digest)
}

// answer is a response that was read whole.
type answer struct {
	*http.Response
	body string
}

func (s *site) send(token, method, path, body string, header ...string) *answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.server.URL+"/harbor"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if method == "POST" {
		r.Header.Set("Content-Type", "application/vnd.scanner.adapter.scan.request+json; version=1.1")
	}
	for _, line := range header {
		if name, value, ok := strings.Cut(line, ": "); ok {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return &answer{resp, string(b)}
}

// work has the worker do the job, and the results evaluated.
func (s *site) work(tenant, id string) {
	s.Helper()
	s.handle(s.worker.Handle, tenant, id, event.ScanJob, "job/1")
	completer := &scan.Completer{Jobs: func(tenant string) (scan.Evaluations, error) {
		t, err := s.root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return t.Scans(), nil
	}, Holder: "web-1"}
	s.handle(completer.Handle, tenant, id, event.SBOMCreated, "sbom")
}

func (s *site) handle(handle func(context.Context, []byte) error, tenant, id string, t event.Type, suffix string) {
	s.Helper()
	e := event.Event{ID: id + "/" + suffix, Type: t, Source: "scanner", Tenant: tenant, Data: (&event.Scan{JobID: id}).Encode()}
	b, err := e.Encode()
	if err == nil {
		err = handle(s.Context(), b)
	}
	if err != nil {
		s.Fatal(err)
	}
}
