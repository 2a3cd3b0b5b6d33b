package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Objects keeps segments, overlays and manifests by their digests, which are not
// those of their bytes; what Object returns is what was put. store.Advisories is
// one.
type Objects interface {
	PutObject(ctx context.Context, name string, content []byte) error
	Object(ctx context.Context, name string) ([]byte, error)
}

// Publisher makes heads of what is released. Several may run at once: one of them
// makes each head. It is safe for concurrent use once it is set up.
type Publisher struct {
	Heads   advisory.Heads
	Objects Objects
	// Cache opens the snapshots that are compared; its Manifest and Object are
	// those of Objects, see [Cache].
	Cache *snapshot.Cache
	// Describe says on what terms a source's data comes; ok is false for one that
	// this process does not know. Nil leaves terms and ages out of snapshots.
	Describe func(source string) (d advisory.Description, ok bool)
	// Refresh is how much newer the successful check of a source must be for a
	// head that differs in nothing else. Default: 6 hours.
	Refresh time.Duration
}

// Cache returns a cache of snapshots in a folder whose parts are from o.
func Cache(dir string, o Objects) *snapshot.Cache {
	return &snapshot.Cache{Dir: dir, Manifest: o.Object, Object: o.Object}
}

// Publish makes a head of what is released now, and returns it; nil where there
// is nothing new. An error wraps ErrConflict where another process made one
// meanwhile: the next call starts from that.
func (p *Publisher) Publish(ctx context.Context) (*advisory.Head, error) {
	b, err := p.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("publish advisories: %w", err)
	}
	changed, err := b.build(ctx)
	if err == nil && changed {
		err = b.commit(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("publish head %d of the advisories: %w", b.commits.Head.Number, err)
	}
	if !changed {
		return nil, nil
	}
	return &b.commits.Head, nil
}

// building is a head that is being made.
type building struct {
	*Publisher
	base     *advisory.Head // nil for the first
	manifest *snapshot.Manifest
	states   []advisory.SourceState
	commits  advisory.Commit
}

func (p *Publisher) begin(ctx context.Context) (*building, error) {
	b := &building{Publisher: p, manifest: &snapshot.Manifest{}}
	base, err := p.Heads.Head(ctx, 0)
	switch {
	case errors.Is(err, fault.NotFound):
	case err != nil:
		return nil, err
	default:
		b.base = base
		if b.manifest, err = snapshot.DecodeManifest(base.Manifest); err != nil {
			return nil, err
		}
	}
	b.commits.Head = advisory.Head{Number: 1, Runs: map[string]int64{}}
	if b.base != nil {
		b.commits.Head.Number = base.Number + 1
	}
	// First what is released, then what changed: what is released in between is
	// then encoded as it was, which changes nothing.
	if b.states, err = p.Heads.Sources(ctx); err != nil {
		return nil, err
	}
	for _, s := range b.states {
		if s.Released > 0 {
			b.commits.Head.Runs[s.Source] = s.Released
		}
	}
	return b, nil
}

// build encodes what changed, and reports whether that makes another head.
func (b *building) build(ctx context.Context) (bool, error) {
	parts, err := b.Heads.Changed(ctx, b.base)
	if err != nil {
		return false, err
	}
	for _, part := range parts {
		if part.Database == "" {
			err = b.overlay(ctx, part.Source)
		} else {
			err = b.segment(ctx, part)
		}
		if err != nil {
			return false, err
		}
	}
	fresh := b.origins()
	text, digest, err := b.manifest.Encode()
	if err != nil {
		return false, err
	}
	h := &b.commits.Head
	if h.Manifest, h.Digest = text, digest; b.base != nil && (digest == b.base.Digest || len(parts) == 0 && !fresh) {
		return false, nil
	}
	if len(h.Runs) == 0 {
		return false, nil
	}
	if err := b.Objects.PutObject(ctx, digest, text); err != nil {
		return false, err
	}
	crashpoint.Hit(crashpoint.PublishManifest)
	return true, nil
}

