package vextest

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

	"github.com/stella-ops/stella/vex"
)

// Feed is what a publisher serves, by host and path: "example.com/index.json".
type Feed struct {
	Files map[string][]byte
	// Next is all that is served later, and Changed and Gone are the documents that
	// a later Fetch passes on, sorted, or leaves out where it is complete. A nil Next
	// is not asked about.
	Next          map[string][]byte
	Changed, Gone []string
	// Quiet are the names of documents that say nothing.
	Quiet []string
}

// suite is one source under test.
type suite struct {
	source vex.Source
	feed   Feed
	docs   []*vex.Document // of a first Fetch
	state  []byte          // after it
}

// TestSource checks a source that asks a door: that fetching takes nothing for
// complete that is not, notices what changed, and passes nothing on that the publisher
// did not write; and that reading is a function of the document that drops nothing
// without a word.
func TestSource(t *testing.T, source vex.Source, feed Feed) {
	s := &suite{source: source, feed: feed}
	t.Run("Describe", func(t *testing.T) { TestDescription(t, source) })
	if !t.Run("Fetch", s.fetch) {
		t.FailNow()
	}
	t.Run("Unchanged", s.unchanged)
	t.Run("Faults", s.faults)
	t.Run("EmitError", s.emitError)
	t.Run("Cancelled", s.cancelled)
	if feed.Next != nil {
		t.Run("Later", s.later)
	}
	t.Run("Parse", func(t *testing.T) { TestParse(t, source, s.docs, feed.Quiet...) })
}

var sourceName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// TestDescription checks what a source says about itself.
func TestDescription(t *testing.T, source vex.Source) {
	d := source.Describe()
	if diff := cmp.Diff(d, source.Describe()); diff != "" {
		t.Errorf("it changes:\n%s", diff)
	}
	if !sourceName.MatchString(d.Name) {
		t.Errorf("name %q, want lower case letters, digits and hyphens", d.Name)
	}
	if d.Title == "" || d.License == "" || strings.HasPrefix(d.License, "CC-BY") && d.Attribution == "" {
		t.Errorf("title %q, licence %q, attribution %q", d.Title, d.License, d.Attribution)
	}
	for _, h := range d.Hosts {
		if h == "" || h != strings.ToLower(h) || strings.ContainsAny(h, "/: *") {
			t.Errorf("host %q, want a name in lower case", h)
		}
	}
}

func (s *suite) collect(ctx context.Context, d *door, state []byte) ([]*vex.Document, *vex.Fetched, error) {
	var docs []*vex.Document
	out, err := s.source.Fetch(ctx, d, state, func(doc *vex.Document) error {
		docs = append(docs, doc)
		return nil
	})
	return docs, out, err
}

// good is collect of a door that serves all; it must succeed.
func (s *suite) good(t *testing.T, files map[string][]byte, state []byte) ([]*vex.Document, *vex.Fetched) {
	t.Helper()
	d := newDoor(files)
	docs, out, err := s.collect(t.Context(), d, state)
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	switch {
	case out == nil:
		t.Fatal("Fetch returned neither an outcome nor an error")
	case out.Unchanged && (out.Complete || len(docs) > 0):
		t.Errorf("the outcome is unchanged, complete %v, and %d documents were passed on", out.Complete, len(docs))
	case len(out.State) > 1<<20:
		t.Errorf("the state has %d bytes", len(out.State))
	}
	if d.open != 0 {
		t.Errorf("%d bodies were not closed", d.open)
	}
	if f := d.foreign(s.source.Describe().Hosts); len(f) > 0 {
		t.Errorf("asked for %q, which is not https at one of %q", f, s.source.Describe().Hosts)
	}
	CheckDocuments(t, s.source, docs)
	return docs, out
}

