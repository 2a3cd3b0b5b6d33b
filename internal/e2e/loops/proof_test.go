package loops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	advisories "github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

const proofScans = 8

// TestProofLoop has scans of two tenants complete on PostgreSQL and Valkey, with two
// processes' worth of every worker. One tenant signs and logs, and pushes to a folder; the
// other signs nothing. The log and the timestamp authority are away at first, and the
// queue loses everything. In the end each scan has its exports, its evidence verifies
// against the trust root alone, and what lies in the folder is the same.
func TestProofLoop(t *testing.T) {
	database, valkey := servers.PostgresStore(t), servers.StartValkey(t)
	p := &proofLoop{loop: loop{T: t, url: database.App, queue: valkey.URL + "?prefix=proof", dir: t.TempDir()}, target: filepath.Join(t.TempDir(), "target")}
	p.away.Store(true)
	var err error
	if p.bucket, err = blob.Open(t.Context(), "mem:"); err != nil {
		t.Fatal(err)
	}
	defer p.bucket.Close()
	p.parties()
	stops := []func(){p.node("node-0"), p.node("node-1")}
	p.publisher()
	p.publish()
	p.settings()
	for i := range proofScans {
		p.submit(i)
	}
	p.await("all scans", 60*time.Second, p.completed)
	p.await("exports without proofs", 60*time.Second, func() bool { return p.exported(true) })
	if err := servers.ValkeyClient(t, valkey.URL).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	p.away.Store(false)
	p.await("exports with proofs", 120*time.Second, func() bool { return p.exported(false) })
	p.await("pushes", 60*time.Second, p.pushed)
	for _, stop := range stops {
		stop()
	}
	p.check()
}

type proofLoop struct {
	loop
	away    atomic.Bool
	signing *dsse.PrivateKey
	log     tlog.Storage
	logKey  *tlog.Signer
	tsa     *timestamptest.TSA
	root    *attest.Root
	target  string
}

// parties are the signer, the log and the authority.
func (p *proofLoop) parties() {
	p.signing = p.newKey()
	logging := p.newKey()
	var err error
	if p.logKey, err = tlog.NewLogSigner("log.test/proof", logging.Public(), logging); err != nil {
		p.Fatal(err)
	}
	head, err := tlog.NewDirHead(filepath.Join(p.dir, "log"), "head")
	if err != nil {
		p.Fatal(err)
	}
	files, err := blob.NewFile(filepath.Join(p.dir, "log"))
	if err != nil {
		p.Fatal(err)
	}
	p.log = tlog.Storage{Files: tlog.NewFiles(files, "proof/"), Head: head}
	if p.tsa, err = timestamptest.New(nil); err != nil {
		p.Fatal(err)
	}
	p.root = &attest.Root{
		Keys:        key.Ring{Members: []key.Member{{Key: p.signing.Public(), From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}},
		Logs:        tlog.Policy{Logs: []tlog.LogKey{{Key: p.logKey.Key()}}},
		Authorities: []*timestamp.Authority{p.tsa.Authority()},
	}
}

func (p *proofLoop) newKey() *dsse.PrivateKey {
	k, err := key.Generate(key.P256)
	if err != nil {
		p.Fatal(err)
	}
	return k
}

// RoundTrip carries requests to the authority, where it is there.
func (p *proofLoop) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.away.Load() {
		return nil, errors.New("no route")
	}
	out := httptest.NewRecorder()
	p.tsa.ServeHTTP(out, r)
	return out.Result(), nil
}

// fickleLog is a log that can be away.
type fickleLog struct {
	attest.Embedded
	away *atomic.Bool
}

func (l *fickleLog) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if l.away.Load() {
		return nil, fmt.Errorf("no route: %w", fault.Unavailable)
	}
	return l.Embedded.Enter(ctx, r)
}

