package crash

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// provers are the roles that only a run with proofs has, or has another way.
var provers = []string{"web", "exporter", "attestor", "downloader"}

// proofCrew runs every process that writes twice.
var proofCrew = map[string]int{"submitter": 1, "relay": 1, "worker": 2, "web": 2, "reader": 1, "collector": 1, "exporter": 3, "attestor": 2, "downloader": 1}

// proofFormats are what each tenant has exported; alpha signs and logs, beta signs, and
// gamma does neither.
var proofFormats = map[string][]export.Format{
	"alpha": {export.SPDX, export.SARIF, export.OpenVEX, export.Evidence}, "beta": {export.CycloneDX, export.Evidence}, "gamma": {export.SPDX, export.SARIF},
}

var proofModes = map[string]export.Mode{"alpha": export.SignLog, "beta": export.Sign, "gamma": export.Off}

// proofAmount is how many faults of each kind one round with proofs has.
type proofAmount struct {
	kills, stops, losses, databases int
	points                          bool // each crash point, else a few
}

func TestProofSQLite(t *testing.T) {
	t.Parallel()
	a := proofAmount{kills: 10, stops: 4, points: true}
	if testing.Short() {
		a = proofAmount{kills: 2, stops: 1}
	}
	each(t, func(t *testing.T, seed uint64) { runProof(t, sqlitePair(t), seed, full(a)) })
}

func TestProofPostgresValkey(t *testing.T) {
	t.Parallel()
	big(t)
	each(t, func(t *testing.T, seed uint64) {
		runProof(t, valkeyPair(t), seed, full(proofAmount{kills: 6, stops: 3, losses: 2, databases: 1, points: os.Getenv("STELLA_LONG") == "1"}))
	})
}

// full is the long run.
func full(a proofAmount) proofAmount {
	if os.Getenv("STELLA_LONG") == "1" {
		a.kills, a.stops = 5*a.kills, 4*a.stops
	}
	return a
}

// provingPoints are the crash points that those pass who sign, log and export.
var provingPoints = map[string][]crashpoint.Point{
	"web-1": {crashpoint.SignRead, crashpoint.SignMade, crashpoint.SignKept},
	"exporter-1": {crashpoint.ExportRequested, crashpoint.ExportRead, crashpoint.ExportMade, crashpoint.ExportStored, crashpoint.ExportAttested, crashpoint.ExportBundled,
		crashpoint.ExportNamed, crashpoint.ExportFinished, crashpoint.ExportFailed, crashpoint.ExportPushed, crashpoint.ExportNoted},
	"exporter-2": {crashpoint.SignMade, crashpoint.SignKept, crashpoint.AttestVerified, crashpoint.AttestObject, crashpoint.AttestKept, crashpoint.AttestStamped, crashpoint.AttestLogged, crashpoint.AttestProved,
		crashpoint.LogStaged, crashpoint.LogTile, crashpoint.LogPublished},
	"attestor-1": {crashpoint.AttestLogged, crashpoint.AttestProved, crashpoint.LogCommitted, crashpoint.LogIntegrated, crashpoint.LogCleaned},
}

// fewProving are those of a short run.
var fewProving = map[string][]crashpoint.Point{
	"web-1": {crashpoint.SignMade}, "exporter-1": {crashpoint.ExportBundled, crashpoint.ExportFinished, crashpoint.ExportPushed}, "exporter-2": {crashpoint.AttestLogged, crashpoint.LogCommitted},
}

// runProof crashes scans that are proved, lets all of it drain, and asks the oracles.
func runProof(t *testing.T, p *pair, seed uint64, a proofAmount) {
	began := time.Now()
	bucket := t.TempDir()
	dir, tsa := makeProof(t)
	p.proof = true
	setTenants(t, p)
	base := plan{Store: p.store, Queue: p.queue, Bucket: "file:" + bucket, Images: makeImages(t), Seed: seed, Proof: dir, TSA: tsa,
		Pace: 200 * time.Millisecond, Lease: 4 * time.Second, Claim: 2 * time.Second}
	if p.lose == nil {
		base.Stale = 5 * time.Second
	}
	f := newFleet(t, base, seed, proofCrew)
	c := &chaos{t: t, fleet: f, pair: p, passing: fewProving}
	if a.points {
		c.passing = provingPoints
	}
	c.phase("the start", func() { c.settle(hung) })
	c.phase("crash points, and stops meanwhile", func() {
		var wg sync.WaitGroup
		wg.Go(func() { c.freezes(a.stops) })
		c.points(true)
		wg.Wait()
	})
	c.phase("kills", func() { c.kills(a.kills) })
	c.phase("losses", func() { c.losses(a.losses) })
	c.phase("servers", func() { c.servers(a.databases, 0) })
	c.phase("the end", func() {
		f.finish(f.slot("submitter-1"))
		c.settle(hung)
	})
	if t.Failed() && os.Getenv("STELLA_CRASH_WAIT") == "1" {
		time.Sleep(time.Hour) // to look at what is left
	}
	for _, s := range f.slots {
		s.mu.Lock()
		f.end(s)
		s.mu.Unlock()
	}
	o := &oracle{t: t, pair: p, bucket: bucket}
	completed, _ := o.check(t.Context(), &f.journal)
	seen := (&proofOracle{oracle: o, dir: dir, tsa: tsa}).check(&f.journal)
	if a.points {
		c.wantHits("sign", "attest", "export", "log")
	}
	t.Logf("seed %d: %d acknowledged, %d completed; kills %v; %d crash points reached; %d frozen; %d losses, %d server crashes; %s; %v in all",
		seed, len(f.journal.acked), completed, f.journal.kills, len(f.journal.hits), c.stopped, c.lost, c.crashed, seen, time.Since(began).Round(time.Second))
}

