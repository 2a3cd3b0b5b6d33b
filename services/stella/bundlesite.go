package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest/kit"
)

// The names of a kit's entries, beside objects of the snapshot, policies and exceptions,
// which have their own.
const (
	kitManifest  = "manifest.json"
	kitObjects   = "objects/"
	kitStatement = "current.vex"
	kitIssuers   = "issuers.yaml" // whom to believe about VEX
	kitRoot      = "trust-root.json"
	maxManifest  = 64 << 20
	maxObject    = kit.MaxTarget
)

// releasesDir is where the contents of releases are put for commands, beside the store.
const releasesDir = "unpacked"

// unpackRelease makes a folder of a release that is a folder of advisory data to every
// command: snapshot, statements, trust. Its name is the release's digest, it appears
// whole, and it never changes. It returns the folder.
func unpackRelease(ctx context.Context, storeDir string, a *kit.Active) (string, error) {
	dir := filepath.Join(storeDir, releasesDir, strings.TrimPrefix(a.Release, "sha256:"))
	if unpacked(dir, a) {
		return dir, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Dir(dir), 0o700)); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary) // after the renaming there is no such folder
	if err := unpackAdvisories(ctx, temporary, a); err != nil {
		return "", err
	}
	for _, e := range a.Entries {
		if name := placeOf(e); name != "" {
			if err := unpackFile(filepath.Join(temporary, name), a, e); err != nil {
				return "", err
			}
		}
	}
	if err := os.Rename(temporary, dir); err != nil && !unpacked(dir, a) { // somebody else may have been faster, with the same
		return "", err
	}
	return dir, nil
}

// placeOf is where commands look for an entry, "" for what they do not read as a file.
// Names of targets have no ".." in them.
func placeOf(e kit.Entry) string {
	name := filepath.FromSlash(e.Name)
	switch e.Kind {
	case kit.KindVEX:
		return filepath.Join("vex", name)
	case kit.KindPolicy:
		return filepath.Join("policies", name)
	case kit.KindException:
		return filepath.Join("exceptions", name)
	case kit.KindTrust:
		if e.Name == kitIssuers {
			return filepath.Join("vex", "trust.yaml")
		}
		return filepath.Join("trust", name)
	}
	return ""
}

// unpacked reports whether a folder has all that a release has: after a power cut a part
// may be missing, and a policy that is missing would forbid nothing.
func unpacked(dir string, a *kit.Active) bool {
	if len(a.List(kit.KindAdvisory)) > 0 {
		snap, err := snapshot.Store{Dir: dir}.Open()
		if err != nil {
			return false
		}
		snap.Close()
	}
	for _, e := range a.Entries {
		if name := placeOf(e); name != "" {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() != e.Length {
				return false
			}
		}
	}
	return true
}

func unpackFile(name string, a *kit.Active, e kit.Entry) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	r, err := a.Open(e.Kind, e.Name)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// unpackAdvisories puts the snapshot together. A kit may have none.
func unpackAdvisories(ctx context.Context, dir string, a *kit.Active) error {
	if len(a.List(kit.KindAdvisory)) == 0 {
		return nil
	}
	manifest, err := a.Read(ctx, kit.KindAdvisory, kitManifest, maxManifest)
	if err != nil {
		return err
	}
	m, err := snapshot.DecodeManifest(manifest)
	if err != nil {
		return err
	}
	_, digest, err := m.Encode()
	if err != nil {
		return err
	}
	object := func(digest string) ([]byte, error) {
		return a.Read(ctx, kit.KindAdvisory, kitObjects+strings.TrimPrefix(digest, "sha256:"), maxObject)
	}
	return snapshot.Store{Dir: dir}.Install(digest, func(w io.Writer) error { return snapshot.Assemble(w, manifest, object) })
}

// collectKits removes releases that are not kept.
func collectKits(ctx context.Context, store kit.Store, active *kit.Active, keep int) error {
	if _, err := store.Collect(ctx, keep); err != nil {
		return err
	}
	st, err := store.Status(time.Now())
	if err != nil {
		return err
	}
	kept := []string{strings.TrimPrefix(active.Release, "sha256:")}
	for i := range min(len(st.Before), max(keep-1, 0)) {
		kept = append(kept, strings.TrimPrefix(st.Before[i].Release, "sha256:"))
	}
	base := filepath.Join(store.Dir, releasesDir)
	list, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range list {
		if !slices.Contains(kept, d.Name()) && !strings.HasPrefix(d.Name(), ".") {
			failed = append(failed, os.RemoveAll(filepath.Join(base, d.Name())))
		}
	}
	return errors.Join(failed...)
}

// kitFolder returns the folder of the active kit's contents for a command that may not
// use the network, "" where there is no kit or the user names other data.
func (p *program) kitFolder(ctx context.Context, db *dbFlags, offline bool) (string, error) {
	if !offline || db.dir != "" || p.env("STELLA_DB") != "" {
		return "", nil
	}
	dir, err := kitDir("", p.env)
	if err != nil {
		return "", err
	}
	a, err := kit.Store{Dir: dir}.Active()
	if errors.Is(err, kit.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", kitRefusal(err)
	}
	if !time.Now().Before(a.Expires) {
		p.note("the offline kit expired at %s: it says what was", a.Expires.Format(time.RFC3339))
	}
	return unpackRelease(ctx, dir, a)
}

// useKit has a command read the active kit where nothing else is named: its advisories,
// statements and trust, and its policy where there is exactly one.
func (p *program) useKit(ctx context.Context, db *dbFlags, f *decideFlags, offline bool) error {
	dir, err := p.kitFolder(ctx, db, offline)
	if err != nil || dir == "" {
		return err
	}
	db.dir = dir
	if f == nil || f.policy != "" {
		return nil
	}
	policies, err := filesBelow(filepath.Join(dir, "policies"))
	if err != nil || len(policies) != 1 {
		return err
	}
	f.policy = policies[0]
	exceptions, err := filesBelow(filepath.Join(dir, "exceptions"))
	if len(f.exceptions) == 0 {
		f.exceptions = exceptions
	}
	p.note("decided by the offline kit's policy %s", filepath.Base(f.policy))
	return err
}

// filesBelow lists the files below a folder, sorted; one that is not there has none.
func filesBelow(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the offline kit: %w", err)
	}
	return out, nil
}