// center is the Export Center of a process, with its Signer and Attestor.
func (p *proofLoop) center(ctx context.Context, root *store.Root) *export.Center {
	log, err := tlog.Open(ctx, p.log, p.logKey, nil)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { log.Close() })
	readers := func(tenant string) (*export.Reader, error) {
		source, err := world.Part(root, tenant, (*store.Tenant).Exports)
		if err != nil {
			return nil, err
		}
		objects, err := p.bucket.Sub(tenant)
		return &export.Reader{Source: source, Objects: objects, Tool: "test"}, err
	}
	stores := func(tenant string) (attest.Store, error) { return world.Part(root, tenant, (*store.Tenant).Attest) }
	byDefault, _, err := policyfile.Default()
	if err != nil {
		p.Fatal(err)
	}
	engine, err := policy.Compile(byDefault, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		p.Fatal(err)
	}
	return &export.Center{
		Readers: readers, Stores: func(tenant string) (export.Store, error) { return world.Part(root, tenant, (*store.Tenant).Exports) },
		Pushes: func(tenant string) (export.Pushes, error) { return world.Part(root, tenant, (*store.Tenant).Exports) },
		Signer: &attest.Signer{
			Facts: func(tenant string) (attest.Facts, error) { return readers(tenant) }, Stores: stores, Grants: []attest.Grant{{}},
			Keys: &attest.Held{Ring: p.root.Keys, Open: []attest.Key{p.signing}, Now: time.Now},
		},
		Attestor: &attest.Attestor{
			Trust: func(context.Context, string) (*attest.Trust, error) { return p.root.Trust(nil), nil }, Stores: stores,
			Objects: func(tenant string) (attest.Objects, error) { return p.bucket.Sub(tenant) }, Log: &fickleLog{attest.Embedded{Log: log}, &p.away}, Now: time.Now,
			Stamper: &attest.Authority{Client: &timestamp.Client{URL: "https://tsa.test", Authorities: p.root.Authorities, Transport: p}},
		},
		Default: engine, Tool: "test",
		Target: func(ctx context.Context, _ string, d export.Destination) (export.Target, error) {
			driver, err := blob.NewFile(p.target)
			return &export.ToBucket{Driver: driver}, err
		},
	}
}

// node starts what one process runs, and returns what ends it.
func (p *proofLoop) node(name string) (stop func()) {
	ctx, cancel := context.WithCancel(p.Context())
	var running sync.WaitGroup
	root, err := store.Open(ctx, p.url)
	if err != nil {
		p.Fatal(err)
	}
	messages, err := queue.Open(ctx, p.queue)
	if err != nil {
		p.Fatal(err)
	}
	public := root.Advisories(p.bucket)
	n := &loopNode{root: root, matcher: &snapshot.Matcher{Heads: public, Cache: advisories.Cache(filepath.Join(p.dir, name), public)}}
	p.nodes = append(p.nodes, n)
	if err := root.Register(ctx, event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated); err != nil {
		p.Fatal(err)
	}
	if err := root.Register(ctx, event.ScannerEvents, event.GroupExport, event.ScanCompleted); err != nil {
		p.Fatal(err)
	}
	center := p.center(ctx, root)
	gateway := &policy.Gateway{
		Stores:   func(tenant string) (policy.Store, error) { return world.Part(root, tenant, (*store.Tenant).Policy) },
		Document: store.Documents(func(tenant string) (schedule.Objects, error) { return p.bucket.Sub(tenant) }, world.Decode),
	}
	completer := &scan.Completer{
		Jobs:      func(tenant string) (scan.Evaluations, error) { return world.Part(root, tenant, (*store.Tenant).Scans) },
		Evaluator: &store.Judge{Gateway: gateway}, Signer: &store.Notary{Signer: center.Signer, Settings: center.Of, Report: p.report}, Holder: name,
	}
	exporter := &export.Handler{Center: center}
	for _, c := range []decideConsumer{
		{event.ScannerJobs, event.GroupScannerWorkers, p.worker(n, name).Handle}, {event.ScannerEvents, event.GroupScannerWeb, completer.Handle},
		{event.ScannerEvents, event.GroupExport, exporter.Handle}, {event.ExportJobs, event.GroupExportWorkers, exporter.Handle},
		{event.AttestorSubmissions, event.GroupAttestorWorkers, center.Attestor.(*attest.Attestor).Handle},
	} {
		g, err := messages.Group(ctx, c.topic, c.group)
		if err != nil {
			p.Fatal(err)
		}
		running.Go(func() {
			queue.Consume(ctx, g, c.handle, &queue.Options{Consumer: name, Parallel: 3, Report: p.report})
		})
	}
	running.Go(func() {
		root.Relay(messages, &store.RelayOptions{Poll: 50 * time.Millisecond, Report: p.report}).Run(ctx)
	})
	var once sync.Once
	end := func() { once.Do(func() { cancel(); running.Wait() }) }
	p.Cleanup(func() { end(); messages.Close(); root.Close() })
	return end
}

// settings has alpha decide, sign, log and push.
func (p *proofLoop) settings() {
	alpha, err := p.nodes[0].root.Tenant("alpha")
	if err != nil {
		p.Fatal(err)
	}
	v := &policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics}
	v.Threshold, v.Evidence = policy.Threshold{Block: finding.High, Warn: finding.Low}, policy.Evidence{Gaps: policy.Warn, Unknown: policy.Warn, Unrated: finding.Medium}
	if _, _, err := alpha.Policy().Add(p.Context(), v, nil, "ann"); err != nil {
		p.Fatal(err)
	}
	if _, err := alpha.Policy().Activate(p.Context(), policy.Activation{Environment: "production", Policy: policy.Named{ID: v.ID, Version: v.Version}}); err != nil {
		p.Fatal(err)
	}
	s := &export.Settings{Mode: export.SignLog, Formats: export.Formats(), Targets: []export.Destination{{Name: "folder", URL: "file:" + p.target, Formats: []export.Format{export.Evidence, export.SARIF}}}, By: "ann"}
	if err := s.Check(); err != nil {
		p.Fatal(err)
	}
	if err := alpha.Exports().SetSettings(p.Context(), s); err != nil {
		p.Fatal(err)
	}
}

