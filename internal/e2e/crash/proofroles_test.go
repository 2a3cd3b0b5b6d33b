package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// Files and folders of those who prove, below their folder.
const (
	signingFile = "signing.pem"
	loggingFile = "logging.pem"
	rootFile    = "root.json"
	logFolder   = "log"
	pushFolder  = "pushed"
)

const logOrigin = "log.test/crash"

// proof is what the processes have that sign, log and export.
type proof struct {
	dir, tsa string
	bucket   *blob.Bucket
	store    *store.Root
	once     func(what string) bool // whether something happens for the first time

	root    *attest.Root
	signing *key.Key
	engine  *policy.Engine
	log     attest.Log
}

// openProof reads the keys and the trust root.
func openProof(dir, tsa string, root *store.Root, bucket *blob.Bucket) (*proof, error) {
	p := &proof{dir: dir, tsa: tsa, store: root, bucket: bucket}
	text, err := os.ReadFile(filepath.Join(dir, rootFile))
	if err != nil {
		return nil, err
	}
	if p.root, err = attest.DecodeRoot(text); err != nil {
		return nil, err
	}
	if p.signing, err = readKey(filepath.Join(dir, signingFile)); err != nil {
		return nil, err
	}
	byDefault, _, err := policyfile.Default()
	if err != nil {
		return nil, err
	}
	p.engine, err = policy.Compile(byDefault, &policy.Options{Expressions: policyfile.Expressions})
	return p, err
}

func readKey(path string) (*key.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return key.Parse(text, path, nil)
}

// openLog opens the log that all processes share.
func openLog(ctx context.Context, dir string) (*tlog.Log, error) {
	k, err := readKey(filepath.Join(dir, loggingFile))
	if err != nil {
		return nil, err
	}
	signer, err := tlog.NewLogSigner(logOrigin, k.Public(), k)
	if err != nil {
		return nil, err
	}
	storage, _, err := tlog.NewDir(filepath.Join(dir, logFolder)) // open as long as the process
	if err != nil {
		return nil, err
	}
	return tlog.Open(ctx, storage, signer, nil)
}

// aloof is a log that is away for a third of all entries.
type aloof struct{ attest.Log }

func (l aloof) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if r.Envelope.Signatures[0].Sig[10]%3 == 0 {
		return nil, fmt.Errorf("no route: %w", fault.Unavailable)
	}
	return l.Log.Enter(ctx, r)
}

// loopback has requests go to a port of this machine.
type loopback string

func (l loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host = "http", string(l)
	return http.DefaultTransport.RoundTrip(out)
}

func part[T any](root *store.Root, name string, of func(*store.Tenant) T) (none T, err error) {
	t, err := root.Tenant(name)
	if err != nil {
		return none, err
	}
	return of(t), nil
}

func (p *proof) stores(tenant string) (attest.Store, error) {
	return part(p.store, tenant, (*store.Tenant).Attest)
}

func (p *proof) reader(tenant string) (*export.Reader, error) {
	source, err := part(p.store, tenant, (*store.Tenant).Exports)
	if err != nil {
		return nil, err
	}
	objects, err := p.bucket.Sub(tenant)
	return &export.Reader{Source: source, Objects: objects, Tool: "test"}, err
}

// flaky fails to read the findings of some scans once.
type flaky struct {
	export.Source
	once func(string) bool
}

func (f *flaky) Report(ctx context.Context, id string, head int64) (*finding.Report, error) {
	if id[len(id)-1]%3 == 0 && f.once("report-"+id) {
		return nil, fmt.Errorf("findings of %s: %w", id, fault.Mismatch)
	}
	return f.Source.Report(ctx, id, head)
}

// flakyReader is a reader whose first attempt fails, sometimes.
func (p *proof) flakyReader(tenant string) (*export.Reader, error) {
	r, err := p.reader(tenant)
	if err == nil && p.once != nil {
		r.Source = &flaky{r.Source, p.once}
	}
	return r, err
}

func (p *proof) signer() *attest.Signer {
	return &attest.Signer{
		Facts: func(tenant string) (attest.Facts, error) { return p.reader(tenant) }, Stores: p.stores, Grants: []attest.Grant{{}},
		Keys: &attest.Held{Ring: p.root.Keys, Open: []attest.Key{p.signing}, Now: time.Now},
	}
}

