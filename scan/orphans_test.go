package scan_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/elfnote"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/analyzer/programs"
	"github.com/stella-ops/stella/scan/sbom"
)

// noted is a program with a package note.
func noted(text string) string {
	head := make([]byte, 64+56)
	copy(head, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(head[16:], 2)
	le.PutUint64(head[32:], 64)
	le.PutUint16(head[54:], 56)
	le.PutUint16(head[56:], 1)
	le.PutUint32(head[64:], 4)
	le.PutUint64(head[64+8:], 64+56)
	le.PutUint64(head[64+32:], uint64(16+len(text)))
	return string(head) + "\x04\x00\x00\x00" + string(le.AppendUint32(nil, uint32(len(text)))) + "\x7e\x1a\xfe\xcaFDO\x00" + text
}

// What a program says of its package counts where no database does.
func TestOrphans(t *testing.T) {
	note := func(kind, os, name, version string) string {
		return noted(`{"type":"` + kind + `","os":"` + os + `","name":"` + name + `","version":"` + version + `","architecture":"amd64"}`)
	}
	files := append(debian("1:1.0", "usr/bin/tool"),
		exec("usr/bin/tool", note("deb", "debian", "toolsource", "1:1.0")),  // owned
		exec("opt/tool", note("deb", "debian", "tool", "1.0")),              // listed
		exec("opt/other", note("deb", "ubuntu", "tool", "1.0")),             // of another distribution
		exec("opt/lib/a.so", note("rpm", "fedora", "zlib", "1.3.1-1.fc40")), // two files
		exec("opt/lib/b.so", note("rpm", "fedora", "zlib", "1.3.1-1.fc40")), // of one package
		exec("opt/plain", elf("plain")))
	s := &scan.Scanner{Analyzers: analyzer.NewSet(elfnote.Analyzer{}, osrelease.Analyzer{}, dpkg.Analyzer{}, programs.Analyzer{})} // before the owners, to move their indexes
	r := mustScan(t, s, testImage(imagetest.Gzip, imagetest.Tar(files...)))
	got := map[string]string{}
	for _, p := range r.Document.Packages {
		var where []string
		for _, l := range p.Locations {
			where = append(where, l.Path)
		}
		got[p.Name+"@"+p.Version+" "+p.PURL.Namespace] = strings.Join(where, " ")
	}
	want := map[string]string{
		"tool@1:1.0 debian": "var/lib/dpkg/status", "tool@1.0 ubuntu": "opt/other", "zlib@1.3.1-1.fc40 fedora": "opt/lib/a.so opt/lib/b.so",
		// A note is a claim: the files stay listed.
		"opt/plain@ ": "opt/plain", "opt/tool@ ": "opt/tool", "opt/other@ ": "opt/other", "opt/lib/a.so@ ": "opt/lib/a.so", "opt/lib/b.so@ ": "opt/lib/b.so",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if problems := r.Document.Check(); len(problems) > 0 {
		t.Error(problems)
	}
	for _, rel := range r.Document.Relationships {
		if rel.Kind == sbom.OwnedBy {
			t.Errorf("%+v", rel)
		}
	}
}
