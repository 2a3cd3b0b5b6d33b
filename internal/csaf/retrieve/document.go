package retrieve

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// errNoDigest says that a document has no digest and must have one.
var errNoDigest = fmt.Errorf("it has no digest, which its provider promises: %w", fault.NotFound)

// single asks for one document, once more if its digest is another, as where the
// publisher is about to change it.
func (r *run) single(l *list, e *entry) error {
	if r.passed[e.name] {
		return nil
	}
	for try := 1; ; try++ {
		content, resp, err := r.read(door.Request{URL: e.url, Max: MaxDocument})
		if err != nil {
			return err
		}
		if err = r.verify(l, e, content); err != nil {
			switch {
			case !errors.Is(err, fault.Mismatch) && !errors.Is(err, errNoDigest):
				return err
			case try == 1:
				continue
			}
			return r.refused.Add(err)
		}
		if err := r.belongs(l, e.url, content); err != nil {
			return r.refused.Add(err)
		}
		proof, err := r.proof(e)
		if err != nil {
			return err
		}
		return r.pass(&Document{Name: e.name, URL: resp.URL, Content: content, Signed: e.signed || proof != nil, Proof: proof})
	}
}

// verify holds a document against the first of its digests that is there.
func (r *run) verify(l *list, e *entry, content []byte) error {
	for _, at := range e.digests {
		text, _, err := r.read(door.Request{URL: at, Max: MaxBeside})
		switch {
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Forbidden): // some servers say so of what is not there
			continue
		case err != nil:
			return err
		}
		return checkDigest(e.url, pathBase(at), text, content)
	}
	if l.Required {
		return fmt.Errorf("verify %s: %w", e.url, errNoDigest)
	}
	return nil
}

// checkDigest holds a document against a file with its digest. One that cannot be read
// is a mismatch too.
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

// belongs holds a document against its publisher and the label of its feed. One that
// cannot be read is passed on: who parses it says why.
func (r *run) belongs(l *list, where string, content []byte) error {
	if !r.source.Publisher && l.Label == "" {
		return nil
	}
	doc, err := csaf.Decode(content, nil)
	if err != nil {
		return nil
	}
	if r.source.Publisher {
		err = checkNamespace(doc.Head.Publisher.Namespace, r.source.Namespace)
	}
	if err == nil && l.Label != "" {
		err = provider.CheckLabel(doc.Label(), l.Label, true)
	}
	if err != nil {
		return fmt.Errorf("fetch %s: %w", where, err)
	}
	return nil
}

// proof returns a document's signature, nil where there is none.
func (r *run) proof(e *entry) ([]byte, error) {
	if !r.source.Proofs {
		return nil, nil
	}
	for _, at := range e.signatures {
		text, _, err := r.read(door.Request{URL: at, Max: MaxBeside})
		if errors.Is(err, fault.NotFound) {
			continue
		}
		return text, err
	}
	return nil, nil
}

// Beside cuts the end of a file about a document beside it off a name: of a digest or a
// signature. The end is "" for a document itself.
func Beside(name string) (document, end string) {
	for _, end := range []string{".sha256", ".sha512", ".asc"} {
		if rest, ok := strings.CutSuffix(name, end); ok {
			return rest, end
		}
	}
	return name, ""
}

// Pairs puts the documents of an archive together with the files beside them, which
// follow them.
type Pairs struct {
	// Pass takes a document, and Refuse one that has another digest, with the reason.
	Pass   func(*Document) error
	Refuse func(*Document, error) error

	held *Document
	bad  error // why the one that is held is refused
}

// Add takes a member, by its name and content. Those beside a document that is not
// there are passed over.
func (p *Pairs) Add(doc *Document) error {
	name, end := Beside(doc.Name)
	if end == "" {
		if err := p.Flush(); err != nil {
			return err
		}
		p.held = doc
		return nil
	}
	switch {
	case p.held == nil || p.held.Name != name:
		return nil
	case end == ".asc":
		p.held.Signed, p.held.Proof = true, doc.Content
	case p.bad == nil:
		p.bad = checkDigest(p.held.Name, path.Base(doc.Name), doc.Content, p.held.Content)
	}
	return nil
}

// Flush passes on the document that is held. It must follow the last Add.
func (p *Pairs) Flush() error {
	doc, bad := p.held, p.bad
	p.held, p.bad = nil, nil
	switch {
	case doc == nil:
		return nil
	case bad != nil:
		return p.Refuse(doc, bad)
	}
	return p.Pass(doc)
}