func (p *proof) attestor() *attest.Attestor {
	return &attest.Attestor{
		Trust: func(context.Context, string) (*attest.Trust, error) { return p.root.Trust(nil), nil }, Stores: p.stores,
		Objects: func(tenant string) (attest.Objects, error) { return p.bucket.Sub(tenant) }, Log: p.log, Now: time.Now,
		Stamper: &attest.Authority{Client: &timestamp.Client{URL: "https://tsa.test", Authorities: p.root.Authorities, Transport: loopback(p.tsa)}},
	}
}

func (p *proof) center() *export.Center {
	return &export.Center{
		Readers: p.flakyReader, Stores: func(tenant string) (export.Store, error) { return part(p.store, tenant, (*store.Tenant).Exports) },
		Pushes: func(tenant string) (export.Pushes, error) { return part(p.store, tenant, (*store.Tenant).Exports) },
		Signer: p.signer(), Attestor: p.attestor(), Default: p.engine, Tool: "test",
		Target: func(context.Context, string, export.Destination) (export.Target, error) {
			driver, err := blob.NewFile(filepath.Join(p.dir, pushFolder))
			return &export.ToBucket{Driver: driver}, err
		},
	}
}

// proofCompleter decides by a tenant's policy, and has the verdict signed.
func (c *child) proofCompleter() *scan.Completer {
	out := c.completer()
	gateway := &policy.Gateway{
		Stores:   func(tenant string) (policy.Store, error) { return part(c.root, tenant, (*store.Tenant).Policy) },
		Document: store.Documents(func(tenant string) (schedule.Objects, error) { return c.bucket.Sub(tenant) }, decode),
	}
	out.Evaluator = &store.Judge{Gateway: gateway}
	out.Signer = &store.Notary{Signer: c.proof.signer(), Settings: c.proof.center().Of, Report: c.report}
	return out
}

func decode(r io.Reader) (*sbom.Document, error) {
	d, _, err := format.Decode(r)
	return d, err
}

// download reads exports as they stand, over and over, and says what it got.
func (c *child) download() error {
	for {
		for _, name := range tenants {
			t, err := c.root.Tenant(name)
			if err != nil {
				return err
			}
			objects, err := c.bucket.Sub(name)
			if err != nil {
				return err
			}
			page, err := t.Scans().List(c.ctx, scan.Query{State: scan.Completed, Limit: 6})
			if err != nil {
				c.report(err)
				continue
			}
			for _, j := range page.Jobs {
				list, err := t.Exports().Exports(c.ctx, j.ID)
				if err != nil {
					c.report(err)
				}
				for i := range list {
					c.got(objects, &list[i])
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// got says what one download gave.
func (c *child) got(objects *blob.Bucket, e *export.Export) {
	if e.Made == nil {
		return
	}
	for _, o := range []export.Object{e.Made.Document, e.Made.Bundle} {
		if o.Name == "" {
			continue
		}
		r, err := objects.Open(c.ctx, o.Ref)
		if err == nil {
			_, err = io.Copy(io.Discard, r) // verified
			r.Close()
		}
		if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Mismatch) {
			c.say("lost", e.ScanID, o.Name, err)
		}
		if err != nil {
			c.report(err)
			continue
		}
		c.say("got", e.ScanID+"/"+o.Name, e.Made.Key, e.Made.Version, o.Ref.Digest)
	}
}

// proving does a role that only a run with proofs has.
func (c *child) proving(consume func(topic, group string, handle func(context.Context, []byte) error) error) error {
	switch c.Role {
	case "web":
		return consume(event.ScannerEvents, event.GroupScannerWeb, c.proofCompleter().Handle)
	case "downloader":
		return c.download()
	}
	log, err := openLog(c.ctx, c.Proof)
	if err != nil {
		return err
	}
	defer log.Close()
	c.proof.log = &attest.Embedded{Log: log}
	switch c.Role {
	case "attestor":
		return consume(event.AttestorSubmissions, event.GroupAttestorWorkers, c.proof.attestor().Handle)
	case "exporter":
		c.proof.log = aloof{c.proof.log}
		c.proof.once = c.first
		h := &export.Handler{Center: c.proof.center()}
		failed := make(chan error, 2)
		go func() { failed <- consume(event.ScannerEvents, event.GroupExport, h.Handle) }()
		go func() { failed <- consume(event.ExportJobs, event.GroupExportWorkers, h.Handle) }()
		return <-failed
	}
	return fmt.Errorf("no role is called %q", c.Role)
}

// first reports whether no process has asked for it before.
func (c *child) first(what string) bool {
	f, err := os.OpenFile(filepath.Join(c.Images, what), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
