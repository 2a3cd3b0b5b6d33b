package crash

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
)

// proofOracle reads what was proved, and makes it once more without a crash.
type proofOracle struct {
	*oracle
	dir, tsa string
	root     *store.Root
	proof    *proof
	verifier attest.Verifier
	// What was found, for the leaves of the log: the receipts by leaf.
	receipts map[tlog.Hash]int64
	signed   map[string]string // by payload and key: the signature
	exports  int
}

// check returns what it saw, for people.
func (o *proofOracle) check(j *journal) string {
	for _, w := range j.wrong {
		o.t.Errorf("a download is another, or gone: %s", w)
	}
	o.receipts, o.signed = map[tlog.Hash]int64{}, map[string]string{}
	var err error
	if o.root, err = store.Open(o.t.Context(), o.store); err != nil {
		o.t.Fatal(err)
	}
	defer o.root.Close()
	bucket, err := blob.Open(o.t.Context(), "file:"+o.bucket)
	if err != nil {
		o.t.Fatal(err)
	}
	defer bucket.Close()
	if o.proof, err = openProof(o.dir, o.tsa, o.root, bucket); err != nil {
		o.t.Fatal(err)
	}
	o.verifier = attest.Verifier{Trust: *o.proof.root.Trust(nil)}
	for _, name := range tenants {
		o.tenant(name)
	}
	entries := o.log()
	return fmt.Sprintf("%d exports, %d signatures, %d receipts, %d entries, %d different downloads", o.exports, len(o.signed), len(o.receipts), entries, len(j.got))
}

// tenant checks all that is kept of a tenant.
func (o *proofOracle) tenant(name string) {
	t, err := o.root.Tenant(name)
	if err != nil {
		o.t.Fatal(err)
	}
	for after := ""; ; {
		page, err := t.Scans().List(o.t.Context(), scan.Query{State: scan.Completed, Limit: 100, After: after})
		if err != nil {
			o.t.Fatal(err)
		}
		for _, j := range page.Jobs {
			list, err := t.Exports().Exports(o.t.Context(), j.ID)
			if err != nil {
				o.t.Error(err)
			}
			o.scan(name, j.ID, list)
			o.pushes(name, j.ID, list, t.Exports())
		}
		if after = page.Next; after == "" {
			break
		}
	}
	o.pointers(name)
}

// scan wants one export of each format, and each to be what its row says.
func (o *proofOracle) scan(tenant, id string, list []export.Export) {
	var formats []export.Format
	for i := range list {
		e := &list[i]
		formats = append(formats, e.Format)
		if e.State != export.Completed || e.Made == nil || e.Made.Key != e.Key || e.Made.Version != e.Version || len(e.Made.Missing) > 0 {
			o.t.Errorf("%s of %s is %s: %s; %+v", e.Format, id, e.State, e.Reason, e.Made)
			continue
		}
		o.exports++
		for _, object := range []export.Object{e.Made.Document, e.Made.Bundle} {
			if object.Name != "" {
				o.file(tenant, id, object)
			}
		}
		mode := proofModes[tenant]
		if signed := e.Made.Bundle.Name != ""; signed != (mode != export.Off) {
			o.t.Errorf("%s of %s is signed: %t; the mode is %s", e.Format, id, signed, mode)
		}
		if e.Made.Bundle.Name != "" {
			o.bundle(tenant, e)
		}
		o.again(tenant, e)
	}
	want := slices.Sorted(slices.Values(proofFormats[tenant]))
	if !slices.Equal(formats, want) {
		o.t.Errorf("scan %s of %s has exports %v, want %v", id, tenant, formats, want)
	}
}

