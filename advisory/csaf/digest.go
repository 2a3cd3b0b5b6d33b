package csaf

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
)

// errNoDigest says that a document has no digest and must have one.
var errNoDigest = fmt.Errorf("it has no digest, which its provider promises: %w", fault.NotFound)

// sidecars are the ends of files about a document beside it.
var sidecars = []string{".sha256", ".sha512", ".asc"}

// cutSidecar cuts such an end off a name.
func cutSidecar(name string) (document, end string) {
	for _, end := range sidecars {
		if rest, ok := strings.CutSuffix(name, end); ok {
			return rest, end
		}
	}
	return name, ""
}

// verify holds a document against the first of its digests that is there.
func (p *pass) verify(l *list, e entry, content []byte) error {
	for _, at := range e.digests {
		text, _, err := p.read(advisory.Request{URL: at, Max: 64 << 10})
		switch {
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Forbidden):
			continue
		case err != nil:
			return err
		}
		return checkDigest(e.url, pathBase(at), text, content)
	}
	if l.required {
		return fmt.Errorf("verify %s: %w", e.url, errNoDigest)
	}
	return nil
}

// checkDigest holds a document against a file with its digest. One that cannot
// be read is a mismatch too.
func checkDigest(where, file string, text, content []byte) error {
	h, err := provider.ParseHash(file, text)
	if err != nil {
		return fmt.Errorf("verify %s: %s: %w: %w", where, file, err, fault.Mismatch)
	}
	if err := h.Verify(pathBase(where), content); err != nil {
		return fmt.Errorf("verify %s: %w", where, err)
	}
	return nil
}

func pathBase(address string) string {
	if at := pathOf(address); at != "" {
		address = at
	}
	return path.Base(address)
}

// checkLabel holds a document of a feed against the feed's label. One that
// cannot be read is passed on: Parse says why.
func checkLabel(l *list, e entry, content []byte) error {
	if l.label == "" {
		return nil
	}
	doc, err := csaf.Decode(content, nil)
	if err != nil {
		return nil
	}
	if err := provider.CheckLabel(doc.Label(), l.label, true); err != nil {
		return fmt.Errorf("fetch %s: %w", e.url, err)
	}
	return nil
}

// pairs puts members of an archive together with the files beside them, which
// follow them.
type pairs struct {
	pass *pass
	held *advisory.Document
	bad  error // why the one that is held is refused
}

// add takes a member.
func (p *pairs) add(doc *advisory.Document) error {
	name, end := cutSidecar(doc.Name)
	if end == "" {
		if err := p.flush(); err != nil {
			return err
		}
		p.held = doc
		return nil
	}
	switch {
	case p.held == nil || p.held.Name != name:
		return nil // of no document, or of one that is not wanted
	case end == ".asc":
		p.held.Signature = advisory.Unchecked
	case p.bad == nil:
		p.bad = checkDigest(p.held.Name, path.Base(doc.Name), doc.Content, p.held.Content)
	}
	return nil
}

// flush passes on the one that is held.
func (p *pairs) flush() error {
	doc, bad := p.held, p.bad
	p.held, p.bad = nil, nil
	switch {
	case doc == nil:
		return nil
	case bad != nil:
		return p.pass.refuse(bad)
	}
	return p.pass.pass(doc)
}
