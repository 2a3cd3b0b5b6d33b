package retrieve

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

// TestLate: in a list whose names are not kept, a new document with an old time is
// asked for, and one that is gone is seen though another came.
func TestLate(t *testing.T) {
	s, list := many(600)
	src := &Source{Lists: []List{Folder(root + "f")}, MaxNames: 10}
	_, out, err := s.fetch(t, src, nil)
	if err != nil || !out.Complete {
		t.Fatal(out, err)
	}
	if len(out.State) > 1000 || bytes.Contains(out.State, []byte("d-00001")) {
		t.Errorf("a state of %d bytes: %.200s", len(out.State), out.State)
	}
	state := s.good(t, src, out.State, false)
	s.files[root+"f/late.json"], s.files[root+"f/new.json"] = "{}", "{}"
	list = append(list, change("new.json", 3))
	s.set(list...)
	state = s.good(t, src, state, false, "f/new.json")
	list = append(list, change("late.json", 2))
	s.set(list...)
	state = s.good(t, src, state, false, "f/late.json")
	state = s.good(t, src, state, false)
	s.files[root+"f/newer.json"] = "{}"
	s.set(append(list[1:], change("newer.json", 4))...)
	names, out, err := s.fetch(t, src, state)
	if err != nil || !out.Complete || len(names) != 602 {
		t.Errorf("one is gone and another came: %d documents, %+v, %v", len(names), out, err)
	}
}

