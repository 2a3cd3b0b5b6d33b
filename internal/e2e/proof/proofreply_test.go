package proof

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
)

// lossy is a key whose first answer is lost.
type lossy struct {
	attest.Key
	made [][]byte
}

func (k *lossy) Sign(ctx context.Context, message []byte) ([]byte, error) {
	sig, err := k.Key.Sign(ctx, message)
	if err != nil {
		return nil, err
	}
	if k.made = append(k.made, sig); len(k.made) == 1 {
		return nil, errCut
	}
	return sig, nil
}

func (l *lab) open1(k attest.Key) {
	l.signer().Keys = &attest.Held{Ring: l.parties.root.Keys, Open: []attest.Key{k}, Now: time.Now}
}

// signReply is 6.05: who is asked again gives the same signature.
func (f *flow) signReply(l *lab) {
	k := &lossy{Key: l.signing}
	l.open1(k)
	l.work()
	l.restart()
	l.open1(k)
	l.work()
	if !slices.ContainsFunc(k.made[1:], func(sig []byte) bool { return bytes.Equal(sig, k.made[0]) }) {
		l.Error("the signature that was lost was not made again")
	}
	f.alike(l)
}

// dice is a key that signs the same in another way each time.
type dice struct {
	private *ecdsa.PrivateKey
	public  *dsse.PublicKey
	signed  map[string]int
}

func (d *dice) KeyID() string           { return d.public.KeyID() }
func (d *dice) Public() *dsse.PublicKey { return d.public }

func (d *dice) Sign(_ context.Context, message []byte) ([]byte, error) {
	d.signed[string(message)]++
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, d.private, sum[:])
}

// random is 6.05 for keys that sign in another way each time: a signature that nobody
// kept is referred to by nobody, and one that was kept is never made again.
func (f *flow) random(l *lab) {
	for _, at := range []crashpoint.Point{crashpoint.SignMade, crashpoint.SignKept} {
		l := f.base.copy(l)
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			l.Fatal(err)
		}
		d := &dice{private: private, signed: map[string]int{}}
		if d.public, err = dsse.NewPublicKey(&private.PublicKey); err != nil {
			l.Fatal(err)
		}
		root := *l.parties.root
		root.Keys = key.Ring{Members: []key.Member{{Key: d.public, From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}}
		l.parties = &parties{signing: l.signing, next: l.next, logKey: l.logKey, tsa: l.tsa, root: &root, tokens: map[string][]byte{}}
		l.open1(d)
		if !l.crash(at, 1) {
			l.Errorf("%s was not reached", at)
		}
		l.restart()
		l.open1(d)
		l.work()
		again := 0
		for _, n := range d.signed {
			again += n - 1
		}
		if want := map[crashpoint.Point]int{crashpoint.SignMade: 1}[at]; again != want {
			l.Errorf("%s: %d signatures were made again, want %d", at, again, want)
		}
		l.provedOnce()
		l.close()
	}
}

// provedOnce wants each payload signed once by each key, and all bundles good.
func (l *lab) provedOnce() {
	l.Helper()
	v := l.verifier(l)
	seen := map[string]string{}
	for _, e := range l.exports() {
		if e.Made == nil || len(e.Made.Missing) > 0 {
			l.Errorf("%s is %s: %s; %+v", e.Format, e.State, e.Reason, e.Made)
			continue
		}
		text := l.object(e.Made.Bundle)
		if _, err := v.Lines(l.Context(), text, e.Made.Bundle.Ref.Digest, logged()); err != nil {
			l.Errorf("%s: %v", e.Format, err)
		}
		for _, i := range items(l, text) {
			payload := sum.Of(i.Bundle.Envelope.Payload) + e.Inputs.KeyID
			if sig := string(i.Bundle.Envelope.Signatures[0].Sig); seen[payload] == "" {
				seen[payload] = sig
			} else if seen[payload] != sig {
				l.Errorf("%s has another signature of the same", e.Format)
			}
		}
	}
}

