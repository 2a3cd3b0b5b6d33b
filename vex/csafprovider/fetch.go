package csafprovider

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// run is one Fetch.
type run struct {
	source    *Source
	door      vex.Door
	pass      fetch.Pass
	old, next map[string]known // by list
	refused   []error
}

func (r *run) read(q vex.Request) ([]byte, *vex.Response, error) {
	return fetch.Read(r.pass.Context, r.door, r.source.description.Hosts, q)
}

func (r *run) run() (*vex.Fetched, error) {
	lists, err := r.discover()
	if err != nil {
		return nil, err
	}
	whole, err := r.loadAll(lists)
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		if err := r.list(l, whole); err != nil {
			return nil, err
		}
		r.next[l.url] = l.now
	}
	if len(r.refused) > 0 {
		return nil, errors.Join(r.refused...)
	}
	if !whole {
		if err := r.gone(lists); err != nil {
			return nil, err
		}
	}
	text, err := fetch.WriteState(r.next)
	if err != nil {
		return nil, err
	}
	return &vex.Fetched{State: text, Complete: whole, Unchanged: !whole && r.pass.Len() == 0}, nil
}

// loadAll reads the lists. whole says that all documents must be fetched: at first,
// where a list is a new one, and where it cannot be told what is missing.
func (r *run) loadAll(lists []*list) (whole bool, err error) {
	for _, l := range lists {
		if err := r.load(l, false); err != nil {
			return false, err
		}
		old, ok := r.old[l.url]
		whole = whole || !ok || l.untimed || !l.same && old.Names == nil && len(l.entries) < old.Count
	}
	for address, old := range r.old {
		gone := !slices.ContainsFunc(lists, func(l *list) bool { return l.url == address })
		whole = whole || gone && old.Names == nil
	}
	if !whole {
		return false, nil
	}
	for _, l := range lists {
		if l.same {
			if err := r.load(l, true); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// list passes on what a list has as newer, or everything.
func (r *run) list(l *list, whole bool) error {
	if l.same {
		return nil
	}
	fresh := l.entries
	if !whole {
		old := r.old[l.url]
		fresh = slices.DeleteFunc(slices.Clone(fresh), func(e entry) bool {
			_, has := slices.BinarySearch(old.Names, e.name)
			return e.at.Before(old.Cursor) && (has || old.Names == nil)
		})
	} else if l.folder != nil && l.folder.Archive+l.folder.Latest != "" {
		var err error
		if fresh, err = r.archive(l); err != nil {
			return err
		}
	}
	for i := range fresh {
		if err := r.single(l, &fresh[i]); err != nil {
			return err
		}
	}
	return nil
}

// gone says of documents that a list had that no list has them any longer.
func (r *run) gone(lists []*list) error {
	has, had := map[string]bool{}, map[string]bool{}
	for _, l := range lists {
		for _, name := range l.now.Names {
			has[name] = true
		}
		for _, e := range l.entries {
			has[e.name] = true
		}
	}
	for _, old := range r.old {
		for _, name := range old.Names {
			had[name] = !has[name]
		}
	}
	for _, name := range slices.Sorted(keys(had)) {
		if had[name] && !r.pass.Has(name) {
			if err := r.pass.Document(&vex.Document{Name: name, Gone: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

func keys(m map[string]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// single asks for one document, once more if its digest is another, as where the
// publisher is about to change it.
func (r *run) single(l *list, e *entry) error {
	if r.pass.Has(e.name) {
		return nil
	}
	for try := 1; ; try++ {
		content, resp, err := r.read(vex.Request{URL: e.url})
		if err != nil {
			return err
		}
		err = r.digest(l, e, content)
		if errors.Is(err, fault.Mismatch) && try == 1 {
			continue
		}
		if err == nil {
			err = r.belongs(l, e.url, content)
		}
		switch {
		case errors.Is(err, fault.Mismatch), errors.Is(err, errNoDigest), errors.Is(err, fault.Forbidden):
			return r.refuse(err)
		case err != nil:
			return err
		}
		proof, err := r.proof(e)
		if err != nil {
			return err
		}
		return r.pass.Document(&vex.Document{Name: e.name, URL: resp.URL, Content: content, Proof: proof})
	}
}

// refuse notes why a document is not passed on.
func (r *run) refuse(err error) error {
	r.refused = append(r.refused, err)
	if len(r.refused) > MaxRefused {
		return errors.Join(append(r.refused, &fault.LimitError{What: "refused documents", Where: r.source.description.Name, Max: MaxRefused})...)
	}
	return nil
}

// errNoDigest says that a document has no digest and must have one.
var errNoDigest = fmt.Errorf("it has no digest, which its provider promises: %w", fault.NotFound)

// digest holds a document against the first of its digests that is there.
func (r *run) digest(l *list, e *entry, content []byte) error {
	for _, at := range e.digests {
		text, _, err := r.read(vex.Request{URL: at, Max: MaxProof})
		switch {
		case errors.Is(err, fault.NotFound):
			continue
		case err != nil:
			return err
		}
		return checkDigest(e.url, path.Base(pathOf(at)), text, content)
	}
	if l.required {
		return fmt.Errorf("verify %s: %w", e.url, errNoDigest)
	}
	return nil
}

// checkDigest holds a document against a file with its digest. One that cannot be
// read is a mismatch too.
func checkDigest(where, file string, text, content []byte) error {
	h, err := provider.ParseHash(file, text)
	if err != nil {
		return fmt.Errorf("verify %s: %s: %w: %w", where, file, err, fault.Mismatch)
	}
	if err := h.Verify(path.Base(where), content); err != nil {
		return fmt.Errorf("verify %s: %w", where, err)
	}
	return nil
}

// belongs holds a document against its publisher and the label of its feed. One that
// cannot be read is passed on: Parse says why.
func (r *run) belongs(l *list, where string, content []byte) error {
	doc, err := csaf.Decode(content, nil)
	if err != nil {
		return nil
	}
	if got := strings.TrimSuffix(doc.Head.Publisher.Namespace, "/"); got != r.source.config.Namespace {
		return fmt.Errorf("fetch %s: %w", where, &fault.MismatchError{What: "publisher's namespace", Want: r.source.config.Namespace, Got: got})
	}
	if l.label == "" {
		return nil
	}
	if err := provider.CheckLabel(doc.Label(), l.label, true); err != nil {
		return fmt.Errorf("fetch %s: %w", where, err)
	}
	return nil
}

// proof returns a document's signature, nil where there is none.
func (r *run) proof(e *entry) ([]byte, error) {
	for _, at := range e.signatures {
		text, _, err := r.read(vex.Request{URL: at, Max: MaxProof})
		switch {
		case errors.Is(err, fault.NotFound):
			continue
		case err != nil:
			return nil, err
		}
		return text, nil
	}
	return nil, nil
}
