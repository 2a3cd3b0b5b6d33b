package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

const secret = "Bearer correct-horse"

// service is a scanner's API in this process, on a store of its own.
func service(t *testing.T) (*scanhttp.Client, *store.Scans) {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	artifacts, err := blob.Open(t.Context(), "mem:")
	if err != nil {
		t.Fatal(err)
	}
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&scanhttp.Handler{
		Store:     func(string) (scan.Store, error) { return acme.Scans(), nil },
		Jobs:      func(string) (scan.Jobs, error) { return acme.Scans(), nil },
		Documents: func(tenant string) (scanhttp.Documents, error) { return artifacts.Sub(tenant) },
		Identify: func(r *http.Request) (scanhttp.Identity, error) {
			if r.Header.Get("Authorization") != "Bearer token" {
				return scanhttp.Identity{}, scanhttp.ErrUnauthenticated
			}
			return scanhttp.Identity{Tenant: "acme", Subject: "registry"}, nil
		},
	})
	t.Cleanup(server.Close)
	return &scanhttp.Client{URL: server.URL, Attempts: 1, Token: func(context.Context) (string, error) { return "token", nil }}, acme.Scans()
}

func document(t *testing.T, name string) string {
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func post(t *testing.T, h http.Handler, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", "application/vnd.docker.distribution.events.v2+json")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// TestPushes: what both registries say of one image, however often, is one scan.
func TestPushes(t *testing.T) {
	client, scans := service(t)
	h := &Handler{Scans: client, Registry: "registry.example", Secret: secret, Report: func(err error) { t.Error(err) }}
	var job string
	for i, name := range []string{"distribution.json", "distribution.json", "harbor.json"} {
		rec := post(t, h, secret, document(t, name))
		var got accepted
		if err := json.Unmarshal(rec.Body.Bytes(), &got); rec.Code != http.StatusAccepted || err != nil || len(got.Scans) != 1 {
			t.Fatalf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if i == 0 {
			job = got.Scans[0].Job
		}
		want := submitted{Image: "registry.example/team/web@sha256:" + strings.Repeat("2", 64), Job: job, Again: i > 0}
		if diff := cmp.Diff(want, got.Scans[0]); diff != "" {
			t.Errorf("%s, time %d (-want +got):\n%s", name, i+1, diff)
		}
	}
	page, err := scans.List(t.Context(), scan.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Jobs) != 1 || page.Jobs[0].ID != job || page.Jobs[0].State != scan.Queued || page.Jobs[0].Owner != "registry" {
		t.Errorf("the jobs are %+v", page.Jobs)
	}
}

// TestRefused: strangers, and what is no webhook, submit nothing.
func TestRefused(t *testing.T) {
	client, scans := service(t)
	good := document(t, "harbor.json")
	digest := "sha256:" + strings.Repeat("2", 64)
	for _, c := range []struct {
		name, authorization, body string
		code                      int
	}{
		{"nobody", "", good, 401},
		{"another secret", "Bearer wrong", good, 401},
		{"half of the secret", "Bearer correct", good, 401},
		{"nothing", secret, "", 400},
		{"no JSON", secret, "push", 400},
		{"another webhook", secret, `{"ref": "refs/heads/main"}`, 400},
		{"a member twice", secret, strings.Replace(good, `"type": "P`, `"type": "X", "type": "P`, 1), 400},
		{"too large", secret, `{"events": [` + strings.Repeat(" ", 2<<20) + `]}`, 413},
		{"a digest that is none", secret, strings.Replace(good, digest, "latest", 1), 400},
		{"no digest", secret, strings.Replace(good, digest, "", 1), 400},
		{"a repository with a host", secret, strings.Replace(good, `"team/web"`, `"evil.example:5000/web"`, 1), 400},
		{"a repository that leads elsewhere", secret, strings.Replace(good, `"team/web"`, `"../../other.example/web"`, 1), 400},
		{"a repository with a digest", secret, strings.Replace(good, `"team/web"`, `"team/web@`+digest+`"`, 1), 400},
		{"very many", secret, many(501), 400},
		{"another event", secret, strings.Replace(good, "PUSH_ARTIFACT", "DELETE_ARTIFACT", 1), 202},
		{"no events", secret, `{"events": []}`, 202},
		{"another host, which is not asked", secret, strings.ReplaceAll(document(t, "distribution.json"), `"action": "push"`, `"action": "mount"`), 202},
	} {
		h := &Handler{Scans: client, Registry: "registry.example", Secret: secret}
		if rec := post(t, h, c.authorization, c.body); rec.Code != c.code || strings.Contains(rec.Body.String(), "job_id") {
			t.Errorf("%s: %d %s, want %d", c.name, rec.Code, rec.Body, c.code)
		}
	}
	if rec := post(t, &Handler{Scans: client, Registry: "registry.example"}, "", good); rec.Code != 401 {
		t.Errorf("without a secret everybody is let in: %d", rec.Code)
	}
	if page, err := scans.List(t.Context(), scan.Query{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("submitted: %+v, %v", page, err)
	}
}

func many(n int) string {
	var b strings.Builder
	b.WriteString(`{"events": [`)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, `{"action": "push", "target": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:%064x", "repository": "team/web"}}`, i)
	}
	b.WriteString(`]}`)
	return b.String()
}

// TestAway: while the service is away the registry is told to come again, and what it said
// is not passed on; after that there is one scan of each image, also of those that had one.
func TestAway(t *testing.T) {
	client, scans := service(t)
	var reported []error
	flaky := &flaky{Scans: client, fails: 2}
	h := &Handler{Scans: flaky, Registry: "registry.example", Secret: secret, Report: func(err error) { reported = append(reported, err) }}
	body := many(3)
	for range 2 {
		if rec := post(t, h, secret, body); rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "db-7") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if rec := post(t, h, secret, body); rec.Code != http.StatusAccepted {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if page, err := scans.List(t.Context(), scan.Query{}); err != nil || len(page.Jobs) != 3 {
		t.Errorf("%d scans, %v", len(page.Jobs), err)
	}
	if len(reported) != 2 {
		t.Errorf("reported %v", reported)
	}
	// A token that is not taken is for people: nothing is lost, the registry comes again.
	h.Scans = &scanhttp.Client{URL: client.URL, Attempts: 1, Token: func(context.Context) (string, error) { return "old", nil }}
	if rec := post(t, h, secret, many(4)); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("with an old token: %d %s", rec.Code, rec.Body)
	}
}

// flaky fails at every second image, some times.
type flaky struct {
	Scans
	n, fails int
}

func (f *flaky) Submit(ctx context.Context, r scan.Request, key string) (*scan.Job, bool, error) {
	if f.n++; f.n%2 == 0 && f.fails > 0 {
		f.fails--
		return nil, false, fmt.Errorf("db-7 is away: %w", scan.ErrUnavailable)
	}
	return f.Scans.Submit(ctx, r, key)
}

// TestSettings: it does not start without a secret.
func TestSettings(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	env := map[string]string{"STELLA_TOKEN": "t"}
	args := []string{"-registry", "registry.example", "-scanner", "https://stella.example", "-listen", "127.0.0.1:0"}
	if err := serve(ctx, args, func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "WEBHOOK_SECRET") {
		t.Errorf("without a secret: %v", err)
	}
	env["WEBHOOK_SECRET"] = secret
	if err := serve(ctx, args[:2], func(name string) string { return env[name] }); err == nil {
		t.Error("without a service it starts")
	}
	if err := serve(ctx, args, func(name string) string { return env[name] }); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("it does not stop: %v", err)
	}
}