func items(t testing.TB, text []byte) []bundle.Item {
	t.Helper()
	out, err := bundle.ReadAll(bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signedOnly is 6.06: nothing of what is half done is seen.
func (f *flow) signedOnly(l *lab) {
	for nth := 1; nth <= 4; nth++ {
		l := f.base.copy(l)
		made := func() (n int) {
			for _, e := range l.exports() {
				if e.Made != nil {
					n++
				}
			}
			return n
		}
		if !l.crash(crashpoint.SignKept, nth) {
			l.Fatalf("it was not passed %d times", nth)
		}
		files, err := filepath.Glob(filepath.Join(l.dir, "bucket", "acme", l.scan, "*.jsonl"))
		if err != nil || len(files) > made() {
			l.Errorf("%d bundles are to be seen of %d: %v, %v", len(files), made(), files, err)
		}
		l.restart()
		l.work()
		f.same(l)
		l.close()
	}
}

// put is 6.07: an object that was put, and nobody was told so, is put again as the same.
func (f *flow) put(l *lab) {
	for _, c := range []faulty{{after: true}, {twice: true}} {
		for _, nth := range some([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}) {
			l := f.base.copy(l)
			left := nth
			l.faulting = func(o export.Objects) export.Objects {
				return &faulty{Objects: o, left: &left, after: c.after, twice: c.twice}
			}
			l.work()
			l.restart()
			l.work()
			f.alike(l)
			l.close()
			if c.twice {
				break
			}
		}
	}
}

// amnesiac is a store whose answer to one call is lost, of those that write.
type amnesiac struct {
	attest.Store
	left *int
}

func (s *amnesiac) lost(err error) error {
	if *s.left--; *s.left == 0 && err == nil {
		return errCut
	}
	return err
}

func (s *amnesiac) KeepSignature(ctx context.Context, in *attest.Signature) (*attest.Signature, error) {
	out, err := s.Store.KeepSignature(ctx, in)
	return out, s.lost(err)
}

func (s *amnesiac) Keep(ctx context.Context, a *attest.Attestation) (*attest.Attestation, error) {
	out, err := s.Store.Keep(ctx, a)
	return out, s.lost(err)
}

func (s *amnesiac) Prove(ctx context.Context, id string, p attest.Proof) (*attest.Attestation, error) {
	out, err := s.Store.Prove(ctx, id, p)
	return out, s.lost(err)
}

// amnesiacExports is the same of exports.
type amnesiacExports struct {
	export.Store
	*amnesiac
}

func (s *amnesiacExports) Request(ctx context.Context, r *export.Request) ([]export.Export, error) {
	out, err := s.Store.Request(ctx, r)
	return out, s.lost(err)
}

func (s *amnesiacExports) Finish(ctx context.Context, r *export.Result) error {
	return s.lost(s.Store.Finish(ctx, r))
}

// unknown is 6.08: what was committed, and nobody was told so, is found by its key.
// Commits whose answer is lost on the way from the database are TestProofCommits.
func (f *flow) unknown(l *lab) {
	nth, step := 1, 4
	if servers.Long() {
		step = 1
	}
	for ; ; nth += step {
		l := f.base.copy(l)
		left := nth
		stores := func(string) (attest.Store, error) { return &amnesiac{Store: l.tenant.Attest(), left: &left}, nil }
		l.signer().Stores, l.attestor().Stores = stores, stores
		l.center.Stores = func(string) (export.Store, error) {
			return &amnesiacExports{l.tenant.Exports(), &amnesiac{left: &left}}, nil
		}
		l.work()
		f.provedLater(l)
		f.alike(l)
		l.close()
		if left > 0 {
			break
		}
	}
	if nth < 20 {
		l.Errorf("only %d calls", nth)
	}
}

// provedLater completes what lacks proofs, as the messages do that come after a while.
func (f *flow) provedLater(l *lab) {
	l.Helper()
	l.restart()
	l.work()
	page, err := l.tenant.Attest().Find(l.Context(), attest.Query{})
	if err != nil {
		l.Fatal(err)
	}
	for i := range page.Attestations {
		if _, err := l.attestor().Complete(l.Context(), "acme", page.Attestations[i].ID); err != nil {
			l.Error(err)
		}
	}
	l.work()
}