// CheckDocuments looks at documents that a Fetch passed on.
func CheckDocuments(t *testing.T, source vex.Source, docs []*vex.Document) {
	t.Helper()
	seen := map[string]bool{}
	for _, doc := range docs {
		switch {
		case doc.Source != source.Describe().Name:
			t.Errorf("document %q is of source %q, want %q", doc.Name, doc.Source, source.Describe().Name)
		case seen[doc.Name]:
			t.Errorf("document %q was passed on twice", doc.Name)
		case doc.Name == "" || strings.HasPrefix(doc.Name, "/") || slices.Contains(strings.Split(doc.Name, "/"), "..") || slices.Contains(strings.Split(doc.Name, "/"), ""):
			t.Errorf("document %q: its name is no path", doc.Name)
		case doc.Gone && doc.Content != nil, !doc.Gone && (doc.Content == nil || doc.URL == ""):
			t.Errorf("document %q: gone %v, %d bytes from %q", doc.Name, doc.Gone, len(doc.Content), doc.URL)
		}
		seen[doc.Name] = true
	}
}

func contents(docs []*vex.Document) map[string]string {
	out := map[string]string{}
	for _, doc := range docs {
		out[doc.Name] = string(doc.Content) + "\x00" + string(doc.Proof)
	}
	return out
}

func (s *suite) fetch(t *testing.T) {
	docs, out := s.good(t, s.feed.Files, nil)
	if len(docs) == 0 || out.Unchanged {
		t.Fatalf("a first Fetch passed on %d documents, unchanged %v", len(docs), out.Unchanged)
	}
	for _, doc := range docs {
		if doc.Gone {
			t.Errorf("document %q is gone in a first Fetch", doc.Name)
		}
	}
	again, _ := s.good(t, s.feed.Files, nil)
	if diff := cmp.Diff(contents(docs), contents(again)); diff != "" {
		t.Errorf("a second first Fetch differs:\n%s", diff)
	}
	s.docs, s.state = docs, out.State
}

// unchanged: Fetch with the state of before passes on nothing else.
func (s *suite) unchanged(t *testing.T) {
	first, state := contents(s.docs), s.state
	for range 3 {
		docs, out := s.good(t, s.feed.Files, state)
		for _, doc := range docs {
			if doc.Gone || first[doc.Name] != contents([]*vex.Document{doc})[doc.Name] {
				t.Errorf("nothing changed, and document %q did (gone: %v)", doc.Name, doc.Gone)
			}
		}
		if !out.Unchanged && !out.Complete && len(docs) == 0 {
			t.Error("nothing was passed on, and the outcome is not unchanged")
		}
		state = out.State
	}
	docs, _, err := s.collect(t.Context(), newDoor(s.feed.Files), []byte("{]"))
	if err == nil && len(docs) < len(s.docs) {
		t.Errorf("with a state that is none %d of %d documents were passed on", len(docs), len(s.docs))
	}
}

// maxFaults bounds the requests of which each is made to fail.
const maxFaults = 40

