package mirror_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
)

// in is the publisher of a copy of a folder, which dies before its nth writing.
func (s *site) in(dir string, nth int) (p *mirror.Publisher, written *[]string) {
	p = &mirror.Publisher{Dir: dir, Signers: s.Signers, Deltas: s.Deltas, VEX: s.VEX}
	written = new([]string)
	p.Before(func(file string) error {
		if len(*written) == nth {
			return errPower
		}
		*written = append(*written, file)
		return nil
	})
	return p, written
}

// never is more than the writings of any release.
const never = 1000

// follower is a client of a mirror's folder, on a copy of a store.
func (s *site) follower(t testing.TB, dir, store string) *mirror.Client {
	t.Helper()
	return &mirror.Client{Source: role.FS(os.DirFS(dir)), Store: snapshot.Store{Dir: copyFolder(t, store)}, Root: s.root}
}

// crashes lets what a publisher does die before each of its writings, in a copy of the
// mirror. Those who follow then have what was published before or what comes next, or
// refuse what lies there for the reason between, and follow again after each of the ways
// in which the publisher may go on.
func (s *site) crashes(t *testing.T, at time.Time, allowed []string, between error, do func(*mirror.Publisher) error) {
	known := s.client(t)
	if _, err := known.Update(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	other := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 29)})
	ways := []struct {
		name    string
		allowed []string
		do      func(*mirror.Publisher) error
	}{
		{"publishes something else", []string{other.Digest()}, func(p *mirror.Publisher) error { _, err := p.Publish(t.Context(), at, other, 0); return err }},
		{"renews", allowed, func(p *mirror.Publisher) error { return p.Renew(t.Context(), at) }},
		{"does it again", allowed, do},
	}
	for nth := 0; ; nth++ {
		dir := copyFolder(t, s.Dir)
		p, written := s.in(dir, nth)
		died := do(p)
		if died != nil && !errors.Is(died, errPower) {
			t.Fatalf("writing %d: %v", nth, died)
		}
		c := s.follower(t, dir, known.Store.Dir)
		u, err := c.Update(t.Context(), at)
		if (err != nil || !slices.Contains(allowed, u.Digest)) && (between == nil || !errors.Is(err, between)) {
			t.Errorf("it dies after %q: %+v, %v", *written, u, err)
		}
		for i, way := range ways {
			stores := []string{c.Store.Dir}
			if i == nth%len(ways) { // those who know nothing are for each writing once
				stores = append(stores, t.TempDir())
			} else if testing.Short() {
				continue
			}
			what := fmt.Sprintf("it dies after %q and then %s", *written, way.name)
			dir := copyFolder(t, dir)
			p, _ := s.in(dir, never)
			if err := way.do(p); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			for _, store := range stores {
				if u, err := s.follower(t, dir, store).Update(t.Context(), at); err != nil || !slices.Contains(way.allowed, u.Digest) {
					t.Errorf("%s: %+v, %v", what, u, err)
				}
			}
		}
		if died == nil {
			if nth < 2 {
				t.Errorf("it writes only %q", *written)
			}
			return
		}
	}
}

// published is a site that has published twice, and what it published last.
func published(t *testing.T) (*site, *snapshot.Snapshot) {
	t.Helper()
	s := newSite(t)
	last := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 21)})
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 20)}))
	s.publish(t, start, last)
	return s, last
}

func TestPublishCrashes(t *testing.T) {
	t.Parallel()
	s, last := published(t)
	third := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 22, 3), "osv": records("osv", 5)})
	s.crashes(t, start, []string{last.Digest(), third.Digest()}, nil, func(p *mirror.Publisher) error {
		_, err := p.Publish(t.Context(), start, third, 0)
		return err
	})
}

func TestRenewCrashes(t *testing.T) {
	t.Parallel()
	s, last := published(t)
	at := start.Add(time.Hour)
	s.crashes(t, at, []string{last.Digest()}, nil, func(p *mirror.Publisher) error { return p.Renew(t.Context(), at) })
}

// TestRotateCrashes: a root that was written is the publisher's, and the other way round.
// Between a new root and the first timestamp that its holders sign, clients wait.
func TestRotateCrashes(t *testing.T) {
	t.Parallel()
	s, last := published(t)
	next := s.nextRoot(t, newKey(t, 42))
	old := s.Signers
	s.Signers = map[role.Role][]dsse.Signer{role.RoleTargets: old[role.RoleTargets], role.RoleSnapshot: old[role.RoleSnapshot],
		role.RoleTimestamp: {newKey(t, 42), old[role.RoleTimestamp][0].(*dsse.PrivateKey)}}
	s.crashes(t, start, []string{last.Digest()}, role.ReasonThreshold, func(p *mirror.Publisher) error {
		if err := p.Rotate(next); err != nil {
			return err
		}
		return p.Renew(t.Context(), start)
	})
}

