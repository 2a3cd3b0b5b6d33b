package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	maxIndexes = 32 // indexes read for one image
	maxProbes  = 16 // images read only to learn their platform
)

// candidate is an image that an index offers.
type candidate struct {
	descriptor
	platform platform // zero where the index does not say
}

// flatten lists the images of an index and of the indexes in it, in order,
// without attestations and other artifacts.
func (r *resolver) flatten(ctx context.Context, doc *document, depth int) ([]candidate, error) {
	var out []candidate
	for _, d := range doc.Manifests {
		if r.entries--; r.entries < 0 {
			return nil, &fault.LimitError{What: "index entries", Where: r.where, Max: int64(r.set.limits.IndexEntries)}
		}
		switch {
		case d.attests():
		case isIndexType(d.MediaType):
			nested, err := r.nested(ctx, d, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, nested...)
		case isManifestType(d.MediaType) && d.Platform != nil:
			out = append(out, candidate{d, *d.Platform})
		case isManifestType(d.MediaType):
			out = append(out, candidate{descriptor: d})
		}
	}
	return out, nil
}

func (r *resolver) nested(ctx context.Context, d descriptor, depth int) ([]candidate, error) {
	if d.Platform != nil && d.Platform.known() && fit(r.set.platform, *d.Platform) == 0 {
		return []candidate{{d, *d.Platform}}, nil // only to be listed
	}
	if depth >= r.set.limits.IndexDepth {
		return nil, &fault.LimitError{What: "depth of indexes", Where: r.where, Max: int64(r.set.limits.IndexDepth)}
	}
	if r.indexes++; r.indexes > maxIndexes {
		return nil, &fault.LimitError{What: "indexes", Where: r.where, Max: maxIndexes}
	}
	doc, err := r.document(ctx, d)
	if err != nil {
		return nil, err
	}
	return r.flatten(ctx, doc, depth+1)
}

// choose takes the image of an index that fits best: the platform asked for, or
// this machine's. The first of equals wins, as the image-spec says. It also
// returns why.
func (r *resolver) choose(ctx context.Context, index *document) (descriptor, string, error) {
	all, err := r.flatten(ctx, index, 1)
	if err != nil {
		return descriptor{}, "", err
	}
	if len(all) == 0 {
		return descriptor{}, "", fmt.Errorf("%s: the index offers no image: %w", r.where, fault.NotFound)
	}
	best, equals := bestFit(r.set.platform, all)
	if best < 0 {
		if all, err = r.probe(ctx, all); err != nil {
			return descriptor{}, "", err
		}
		best, equals = bestFit(r.set.platform, all)
	}
	asked := "this machine is " + r.set.platform.String()
	if r.set.explicit {
		asked = r.set.platform.String() + " was asked for"
	}
	offers := platforms(all)
	if best < 0 && !r.set.explicit && len(all) == 1 {
		r.promised = &all[0].platform
		return all[0].descriptor, fmt.Sprintf("%s, the only image; %s", offers, asked), nil
	}
	if best < 0 {
		return descriptor{}, "", fmt.Errorf("%s: no image for this platform: %s, the index has %s: %w", r.where, asked, offers, fault.NotFound)
	}
	r.promised = &all[best].platform
	why := all[best].platform.String() + "; " + asked
	if equals > 1 {
		why += fmt.Sprintf("; the first of %d equals", equals)
	}
	return all[best].descriptor, why + "; the index has " + offers, nil
}

// bestFit returns the first of the best fitting candidates and how many are as
// good, or -1.
func bestFit(want platform, all []candidate) (best, equals int) {
	best, score := -1, 0
	for i, c := range all {
		if isIndexType(c.MediaType) {
			continue
		}
		switch f := fit(want, c.platform); {
		case f > score:
			best, score, equals = i, f, 1
		case f == score && f > 0:
			equals++
		}
	}
	return best, equals
}

// probe learns the platform of images that the index says nothing about from
// their configs. What turns out to be no image is left out.
func (r *resolver) probe(ctx context.Context, all []candidate) ([]candidate, error) {
	var out []candidate
	probes := 0
	for _, c := range all {
		if c.platform != (platform{}) {
			out = append(out, c)
			continue
		}
		if probes++; probes > maxProbes {
			return nil, &fault.LimitError{What: "images without a platform in an index", Where: r.where, Max: maxProbes}
		}
		doc, err := r.document(ctx, c.descriptor)
		if err != nil {
			return nil, err
		}
		if doc.Index || !isConfigType(doc.Config.MediaType) {
			continue
		}
		cfg, err := r.config(ctx, doc.Config)
		if err != nil {
			return nil, err
		}
		c.platform = cfg.platform
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: the index offers no image: %w", r.where, fault.NotFound)
	}
	return out, nil
}

// platforms lists what candidates are for, for people.
func platforms(all []candidate) string {
	const most = 40
	var names []string
	for _, c := range all {
		s := c.platform.String()
		if s == "" {
			s = "(no platform)"
		}
		names = append(names, s)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}
