package csafprovider_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/stella-ops/stella/vex/csafprovider"
	"github.com/stella-ops/stella/vex/vextest"
)

// TestDeletions: a folder's list of deletions counts where its changes.csv still has
// what was deleted.
func TestDeletions(t *testing.T) {
	s := source(t, csafprovider.Config{Folders: []csafprovider.Folder{{URL: "https://" + host + "/white", Deletions: "https://" + host + "/white/deletions.csv"}}})
	files := tree()
	files[host+"/white/deletions.csv"] = []byte("\"2025/a-0.json\",\"2025-12-01T00:00:00Z\"\n")
	next := maps.Clone(files)
	next[host+"/white/deletions.csv"] = []byte("\"2026/a-1.json\",\"2026-03-01T00:00:00Z\"\n")
	next[host+"/white/changes.csv"] = []byte("\"2026/a-2.json\",\"2026-03-01T00:00:00Z\"\n\"2026/a-1.json\",\"2026-01-01T00:00:00Z\"\n")
	beside(next, host+"/white/2026/a-2.json", document("a-2", "CVE-2026-1022"))
	vextest.TestSource(t, s, vextest.Feed{Files: files, Next: next, Changed: []string{"white/2026/a-2.json"}, Gone: []string{"white/2026/a-1.json"}})
}

// TestArchiveDigest: an archive is held against the digest beside it.
func TestArchiveDigest(t *testing.T) {
	files := tree()
	files[host+"/all.tar.gz"] = []byte("an archive")
	files[host+"/all.tar.gz.sha256"] = []byte("0000000000000000000000000000000000000000000000000000000000000000  all.tar.gz\n")
	s := source(t, csafprovider.Config{Folders: []csafprovider.Folder{{URL: "https://" + host + "/white/", Archive: "https://" + host + "/all.tar.gz"}}})
	if docs, err := fetch(t, s, files); !errors.Is(err, csafprovider.ErrMismatch) || docs != nil {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}
