package image

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The registry that names without one mean.
const (
	hubRegistry = "index.docker.io"
	hubAlias    = "docker.io"
	hubPrefix   = "library/"
)

const (
	maxReference  = 1024 // bytes of a reference with all its parts
	maxRepository = 255  // bytes of a repository name (OCI distribution-spec)
	maxTag        = 128  // bytes of a tag
)

// Reference names an image in a registry.
type Reference struct {
	Registry   string // host, with port if any; "index.docker.io" for Docker Hub
	Repository string // "library/alpine"
	Tag        string // "latest" where neither tag nor digest was given
	Digest     string // set where the reference has one; then it decides
}

// String returns the reference in full: registry/repository:tag@digest.
func (r Reference) String() string {
	s := r.Registry + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// identifier is what the manifest is asked for by.
func (r Reference) identifier() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

// ParseReference reads [registry/]repository[:tag][@digest] by the grammar of
// the OCI distribution-spec. A first part with a dot or a colon, or "localhost",
// is a registry; names without one are on Docker Hub. Errors never show what
// could be a password.
func ParseReference(s string) (Reference, error) {
	r, err := parseReference(s)
	if err != nil {
		return Reference{}, fmt.Errorf("image reference %s: %w: %w", quoteReference(s), err, fault.Invalid)
	}
	return r, nil
}

func parseReference(s string) (Reference, error) {
	var r Reference
	switch {
	case s == "":
		return r, errors.New("is empty")
	case len(s) > maxReference:
		return r, fmt.Errorf("has %d bytes, at most %d are allowed", len(s), maxReference)
	case strings.Contains(s, "://"):
		return r, errors.New("has a URL scheme; registries are named without one")
	case strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0:
		return r, errors.New("has a character that is not printable ASCII")
	}
	rest, digest, hasDigest := strings.Cut(s, "@")
	if hasDigest {
		if !strings.Contains(digest, ":") || strings.ContainsAny(digest, "@/") {
			return r, errors.New("what follows '@' is not a digest; user information is not part of a reference")
		}
		if err := checkDigest(digest); err != nil {
			return r, err
		}
		r.Digest = digest
	}
	name := rest
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		name, r.Tag = rest[:i], rest[i+1:]
		if !isTag(r.Tag) {
			return r, fmt.Errorf("%q is not a tag", r.Tag)
		}
	} else if !hasDigest {
		r.Tag = "latest"
	}
	return r, r.setName(name)
}

// setName splits registry and repository.
func (r *Reference) setName(name string) error {
	first, rest, ok := strings.Cut(name, "/")
	if ok && (first == "localhost" || strings.ContainsAny(first, ".:")) {
		r.Registry, r.Repository = first, rest
	} else {
		r.Registry, r.Repository = hubAlias, name
	}
	if r.Registry == hubAlias || r.Registry == hubRegistry {
		r.Registry = hubRegistry
		if !strings.Contains(r.Repository, "/") {
			r.Repository = hubPrefix + r.Repository
		}
	}
	if err := checkRegistry(r.Registry); err != nil {
		return err
	}
	if len(r.Repository) > maxRepository {
		return fmt.Errorf("repository has %d bytes, at most %d are allowed", len(r.Repository), maxRepository)
	}
	for part := range strings.SplitSeq(r.Repository, "/") {
		if !isPathPart(part) {
			return fmt.Errorf("%q is not a part of a repository name (lower-case letters and digits, joined by '.', '_', '__' or dashes)", clip(part))
		}
	}
	return nil
}

// isTag matches [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.
func isTag(s string) bool {
	return s != "" && len(s) <= maxTag && s[0] != '.' && s[0] != '-' &&
		strings.IndexFunc(s, func(c rune) bool { return !isAlnum(c) && c != '_' && c != '.' && c != '-' }) < 0
}

// isPathPart matches [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*.
func isPathPart(s string) bool {
	lower := func(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
	if s == "" || !lower(s[0]) || !lower(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && !lower(s[j]) {
			j++
		}
		switch sep := s[i:j]; {
		case sep == "", sep == ".", sep == "_", sep == "__", strings.Trim(sep, "-") == "":
		default:
			return false
		}
		i = j + 1
	}
	return true
}

// checkRegistry accepts host[:port]: a DNS name, an IPv4 address or an IPv6
// address in brackets, without a zone.
func checkRegistry(s string) error {
	host := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host = s[:i]
		port, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || port == 0 || s[i+1] == '+' {
			return fmt.Errorf("%q is not a port", s[i+1:])
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); !ok || err != nil || !a.Is6() || a.Zone() != "" {
			return fmt.Errorf("%q is not an IPv6 address without a zone", host)
		}
		return nil
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.IndexFunc(label, func(c rune) bool { return !isAlnum(c) && c != '-' }) >= 0 {
			return fmt.Errorf("%q is not a registry's host", clip(host))
		}
	}
	return nil
}

func isAlnum(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isLoopbackHost reports whether a registry's host is this machine by its very
// name, so that plain http cannot be overheard.
func isLoopbackHost(hostport string) bool {
	host := hostport
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// quoteReference quotes what the user gave for an error, without anything that
// stands where user information would.
func quoteReference(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if d := s[i+1:]; !strings.HasPrefix(d, "sha") || strings.Contains(d, "/") {
			s = "…" + s[i:]
		} else if j := strings.LastIndexByte(s[:i], '@'); j >= 0 {
			s = "…" + s[j:]
		}
	}
	return strconv.Quote(clip(s))
}