func (s *suite) faults(t *testing.T) {
	clean := newDoor(s.feed.Files)
	if _, _, err := s.collect(t.Context(), clean, nil); err != nil {
		t.Fatal(err)
	}
	first := contents(s.docs)
	for _, m := range []mode{unavailable, missing, cut, tooMuch} {
		for at := 1; at <= min(len(clean.asked), maxFaults); at++ {
			d := newDoor(s.feed.Files)
			d.mode, d.at = m, at
			docs, out, err := s.collect(t.Context(), d, nil)
			where := fmt.Sprintf("%s from request %d of %d on", m, at, len(clean.asked))
			for _, doc := range docs {
				content, ok := first[doc.Name]
				if body, _, _ := strings.Cut(content, "\x00"); doc.Gone || !ok || body != string(doc.Content) {
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
		for _, want := range []error{errors.New("enough"), fmt.Errorf("a store: %w", vex.ErrNotFound)} {
			n := 0
			d := newDoor(s.feed.Files)
			out, err := s.source.Fetch(t.Context(), d, nil, func(*vex.Document) error {
				if n++; n == at {
					return want
				}
				return nil
			})
			if err != want || out != nil {
				t.Errorf("emit's error at document %d: got %v and %v, want that error alone", at, out, err)
			}
			if n != at || d.open != 0 {
				t.Errorf("emit was called %d times after its error, %d bodies were not closed", n-at, d.open)
			}
		}
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.collect(ctx, newDoor(s.feed.Files), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("before: got %v", err)
	}
	if len(s.docs) < 2 {
		return
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, err := s.source.Fetch(ctx, newDoor(s.feed.Files), nil, func(*vex.Document) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the first document: got %v", err)
	}
}

func (s *suite) later(t *testing.T) {
	docs, out := s.good(t, s.feed.Next, s.state)
	before, changed, gone := contents(s.docs), []string{}, []string{}
	has := map[string]bool{}
	for _, doc := range docs {
		has[doc.Name] = true
		switch {
		case doc.Gone:
			gone = append(gone, doc.Name)
		case before[doc.Name] != contents([]*vex.Document{doc})[doc.Name]:
			changed = append(changed, doc.Name)
		}
	}
	if out.Complete {
		for name := range before {
			if !has[name] {
				gone = append(gone, name)
			}
		}
	}
	slices.Sort(changed)
	slices.Sort(gone)
	if diff := cmp.Diff(append([]string{}, s.feed.Changed...), changed); diff != "" {
		t.Errorf("changed: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(append([]string{}, s.feed.Gone...), gone); diff != "" {
		t.Errorf("gone: -want +got:\n%s", diff)
	}
	if bytes.Equal(out.State, s.state) {
		t.Error("the feed changed, and the state did not")
	}
	if docs, out = s.good(t, s.feed.Next, out.State); !out.Unchanged && !out.Complete && len(docs) == 0 {
		t.Error("after the later feed nothing changed, and the outcome does not say so")
	}
}

// TestParse checks how a source reads documents: as a function of their names and
// contents, with statements that are prepared, and never with a panic. quiet are the
// names of documents that say nothing.
func TestParse(t *testing.T, source vex.Source, docs []*vex.Document, quiet ...string) {
	for _, doc := range docs {
		content := bytes.Clone(doc.Content)
		first, said := parse(t, source, doc.Name, content)
		if !bytes.Equal(content, doc.Content) {
			t.Errorf("%s: its content was changed", doc.Name)
		}
		if again, _ := parse(t, source, doc.Name, content); !slices.Equal(first, again) {
			t.Errorf("%s: it says something else when it is read again", doc.Name)
		}
		if (said == 0) != slices.Contains(quiet, doc.Name) {
			t.Errorf("%s: it says %d things, quiet: %v", doc.Name, said, slices.Contains(quiet, doc.Name))
		}
		for _, damaged := range damages(content) {
			parse(t, source, doc.Name, damaged)
		}
	}
}

// parse returns what a document says, a line each, and how much that is.
func parse(t *testing.T, source vex.Source, name string, content []byte) (out []string, said int) {
	t.Helper()
	ended := false
	for st, err := range source.Parse(&vex.Document{Source: source.Describe().Name, Name: name, Content: content}) {
		var broken *vex.StatementError
		switch {
		case ended:
			t.Fatalf("%s: it goes on after an error that was the last", name)
		case errors.As(err, &broken):
			out = append(out, "broken "+broken.Error())
		case err != nil:
			ended = true
			out = append(out, err.Error())
		default:
			said++
			id := st.ID
			if err := st.Prepare(); err != nil || id == "" || id != st.ID {
				t.Fatalf("%s: a statement was not prepared: %q, %v", name, id, err)
			}
			out = append(out, id)
		}
		if err != nil && !slices.ContainsFunc([]error{vex.ErrInvalid, vex.ErrUnsupported, vex.ErrLimit, vex.ErrForbidden, vex.ErrMismatch}, func(k error) bool { return errors.Is(err, k) }) {
			t.Errorf("%s: an error of no kind: %v", name, err)
		}
	}
	return out, said
}

// damages are a document cut short, with other bytes, and of another kind.
func damages(content []byte) [][]byte {
	out := [][]byte{nil, []byte("{}"), []byte("null"), []byte("<html></html>")}
	for _, at := range []int{len(content) / 4, len(content) / 2, len(content) - 1} {
		if at >= 0 && at < len(content) {
			out = append(out, content[:at])
			flipped := bytes.Clone(content)
			flipped[at] ^= 0x15
			out = append(out, flipped)
		}
	}
	return out
}

// Without returns a copy of files without those of the names.
func Without(files map[string][]byte, names ...string) map[string][]byte {
	out := maps.Clone(files)
	for _, n := range names {
		delete(out, n)
	}
	return out
}
