package airgap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// The bounds of what is read of a kit at once, in bytes.
const (
	maxManifest = 64 << 20
	maxObject   = 1 << 30
)

// Site is the closed site: a folder with the kits that came in. One process loads at a
// time; others may scan meanwhile.
type Site struct{ Dir string }

func (s Site) kits() kit.Store { return kit.Store{Dir: filepath.Join(s.Dir, "kits")} }

// Trust begins with the root, which must have come on a way that is trusted.
func (s Site) Trust(root []byte) error { return s.kits().Trust(root) }

// Load takes a kit over. Until it returns, and where it fails, the site works with what it
// had.
func (s Site) Load(ctx context.Context, file io.Reader, at time.Time) (*kit.Loaded, error) {
	return s.kits().Load(ctx, file, at, nil)
}

// Options are how images are opened here: no registry is reached but those that are listed,
// which must be inside.
func Options(registries ...string) *image.Options {
	return &image.Options{
		Network:     &image.Network{Policy: image.NetworkAirGap, Allow: registries},
		Credentials: image.NoCredentials,
	}
}

// Scan scans an image, matches it with the advisories of the active kit, and decides by its
// policy. A kit that has expired says what was, not what is: that is an error, and not a
// verdict.
func (s Site) Scan(ctx context.Context, img *scan.Image, at time.Time) (*policy.Result, error) {
	active, err := s.kits().Active()
	if err != nil {
		return nil, err
	}
	if !at.Before(active.Expires) {
		return nil, fmt.Errorf("kit %d of %s expired at %s: carry a newer one over", active.Version, active.Feed, active.Expires.Format(time.RFC3339))
	}
	scanned, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(ctx, img)
	if err != nil {
		return nil, err
	}
	view, err := s.view(ctx, active)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	found, err := advisory.Matcher{View: view, Options: advisory.Options{At: at}}.Match(ctx, scanned.Document)
	if err != nil {
		return nil, err
	}
	text, err := active.Read(ctx, kit.KindPolicy, policyName, policyfile.MaxDocument)
	if err != nil {
		return nil, err
	}
	p, _, err := policyfile.Parse(policyName, text)
	if err != nil {
		return nil, err
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		return nil, err
	}
	var doc bytes.Buffer
	if _, err := format.Encode(&doc, scanned.Document, format.StellaJSON, nil); err != nil {
		return nil, err
	}
	in := &policy.Inputs{At: at}
	in.Of(scanned.Document)
	in.Findings, in.Gaps = found.Findings, append(in.Gaps, found.Gaps...)
	in.Digests = policy.Digests{SBOM: policy.ContentDigest(doc.Bytes()), Report: policy.ReportDigest(in.Findings, in.Gaps), Advisories: found.Snapshot}
	return engine.Evaluate(in)
}

// view opens the advisories of a kit. They are put together once for each kit; each part is
// compared with its digest, and so is the whole.
func (s Site) view(ctx context.Context, active *kit.Active) (*snapshot.Snapshot, error) {
	manifest, err := active.Read(ctx, kit.KindAdvisory, manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	store, digest := snapshot.Store{Dir: filepath.Join(s.Dir, "advisories")}, policy.ContentDigest(manifest)
	if have, err := store.Open(); err == nil {
		if have.Digest() == digest {
			return have, nil
		}
		have.Close() // of the kit before
	}
	err = store.Install(digest, func(w io.Writer) error {
		return snapshot.Assemble(w, manifest, func(digest string) ([]byte, error) {
			return active.Read(ctx, kit.KindAdvisory, objectPrefix+strings.TrimPrefix(digest, "sha256:"), maxObject)
		})
	})
	if err != nil {
		return nil, err
	}
	view, err := store.Open()
	if err == nil && view.Digest() != digest {
		return nil, errors.Join(errors.New("another kit was loaded meanwhile: scan again"), view.Close())
	}
	return view, err
}
