package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

// site is a folder in which command lines are run.
type site struct {
	t   testing.TB
	dir string
	env map[string]string
}

func newSite(t testing.TB) *site {
	dir := t.TempDir()
	return &site{t: t, dir: dir, env: map[string]string{"XDG_CACHE_HOME": filepath.Join(dir, "cache"), "XDG_DATA_HOME": filepath.Join(dir, "data")}}
}

// run runs a command line, in which "%NAME" is the path of a file of the site.
func (s *site) run(args ...string) (code int, stdout, stderr string) {
	return s.runWith(strings.NewReader(""), args...)
}

func (s *site) runWith(stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, diag bytes.Buffer
	p := &program{stdin: stdin, stdout: &out, stderr: &diag, env: func(k string) string { return s.env[k] }}
	line := make([]string, len(args))
	for i, a := range args {
		line[i] = strings.ReplaceAll(a, "%", s.dir+string(filepath.Separator))
	}
	code = p.run(context.Background(), line)
	return code, out.String(), diag.String()
}

// must runs a command line that has to succeed, and returns what it prints.
func (s *site) must(line string, more ...string) string {
	s.t.Helper()
	code, out, diag := s.run(append(strings.Fields(line), more...)...)
	if code != 0 {
		s.t.Fatalf("stella %s %q: exit code %d\n%s", line, more, code, diag)
	}
	return out
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

const (
	demoRecord = `{"id":"PYSEC-2099-1","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2099-0001"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}],
"affected":[{"package":{"ecosystem":"PyPI","name":"demo"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`
	demoMetadata = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
	demoPolicy   = "id: release\nversion: 3\nthreshold: {block: critical, warn: low}\n"
)

// proven is a site with everything about a folder signed, logged and stamped.
func proven(t testing.TB) *site {
	s := newSite(t)
	for _, k := range []string{"a", "b", "log"} {
		s.must("attest keygen --no-password %" + k)
	}
	s.write("root/usr/lib/python3/dist-packages/demo-1.0.dist-info/METADATA", demoMetadata)
	s.write("records/one.json", demoRecord)
	s.write("policy.yaml", demoPolicy)
	s.must("db import %records")
	tsa := s.authority("tsa", nil)
	s.must("attest dir:%root -q --key %a.key --policy %policy.yaml --save %saved --log %translog --log-key %log.key --log-origin log.example --tsa " + tsa + " --tsa-chain %tsa.pem -o bundle=%full.jsonl")
	s.must("attest dir:%root -q --key %a.key --policy %policy.yaml -o bundle=%plain.jsonl")
	s.must("attest dir:%root -q --key %a.key --type spdxjson -o bundle=%one.jsonl")
	s.must("attest trust %trust.json --key %a.pub@2020-01-01.. --key %b.pub@2020-01-01.. --log-key log.example=%log.pub --tsa-chain %tsa.pem")
	return s
}

// authority serves a timestamp authority and writes its chain.
func (s *site) authority(name string, tsa *timestamptest.TSA) (url string) {
	s.t.Helper()
	if tsa == nil {
		var err error
		if tsa, err = timestamptest.New(nil); err != nil {
			s.t.Fatal(err)
		}
	}
	var chain bytes.Buffer
	for _, c := range tsa.Certificates() {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.write(name+".pem", chain.String())
	h := httptest.NewServer(tsa)
	s.t.Cleanup(h.Close)
	return h.URL
}

// items reads a file of bundles.
func (s *site) items(name string) []bundle.Item {
	s.t.Helper()
	out, err := bundle.ReadAll(strings.NewReader(s.read(name)), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// put writes bundles.
func (s *site) put(name string, items ...bundle.Item) {
	s.t.Helper()
	text, err := bundle.Encode(items)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, string(text))
}

// keyless signs a folder without a key: Fulcio and the authority are served on this
// machine, the log is in a folder.
func (s *site) keyless(subject, name string) {
	s.t.Helper()
	i, err := sigstoretest.New(time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if i.TSA, err = timestamptest.New(nil); err != nil {
		s.t.Fatal(err)
	}
	fulcio := httptest.NewServer(through(i.Fulcio()))
	s.t.Cleanup(fulcio.Close)
	tsa := s.authority(name, i.TSA)
	root, err := i.TrustRoot()
	if err != nil {
		s.t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(s.read("log.pub")))
	root.Logs = []sigstore.Log{{URL: "https://log.example", Key: block.Bytes, From: time.Now().AddDate(-1, 0, 0)}}
	text, err := root.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name+".root.json", string(text))
	token, err := i.Token(subject)
	if err != nil {
		s.t.Fatal(err)
	}
	s.env["TOKEN"] = token
	s.must("attest dir:%root -q --identity-token env:TOKEN --fulcio " + fulcio.URL + " --tsa " + tsa + " --log %translog --log-key %log.key --log-origin log.example --trust-root %" + name + ".root.json --type spdxjson -o bundle=%" + name + ".jsonl")
}

// through serves what a round tripper answers.
func through(rt http.RoundTripper) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host, out.Host = "", "https", "fulcio.stella.test", "fulcio.stella.test"
		resp, err := rt.RoundTrip(out)
		if err != nil {
			http.Error(w, fmt.Sprint(err), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body) // the client says what it lacks
	})
}