// nextRoot is signed like the one that the site began with, and gives timestamp to another.
func (s *site) nextRoot(t testing.TB, k *dsse.PrivateKey) []byte {
	t.Helper()
	r, err := role.DecodeRoot(s.root)
	if err != nil {
		t.Fatal(err)
	}
	r.Version++
	r.Roles[role.RoleTimestamp] = role.Keys(1, k.Public())
	next, err := r.Sign(t.Context(), s.Signers[role.RoleRoot]...)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestFinished: the release that a publisher had signed when it died is published as it
// was signed, by whatever it does next.
func TestFinished(t *testing.T) {
	t.Parallel()
	s, _ := published(t)
	third := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 22)})
	for nth := 0; ; nth++ {
		dir := copyFolder(t, s.Dir)
		p, written := s.in(dir, nth)
		_, err := p.Publish(t.Context(), start, third, 0)
		if err == nil {
			t.Fatal("no state was kept")
		}
		if len(*written) == 0 || (*written)[len(*written)-1] != "publisher.json" {
			continue
		}
		for _, name := range *written {
			if !strings.HasPrefix(name, "sha256/") && !slices.Contains([]string{"history.json", "publisher.json"}, name) {
				t.Errorf("before it had kept its state it wrote %s", name)
			}
		}
		if before, err := s.follower(t, dir, t.TempDir()).Update(t.Context(), start); err != nil || before.Version != 2 {
			t.Errorf("%+v, %v", before, err)
		}
		p, _ = s.in(dir, never)
		if err := p.Rotate(s.root); err != nil { // that it has
			t.Fatal(err)
		}
		u, err := s.follower(t, dir, t.TempDir()).Update(t.Context(), start)
		if err != nil || u.Version != 3 || u.Digest != third.Digest() {
			t.Errorf("%+v, %v", u, err)
		}
		return
	}
}

// TestResumeCrashes: who dies while taking over another's releases takes them over the
// next time, with all roots on the way.
func TestResumeCrashes(t *testing.T) {
	t.Parallel()
	s, _ := published(t)
	if err := s.Rotate(s.nextRoot(t, newKey(t, 42))); err != nil {
		t.Fatal(err)
	}
	s.Signers[role.RoleTimestamp] = []dsse.Signer{newKey(t, 42)}
	s.publish(t, start, snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 23)}))
	src := source(t, s.parts(t))
	last := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 24)})
	for nth := 0; ; nth++ {
		dir := filepath.Join(t.TempDir(), "lost")
		p, _ := s.in(dir, never)
		if err := p.Begin(s.root); err != nil {
			t.Fatal(err)
		}
		p, written := s.in(dir, nth)
		_, died := p.Resume(t.Context(), src)
		if died != nil && !errors.Is(died, errPower) {
			t.Fatal(died)
		}
		p, _ = s.in(dir, never)
		if err := p.Renew(t.Context(), start); !errors.Is(err, mirror.ErrNotFound) && died == nil {
			t.Errorf("without contents it renews: %v", err)
		}
		if _, err := p.Resume(t.Context(), src); err != nil {
			t.Errorf("after %q: %v", *written, err)
		}
		if out, err := p.Publish(t.Context(), start, last, 0); err != nil || out.Version != 4 {
			t.Errorf("after %q: %+v, %v", *written, out, err)
		}
		if u, err := s.follower(t, dir, t.TempDir()).Update(t.Context(), start); err != nil || u.Digest != last.Digest() {
			t.Errorf("after %q: %+v, %v", *written, u, err)
		}
		if died == nil {
			return
		}
	}
}

// TestBeginCrashes: a mirror that was begun is one.
func TestBeginCrashes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := snap(t, map[string][]*advisory.Record{"ghsa": records("ghsa", 3)})
	for nth := range 3 {
		dir := filepath.Join(t.TempDir(), "new")
		p, _ := s.in(dir, nth)
		if err := p.Begin(s.root); (err == nil) != (nth == 2) {
			t.Fatal(nth, err)
		}
		p, _ = s.in(dir, never)
		if err := p.Begin(s.root); err != nil && !errors.Is(err, mirror.ErrConflict) {
			t.Error(err)
		}
		if _, err := p.Publish(t.Context(), start, one, 0); err != nil {
			t.Error(err)
		}
		if _, err := s.follower(t, dir, t.TempDir()).Update(t.Context(), start); err != nil {
			t.Errorf("begun after %d writings: %v", nth, err)
		}
	}
}
