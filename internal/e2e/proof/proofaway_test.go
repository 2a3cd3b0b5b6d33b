package proof

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/store/crashpoint"
)

// away is 6.12: a bundle says what it has no proof of, and gets it as another version.
func (f *flow) away(l *lab) {
	l.away = true
	l.work()
	v := l.verifier(l)
	first := map[export.Format]*export.Made{}
	for _, e := range l.exports() {
		if e.State != export.Completed || e.Made.Version != 1 || !slices.Equal(e.Made.Missing, []string{"log", "timestamp"}) {
			l.Errorf("%s: %s, %+v", e.Format, e.State, e.Made)
		}
		text := l.object(e.Made.Bundle)
		for code, want := range map[attest.Reason]*attest.Expectation{attest.ReasonNotLogged: {At: time.Now(), Logged: true}, attest.ReasonNoTimestamp: {At: time.Now(), Stamped: true}} {
			if _, err := v.Lines(l.Context(), text, "", want); attest.Code(err) != string(code) {
				l.Errorf("%s without proofs: %q, %v", e.Format, attest.Code(err), err)
			}
		}
		if _, err := v.Lines(l.Context(), text, "", &attest.Expectation{At: time.Now(), Canonical: true}); err != nil {
			l.Errorf("%s: its signatures: %v", e.Format, err)
		}
		first[e.Format] = e.Made
	}
	l.work() // it is still away: nothing changes
	for _, e := range l.exports() {
		if e.Version != 1 {
			l.Errorf("%s has version %d, and nothing new is there", e.Format, e.Version)
		}
	}
	l.away = false
	f.provedLater(l)
	l.provedOnce()
	for _, e := range l.exports() {
		if e.Made.Version != 2 || e.Made.Key != first[e.Format].Key || e.Format != export.Evidence && e.Made.Document.Ref.Digest != first[e.Format].Document.Ref.Digest {
			l.Errorf("%s with proofs: %+v, before %+v", e.Format, e.Made, first[e.Format])
		}
		one, two := items(l, l.object(first[e.Format].Bundle)), items(l, l.object(e.Made.Bundle))
		for i := range one {
			if !bytes.Equal(one[i].Bundle.Envelope.Signatures[0].Sig, two[i].Bundle.Envelope.Signatures[0].Sig) {
				l.Errorf("%s: line %d was signed anew", e.Format, i+1)
			}
		}
	}
}

// liar is a log that gives another's entry, and an authority that stamps something else.
type liar struct {
	attest.Embedded
	l     *lab
	first *bundle.Entry
}

func (p *liar) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	e, err := p.Embedded.Enter(ctx, r)
	if err != nil {
		return nil, err
	}
	if p.first == nil || bytes.Equal(e.Body, p.first.Body) {
		p.first = e
		damaged, proof := *e, *e.Proof
		proof.Hashes = append(slices.Clone(proof.Hashes), [32]byte{})
		damaged.Proof = &proof
		return &damaged, nil
	}
	return p.first, nil
}

func (p *liar) Stamp(ctx context.Context, message []byte) ([]byte, error) {
	return p.l.parties.Stamp(ctx, append(bytes.Clone(message), 'x'))
}

type lyingStamper struct{ *liar }

func (lyingStamper) Name() string { return tsaURL }

// lies is 6.12: what a party says that lies is not kept, and no bundle has it.
func (f *flow) lies(l *lab) {
	p := &liar{Embedded: attest.Embedded{Log: l.log}, l: l}
	l.attestor().Log, l.attestor().Stamper = p, lyingStamper{p}
	l.work()
	for _, e := range l.exports() {
		if e.Made != nil && len(e.Made.Missing) == 0 {
			l.Errorf("%s has proofs of liars: %+v", e.Format, e.Made)
		}
	}
	if n := l.rows()["attest_proofs"]; n > 0 {
		l.Errorf("%d proofs of liars are kept", n)
	}
}

// deaf is a target whose answer is lost.
type deaf struct {
	export.Target
	pushed *int
}

