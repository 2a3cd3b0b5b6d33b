package advisorytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

var sourceName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (s *suite) describe(t *testing.T) {
	d := s.source.Describe()
	if diff := cmp.Diff(d, s.source.Describe()); diff != "" {
		t.Errorf("it changes:\n%s", diff)
	}
	if !sourceName.MatchString(d.Name) {
		t.Errorf("name %q, want lower case letters, digits and hyphens", d.Name)
	}
	if d.Title == "" || !strings.HasPrefix(d.Home, "https://") {
		t.Errorf("title %q, home %q: want a title and an https address", d.Title, d.Home)
	}
	if d.License == "" || strings.HasPrefix(d.License, "CC-BY") && d.Attribution == "" {
		t.Errorf("licence %q, attribution %q: want both, or one that asks for no attribution", d.License, d.Attribution)
	}
	if len(d.Hosts) == 0 || d.Stale < 0 {
		t.Errorf("hosts %q, stale %s", d.Hosts, d.Stale)
	}
	for _, h := range d.Hosts {
		if h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, "/: *") {
			t.Errorf("host %q, want a name in lower case", h)
		}
	}
}

// collect is a Fetch and what it passes on.
func (s *suite) collect(ctx context.Context, d *door, state []byte) ([]*advisory.Document, *advisory.Fetched, error) {
	var docs []*advisory.Document
	out, err := s.source.Fetch(ctx, d, state, func(doc *advisory.Document) error {
		docs = append(docs, doc)
		return nil
	})
	return docs, out, err
}

// good is collect of a door that serves all; it must succeed.
func (s *suite) good(t *testing.T, d *door, state []byte) ([]*advisory.Document, *advisory.Fetched) {
	t.Helper()
	docs, out, err := s.collect(t.Context(), d, state)
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	switch {
	case out == nil:
		t.Fatal("Fetch returned neither an outcome nor an error")
	case out.Unchanged && out.Complete:
		t.Error("the outcome is unchanged and complete")
	case out.Unchanged && len(docs) > 0:
		t.Errorf("the outcome is unchanged, and %d documents were passed on", len(docs))
	case len(out.State) > feed.MaxState:
		t.Errorf("the state has %d bytes", len(out.State))
	}
	if d.open != 0 {
		t.Errorf("%d bodies were not closed", d.open)
	}
	if f := d.foreign(s.source.Describe().Hosts); len(f) > 0 {
		t.Errorf("asked for %q, which is not https at one of %q", f, s.source.Describe().Hosts)
	}
	s.check(t, docs)
	return docs, out
}

// check looks at documents alone.
func (s *suite) check(t *testing.T, docs []*advisory.Document) {
	t.Helper()
	seen := map[string]bool{}
	for _, doc := range docs {
		if err := doc.Validate(); err != nil {
			t.Error(err)
		}
		if doc.Source != s.source.Describe().Name {
			t.Errorf("document %q is of source %q, want %q", doc.Name, doc.Source, s.source.Describe().Name)
		}
		if seen[doc.Name] {
			t.Errorf("document %q was passed on twice", doc.Name)
		}
		if doc.URL == "" && !doc.Gone {
			t.Errorf("document %q has no URL", doc.Name)
		}
		seen[doc.Name] = true
	}
}

func (s *suite) fetch(t *testing.T) {
	d := newDoor(t, s.fixture.feed)
	docs, out := s.good(t, d, nil)
	if len(docs) == 0 || out.Unchanged {
		t.Fatalf("a first Fetch passed on %d documents, unchanged %v", len(docs), out.Unchanged)
	}
	for _, doc := range docs {
		if doc.Gone {
			t.Errorf("document %q is gone in a first Fetch", doc.Name)
		}
	}
	for name := range d.files {
		if !slices.ContainsFunc(d.asked, func(a string) bool { p, _ := feed.Path(a); return p == name }) && s.fixture.next == nil {
			t.Errorf("the fixture's %s was not asked for", name)
		}
	}
	again, _ := s.good(t, newDoor(t, s.fixture.feed), nil)
	if diff := cmp.Diff(contents(docs), contents(again)); diff != "" {
		t.Errorf("a second first Fetch differs:\n%s", diff)
	}
	s.docs, s.state = docs, out.State
}

// contents are documents by name.
func contents(docs []*advisory.Document) map[string]string {
	out := map[string]string{}
	for _, doc := range docs {
		out[doc.Name] = string(doc.Content)
	}
	return out
}

// unchanged: Fetch with the state of before passes on nothing else.
func (s *suite) unchanged(t *testing.T) {
	first, state := contents(s.docs), s.state
	for range 3 {
		docs, out := s.good(t, newDoor(t, s.fixture.feed), state)
		for _, doc := range docs {
			if doc.Gone || first[doc.Name] != string(doc.Content) {
				t.Errorf("nothing changed, and document %q did (gone: %v)", doc.Name, doc.Gone)
			}
		}
		if !out.Unchanged && !out.Complete && len(docs) == 0 {
			t.Error("nothing was passed on, and the outcome is not unchanged")
		}
		state = out.State
	}
	// A state that nobody wrote means to start over, or an error.
	docs, _, err := s.collect(t.Context(), newDoor(t, s.fixture.feed), []byte("{]"))
	if err == nil && len(docs) < len(s.docs) {
		t.Errorf("with a state that is none %d of %d documents were passed on", len(docs), len(s.docs))
	}
}

// maxFaults bounds the requests of which each is made to fail.
const maxFaults = 40