// file wants an object under its digest, and the same under its name.
func (o *proofOracle) file(tenant, id string, object export.Object) {
	hash := strings.TrimPrefix(object.Ref.Digest, "sha256:")
	for _, path := range []string{filepath.Join("sha256", hash[:2], hash), filepath.Join(id, object.Name)} {
		b, err := os.ReadFile(filepath.Join(o.oracle.bucket, tenant, path))
		if err != nil || sum.Of(b) != object.Ref.Digest {
			o.t.Errorf("%s of %s: %s is not what the row says: %v", object.Name, id, path, err)
		}
	}
}

func (o *proofOracle) read(tenant string, object export.Object) []byte {
	hash := strings.TrimPrefix(object.Ref.Digest, "sha256:")
	b, err := os.ReadFile(filepath.Join(o.oracle.bucket, tenant, "sha256", hash[:2], hash))
	if err != nil {
		o.t.Error(err)
	}
	return b
}

// bundle verifies one against the trust root alone, and notes what is in it.
func (o *proofOracle) bundle(tenant string, e *export.Export) {
	logged := proofModes[tenant] == export.SignLog
	want := &attest.Expectation{At: time.Now(), Logged: logged, Stamped: logged, Canonical: true}
	text := o.read(tenant, e.Made.Bundle)
	want.Signers = []string{e.Inputs.KeyID}
	var err error
	if e.Format == export.Evidence {
		_, err = o.verifier.Evidence(o.t.Context(), text, e.Made.Bundle.Ref.Digest, want)
	} else {
		_, err = o.verifier.Lines(o.t.Context(), text, e.Made.Bundle.Ref.Digest, want)
	}
	if err != nil {
		o.t.Errorf("%s of %s of %s: %v", e.Format, e.ScanID, tenant, err)
		return
	}
	items, err := bundle.ReadAll(bytes.NewReader(text), nil)
	if err != nil {
		o.t.Error(err)
	}
	for _, i := range items {
		s := i.Bundle.Envelope.Signatures[0]
		at := tenant + " " + sum.Of(i.Bundle.Envelope.Payload) + " " + e.Inputs.KeyID
		if before, ok := o.signed[at]; ok && before != string(s.Sig) {
			o.t.Errorf("%s was signed twice", at)
		}
		o.signed[at] = string(s.Sig)
		for _, entry := range i.Bundle.Material.Entries {
			leaf := tlog.LeafHash(entry.Body)
			if before, ok := o.receipts[leaf]; ok && before != entry.LogIndex {
				o.t.Errorf("an entry has receipts for %d and %d", before, entry.LogIndex)
			}
			o.receipts[leaf] = entry.LogIndex
		}
	}
}

// once keeps one export in memory, as a store of nothing else.
type once struct {
	export.Store
	wanted export.Export
	made   *export.Made
}

func (s *once) Exports(context.Context, string) ([]export.Export, error) {
	return []export.Export{s.wanted}, nil
}

func (s *once) Finish(_ context.Context, r *export.Result) error {
	s.made = &r.Made
	return nil
}

// again makes an export anew, with nothing that was signed before: it has the same
// document, statements and signatures.
func (o *proofOracle) again(tenant string, e *export.Export) {
	fresh := &attest.Memory{Now: time.Now}
	p := *o.proof
	s := &once{wanted: *e, Store: nil}
	s.wanted.Inputs.Logged = false
	c := p.center()
	settings := export.Settings{Mode: proofModes[tenant], Formats: proofFormats[tenant]}
	c.Stores = func(string) (export.Store, error) { return &settled{s, settings}, nil }
	c.Readers = func(tenant string) (*export.Reader, error) {
		r, err := p.reader(tenant)
		if err == nil {
			r.Objects = unnamed{r.Objects.(*blob.Bucket)}
		}
		return r, err
	}
	signer, attestor := p.signer(), p.attestor()
	signer.Stores = func(string) (attest.Store, error) { return fresh, nil }
	attestor.Stores, attestor.Objects = signer.Stores, func(string) (attest.Objects, error) { return fresh, nil }
	c.Signer, c.Attestor = signer, attestor
	if err := c.Make(o.t.Context(), tenant, e.ScanID, e.Format, ""); err != nil {
		o.t.Errorf("make %s of %s again: %v", e.Format, e.ScanID, err)
		return
	}
	if e.Format != export.Evidence && (s.made.Document.Name != e.Made.Document.Name || s.made.Document.Ref.Digest != e.Made.Document.Ref.Digest) {
		o.t.Errorf("%s of %s made without a crash is another: %+v, %+v", e.Format, e.ScanID, s.made.Document, e.Made.Document)
	}
	if e.Made.Bundle.Name == "" {
		return
	}
	one, other := o.envelopes(tenant, s.made.Bundle), o.envelopes(tenant, e.Made.Bundle)
	if !slices.EqualFunc(one, other, bytes.Equal) {
		o.t.Errorf("the bundle of %s of %s made without a crash has other statements or signatures", e.Format, e.ScanID)
	}
}

