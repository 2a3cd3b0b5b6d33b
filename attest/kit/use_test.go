package kit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/vex"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

func sequence[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func item(kind, name string, content []byte) kit.Item {
	return kit.Item{Kind: kind, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

// TestUse carries a snapshot of advisories and a set of VEX statements to a site, which
// matches and decides by them.
func TestUse(t *testing.T) {
	var built bytes.Buffer
	var records []*advisory.Record
	for i := range 50 {
		records = append(records, &advisory.Record{ID: fmt.Sprintf("GHSA-%04d", i), Modified: "2026-05-20T16:03:47Z", Digest: fmt.Sprintf("sha256:%064x", i),
			Affected: []advisory.Affected{{Ecosystem: []string{"npm", "Go"}[i%2], Name: fmt.Sprint("p", i)}}})
	}
	if _, err := snapshot.Build(&built, sequence(records)); err != nil {
		t.Fatal(err)
	}
	snap, err := snapshot.Read(built.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	manifest, digest, err := snap.Manifest().Encode()
	if err != nil {
		t.Fatal(err)
	}
	list := []kit.Item{item(kit.KindAdvisory, "manifest.json", manifest)}
	for _, s := range snap.Manifest().Segments {
		object, err := snap.Object(s.Digest)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item(kit.KindAdvisory, "objects/"+strings.TrimPrefix(s.Digest, "sha256:"), object))
	}
	statement := &vex.Statement{Vulnerability: "CVE-2026-1", Status: vex.NotAffected, Justification: vex.CodeNotPresent, Products: []vex.Product{{PURL: "pkg:npm/x@1.2.3"}}}
	if err := statement.Prepare(); err != nil {
		t.Fatal(err)
	}
	var set bytes.Buffer
	if _, err := vexsnapshot.Build(ctx, &set, sequence([]*vex.Statement{statement})); err != nil {
		t.Fatal(err)
	}
	list = append(list, item(kit.KindVEX, "set", set.Bytes()))

	p := newPublisher(t)
	s := p.store(t)
	load(t, s, write(t, p.publish(t, list), 0))
	a, err := s.Active()
	if err != nil {
		t.Fatal(err)
	}
	cache := &snapshot.Cache{
		Dir: t.TempDir(),
		Manifest: func(ctx context.Context, _ string) ([]byte, error) {
			return a.Read(ctx, kit.KindAdvisory, "manifest.json", 1<<20)
		},
		Object: func(ctx context.Context, digest string) ([]byte, error) {
			return a.Read(ctx, kit.KindAdvisory, "objects/"+strings.TrimPrefix(digest, "sha256:"), 1<<30)
		},
	}
	view, done, err := cache.View(ctx, digest)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := view.Affected(ctx, "npm", "p4")
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	done()
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := a.Entry(kit.KindVEX, "set")
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.File(ctx, kit.KindVEX, "set")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	statements, err := vexsnapshot.New(f, e.Length)
	if err != nil {
		t.Fatal(err)
	}
	found, err := statements.Statements(ctx, []string{"CVE-2026-1"})
	if err != nil || len(found) != 1 || found[0].ID != statement.ID {
		t.Errorf("%v, %v", found, err)
	}
}

// TestSelf: this test's program is one of the engine's files.
func TestSelf(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	open := func() (io.ReadCloser, error) { return os.Open(filepath.Clean(path)) }
	p := newPublisher(t)
	e := p.publish(t, []kit.Item{{Kind: kit.KindEngine, Name: "test/test", Open: open}})
	self, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if got, err := kit.CheckEngine(ctx, self, e.Entries); err != nil || got.Name != "test/test" {
		t.Errorf("%+v, %v", got, err)
	}
}
