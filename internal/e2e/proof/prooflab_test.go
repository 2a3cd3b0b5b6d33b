package proof

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

const tsaURL = "https://tsa.test"

// parties are who signs, logs and stamps, and the trust root that names them.
type parties struct {
	signing, next *key.Key // the second has come into force later, where it is in the ring
	logKey        *tlog.Signer
	tsa           *timestamptest.TSA
	root          *attest.Root
	born          time.Time // in whole seconds

	mu     sync.Mutex
	tokens map[string][]byte // an authority that gives the same token again, so that runs can be compared
}

func newParties(t testing.TB) *parties {
	t.Helper()
	p := &parties{signing: newProofKey(t), next: newProofKey(t), tokens: map[string][]byte{}, born: time.Now().Truncate(time.Second)}
	logging := newProofKey(t)
	var err error
	if p.logKey, err = tlog.NewLogSigner("log.test/lab", logging.Public(), logging); err != nil {
		t.Fatal(err)
	}
	if p.tsa, err = timestamptest.New(nil); err != nil {
		t.Fatal(err)
	}
	p.root = &attest.Root{
		Keys:        key.Ring{Members: []key.Member{{Key: p.signing.Public(), From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}},
		Logs:        tlog.Policy{Logs: []tlog.LogKey{{Key: p.logKey.Key()}}},
		Authorities: []*timestamp.Authority{p.tsa.Authority()},
	}
	return p
}

func newProofKey(t testing.TB) *key.Key {
	t.Helper()
	private, err := key.Generate(key.P256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := private.PEM()
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.Parse(text, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// RoundTrip asks the authority.
func (p *parties) RoundTrip(r *http.Request) (*http.Response, error) {
	out := httptest.NewRecorder()
	p.tsa.ServeHTTP(out, r)
	return out.Result(), nil
}

// Stamp gives the same token for the same signature.
func (p *parties) Stamp(ctx context.Context, message []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if token := p.tokens[string(message)]; token != nil {
		return token, nil
	}
	client := &timestamp.Client{URL: tsaURL, Authorities: p.root.Authorities, Transport: p}
	token, err := (&attest.Authority{Client: client}).Stamp(ctx, message)
	if err == nil {
		p.tokens[string(message)] = token
	}
	return token, err
}

// lab is one process with everything that proves, on SQLite and a folder, and one scan
// that it completed.
type lab struct {
	testing.TB
	*parties
	dir    string
	url    string // of the store; "" for SQLite in the folder
	scan   string
	root   *store.Root
	tenant *store.Tenant
	bucket *blob.Bucket
	log    *tlog.Log
	files  io.Closer
	center *export.Center

	away     bool   // whether log and authority are
	life     string // of the queue, which loses everything with the process
	sent     map[string][]queue.Message
	faulting func(export.Objects) export.Objects // may change what reads and writes objects
}

// newLab completes a scan of a tenant that signs and logs, and exports nothing of it yet.
func newLab(t testing.TB, p *parties) *lab {
	t.Helper()
	return newLabOn(t, p, "")
}

// newLabOn is newLab on a store.
func newLabOn(t testing.TB, p *parties, url string) *lab {
	t.Helper()
	l := &lab{TB: t, parties: p, dir: t.TempDir(), url: url}
	l.open()
	l.settings(export.SignLog, export.SPDX, export.SARIF, export.OpenVEX, export.Evidence)
	v := &policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics}
	v.Threshold, v.Evidence = policy.Threshold{Block: finding.High, Warn: finding.Low}, policy.Evidence{Gaps: policy.Warn, Unknown: policy.Warn, Unrated: finding.Medium}
	if _, _, err := l.tenant.Policy().Add(t.Context(), v, nil, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.tenant.Policy().Activate(t.Context(), policy.Activation{Environment: "production", Policy: policy.Named{ID: v.ID, Version: v.Version}}); err != nil {
		t.Fatal(err)
	}
	job, _, err := l.tenant.Scans().Submit(t.Context(), scan.Request{Image: "registry.test/image:7", Formats: []string{format.CycloneDXJSON}}, "")
	if err != nil {
		t.Fatal(err)
	}
	l.scan = job.ID
	l.carry()
	worker := world.Worker(l.root, l.bucket, "lab")
	worker.Matcher, worker.Report = labMatcher{}, func(err error) { t.Error(err) }
	l.handle(event.ScannerJobs, worker.Handle)
	gateway := &policy.Gateway{
		Stores:   func(tenant string) (policy.Store, error) { return world.Part(l.root, tenant, (*store.Tenant).Policy) },
		Document: store.Documents(func(tenant string) (schedule.Objects, error) { return l.bucket.Sub(tenant) }, world.Decode),
	}
	completer := &scan.Completer{
		Jobs: func(tenant string) (scan.Evaluations, error) {
			return world.Part(l.root, tenant, (*store.Tenant).Scans)
		},
		Evaluator: &store.Judge{Gateway: gateway}, Signer: &store.Notary{Signer: l.center.Signer, Settings: l.center.Of}, Holder: "lab",
	}
	l.carry()
	l.handle(event.ScannerEvents, completer.Handle)
	if job, err = l.tenant.Scans().Job(t.Context(), l.scan); err != nil || job.State != scan.Completed {
		t.Fatalf("the scan is %s: %s, %v", job.State, job.Reason, err)
	}
	l.carry()
	return l
}

// labMatcher finds something in each package.
type labMatcher struct{}

func (labMatcher) Match(_ context.Context, doc *sbom.Document) (*finding.Report, error) {
	r := &finding.Report{Snapshot: sum.Of([]byte("snapshot"))}
	for _, p := range doc.Packages {
		r.Findings = append(r.Findings, finding.Finding{Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: "CVE-2024-1", Advisory: "TEST-1", Severity: finding.Low, Scores: []finding.Score{}})
	}
	r.Sort()
	return r, nil
}

// copy is another process in the same state: with the same scan, keys and log.
func (l *lab) copy(t testing.TB) *lab {
	t.Helper()
	l.close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	out := &lab{TB: t, parties: l.parties, dir: dir, scan: l.scan}
	out.open()
	out.recover()
	return out
}

func (l *lab) open() {
	l.Helper()
	ctx := l.Context()
	var err error
	if l.root, err = store.Open(ctx, cmp.Or(l.url, "sqlite:"+filepath.Join(l.dir, "stella.db"))); err != nil {
		l.Fatal(err)
	}
	if l.tenant, err = l.root.Tenant("acme"); err != nil {
		l.Fatal(err)
	}
	if l.bucket, err = blob.Open(ctx, "file:"+filepath.Join(l.dir, "bucket")); err != nil {
		l.Fatal(err)
	}
	var storage tlog.Storage
	if storage, l.files, err = tlog.NewDir(filepath.Join(l.dir, "log")); err != nil {
		l.Fatal(err)
	}
	if l.log, err = tlog.Open(ctx, storage, l.logKey, &tlog.Options{MaxDelay: -1}); err != nil {
		l.Fatal(err)
	}
	for topic, group := range map[string]string{event.ScannerEvents: event.GroupExport} {
		if err := l.root.Register(ctx, topic, group, event.ScanCompleted); err != nil {
			l.Fatal(err)
		}
	}
	l.sent, l.life = map[string][]queue.Message{}, rand.Text()
	l.center = l.newCenter()
	l.Cleanup(l.close)
}

// close ends the process.
func (l *lab) close() {
	if l.root == nil {
		return
	}
	l.log.Close()
	l.files.Close()
	l.bucket.Close()
	l.root.Close()
	l.root = nil
}

// restart is what follows a crash: all that was in memory, and on the queue, is lost.
func (l *lab) restart() {
	l.Helper()
	l.close()
	l.open()
	l.recover()
}

// recover has what was on the queue sent again.
func (l *lab) recover() {
	l.Helper()
	if _, err := l.root.Relay(queue.New(&post{l: l}), nil).Recover(l.Context()); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) reader() (*export.Reader, error) {
	bucket, err := l.bucket.Sub("acme")
	if err != nil {
		return nil, err
	}
	r := &export.Reader{Source: l.tenant.Exports(), Objects: bucket, Tool: "test"}
	if l.faulting != nil {
		r.Objects = l.faulting(bucket)
	}
	return r, nil
}

// labParty is a log and an authority that can be away.
type labParty struct {
	attest.Embedded
	l *lab
}

func (p *labParty) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	if p.l.away {
		return nil, fmt.Errorf("no route: %w", fault.Unavailable)
	}
	return p.Embedded.Enter(ctx, r)
}

func (p *labParty) Stamp(ctx context.Context, message []byte) ([]byte, error) {
	if p.l.away {
		return nil, fmt.Errorf("no route: %w", fault.Unavailable)
	}
	return p.l.parties.Stamp(ctx, message)
}

// labStamper is the authority alone.
type labStamper struct{ *labParty }

func (labStamper) Name() string { return tsaURL }

func (l *lab) newCenter() *export.Center {
	l.Helper()
	byDefault, _, err := policyfile.Default()
	if err != nil {
		l.Fatal(err)
	}
	engine, err := policy.Compile(byDefault, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		l.Fatal(err)
	}
	party := &labParty{attest.Embedded{Log: l.log}, l}
	stores := func(string) (attest.Store, error) { return l.tenant.Attest(), nil }
	return &export.Center{
		Readers: func(string) (*export.Reader, error) { return l.reader() },
		Stores:  func(string) (export.Store, error) { return l.tenant.Exports(), nil },
		Pushes:  func(string) (export.Pushes, error) { return l.tenant.Exports(), nil },
		Signer: &attest.Signer{
			Facts: func(string) (attest.Facts, error) { return l.reader() }, Stores: stores, Grants: []attest.Grant{{}},
			Keys: &attest.Held{Ring: l.parties.root.Keys, Open: []attest.Key{l.signing, l.next}, Now: time.Now},
		},
		Attestor: &attest.Attestor{
			Trust: func(context.Context, string) (*attest.Trust, error) { return l.parties.root.Trust(nil), nil }, Stores: stores,
			Objects: func(string) (attest.Objects, error) { r, err := l.reader(); return r.Objects, err }, Log: party, Stamper: labStamper{party}, Now: time.Now,
		},
		Default: engine, Tool: "test",
		Target: func(context.Context, string, export.Destination) (export.Target, error) {
			driver, err := blob.NewFile(filepath.Join(l.dir, "pushed"))
			return &export.ToBucket{Driver: driver}, err
		},
	}
}

func (l *lab) signer() *attest.Signer { return l.center.Signer.(*attest.Signer) }

func (l *lab) attestor() *attest.Attestor { return l.center.Attestor.(*attest.Attestor) }

func (l *lab) settings(mode export.Mode, formats ...export.Format) {
	l.Helper()
	before, err := l.tenant.Exports().Settings(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	s := &export.Settings{Mode: mode, Formats: formats, Number: before.Number, Targets: []export.Destination{{Name: "folder", URL: "file:pushed", Formats: []export.Format{export.Evidence}}}, By: "ann"}
	if err := l.tenant.Exports().SetSettings(l.Context(), s); err != nil {
		l.Fatal(err)
	}
}

// post is a queue that keeps what is sent in the lab.
type post struct {
	queue.Driver
	l *lab
}

func (p *post) Publish(_ context.Context, topic string, messages []queue.Message) error {
	p.l.sent[topic] = append(p.l.sent[topic], messages...)
	return nil
}

func (p *post) Subscribe(context.Context, string, string) error { return nil }

func (p *post) Incarnation(context.Context) (string, error) { return p.l.life, nil }

// carry brings what the outbox has to the queue.
func (l *lab) carry() {
	l.Helper()
	relay := l.root.Relay(queue.New(&post{l: l}), &store.RelayOptions{Claim: 100 * time.Millisecond})
	for tries := 0; ; {
		n, err := relay.Step(l.Context())
		if errors.Is(err, fault.Unavailable) && tries < 5 {
			tries++
			time.Sleep(200 * time.Millisecond) // what was claimed is free again
			continue
		}
		if err != nil {
			l.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// handle handles all messages of a topic that are there.
func (l *lab) handle(topic string, handle func(context.Context, []byte) error) {
	l.Helper()
	list := l.sent[topic]
	l.sent[topic] = nil
	for _, m := range list {
		if err := handle(l.Context(), m.Body); err != nil {
			l.Logf("%s: %v", m.ID, err)
			l.sent[topic] = append(l.sent[topic], m) // it comes again
		}
	}
}

// work carries and handles until there is nothing to export or push, as a worker of the
// Export Center does.
func (l *lab) work() {
	l.Helper()
	h := &export.Handler{Center: l.center}
	for range 20 {
		l.carry()
		if len(l.sent[event.ScannerEvents])+len(l.sent[event.ExportJobs]) == 0 {
			return
		}
		l.handle(event.ScannerEvents, h.Handle)
		l.handle(event.ExportJobs, h.Handle)
	}
}

// died is what a crash in this process looks like.
type died struct{ at crashpoint.Point }

// crash works until the nth pass of a point, and reports whether it was reached.
func (l *lab) crash(p crashpoint.Point, nth int) (reached bool) {
	passed := 0
	defer crashpoint.Set(crashpoint.Set(func(at crashpoint.Point) {
		if at == p {
			if passed++; passed == nth {
				panic(died{p})
			}
		}
	}))
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(died); !ok {
				panic(r)
			}
			reached = true
		}
	}()
	l.work()
	return false
}

func (l *lab) exports() []export.Export {
	l.Helper()
	list, err := l.tenant.Exports().Exports(l.Context(), l.scan)
	if err != nil {
		l.Fatal(err)
	}
	return list
}

// made is the export of a format, which must be there.
func (l *lab) made(f export.Format) *export.Export {
	l.Helper()
	list := l.exports()
	i := slices.IndexFunc(list, func(e export.Export) bool { return e.Format == f })
	if i < 0 || list[i].Made == nil {
		l.Fatalf("no export as %s: %+v", f, list)
	}
	return &list[i]
}

// object reads an object, verified.
func (l *lab) object(o export.Object) []byte {
	l.Helper()
	bucket, err := l.bucket.Sub("acme")
	if err != nil {
		l.Fatal(err)
	}
	r, err := bucket.Open(l.Context(), o.Ref)
	if err != nil {
		l.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		l.Fatal(err)
	}
	return text
}

// file is where an object lies.
func (l *lab) file(digest string) string {
	hash := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(l.dir, "bucket", "acme", "sha256", hash[:2], hash)
}

// named is what lies under an object's name.
func (l *lab) named(o export.Object) []byte {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "bucket", "acme", l.scan, o.Name))
	if err != nil {
		l.Fatal(err)
	}
	return text
}

// result is all that is exported: by format the key, the version, what is missing, and
// the bytes under each digest and name; and what was pushed.
func (l *lab) result() map[string]string {
	l.Helper()
	out := map[string]string{}
	for _, e := range l.exports() {
		out[string(e.Format)] = fmt.Sprintf("%s %s %d", e.State, e.Key, e.Version)
		if e.Made == nil {
			continue
		}
		out[string(e.Format)] += fmt.Sprintf(", made %s %d lacking %v", e.Made.Key, e.Made.Version, e.Made.Missing)
		for _, o := range []export.Object{e.Made.Document, e.Made.Bundle} {
			if o.Name == "" {
				continue
			}
			text := l.object(o)
			if !bytes.Equal(text, l.named(o)) {
				l.Errorf("%s has another content than the row says", o.Name)
			}
			out[o.Name] = string(text)
		}
	}
	pushes, err := l.tenant.Exports().Pushes(l.Context(), l.scan)
	if err != nil {
		l.Fatal(err)
	}
	for _, p := range pushes {
		text, err := os.ReadFile(filepath.Join(l.dir, "pushed", p.Receipt))
		if err != nil {
			l.Error(err)
		}
		out["push "+p.Digest] = string(p.State) + string(text)
	}
	return out
}

// verifier believes what the trust root says, as it is read from its file.
func (p *parties) verifier(t testing.TB) *attest.Verifier {
	t.Helper()
	text, err := p.root.Encode()
	if err != nil {
		t.Fatal(err)
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	return &attest.Verifier{Trust: *root.Trust(nil)}
}

// logged asks for everything.
func logged() *attest.Expectation {
	return &attest.Expectation{At: time.Now(), Logged: true, Stamped: true, Canonical: true}
}
