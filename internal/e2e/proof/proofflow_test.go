package proof

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
)

// TestProofFlow goes through what can go wrong on the way from a scan to its exports,
// point by point. Each test begins with the same scan, which completed, and compares with
// what is made of it where nothing goes wrong. That reading over HTTP changes nothing (6.01),
// and goes on where it broke off (6.09), are TestNothingIsMadeByReading and TestResume of
// package attesthttp.
func TestProofFlow(t *testing.T) {
	base := newLab(t, newParties(t))
	calm := base.copy(t)
	calm.work()
	f := &flow{base: base, want: calm.result()}
	calm.close()
	for _, c := range []struct {
		name string
		test func(*flow, *lab)
	}{
		{"reading makes nothing", (*flow).reading}, {"an object is missing", (*flow).missing}, {"an object is damaged", (*flow).damaged},
		{"a conversion is half done", (*flow).half}, {"the reply of a signature is lost", (*flow).signReply}, {"a signature that is another each time", (*flow).random},
		{"signed, not attested", (*flow).signedOnly}, {"a PUT is lost, or done twice", (*flow).put}, {"the outcome of a commit is not known", (*flow).unknown},
		{"a key is rotated", (*flow).rotated}, {"a key is revoked", (*flow).revoked}, {"the scan is deleted", (*flow).deleted}, {"the scan is held", (*flow).held},
		{"log and authority are away", (*flow).away}, {"a log and an authority that lie", (*flow).lies}, {"the reply of a push is lost", (*flow).pushReply},
		{"the end of a bundle is missing", (*flow).truncated}, {"who was frozen names what is old", (*flow).frozen},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := base.copy(t)
			c.test(f, l)
			l.close()
		})
	}
}

// some is every third of a list, all of it where there is time, and the first where there
// is little.
func some[T any](list []T) (out []T) {
	switch {
	case servers.Long():
		return list
	case testing.Short():
		return list[:1]
	}
	for i := 0; i < len(list); i += 3 {
		out = append(out, list[i])
	}
	return out
}

type flow struct {
	base *lab
	want map[string]string
}

// same wants what is there to be what is made where nothing goes wrong.
func (f *flow) same(l *lab) {
	l.Helper()
	if diff := cmp.Diff(f.want, l.result()); diff != "" {
		l.Errorf("another result (-without faults +got):\n%.2000s", diff)
	}
}

// alike wants the same but for the log's entries, which say in which order they came, and
// for the number of the version, which says whether one came late.
func (f *flow) alike(l *lab) {
	l.Helper()
	if diff := cmp.Diff(unlogged(l, f.want), unlogged(l, l.result())); diff != "" {
		l.Errorf("another result (-without faults +got):\n%.2000s", diff)
	}
	l.provedOnce()
}

// unlogged takes the log's entries out of bundles.
func unlogged(t testing.TB, result map[string]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, text := range result {
		if strings.HasPrefix(name, "push ") {
			name, text = "push", "completed"
		}
		if strings.HasSuffix(name, ".jsonl") {
			list := items(t, []byte(text))
			for i := range list {
				list[i].Bundle.Material.Entries = nil
			}
			text = string(lines(t, list))
		}
		out[name] = strings.NewReplacer(" 2,", " 1,", " 2 lacking", " 1 lacking").Replace(text) // a proof may have come late
	}
	return out
}