// makeProof makes keys, a log, an authority and the trust root of all three.
func makeProof(t *testing.T) (dir, tsa string) {
	t.Helper()
	dir = t.TempDir()
	signing, logging := writeKey(t, filepath.Join(dir, signingFile)), writeKey(t, filepath.Join(dir, loggingFile))
	signer, err := tlog.NewLogSigner(logOrigin, logging.Public(), logging)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := timestamptest.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(authority)
	t.Cleanup(server.Close)
	root := &attest.Root{
		Keys:        key.Ring{Members: []key.Member{{Key: signing.Public(), From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}},
		Logs:        tlog.Policy{Logs: []tlog.LogKey{{Key: signer.Key()}}},
		Authorities: []*timestamp.Authority{authority.Authority()},
	}
	text, err := root.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, rootFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(t.Context(), dir); err != nil { // it begins
		t.Fatal(err)
	}
	return dir, strings.TrimPrefix(server.URL, "http://")
}

func writeKey(t *testing.T, path string) *key.Key {
	t.Helper()
	private, err := key.Generate(key.P256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := private.PEM()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := readKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// setTenants gives those who sign a policy, and all what they have exported.
func setTenants(t *testing.T, p *pair) {
	t.Helper()
	root, err := store.Open(t.Context(), p.store)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range tenants {
		tenant, err := root.Tenant(name)
		if err != nil {
			t.Fatal(err)
		}
		s := &export.Settings{Mode: proofModes[name], Formats: proofFormats[name], By: "ann"}
		if s.Mode != export.Off {
			s.Targets = []export.Destination{{Name: "folder", URL: "file:" + pushFolder}}
			v := &policy.Policy{ID: "release", Version: 1, Semantics: policy.Semantics}
			v.Threshold, v.Evidence = policy.Threshold{Block: finding.High, Warn: finding.Low}, policy.Evidence{Gaps: policy.Warn, Unknown: policy.Warn, Unrated: finding.Medium}
			if _, _, err := tenant.Policy().Add(t.Context(), v, nil, "ann"); err != nil {
				t.Fatal(err)
			}
			if _, err := tenant.Policy().Activate(t.Context(), policy.Activation{Environment: "production", Policy: policy.Named{ID: v.ID, Version: v.Version}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := tenant.Exports().SetSettings(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// freezeSites are where an exporter is stopped, so that others do its work meanwhile
// and it goes on with what is old.
var freezeSites = []crashpoint.Point{crashpoint.ExportBundled, crashpoint.ExportNamed, crashpoint.ExportAttested, crashpoint.SignMade, crashpoint.AttestLogged, crashpoint.LogStaged, crashpoint.ExportStored}

// freezes stops the last exporter for longer than its messages are its own.
func (c *chaos) freezes(n int) {
	s := c.slot("exporter-3")
	first := c.intn(len(freezeSites))
	for i := range n {
		site := freezeSites[(first+i)%len(freezeSites)]
		c.kill(s, 0, plan{Point: site, Nth: c.nth(site), Signal: syscall.SIGSTOP})
		proc := s.proc
		if _, hit := proc.wait("hit ", 60*time.Second); !hit {
			c.t.Errorf("stop %d: %s was not reached: %v", i, site, proc.last.Load())
			continue
		}
		c.stopped++
		time.Sleep(7 * time.Second)
		proc.cmd.Process.Signal(syscall.SIGCONT)
		time.Sleep(time.Second)
	}
	c.kill(s, 0, plan{})
}

// undoneExports counts completed scans that began before a time, in microseconds, and
// lack an export, a proof of one, or a push.
func (p *pair) undoneExports(ctx context.Context, before int64) (n int, err error) {
	if !p.proof {
		return 0, nil
	}
	for _, tenant := range tenants {
		some, err := p.count(ctx, "stella_app", tenant, fmt.Sprintf(`SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.created_us <= $2 AND j.status = 'completed' AND
			(%d > (SELECT count(*) FROM attest.exports e WHERE e.tenant_id = j.tenant_id AND e.scan_id = j.job_id AND e.state = 'completed' AND e.made NOT LIKE '%%"missing"%%')
			OR EXISTS (SELECT 1 FROM attest.pushes p WHERE p.tenant_id = j.tenant_id AND p.scan_id = j.job_id AND p.state = 'queued'))`, len(proofFormats[tenant])), tenant, before)
		if err != nil {
			return 0, err
		}
		n += some
	}
	return n, nil
}

// unnamed keeps an object from getting another name.
type unnamed struct{ *blob.Bucket }

func (unnamed) Name(context.Context, blob.Ref, string) error { return nil }
