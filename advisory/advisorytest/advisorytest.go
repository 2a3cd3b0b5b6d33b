// Package advisorytest proves sources of advisories: that fetching takes
// nothing for complete that is not, notices what changed, and passes nothing on
// that the publisher did not write; and that reading is a function of the
// document that drops nothing without a word. A source's own test calls
// [TestSource].
//
// # Fixtures
//
// A fixture is a txtar file of small documents of the source:
//
//	feed/<host>/<path>    what the door serves, named as feed.Path says
//	next/<host>/<path>    what it serves later, beside or instead of feed
//	removed               what of feed it serves no longer then, a line each
//	want.json             what the documents say; written by -update
//	next.json             which documents the later fetch passes on; likewise
//	quiet                 names of documents that say nothing, a line each
//	data-only             ecosystems without an order of versions, a line each
//
// A folder of a name that ends in .zip, .tar.gz, .tgz or .tar, or in "!", is
// served as the archive of what is in it; one that ends in "!" is a tar.gz
// unless the name before that says otherwise. A file whose name ends in .gz is
// served compressed, and one that ends in .base64 decoded, without that end.
//
// Without next, documents are changed and removed one by one. A source that
// learns of changes from a list, which then has to change as well, needs next.
package advisorytest

import (
	"flag"
	"os"
	"testing"

	"github.com/stella-ops/stella/advisory"
)

var update = flag.Bool("update", false, "write what fixtures expect")

// Update reports whether the test was started with -update.
func Update() bool { return *update }

// TestSource checks a source against a fixture.
func TestSource(t *testing.T, source advisory.Source, fixture string) {
	text, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	f, err := readFixture(text)
	if err != nil {
		t.Fatalf("%s: %v", fixture, err)
	}
	s := &suite{source: source, fixture: f, file: fixture}
	t.Run("Describe", s.describe)
	if !t.Run("Fetch", s.fetch) {
		t.FailNow()
	}
	t.Run("Unchanged", s.unchanged)
	t.Run("Faults", s.faults)
	t.Run("EmitError", s.emitError)
	t.Run("Cancelled", s.cancelled)
	t.Run("Change", s.change)
	t.Run("Parse", s.parse)
	t.Run("Pure", s.pure)
	t.Run("Damaged", s.damaged)
	if *update {
		s.fixture.write(t, fixture)
	}
}

// suite is one source under test.
type suite struct {
	source  advisory.Source
	fixture *fixture
	file    string
	docs    []*advisory.Document // of a first Fetch
	state   []byte               // after it
}