func lines(t testing.TB, list []bundle.Item) []byte {
	t.Helper()
	text, err := bundle.Encode(list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rows counts the rows of all tables about proof, beside settings.
func (l *lab) rows() map[string]int {
	l.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(l.dir, "stella.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		l.Fatal(err)
	}
	defer db.Close()
	out := map[string]int{}
	for _, table := range []string{"attest_signatures", "attest_attestations", "attest_subjects", "attest_wanted", "attest_proofs", "attest_uses", "attest_exports", "attest_bundled", "attest_pushes", "scanner_blob_refs", "transport_outbox"} {
		n := 0
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			l.Fatal(err)
		}
		out[table] = n
	}
	return out
}

// reading is 6.01: before anybody asks there is nothing, and looking makes nothing.
func (f *flow) reading(l *lab) {
	before := l.rows()
	if list := l.exports(); len(list) > 0 {
		l.Errorf("%+v", list)
	}
	r, err := l.reader()
	if err != nil {
		l.Fatal(err)
	}
	_, m, err := r.Read(l.Context(), l.scan, export.Basis{Decision: true})
	if err != nil {
		l.Fatal(err)
	}
	for _, format := range export.Formats() {
		if _, err := m.Render(format); err != nil && format != export.Evidence {
			l.Error(err)
		}
	}
	if _, _, err := l.attestor().Bundle(l.Context(), "acme", sum.Of([]byte("none"))); !errors.Is(err, fault.NotFound) {
		l.Errorf("a bundle of nothing: %v", err)
	}
	if diff := cmp.Diff(before, l.rows()); diff != "" {
		l.Errorf("looking changed rows: %s", diff)
	}
	if l.crash(crashpoint.ExportRequested, 1); len(l.exports()) == 0 {
		l.Error("what was committed is not there")
	}
}

// documents are the digests of what the scan has, the neutral document first.
func (l *lab) documents() []string {
	l.Helper()
	s, err := l.tenant.Exports().Scan(l.Context(), l.scan)
	if err != nil {
		l.Fatal(err)
	}
	out := []string{s.SBOM}
	for _, d := range s.Documents {
		if d.Ref.Digest != s.SBOM {
			out = append(out, d.Ref.Digest)
		}
	}
	return out
}

// poor has nothing of documents in its rows, as of large ones.
type poor struct{ export.Source }

func (p poor) Scan(ctx context.Context, id string) (*export.Scan, error) {
	s, err := p.Source.Scan(ctx, id)
	if err != nil {
		return nil, err
	}
	s.Documents = slices.Clone(s.Documents)
	for i := range s.Documents {
		s.Documents[i].Content = nil
	}
	return s, nil
}

// withoutRows has the Center read documents as objects alone.
func (l *lab) withoutRows() {
	l.center.Readers = func(string) (*export.Reader, error) {
		r, err := l.reader()
		r.Source = poor{r.Source}
		return r, err
	}
}

// missing is 6.02: an object that is gone comes back from its row; where the row has
// nothing, the error names it, and the export waits.
func (f *flow) missing(l *lab) { f.spoilt(l, os.Remove, fault.NotFound) }

// damaged is 6.03: an object with another content is refused, and comes back.
func (f *flow) damaged(l *lab) {
	f.spoilt(l, func(path string) error {
		b, err := os.ReadFile(path)
		if err == nil {
			b[len(b)/2] ^= 1
			err = os.WriteFile(path, b, 0o600)
		}
		return err
	}, fault.Mismatch)
}

func (f *flow) spoilt(l *lab, spoil func(string) error, kind error) {
	list := l.documents()
	for _, d := range list {
		if err := spoil(l.file(d)); err != nil {
			l.Fatal(err)
		}
	}
	l.withoutRows()
	l.work() // fails
	for _, e := range l.exports() {
		if e.Made != nil || !strings.Contains(e.Reason, list[0]) {
			l.Errorf("%s without its document is %s, made %v: %q", e.Format, e.State, e.Made != nil, e.Reason)
		}
	}
	r, err := l.center.Readers("acme")
	if err != nil {
		l.Fatal(err)
	}
	if _, _, err := r.Read(l.Context(), l.scan, export.Basis{}); !errors.Is(err, kind) || !strings.Contains(err.Error(), list[0]) {
		l.Errorf("the error does not say what is missing: %v", err)
	}
	l.restart()
	if _, err := l.center.Request(l.Context(), "acme", export.Ask{ScanID: l.scan, Formats: []export.Format{export.SPDX, export.SARIF, export.OpenVEX, export.Evidence}, By: "ann"}); err != nil {
		l.Fatal(err)
	}
	l.work()
	for _, d := range list {
		if b, err := os.ReadFile(l.file(d)); err != nil || sum.Of(b) != d {
			l.Errorf("object %s did not come back: %v", d, err)
		}
	}
	f.same(l)
}

// faulty is objects of which one call of Put fails.
type faulty struct {
	export.Objects
	left  *int // calls until it fails
	after bool // whether it is done all the same
	twice bool // whether each is done twice
}

var errCut = fmt.Errorf("the connection was cut: %w", fault.Unavailable)

func (o *faulty) Put(ctx context.Context, r io.Reader) (blob.Ref, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return blob.Ref{}, err
	}
	*o.left--
	if *o.left == 0 && !o.after {
		if _, err := o.Objects.Put(ctx, io.MultiReader(bytes.NewReader(text[:len(text)/2]), brokenReader{})); err == nil {
			return blob.Ref{}, errors.New("half of it was kept")
		}
		return blob.Ref{}, errCut
	}
	ref, err := o.Objects.Put(ctx, bytes.NewReader(text))
	if o.twice && err == nil {
		ref, err = o.Objects.Put(ctx, bytes.NewReader(text))
	}
	if *o.left == 0 {
		return blob.Ref{}, errCut
	}
	return ref, err
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errCut }

// half is 6.04: what breaks off in the middle leaves nothing.
func (f *flow) half(l *lab) {
	left := 1
	l.faulting = func(o export.Objects) export.Objects { return &faulty{Objects: o, left: &left} }
	l.carry()
	h := &export.Handler{Center: l.center}
	l.handle("scanner:events", h.Handle)
	l.carry()
	before := l.rows()
	l.sent["export:jobs"] = l.sent["export:jobs"][:1]
	l.handle("export:jobs", h.Handle)
	for _, e := range l.exports() {
		if e.Made != nil {
			l.Errorf("%s is there: %+v", e.Format, e.Made)
		}
	}
	after := l.rows()
	delete(before, "attest_signatures") // which are made once, for whoever comes next
	delete(after, "attest_signatures")
	if diff := cmp.Diff(before, after); diff != "" {
		l.Errorf("a conversion that broke off left rows: %s", diff)
	}
	l.faulting = nil
	l.restart()
	l.work()
	f.alike(l)
}