// segment puts a segment in the place of the one before.
func (b *building) segment(ctx context.Context, part advisory.Part) error {
	m := b.manifest
	m.Segments = slices.DeleteFunc(m.Segments, func(s snapshot.Segment) bool { return s.Part() == part })
	info, object, err := snapshot.EncodeSegment(part, b.Heads.Records(ctx, &b.commits.Head, part))
	if errors.Is(err, fault.NotFound) { // nothing is left of it
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := b.put(ctx, object, info.Digest); err != nil {
		return err
	}
	m.Segments = append(m.Segments, *info)
	return nil
}

func (b *building) put(ctx context.Context, object []byte, name string) error {
	err := b.Objects.PutObject(ctx, name, object)
	crashpoint.Hit(crashpoint.PublishSegment)
	return err
}

// overlay puts the signals of a source in the place of those before.
func (b *building) overlay(ctx context.Context, source string) error {
	m := b.manifest
	m.Overlays = slices.DeleteFunc(m.Overlays, func(o snapshot.Overlay) bool { return o.Source == source })
	info, object, err := snapshot.EncodeOverlay(source, ofSource(b.Heads.Signals(ctx, &b.commits.Head), source))
	if err != nil || info.Signals == 0 {
		return err
	}
	if err := b.put(ctx, object, info.Digest); err != nil {
		return err
	}
	m.Overlays = append(m.Overlays, *info)
	return nil
}

func ofSource(all iter.Seq2[*advisory.Signal, error], source string) iter.Seq2[*advisory.Signal, error] {
	return func(yield func(*advisory.Signal, error) bool) {
		for s, err := range all {
			if err == nil && s.Source != source {
				continue
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// origins says in the manifest on what terms and how fresh the sources are, and
// reports whether that is news. The age of a source that is held is that of what
// is released of it.
func (b *building) origins() (fresh bool) {
	if b.Describe == nil {
		b.manifest.Sources = nil
		return false
	}
	before := map[string]snapshot.Origin{}
	for _, o := range b.manifest.Sources {
		before[o.Name] = o
	}
	b.manifest.Sources = nil
	for _, s := range b.states {
		if s.Released == 0 {
			continue
		}
		old, known := before[s.Source]
		o := snapshot.Origin{Name: s.Source, Checked: s.Succeeded.UTC().Format(time.RFC3339)}
		if s.Held != 0 && known {
			o.Checked = old.Checked
		}
		if d, ok := b.Describe(s.Source); ok {
			o.StaleAfter, o.License, o.Attribution, o.Redistribute = int(cmp.Or(d.Stale, 72*time.Hour)/time.Hour), d.License, d.Attribution, d.Redistribute
		} else if known {
			o.StaleAfter, o.License, o.Attribution, o.Redistribute = old.StaleAfter, old.License, old.Attribution, old.Redistribute
		}
		then, _ := time.Parse(time.RFC3339, old.Checked) // the zero time where there is none
		now, _ := time.Parse(time.RFC3339, o.Checked)
		fresh = fresh || now.Sub(then) >= cmp.Or(b.Refresh, 6*time.Hour)
		b.manifest.Sources = append(b.manifest.Sources, o)
	}
	return fresh
}

// commit works out what differs and makes the head the newest.
func (b *building) commit(ctx context.Context) error {
	now, doneNow, err := b.Cache.View(ctx, b.commits.Head.Digest)
	if err != nil {
		return err
	}
	defer doneNow()
	if b.base == nil { // everything is new, which is news for nobody
		if b.commits.Linksets, err = linkAll(now); err != nil {
			return err
		}
		return b.Heads.Commit(ctx, &b.commits)
	}
	old, doneOld, err := b.Cache.View(ctx, b.base.Digest)
	if err != nil {
		return err
	}
	defer doneOld()
	if b.commits.Facts, err = snapshot.Facts(ctx, old, now); err != nil {
		return err
	}
	if b.commits.Linksets, err = relink(ctx, old, now); err != nil {
		return err
	}
	return b.Heads.Commit(ctx, &b.commits)
}
