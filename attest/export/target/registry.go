package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/image"
)

// registry keeps exports in a repository.
type registry struct {
	to   image.Reference // registry and repository
	opts *image.Options
}

func (o *Options) registry(u *url.URL, secret []byte) (export.Target, error) {
	to, err := image.ParseReference(u.Host + u.Path)
	if err != nil {
		return nil, err
	}
	if to.Registry != u.Host || u.RawQuery != "" || to.Digest != "" || to.Tag != "latest" || strings.HasSuffix(u.Path, ":latest") {
		return nil, fmt.Errorf("want oci://REGISTRY/REPOSITORY without a tag: %w", fault.Invalid)
	}
	r := &registry{to: image.Reference{Registry: to.Registry, Repository: to.Repository}}
	r.opts = &image.Options{Network: o.network(), Transport: o.Transport, PlainHTTP: o.PlainHTTP, UserAgent: o.agent(), Credentials: image.NoCredentials}
	switch {
	case secret != nil:
		name, word, err := pair(secret)
		if err != nil {
			return nil, err
		}
		r.opts.Credentials = func(_ context.Context, host, repository string) (image.Credential, error) {
			if host != to.Registry {
				return image.Credential{}, nil
			}
			return image.Credential{Username: name, Password: word}, nil
		}
	case o.Local:
		r.opts.Credentials = nil // those of the account
	}
	return r, nil
}

// Push attaches what is about an image of the repository, and puts the rest there by
// itself. It returns REPOSITORY@DIGEST of what was written.
func (r *registry) Push(ctx context.Context, p *export.Parcel) (string, error) {
	content, err := read(p)
	if err != nil {
		return "", err
	}
	if r.here(p) {
		to := r.to
		to.Digest = p.Subject
		docs, err := artifacts(p, content)
		if err != nil {
			return "", err
		}
		at, err := image.Attach(ctx, to.String(), docs, r.opts)
		if err == nil {
			to.Digest = at.Manifests[len(at.Manifests)-1]
			return to.String(), nil
		}
		if !errors.Is(err, fault.NotFound) {
			return "", err
		} // the image is not in the repository any more
	}
	to := r.to
	to.Tag = fmt.Sprintf("%s-%s", p.Format, strings.TrimPrefix(p.Object.Ref.Digest, "sha256:"))
	at, err := image.Push(ctx, to.String(), image.Artifact{MediaType: p.Object.MediaType, Content: content}, r.opts)
	if err != nil {
		return "", err
	}
	to.Tag, to.Digest = "", at.Manifest
	return to.String(), nil
}

// here reports whether a parcel is about an image of the repository.
func (r *registry) here(p *export.Parcel) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(p.Image, "docker://"), "registry:")
	of, err := image.ParseReference(name)
	return err == nil && p.Subject != "" && of.Registry == r.to.Registry && of.Repository == r.to.Repository
}

// artifacts are what is attached: the bundles of signed statements one by one.
func artifacts(p *export.Parcel, content []byte) ([]image.Artifact, error) {
	if !p.Signed {
		return []image.Artifact{{MediaType: p.Object.MediaType, Content: content}}, nil
	}
	items, err := bundle.ReadAll(bytes.NewReader(content), &bundle.ReaderOptions{Digest: p.Object.Ref.Digest})
	if err != nil {
		return nil, fmt.Errorf("the bundle to be pushed: %w", err)
	}
	var out []image.Artifact
	for _, i := range items {
		if i.Bundle == nil || i.Bundle.Envelope == nil {
			return nil, fmt.Errorf("line %d of the bundle to be pushed holds no statement: %w", i.Line, fault.Invalid)
		}
		s, err := intoto.Decode(i.Bundle.Envelope.PayloadType, i.Bundle.Envelope.Payload)
		if err != nil {
			return nil, fmt.Errorf("line %d of the bundle to be pushed: %w", i.Line, err)
		}
		text, err := i.Bundle.Encode()
		if err != nil {
			return nil, err
		}
		out = append(out, image.BundleArtifact(text, s.PredicateType, time.Time{}))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the bundle to be pushed is empty: %w", fault.Invalid)
	}
	return out, nil
}

// read reads a parcel's object, which its target knows by digest and size.
func read(p *export.Parcel) ([]byte, error) {
	if p.Object.Ref.Size > export.MaxDocument {
		return nil, &fault.LimitError{What: "bytes", Where: p.Object.Name, Max: export.MaxDocument, Seen: p.Object.Ref.Size}
	}
	r, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, export.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Object.Name, err)
	}
	if int64(len(content)) != p.Object.Ref.Size {
		return nil, &fault.MismatchError{What: "size of " + p.Object.Name, Want: fmt.Sprint(p.Object.Ref.Size), Got: fmt.Sprint(len(content))}
	}
	if got := sum.Of(content); got != p.Object.Ref.Digest {
		return nil, &fault.MismatchError{What: "digest of " + p.Object.Name, Want: p.Object.Ref.Digest, Got: got}
	}
	return content, nil
}
