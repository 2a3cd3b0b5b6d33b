package advisorytest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// fixture is what a txtar file holds.
type fixture struct {
	archive  *txtar.Archive
	feed     map[string][]byte // by path, members of archives too
	next     map[string][]byte // all that is served later; nil for nothing else
	want     []byte
	wantNext []byte
	quiet    []string
	dataOnly []string
}

func readFixture(text []byte) (*fixture, error) {
	f := &fixture{archive: txtar.Parse(text), feed: map[string][]byte{}}
	next := map[string][]byte{}
	var removed []string
	for _, file := range f.archive.Files {
		if name, ok := strings.CutPrefix(file.Name, "feed/"); ok {
			f.feed[name] = file.Data
			continue
		}
		if name, ok := strings.CutPrefix(file.Name, "next/"); ok {
			next[name] = file.Data
			continue
		}
		switch file.Name {
		case "want.json":
			f.want = file.Data
		case "next.json":
			f.wantNext = file.Data
		case "quiet":
			f.quiet = lines(file.Data)
		case "data-only":
			f.dataOnly = lines(file.Data)
		case "removed":
			removed = lines(file.Data)
		default:
			return nil, fmt.Errorf("it has %s, which is nothing of a fixture", file.Name)
		}
	}
	if len(f.feed) == 0 {
		return nil, fmt.Errorf("it has no feed/")
	}
	if len(next) > 0 || len(removed) > 0 {
		f.next = maps.Clone(f.feed)
		maps.Copy(f.next, next)
		for _, name := range removed {
			if f.next[name] == nil {
				return nil, fmt.Errorf("it removes %s, which it has not", name)
			}
			delete(f.next, name)
		}
	}
	return f, nil
}

func lines(text []byte) []string {
	return strings.FieldsFunc(string(text), func(c rune) bool { return c == '\n' || c == '\r' })
}

// set replaces a file of the fixture.
func (f *fixture) set(name string, text []byte) {
	i := slices.IndexFunc(f.archive.Files, func(file txtar.File) bool { return file.Name == name })
	if i < 0 {
		f.archive.Files = append(f.archive.Files, txtar.File{Name: name})
		i = len(f.archive.Files) - 1
	}
	f.archive.Files[i].Data = text
}

func (f *fixture) write(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, txtar.Format(f.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pack makes of files what a door serves: archives packed, files compressed.
func pack(files map[string][]byte) (map[string][]byte, error) {
	out, archives := map[string][]byte{}, map[string]map[string][]byte{}
	for name, data := range files {
		if plain, ok := strings.CutSuffix(name, ".base64"); ok {
			decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
			if err != nil {
				return nil, fmt.Errorf("%s: %v", name, err)
			}
			name, data = plain, decoded
		}
		if archive, member, ok := splitArchive(name); ok {
			if archives[archive] == nil {
				archives[archive] = map[string][]byte{}
			}
			archives[archive][member] = data
			continue
		}
		if strings.HasSuffix(name, ".gz") && !bytes.HasPrefix(data, []byte("\x1f\x8b")) {
			data = compress(data)
		}
		out[name] = data
	}
	for name, members := range archives {
		switch {
		case strings.HasSuffix(name, ".zip"):
			out[name] = zipped(members)
		case strings.HasSuffix(name, ".tar"):
			out[name] = tarred(members)
		default:
			out[name] = compress(tarred(members))
		}
	}
	return out, nil
}

// splitArchive splits the path of a member of an archive.
func splitArchive(name string) (archive, member string, ok bool) {
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] {
		plain, marked := strings.CutSuffix(part, "!")
		for _, end := range []string{".zip", ".tar.gz", ".tgz", ".tar"} {
			marked = marked || i > 0 && strings.HasSuffix(part, end)
		}
		if marked {
			return strings.Join(append(slices.Clone(parts[:i]), plain), "/"), strings.Join(parts[i+1:], "/"), true
		}
	}
	return "", "", false
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data) // into memory, which does not fail
	z.Close()
	return b.Bytes()
}

func zipped(members map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if w, err := z.Create(name); err == nil {
			w.Write(members[name])
		}
	}
	z.Close()
	return b.Bytes()
}

func tarred(members map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(members[name])), Typeflag: tar.TypeReg})
		w.Write(members[name])
	}
	w.Close()
	return b.Bytes()
}