func (d *deaf) Push(ctx context.Context, p *export.Parcel) (string, error) {
	receipt, err := d.Target.Push(ctx, p)
	if *d.pushed++; err == nil && *d.pushed == 1 {
		return "", errCut
	}
	return receipt, err
}

// pushReply is 6.13: what is there already is not pushed once more.
func (f *flow) pushReply(l *lab) {
	pushed, target := 0, l.center.Target
	l.center.Target = func(ctx context.Context, tenant string, d export.Destination) (export.Target, error) {
		t, err := target(ctx, tenant, d)
		return &deaf{t, &pushed}, err
	}
	l.work()
	list, err := l.tenant.Exports().Pushes(l.Context(), l.scan)
	if err != nil || len(list) != 1 || list[0].State != export.Queued || list[0].Attempt != 1 || pushed != 1 {
		l.Fatalf("after the answer was lost: %+v, %v", list, err)
	}
	files := func() (out []string) {
		out, err := filepath.Glob(filepath.Join(l.dir, "pushed", "acme", l.scan, "*", "*"))
		if err != nil {
			l.Fatal(err)
		}
		return out
	}
	before := files()
	if len(before) != 1 {
		l.Fatal(before)
	}
	info, err := os.Stat(before[0])
	if err != nil {
		l.Fatal(err)
	}
	for over := time.Now().Add(20 * time.Second); pushed < 2 && time.Now().Before(over); time.Sleep(200 * time.Millisecond) {
		l.work() // the next attempt comes after a while
	}
	f.same(l)
	if after := files(); len(after) != 1 || after[0] != before[0] {
		l.Errorf("pushed to %v, and before to %v", after, before)
	}
	if again, err := os.Stat(before[0]); err != nil || !again.ModTime().Equal(info.ModTime()) || !os.SameFile(info, again) {
		l.Errorf("it was written again: %v", err)
	}
}

// truncated is 6.14: evidence without its end is refused, with its digest at any byte, and
// without it at every line.
func (f *flow) truncated(l *lab) {
	l.work()
	e := l.made(export.Evidence)
	text, v := l.object(e.Made.Bundle), l.verifier(l)
	refused := func(n int, digest string) {
		if _, err := v.Evidence(l.Context(), text[:n], digest, logged()); attest.Code(err) == "" {
			l.Errorf("%d of %d bytes, digest %q: %v", n, len(text), digest, err)
		}
	}
	step := max(1, len(text)/200)
	for n := 0; n < len(text); n += step {
		refused(n, e.Made.Bundle.Ref.Digest)
		refused(n, "")
	}
	for i, b := range text[:len(text)-1] {
		if b == '\n' {
			refused(i, "")
			refused(i+1, "")
		}
	}
	refused(len(text)-1, "")
	if _, err := v.Evidence(l.Context(), text, e.Made.Bundle.Ref.Digest, logged()); err != nil {
		l.Error(err)
	}
}

// frozen has somebody who stood still while a newer version was made go on: the name
// stays with what the row points to.
func (f *flow) frozen(l *lab) {
	for _, p := range []crashpoint.Point{crashpoint.ExportBundled, crashpoint.ExportNamed, crashpoint.ExportAttested} {
		l := f.base.copy(l)
		l.away = true
		l.at(p, 1, func() {
			defer crashpoint.Set(crashpoint.Set(nil)) // another process
			l.restartOther(func(other *lab) {
				other.work()
				f.provedLater(other)
				if e := other.exports(); len(e) == 0 || e[0].Made == nil || e[0].Made.Version != 2 {
					l.Errorf("%s: %+v", p, e)
				}
			})
		})
		l.away = false
		f.provedLater(l)
		l.result() // compares names
		l.provedOnce()
		l.close()
	}
}

// restartOther has another process work on the same files, beside this one.
func (l *lab) restartOther(do func(*lab)) {
	l.Helper()
	other := &lab{TB: l.TB, parties: l.parties, dir: l.dir, scan: l.scan, away: true}
	other.open()
	other.recover()
	other.work() // as this one: without proofs
	other.away = false
	do(other)
	other.close()
}