// settled is once with the settings of a tenant.
type settled struct {
	*once
	settings export.Settings
}

func (s *settled) Settings(context.Context) (*export.Settings, error) {
	out := s.settings
	return &out, nil
}

func (o *proofOracle) envelopes(tenant string, object export.Object) (out [][]byte) {
	items, err := bundle.ReadAll(bytes.NewReader(o.read(tenant, object)), nil)
	if err != nil {
		o.t.Error(err)
	}
	for _, i := range items {
		text, err := i.Bundle.Envelope.Encode()
		if err != nil {
			o.t.Error(err)
		}
		out = append(out, text)
	}
	return out
}

// pushes wants what is exported at its destination, once.
func (o *proofOracle) pushes(tenant, id string, list []export.Export, e *store.Exports) {
	pushes, err := e.Pushes(o.t.Context(), id)
	if err != nil {
		o.t.Error(err)
	}
	want := map[string]bool{} // files, by their paths below the folder of the scan
	for _, p := range pushes {
		if p.State == export.Completed {
			want[strings.TrimPrefix(p.Digest, "sha256:")] = true
		}
	}
	for i := range list {
		digest := list[i].Made.Bundle.Ref.Digest
		completed := slices.ContainsFunc(pushes, func(p export.Push) bool {
			return p.Format == list[i].Format && p.Digest == digest && p.State == export.Completed
		})
		if digest != "" && !completed {
			o.t.Errorf("%s of %s was not pushed: %+v", list[i].Format, id, pushes)
		}
	}
	found := map[string]int{}
	folder := filepath.Join(o.dir, pushFolder, tenant, id)
	filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		hash := filepath.Base(filepath.Dir(path))
		if found[hash]++; err != nil || sum.Of(b) != "sha256:"+hash {
			o.t.Errorf("what was pushed to %s is something else: %v", path, err)
		}
		return nil
	})
	for hash := range want {
		if found[hash] != 1 {
			o.t.Errorf("%s of %s was pushed %d times", hash, id, found[hash])
		}
	}
}