// TestDeletions: what is told to be deleted is gone, without a fetch of everything.
func TestDeletions(t *testing.T) {
	s, list := many(600)
	l := Folder(root + "f")
	l.Deletions = root + "f/deletions.csv"
	src := &Source{Lists: []List{l}, MaxNames: 10}
	s.files[l.Deletions] = change("former.json", 1)
	_, out, err := s.fetch(t, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.files[l.Deletions] += change("d-00000.json", 5)
	state := s.good(t, src, out.State, false, "-f/d-00000.json", "-f/former.json") // the list has it still
	s.set(list[1:]...)
	state = s.good(t, src, state, false)
	s.files[l.Deletions] += change("d-00001.json", 6)
	s.files[root+"f/late.json"] = "{}"
	s.set(append(list[2:], change("late.json", 1))...)
	state = s.good(t, src, state, false, "-f/d-00000.json", "-f/d-00001.json", "f/late.json")
	delete(s.files, l.Deletions)
	state = s.good(t, src, state, false)
	s.files[l.Deletions] = "x"
	if _, _, err := s.fetch(t, src, state); !errors.Is(err, fault.Invalid) {
		t.Errorf("a list of deletions that is none: %v", err)
	}
}

// TestLists: a document that moves from one list to another is not gone, a new list
// does not make everything be fetched, and one that is there no longer had documents.
func TestLists(t *testing.T) {
	s := &site{files: map[string]string{}}
	for _, at := range []string{"f/a.json", "f/b.json", "g/c.json", "h/d.json"} {
		s.files[root+at] = "{}"
	}
	s.set(change("a.json", 1), change("b.json", 2))
	s.files[root+"g/changes.csv"] = change("c.json", 1)
	s.files[root+"h/changes.csv"] = change("d.json", 1)
	f, g, h := Folder(root+"f"), Folder(root+"g/"), Folder(root+"h")
	src := func(lists ...List) *Source { return &Source{Lists: lists} }
	state := s.good(t, src(f, g), nil, true, "f/a.json", "f/b.json", "g/c.json")
	state = s.good(t, src(f, g, h, h), state, false, "h/d.json")
	state = s.good(t, src(f, h), state, false, "-g/c.json")
	moved := h // the same folder in two lists
	moved.URL, moved.Folder = root+"h/changes.csv", root
	s.set(change("b.json", 2))
	s.files[root+"h/changes.csv"] = change("f/a.json", 1)
	s.good(t, src(f, moved), state, false, "-h/d.json", "f/a.json")
	if names, _, err := s.fetch(t, src(f, Folder(root+"nothing")), state); !errors.Is(err, fault.NotFound) {
		t.Errorf("no list: %q, %v", names, err)
	}
	if names, _, err := s.fetch(t, src(Folder("https://elsewhere.example/f")), nil); !errors.Is(err, fault.Forbidden) || len(s.asked) > 0 {
		t.Errorf("a list elsewhere: %q, asked for %q, %v", names, s.asked, err)
	}
}

// TestIndex: an index.txt does for a folder that never had a changes.csv, and for no
// other: it would make everything be fetched again each time.
func TestIndex(t *testing.T) {
	s, _ := many(2)
	src := &Source{Lists: []List{Folder(root + "f")}}
	state := s.good(t, src, nil, true, "f/d-00000.json", "f/d-00001.json")
	delete(s.files, root+"f/changes.csv")
	s.files[root+"f/index.txt"] = "d-00000.json\n"
	if _, _, err := s.fetch(t, src, state); !errors.Is(err, fault.NotFound) {
		t.Errorf("the list is gone: %v", err)
	}
	state = s.good(t, src, nil, true, "f/d-00000.json")
	s.good(t, src, state, true, "f/d-00000.json")
}

// pack makes a tar.gz.
func pack(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(members); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(members[i+1]))
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestArchive: an archive is held against the digest beside it; a member with another
// digest is asked for by itself.
func TestArchive(t *testing.T) {
	s, _ := many(3)
	l := Folder(root+"f", ".sha256")
	l.Archive = root + "f.tar.gz"
	src := &Source{Lists: []List{l}}
	s.set(change("d-00000.json", 1), change("d-00001.json", 2), change("d-00002.json", 20))
	s.files[l.Archive] = pack(t, "f/d-00000.json", "{}", "f/d-00000.json.sha256", digest("{}"), "f/d-00001.json", "[]", "f/d-00001.json.sha256", digest("{}"), "f/d-00002.json", "old", "f/other.json", "{}")
	for _, text := range []string{"", digest(s.files[l.Archive]) + "  f.tar.gz\n"} {
		if text != "" {
			s.files[l.Archive+".sha256"] = text
		}
		s.good(t, src, nil, true, "f/d-00000.json", "f/d-00001.json", "f/d-00002.json")
		if slices.Contains(s.asked, root+"f/d-00000.json") || !slices.Contains(s.asked, root+"f/d-00001.json") || !slices.Contains(s.asked, root+"f/d-00002.json") {
			t.Errorf("asked for %q", s.asked)
		}
	}
	for _, text := range []string{digest("another"), "no digest"} {
		s.files[l.Archive+".sha256"] = text
		if names, _, err := s.fetch(t, src, nil); !errors.Is(err, fault.Mismatch) || names != nil {
			t.Errorf("%q: %q, %v", text, names, err)
		}
	}
	delete(s.files, l.Archive+".sha256")
	s.files[l.Archive] = pack(t, "f/d-00000.json", strings.Repeat("0", 40<<20))
	if _, _, err := s.fetch(t, src, nil); !errors.Is(err, fault.Limit) {
		t.Errorf("a small archive with much in it: %v", err)
	}
}

// TestStateTooLarge: names are dropped from a state that gets too large, and marks stay.
func TestStateTooLarge(t *testing.T) {
	s := state{}
	for i := range 12 {
		var v seen
		v.note(entries(named(0, 9000)...), 0)
		s[fmt.Sprintf("https://csaf.example.com/%d/changes.csv", i)] = v
	}
	for _, v := range s {
		if v.Names == nil || v.Marks != nil {
			t.Fatalf("%d names, %d marks", len(v.Names), len(v.Marks))
		}
		break
	}
	text, err := s.text()
	if err != nil || len(text) > 64<<10 {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	for at, v := range readState(text) {
		if v.Names != nil || !v.Marks.ok() || v.Count != 9000 {
			t.Errorf("%s: %d names, %d bytes of marks, %d documents", at, len(v.Names), len(v.Marks), v.Count)
		}
	}
}
