package oracle

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	ours "github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/rpm"
	"github.com/stella-ops/stella/scan/sbom"
)

const maxDamaged = 4 << 20 // bytes of the databases that are damaged, for the time it takes

// TestDamagedRPMDatabases: a damaged database that gives fewer packages than the
// oracle read from the sound one is never accepted without an error.
func TestDamagedRPMDatabases(t *testing.T) {
	dbs := rpmDatabases(t)
	rounds, tried, told := 60, 0, 0
	if testing.Short() {
		rounds = 10
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range testdata.Names(dbs) {
		b := dbs[name]
		if len(b) > maxDamaged {
			continue
		}
		sound, err := readTheirs(t, b)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			bad, how := damaged(random, b)
			n, err := count(bad)
			tried++
			if err != nil {
				told++
			}
			if n < len(sound) && err == nil {
				t.Errorf("%s, %s: %d of %d packages and no error", name, how, n, len(sound))
			}
		}
	}
	if tried == 0 {
		t.Error("no database is small enough to be damaged")
	}
	t.Logf("%d damaged databases, %d of them gave errors", tried, told)
}

// damaged spoils a copy in one of three ways.
func damaged(random *rand.Rand, b []byte) (bad []byte, how string) {
	at := random.IntN(len(b))
	switch random.IntN(3) {
	case 0:
		return b[:at], fmt.Sprint("cut at ", at)
	case 1:
		bad = bytes.Clone(b)
		bad[at] ^= 1 << random.IntN(8)
		return bad, fmt.Sprint("bit flipped at ", at)
	}
	bad = bytes.Clone(b)
	end := min(at+1+random.IntN(4096), len(b))
	clear(bad[at:end])
	return bad, fmt.Sprintf("zeros from %d to %d", at, end)
}

// count returns the packages that our reader gives and its first error.
func count(b []byte) (n int, first error) {
	db, err := ours.Open(bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		return 0, err
	}
	for blob, err := range db.Headers() {
		if err == nil {
			_, err = ours.Decode(blob, nil)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		n++
	}
	return n, first
}

// TestRPMImages scans images that have the databases at their place, and
// compares the packages of the document with the oracle's.
func TestRPMImages(t *testing.T) {
	dbs := rpmDatabases(t)
	for _, name := range testdata.Names(dbs) {
		if testing.Short() && len(dbs[name]) > maxDamaged {
			continue
		}
		t.Run(name, func(t *testing.T) {
			theirs, err := readTheirs(t, dbs[name])
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, p := range theirs {
				if p.Name == "gpg-pubkey" {
					continue // a key, not a package
				}
				version := p.Version + "-" + p.Release
				if p.Epoch >= 0 {
					version = fmt.Sprintf("%d:%s", p.Epoch, version)
				}
				want = append(want, p.Name+" "+version+" "+p.Arch)
			}
			for _, p := range scanned(t, "var/lib/rpm/"+filepath.Base(name), dbs[name]).Packages {
				got = append(got, p.Name+" "+p.Version+" "+p.Arch)
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := gocmp.Diff(slices.Compact(want), got); diff != "" {
				t.Errorf("(-oracle +ours):\n%.4000s", diff)
			}
		})
	}
}

func scanned(t *testing.T, name string, data []byte) *sbom.Document {
	t.Helper()
	b := imagetest.Blob(imagetest.Tar(imagetest.File{Name: name, Data: string(data)}), imagetest.Gzip)
	m := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "test", ConfigDigest: "sha256:test", Layers: []sbom.Layer{{DiffID: b.DiffID}}}}
	m.Layers = append(m.Layers, b)
	r, err := (&scan.Scanner{Analyzers: analyzer.NewSet(rpm.Analyzer{})}).Scan(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return r.Document
}