// pointers wants all that rows point to to be there, and one signature of each payload.
func (o *proofOracle) pointers(tenant string) {
	o.query("stella_app", tenant, func(r *sql.Rows) error {
		var owner, digest string
		err := r.Scan(&owner, &digest)
		hash := strings.TrimPrefix(digest, "sha256:")
		b, readErr := os.ReadFile(filepath.Join(o.oracle.bucket, tenant, "sha256", hash[:2], hash))
		if readErr != nil || sum.Of(b) != digest {
			o.t.Errorf("%s refers to %s, which is not there: %v", owner, digest, readErr)
		}
		return err
	}, `SELECT scan_id, digest FROM scanner.blob_refs WHERE tenant_id = $1`, tenant)
	for what, query := range map[string]string{
		"bundled attestations that are not kept": `SELECT count(*) FROM attest.bundled b WHERE b.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM attest.attestations a WHERE a.tenant_id = b.tenant_id AND a.id = b.attestation)`,
		"attestations without their signature":   `SELECT count(*) FROM attest.attestations a WHERE a.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM attest.signatures s WHERE s.tenant_id = a.tenant_id AND s.payload = a.payload AND s.key_id = a.key_id)`,
		"payloads that a key signed twice":       `SELECT count(*) FROM (SELECT payload FROM attest.attestations WHERE tenant_id = $1 GROUP BY payload, key_id HAVING count(*) > 1) AS twice`,
		"exports of scans that are no more":      `SELECT count(*) FROM attest.exports e WHERE e.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM scanner.scan_jobs j WHERE j.tenant_id = e.tenant_id AND j.job_id = e.scan_id)`,
		"proofs that are wanted and not there":   `SELECT count(*) FROM attest.wanted w WHERE w.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM attest.proofs p WHERE p.tenant_id = w.tenant_id AND p.attestation = w.attestation AND p.kind = w.kind)`,
	} {
		if n, err := o.count(o.t.Context(), "stella_app", tenant, query, tenant); err != nil || n > 0 {
			o.t.Errorf("tenant %s has %d %s: %v", tenant, n, what, err)
		}
	}
}

// log wants each entry once, and of an attestation that is kept.
func (o *proofOracle) log() (entries int64) {
	storage, closer, err := tlog.NewDir(filepath.Join(o.dir, logFolder))
	if err != nil {
		o.t.Fatal(err)
	}
	defer closer.Close()
	ctx := o.t.Context()
	reader := tlog.NewReader(storage.Source(), &o.proof.root.Logs)
	c, err := reader.Checkpoint(ctx)
	if err != nil {
		o.t.Errorf("the log: %v", err)
		return 0
	}
	kept := o.kept()
	seen := map[tlog.Hash]int64{}
	for at := int64(0); at < c.Size; {
		list, err := reader.Entries(ctx, c.Tree, at)
		if err != nil {
			o.t.Errorf("the log: %v", err)
			return at
		}
		for i, entry := range list {
			leaf, index := tlog.LeafHash(entry), at+int64(i)
			if before, ok := seen[leaf]; ok {
				o.t.Errorf("entries %d and %d of the log are the same", before, index)
			}
			seen[leaf] = index
			if want, ok := o.receipts[leaf]; ok && want != index {
				o.t.Errorf("entry %d of the log has a receipt for %d", index, want)
			}
			if !kept[leaf] {
				o.t.Errorf("entry %d of the log is of nothing that is kept", index)
			}
		}
		at += int64(len(list))
	}
	for leaf, index := range o.receipts {
		if _, ok := seen[leaf]; !ok {
			o.t.Errorf("a receipt for %d is of no entry", index)
		}
	}
	return c.Size
}

// kept are the leaves of all attestations.
func (o *proofOracle) kept() map[tlog.Hash]bool {
	out := map[tlog.Hash]bool{}
	for _, name := range tenants {
		t, err := o.root.Tenant(name)
		if err != nil {
			o.t.Fatal(err)
		}
		for q := (attest.Query{Limit: 500}); ; {
			page, err := t.Attest().Find(o.t.Context(), q)
			if err != nil {
				o.t.Fatal(err)
			}
			for i := range page.Attestations {
				out[o.leaf(&page.Attestations[i])] = true
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return out
}

func (o *proofOracle) leaf(a *attest.Attestation) tlog.Hash {
	b, err := bundle.ReadAll(bytes.NewReader(append(bytes.Clone(a.Envelope), '\n')), nil)
	if err != nil || len(b) != 1 || b[0].Envelope == nil {
		o.t.Errorf("attestation %s: %v", a.ID, err)
		return tlog.Hash{}
	}
	r := &rekor.Record{Envelope: b[0].Envelope, PublicKey: o.proof.signing.Public().DER()}
	body, err := r.Body()
	if err != nil {
		o.t.Errorf("attestation %s: %v", a.ID, err)
	}
	return tlog.LeafHash(body)
}
