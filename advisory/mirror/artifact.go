package mirror

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// A mirror in a registry is one artifact: an OCI image manifest (image-spec 1.1)
// of [ArtifactType] with an empty config and a layer for each file that a client
// can ask for. The layer of a role's metadata has the name of the file in the
// annotation org.opencontainers.image.title; contents have theirs too, for who
// looks, and are found by their digest. Versions share the layers that they have in
// common, and a client reads those that it needs. None of this is signed or
// believed: what counts is what the roles say, as with any other mirror.
const (
	ArtifactType = "application/vnd.stella.advisories.v1"

	TypeManifest = "application/vnd.stella.advisories.manifest.v1+json"
	TypeObject   = "application/vnd.stella.advisories.object.v1"
	TypeDelta    = "application/vnd.stella.advisories.delta.v1"
	typeRole     = "application/vnd.stella.role.%s.dsse.v1+json" // the envelope, not its payload
)

// contentFolder is where the contents of targets are, by their digests.
const contentFolder = "sha256/"

// Part is a file of a mirror as a registry keeps it.
type Part struct {
	// Name is what a role.Source calls it, such as "timestamp.json".
	Name      string
	MediaType string
	Digest    string
	Size      int64
	// Open returns its bytes from the start, again each time.
	Open func(context.Context) (io.ReadCloser, error)
}

// FromParts makes a source of an artifact's parts, whose Name, Digest and Open are
// used; what Open returns is not believed. Two files of one name are an error that
// wraps ErrInvalid.
func FromParts(parts []Part) (role.Source, error) {
	src := partSource{}
	for _, p := range parts {
		if file, ok := strings.CutPrefix(p.Digest, "sha256:"); ok {
			src[contentFolder+file] = p
		}
	}
	named := map[string]bool{}
	for _, p := range parts {
		if p.Name == "" || strings.HasPrefix(p.Name, contentFolder) {
			continue
		}
		if named[p.Name] {
			return nil, fmt.Errorf("mirror in a registry: two of its files are called %.100q: %w", p.Name, fault.Invalid)
		}
		named[p.Name], src[p.Name] = true, p
	}
	return src, nil
}

type partSource map[string]Part

func (s partSource) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	p, ok := s[name]
	if !ok {
		return nil, fmt.Errorf("%s: the artifact does not have it: %w", name, fault.NotFound)
	}
	return p.Open(ctx)
}

// Parts returns the newest release as a registry keeps it: contents, roots, and the
// metadata of targets, snapshot and timestamp. They are what a client that knows
// nothing but the first root reads, and it must accept them at the given time. Equal
// releases give equal parts. They are read from Dir when they are opened.
func (p *Publisher) Parts(ctx context.Context, at time.Time) ([]Part, error) {
	parts, err := p.parts(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("list the files of the mirror %s: %w", p.Dir, err)
	}
	return parts, nil
}

func (p *Publisher) parts(ctx context.Context, at time.Time) ([]Part, error) {
	first, err := p.firstRoot()
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(p.Dir, first))
	if err != nil {
		return nil, err
	}
	state, err := role.Trust(root)
	if err != nil {
		return nil, err
	}
	read := &reads{Source: role.FS(os.DirFS(p.Dir)), names: []string{first}}
	_, release, err := state.Update(ctx, at, read)
	if err != nil {
		return nil, err
	}
	var parts []Part
	there := map[string]bool{}
	for _, t := range release.Targets {
		if there[t.Digest] {
			continue
		}
		there[t.Digest] = true
		path := p.content(t.Digest)
		if info, err := os.Stat(path); err != nil {
			return nil, err
		} else if info.Size() != t.Length {
			return nil, &fault.MismatchError{What: "size of " + t.Name, Want: fmt.Sprint(t.Length), Got: fmt.Sprint(info.Size())}
		}
		parts = append(parts, Part{t.File(), mediaType(t.Name), t.Digest, t.Length, func(context.Context) (io.ReadCloser, error) { return os.Open(path) }})
	}
	slices.SortStableFunc(read.names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range read.names {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{name, fmt.Sprintf(typeRole, roleOf(name)), sum.Of(text), int64(len(text)), func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(text)), nil
		}})
	}
	return parts, nil
}

// reads notes which files a client has opened.
type reads struct {
	role.Source
	names []string
}

func (r *reads) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	rc, err := r.Source.Open(ctx, name)
	if err == nil {
		r.names = append(r.names, name)
	}
	return rc, err
}

// rank orders metadata as they are to be written.
func rank(name string) int {
	return slices.Index([]role.Role{role.RoleRoot, role.RoleTargets, role.RoleSnapshot, role.RoleTimestamp}, roleOf(name))
}

// roleOf is the role that a file of metadata is of.
func roleOf(name string) role.Role {
	name = strings.TrimSuffix(name, ".json")
	return role.Role(name[strings.LastIndexByte(name, '.')+1:])
}

// mediaType is that of a target's content.
func mediaType(target string) string {
	switch {
	case strings.HasPrefix(target, objectPrefix):
		return TypeObject
	case strings.HasPrefix(target, deltaPrefix):
		return TypeDelta
	case target == vexName:
		return TypeVEX
	}
	return TypeManifest
}

// firstRoot is the name of the oldest root's file.
func (p *Publisher) firstRoot() (string, error) {
	files, err := os.ReadDir(p.Dir)
	if err != nil {
		return "", err
	}
	first := int64(0)
	for _, f := range files {
		number, ok := strings.CutSuffix(f.Name(), ".root.json")
		if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil && (first == 0 || n < first) {
			first = n
		}
	}
	if first == 0 {
		return "", fmt.Errorf("%s is not a mirror: %w", p.Dir, fs.ErrNotExist)
	}
	return role.File(role.RoleRoot, first), nil
}
