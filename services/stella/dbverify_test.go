package main

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyIncomplete: what is active is sound and signed, although a newer release could
// not be completed; both are said.
func TestVerifyIncomplete(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.publish(t, 10, "--new-keys")
	b.must(t, "db", "db", "pull", b.ref, "--root", filepath.Join(b.at("keys"), "root.json"))
	if out := b.must(t, "db", "db", "verify"); !strings.Contains(out, "version 1, until") || strings.Contains(out, "completed") {
		t.Error(out)
	}
	first := maps.Clone(b.files)
	b.publish(t, 11)
	second := b.files
	b.files = maps.Clone(second)
	largest := ""
	for name, text := range second {
		if first[name] == nil && strings.Contains(name, "/blobs/") && len(text) > len(second[largest]) {
			largest = name
		}
	}
	delete(b.files, largest)
	if code, out := b.run("db", "db", "pull", b.ref); code != exitVerification {
		t.Fatalf("exit code %d: %s", code, out)
	}
	out := b.must(t, "db", "db", "verify")
	for _, want := range []string{"every block has its digest", "signed by the feed advisories, version 1, until", "version 2 is known and could not be completed"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nwant %s", out, want)
		}
	}
	b.files = second
	b.must(t, "db", "db", "pull", b.ref)
	if out := b.must(t, "db", "db", "verify"); !strings.Contains(out, "version 2, until") || strings.Contains(out, "completed") {
		t.Error(out)
	}
	// What somebody imported after that is not what the feed signs.
	b.must(t, "db", "db", "import", b.at("records"))
	b.publish(t, 12)
	b.must(t, "db", "db", "import", b.at("records"))
	if code, out := b.run("db", "db", "verify"); code != exitVerification || !strings.Contains(out, "not what version 2 of the feed advisories signs") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