func (p *proofLoop) exports(s loopScan) []export.Export {
	e, err := world.Part(p.nodes[0].root, s.tenant, (*store.Tenant).Exports)
	if err != nil {
		p.Fatal(err)
	}
	list, err := e.Exports(p.Context(), s.id)
	if err != nil {
		p.Fatal(err)
	}
	return list
}

// exported reports whether all scans have their exports; lacking, those of alpha may lack
// proofs.
func (p *proofLoop) exported(lacking bool) bool {
	for _, s := range p.scans {
		list := p.exports(s)
		if want := map[string]int{"alpha": len(export.Formats()), "beta": 3}[s.tenant]; len(list) != want {
			return false
		}
		for _, e := range list {
			if e.State == export.Failed {
				if (e.Format == export.OpenVEX || e.Format == export.CSAF) && strings.Contains(e.Reason, "no findings") {
					continue
				}
				p.Fatalf("%s of %s: %s", e.Format, e.ScanID, e.Reason)
			}
			if e.Made == nil || !lacking && (len(e.Made.Missing) > 0 || e.State != export.Completed) {
				return false
			}
		}
	}
	return true
}

func (p *proofLoop) pushed() bool {
	for _, s := range p.scans {
		if s.tenant != "alpha" {
			continue
		}
		e, err := world.Part(p.nodes[0].root, s.tenant, (*store.Tenant).Exports)
		if err != nil {
			p.Fatal(err)
		}
		list, err := e.Pushes(p.Context(), s.id)
		if err != nil {
			p.Fatal(err)
		}
		for _, made := range p.exports(s) {
			if made.Format != export.Evidence && made.Format != export.SARIF {
				continue
			}
			digest := made.Made.Bundle.Ref.Digest
			if !slices.ContainsFunc(list, func(x export.Push) bool {
				return x.Format == made.Format && x.Digest == digest && x.State == export.Completed
			}) {
				return false
			}
		}
	}
	return true
}

// check verifies everything against the trust root alone.
func (p *proofLoop) check() {
	text, err := p.root.Encode()
	if err != nil {
		p.Fatal(err)
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		p.Fatal(err)
	}
	v := attest.Verifier{Trust: *root.Trust(nil)}
	folder, err := blob.NewFile(p.target)
	if err != nil {
		p.Fatal(err)
	}
	for _, s := range p.scans {
		bucket, err := p.bucket.Sub(s.tenant)
		if err != nil {
			p.Fatal(err)
		}
		for _, e := range p.exports(s) {
			if e.Made == nil {
				continue
			}
			document := p.named(bucket, s, e.Made.Document)
			if s.tenant == "beta" {
				if e.Made.Bundle.Name != "" || len(document) == 0 {
					p.Errorf("%s of %s is signed, or empty: %+v", e.Format, s.id, e.Made)
				}
				continue
			}
			lines := p.named(bucket, s, e.Made.Bundle)
			if e.Format != export.Evidence {
				if _, err := v.Lines(p.Context(), lines, e.Made.Bundle.Ref.Digest, &attest.Expectation{At: time.Now(), Logged: true, Stamped: true, Canonical: true}); err != nil {
					p.Errorf("%s of %s: %v", e.Format, s.id, err)
				}
				continue
			}
			evidence, err := v.Evidence(p.Context(), lines, e.Made.Bundle.Ref.Digest, &attest.Expectation{
				At: time.Now(), Logged: true, Stamped: true, Canonical: true, Predicates: []string{intoto.PredicateSPDX, intoto.PredicateCycloneDX, intoto.PredicateVerdict},
			})
			if err != nil || len(evidence.Verdicts) != 1 || len(evidence.Lines) < 4 {
				p.Errorf("evidence of %s: %v", s.id, err)
			}
			object := e.Made.Bundle
			pushed, err := folder.Open(p.Context(), s.tenant+"/"+s.id+"/"+object.Ref.Digest[len("sha256:"):]+"/"+object.Name, 0, -1)
			if err != nil {
				p.Fatal(err)
			}
			got, err := io.ReadAll(pushed)
			if pushed.Close(); err != nil || !bytes.Equal(got, lines) {
				p.Errorf("what was pushed of %s is another: %v", s.id, err)
			}
		}
	}
}

// named reads what has the human name of an object, verified.
func (p *proofLoop) named(bucket *blob.Bucket, s loopScan, o export.Object) []byte {
	r, err := bucket.OpenName(p.Context(), s.id+"/"+o.Name, o.Ref)
	if err != nil {
		p.Fatalf("%s of %s: %v", o.Name, s.id, err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		p.Fatal(err)
	}
	return text
}