func (s *suite) faults(t *testing.T) {
	clean := newDoor(t, s.fixture.feed)
	s.good(t, clean, nil)
	first := contents(s.docs)
	for _, m := range []mode{unavailable, missing, cut, tooMuch} {
		for at := 1; at <= min(len(clean.asked), maxFaults); at++ {
			d := newDoor(t, s.fixture.feed)
			d.mode, d.at = m, at
			docs, out, err := s.collect(t.Context(), d, nil)
			where := fmt.Sprintf("%s from request %d of %d on", m, at, len(clean.asked))
			for _, doc := range docs {
				if content, ok := first[doc.Name]; doc.Gone || !ok || content != string(doc.Content) {
					t.Errorf("%s: document %q is not what the publisher wrote (gone: %v)", where, doc.Name, doc.Gone)
				}
			}
			switch {
			case err == nil && m != missing && d.hit > 0:
				t.Errorf("%s: no error", where)
			case err == nil && out.Complete && at == 1 && d.hit > 0:
				t.Errorf("%s: no error, and the outcome is complete", where)
			case err != nil && !errors.Is(err, kinds[m]):
				t.Errorf("%s: the error is not %q: %v", where, kinds[m], err)
			}
			if d.open != 0 {
				t.Errorf("%s: %d bodies were not closed", where, d.open)
			}
		}
	}
}

func (s *suite) emitError(t *testing.T) {
	for _, at := range []int{1, len(s.docs)} {
		for _, want := range []error{errors.New("enough"), fmt.Errorf("a store: %w", advisory.ErrNotFound)} {
			n := 0
			d := newDoor(t, s.fixture.feed)
			out, err := s.source.Fetch(t.Context(), d, nil, func(*advisory.Document) error {
				if n++; n == at {
					return want
				}
				return nil
			})
			if err != want || out != nil {
				t.Errorf("emit's error at document %d: got %v and %v, want that error alone", at, out, err)
			}
			if n != at {
				t.Errorf("emit was called %d times after its error", n-at)
			}
			if d.open != 0 {
				t.Errorf("%d bodies were not closed", d.open)
			}
		}
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.collect(ctx, newDoor(t, s.fixture.feed), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("before: got %v", err)
	}
	if len(s.docs) < 2 {
		return
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, err := s.source.Fetch(ctx, newDoor(t, s.fixture.feed), nil, func(*advisory.Document) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the first document: got %v", err)
	}
}

func (s *suite) change(t *testing.T) {
	if s.fixture.next != nil {
		s.later(t)
		return
	}
	tried := 0
	for _, doc := range s.docs {
		for _, name := range slices.Sorted(maps.Keys(s.fixture.feed)) {
			if !bytes.Equal(s.fixture.feed[name], doc.Content) {
				continue
			}
			tried++
			s.changed(t, name, doc)
			s.removed(t, name, doc)
		}
	}
	if tried == 0 {
		t.Error("no document is a file of the fixture: add next/ to it, with what changes")
	}
}

// changed: a file that changes is passed on.
func (s *suite) changed(t *testing.T, name string, doc *advisory.Document) {
	t.Helper()
	files := maps.Clone(s.fixture.feed)
	files[name] = append(bytes.Clone(files[name]), '\n')
	docs, out := s.good(t, newDoor(t, files), s.state)
	if got, ok := contents(docs)[doc.Name]; !ok || got != string(files[name]) || out.Unchanged {
		t.Errorf("%s changed, and document %q was not passed on anew; a source that is told of changes by a list needs next/ in its fixture", name, doc.Name)
	}
	if string(out.State) == string(s.state) {
		t.Errorf("%s changed, and the state did not", name)
	}
}

// removed: a file that is there no longer is not passed on, and the outcome
// says so, or it is an error.
func (s *suite) removed(t *testing.T, name string, doc *advisory.Document) {
	t.Helper()
	files := maps.Clone(s.fixture.feed)
	delete(files, name)
	d := newDoor(t, files)
	docs, out, err := s.collect(t.Context(), d, s.state)
	if errors.Is(err, advisory.ErrNotFound) || errors.Is(err, advisory.ErrInvalid) && len(docs) == 0 {
		return
	}
	if err != nil {
		t.Errorf("%s was removed: %v", name, err)
		return
	}
	i := slices.IndexFunc(docs, func(d *advisory.Document) bool { return d.Name == doc.Name })
	switch {
	case i >= 0 && !docs[i].Gone:
		t.Errorf("%s was removed, and document %q was passed on", name, doc.Name)
	case i < 0 && !out.Complete:
		t.Errorf("%s was removed, and nothing says that document %q is gone", name, doc.Name)
	}
}

// later is what a Fetch of the next feed passes on.
type later struct {
	Documents []string `json:"documents"`
	Gone      []string `json:"gone"`
	Complete  bool     `json:"complete"`
}

func (s *suite) later(t *testing.T) {
	docs, out := s.good(t, newDoor(t, s.fixture.next), s.state)
	got := later{Documents: []string{}, Gone: []string{}, Complete: out.Complete}
	for _, doc := range docs {
		if doc.Gone {
			got.Gone = append(got.Gone, doc.Name)
		} else {
			got.Documents = append(got.Documents, doc.Name)
		}
	}
	slices.Sort(got.Documents)
	slices.Sort(got.Gone)
	if len(docs) == 0 && !out.Complete {
		t.Error("the feed changed, and nothing was passed on")
	}
	s.compare(t, "next.json", s.fixture.wantNext, got)
	docs, out = s.good(t, newDoor(t, s.fixture.next), out.State)
	if !out.Unchanged && !out.Complete && len(docs) == 0 {
		t.Error("after the later feed nothing changed, and the outcome does not say so")
	}
}
