package advisorytest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
)

// said is one thing that a document says, as fixtures have it.
type said struct {
	Record *advisory.Record `json:"record,omitempty"`
	Signal *advisory.Signal `json:"signal,omitempty"`
	Error  string           `json:"error,omitempty"`
}

// read parses a document and checks what it says.
func (s *suite) read(doc *advisory.Document) (out []said, problems []error) {
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("document %q: "+format, append([]any{doc.Name}, args...)...))
	}
	before := bytes.Clone(doc.Content)
	ended := false
	for st, err := range s.source.Parse(doc) {
		if ended {
			problem("something follows an error that is no *RecordError")
		}
		var broken *advisory.RecordError
		switch {
		case err != nil && st != nil:
			problem("a statement and an error at once: %v", err)
		case err != nil && errors.As(err, &broken):
			out = append(out, said{Error: err.Error()})
		case err != nil:
			ended = true
			out = append(out, said{Error: err.Error()})
			if !errors.Is(err, advisory.ErrInvalid) && !errors.Is(err, advisory.ErrLimit) && !errors.Is(err, advisory.ErrUnsupported) {
				problem("its error is neither invalid, limit nor unsupported: %v", err)
			}
		default:
			one, err := valid(st)
			if err != nil {
				problem("%v", err)
			}
			out = append(out, one)
		}
	}
	if !bytes.Equal(before, doc.Content) {
		problem("its content was changed")
	}
	return out, problems
}

// valid checks one statement.
func valid(st advisory.Statement) (said, error) {
	switch st := st.(type) {
	case *advisory.Record:
		if st == nil {
			return said{}, errors.New("a nil record")
		}
		if st.Source != "" {
			return said{Record: st}, fmt.Errorf("record %s has the source %q, which is not its own to set", st.ID, st.Source)
		}
		if st.Digest == "" {
			return said{Record: st}, fmt.Errorf("record %s has no digest", st.ID)
		}
		return said{Record: st}, st.Validate()
	case *advisory.Signal:
		if st == nil {
			return said{}, errors.New("a nil signal")
		}
		if st.Source != "" {
			return said{Signal: st}, fmt.Errorf("the signal about %s has the source %q, which is not its own to set", st.Vulnerability, st.Source)
		}
		return said{Signal: st}, st.Validate()
	}
	return said{}, fmt.Errorf("a statement of type %T", st)
}

func (s *suite) parse(t *testing.T) {
	got := map[string][]said{}
	for _, doc := range s.docs {
		list, problems := s.read(doc)
		for _, p := range problems {
			t.Error(p)
		}
		quiet := slices.Contains(s.fixture.quiet, doc.Name)
		if (len(list) == 0) != quiet {
			t.Errorf("document %q says %d things; fixture's quiet: %v", doc.Name, len(list), quiet)
		}
		got[doc.Name] = list
		ids := map[string]bool{}
		for _, one := range list {
			if one.Record == nil {
				continue
			}
			if ids[one.Record.ID] {
				t.Errorf("document %q has two records %s", doc.Name, one.Record.ID)
			}
			ids[one.Record.ID] = true
			s.ecosystems(t, one.Record)
		}
	}
	s.compare(t, "want.json", s.fixture.want, got)
}

// ecosystems: what has no order of versions is known to have none.
func (s *suite) ecosystems(t *testing.T, r *advisory.Record) {
	for _, a := range r.Affected {
		if a.Ecosystem == "" || a.Ecosystem == "CPE" || slices.Contains(s.fixture.dataOnly, a.Ecosystem) {
			continue
		}
		if _, err := version.For(a.Ecosystem); err != nil {
			t.Errorf("record %s: %v, and the fixture's data-only does not name it", r.ID, err)
		}
	}
}

// compare holds a value against a file of the fixture, or writes that.
func (s *suite) compare(t *testing.T, name string, want []byte, got any) {
	t.Helper()
	text, err := json.Marshal(got, json.Deterministic(true), jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		s.fixture.set(name, text)
		return
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("%s of %s: -want +got (write it with -update):\n%s", name, s.file, diff)
	}
}

// pure: equal statements twice, at once, by name and content alone, and from a
// consumer that stops.
func (s *suite) pure(t *testing.T) {
	for _, doc := range s.docs {
		want, _ := s.read(doc)
		bare := &advisory.Document{Name: doc.Name, Content: bytes.Clone(doc.Content)}
		var wg sync.WaitGroup
		results := make([][]said, 4)
		for i := range results {
			wg.Go(func() { results[i], _ = s.read(bare) })
		}
		wg.Wait()
		for _, got := range results {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("document %q says other things when read again, by its name and content alone:\n%s", doc.Name, diff)
			}
		}
		for stop := range min(len(want), 20) {
			n := 0
			for range s.source.Parse(doc) { // panics if it goes on
				if n++; n > stop {
					break
				}
			}
		}
	}
}

// Figures of the damaged documents.
const (
	maxCuts  = 48
	maxFlips = 150
	maxRead  = 20 * time.Second // one damaged document
	maxLarge = 256 << 10        // bytes of a document that is damaged as often
)

// damaged: whatever the bytes, reading ends, says valid things, and says
// something.
func (s *suite) damaged(t *testing.T) {
	docs := s.docs
	if len(docs) > 20 {
		docs = docs[:20]
	}
	for _, doc := range docs {
		n := len(doc.Content)
		if n == 0 {
			continue
		}
		cuts, flips := maxCuts, maxFlips
		if n > maxLarge {
			cuts, flips = 4, 10
		}
		for i := range min(cuts, n) {
			s.survives(t, doc.Name, doc.Content[:n*i/min(cuts, n)], i == 0)
		}
		seed := uint32(n)
		for range flips {
			content := bytes.Clone(doc.Content)
			for range 1 + seed%3 {
				seed = seed*1664525 + 1013904223
				content[int(seed>>8)%n] = "\x00\xff{}[]\",:-0\n <>/e&"[(seed>>3)%18]
			}
			s.survives(t, doc.Name, content, false)
		}
		for _, content := range [][]byte{
			[]byte("<!DOCTYPE html><html><body>Please log in</body></html>"),
			bytes.Repeat([]byte("["), 200_000),
			bytes.Repeat([]byte(`{"a":`), 100_000),
			bytes.Repeat([]byte("<a>"), 100_000),
			bytes.Repeat([]byte("- "), 20_000),
			bytes.Repeat([]byte{0}, 10_000),
		} {
			s.survives(t, doc.Name, content, true)
		}
	}
}

// survives reads damaged content; loud means that it must say something.
func (s *suite) survives(t *testing.T, name string, content []byte, loud bool) {
	t.Helper()
	type outcome struct {
		list     []said
		problems []error
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover()
			done <- o
		}()
		o.list, o.problems = s.read(&advisory.Document{Name: name, Content: bytes.Clone(content)})
	}()
	shown := content[:min(len(content), 400)]
	select {
	case o := <-done:
		switch {
		case o.panicked != nil:
			t.Fatalf("panic: %v, reading as %q: %q", o.panicked, name, shown)
		case len(o.problems) > 0:
			t.Fatalf("%v, reading %q", o.problems[0], shown)
		case loud && len(o.list) == 0:
			t.Fatalf("says nothing, reading as %q: %q", name, shown)
		}
	case <-time.After(maxRead):
		t.Fatalf("does not end within %s, reading as %q: %q", maxRead, name, shown)
	}
}
