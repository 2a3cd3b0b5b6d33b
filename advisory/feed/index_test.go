package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

const indexBase = "https://x.example/"

// listed reads lines of a time, a comma and a name.
func listed(list []byte) (out []feed.Entry, err error) {
	for line := range strings.Lines(string(list)) {
		at, name, _ := strings.Cut(strings.TrimSpace(line), ",")
		gone := strings.HasPrefix(name, "-")
		name = strings.TrimPrefix(name, "-")
		out = append(out, feed.Entry{Name: name, URL: indexBase + name, Modified: at, Gone: gone})
	}
	return out, nil
}

// publisher is one with a list, documents, and an archive that is made now and
// then.
type publisher struct {
	clock    time.Time
	docs     map[string]string
	changed  map[string]time.Time
	bulk     map[string]string // documents of the archive
	bulkAt   time.Time
	answers  int
	failing  int // answers from which on it fails, 0 for never
	noETag   bool
	noModify bool
}

// Open answers as the publisher stands.
func (p *publisher) Open(_ context.Context, r advisory.Request) (*advisory.Response, error) {
	if p.answers++; p.failing > 0 && p.answers >= p.failing {
		return nil, advisory.ErrUnavailable
	}
	name := strings.TrimPrefix(r.URL, indexBase)
	text, at := p.docs[name], p.changed[name]
	switch name {
	case "list":
		text = p.list()
	case "all.zip":
		var members []string
		for _, n := range slices.Sorted(maps.Keys(p.bulk)) {
			members = append(members, n, p.bulk[n])
		}
		text, at = zipOf(members...), p.bulkAt
	}
	if text == "" {
		return nil, advisory.ErrNotFound
	}
	out := &advisory.Response{Size: int64(len(text)), URL: r.URL}
	if !p.noETag {
		out.ETag = `"` + feed.Digest([]byte(text)) + `"`
	}
	if !p.noModify {
		out.Modified = at.Format(http.TimeFormat)
	}
	if r.ETag != "" && r.ETag == out.ETag {
		out.NotModified = true
		return out, nil
	}
	out.Body = io.NopCloser(strings.NewReader(text))
	return out, nil
}

func (p *publisher) list() string {
	var lines []string
	for name, at := range p.changed {
		lines = append(lines, at.Format(time.RFC3339Nano)+","+name)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// TestIndexModel: whatever changes when, and whatever fails, two Fetches that
// succeed after the last change leave what the publisher has.
func TestIndexModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &publisher{clock: now, docs: map[string]string{}, changed: map[string]time.Time{}, noETag: rapid.Bool().Draw(t, "no ETag"), noModify: rapid.Bool().Draw(t, "no date")}
		publish := func(name string) {
			p.docs[name] = fmt.Sprintf("%s at %s", name, p.clock.Format(time.RFC3339Nano))
			p.changed[name] = p.clock
		}
		pack := func() { p.bulk, p.bulkAt = maps.Clone(p.docs), p.clock }
		publish("a")
		pack()
		x := feed.Index{Source: "s", URL: indexBase + "list", Entries: listed, MaxSingles: 3}
		if rapid.Bool().Draw(t, "bulk") {
			x.Bulk = &feed.Archive{Source: "s", URL: indexBase + "all.zip"}
		}
		var state []byte
		have := map[string]string{}
		fetch := func() {
			got := map[string]string{}
			out, err := x.Fetch(context.Background(), p, state, func(d *advisory.Document) error { got[d.Name] = string(d.Content); return nil })
			if err != nil {
				if !errors.Is(err, advisory.ErrUnavailable) {
					t.Fatal(err)
				}
				return
			}
			if out.Complete {
				clear(have)
			}
			maps.Copy(have, got)
			state = out.State
		}
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"publish", "publish", "same time", "wait", "pack", "fetch", "fail"}).Draw(t, "step") {
			case "publish":
				p.clock = p.clock.Add(time.Second)
				publish(names.Draw(t, "name"))
			case "same time":
				publish(names.Draw(t, "name"))
			case "wait":
				p.clock = p.clock.Add(2 * time.Hour)
				if p.clock.Sub(p.bulkAt) > 20*time.Hour { // the archive lags, within what is allowed for
					pack()
				}
			case "pack":
				pack()
			case "fetch":
				fetch()
			case "fail":
				p.answers, p.failing = 0, rapid.IntRange(1, 4).Draw(t, "at")
				fetch()
				p.failing = 0
			}
		}
		p.clock = p.clock.Add(time.Second)
		fetch()
		fetch()
		if diff := cmp.Diff(p.docs, have); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestIndexGone(t *testing.T) {
	x := feed.Index{Source: "s", URL: indexBase + "list", Entries: listed}
	door := memory{indexBase + "list": "2026-01-01T00:00:00Z,a\n2026-01-02T00:00:00Z,b\n", indexBase + "a": "a", indexBase + "b": "b"}
	_, out, err := collect(t.Context(), x, door, nil)
	if err != nil || !out.Complete {
		t.Fatalf("%+v %v", out, err)
	}
	door[indexBase+"list"] += "2026-01-03T00:00:00Z,-a\n"
	got, out, err := collect(t.Context(), x, door, out.State)
	if diff := cmp.Diff(map[string]string{"a": "gone"}, got); err != nil || diff != "" || out.Complete {
		t.Errorf("%+v %v -want +got:\n%s", out, err, diff)
	}
}

func TestIndexRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		list string
		kind error
	}{
		"nothing":        {"", feed.ErrInvalid},
		"no time":        {"yesterday,a\n", feed.ErrInvalid},
		"no document":    {"2026-01-01T00:00:00Z,none\n", feed.ErrNotFound},
		"out of it":      {"2026-01-01T00:00:00Z,../a\n", feed.ErrInvalid},
		"without a name": {"2026-01-01T00:00:00Z,\n", feed.ErrInvalid},
	} {
		door := memory{indexBase + "list": tt.list + " ", indexBase + "../a": "x", indexBase: "x"}
		x := feed.Index{Source: "s", URL: indexBase + "list", Entries: func(b []byte) ([]feed.Entry, error) { return listed([]byte(strings.TrimSuffix(string(b), " "))) }}
		if got, _, err := collect(t.Context(), x, door, nil); !errors.Is(err, tt.kind) || len(got) != 0 {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "d", "a", "X-1.json"), "1")
	write(t, filepath.Join(dir, "d", "README"), "x")
	write(t, filepath.Join(dir, "d", ".git", "x.json"), "x")
	if err := os.Symlink("X-1.json", filepath.Join(dir, "d", "a", "X-2.json")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "all.zip"), zipOf("a/X-1.json", "1", "b", "x"))
	write(t, filepath.Join(dir, "X-1.json.gz"), gzipOf("1"))
	for path, name := range map[string]string{"d": "a/X-1.json", "all.zip": "a/X-1.json", "X-1.json.gz": "X-1.json"} {
		l := feed.Local{Source: "s", Path: filepath.Join(dir, path), Keep: feed.Below("", ".json")}
		got, out, err := collect(t.Context(), l, nil, nil)
		if diff := cmp.Diff(map[string]string{name: "1"}, got); err != nil || diff != "" || !out.Complete {
			t.Errorf("%s: %+v %v -want +got:\n%s", path, out, err, diff)
			continue
		}
		if got, out, err := collect(t.Context(), l, nil, out.State); err != nil || !out.Unchanged || len(got) != 0 {
			t.Errorf("%s again: %q %+v %v", path, got, out, err)
		}
	}
	write(t, filepath.Join(dir, "d", "b.json"), "2")
	got, _, err := collect(t.Context(), feed.Local{Source: "s", Path: filepath.Join(dir, "d"), Keep: feed.Below("", ".json")}, nil, nil)
	if diff := cmp.Diff(map[string]string{"a/X-1.json": "1", "b.json": "2"}, got); err != nil || diff != "" {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
	for path, kind := range map[string]error{"none": feed.ErrNotFound, "d/.git": feed.ErrInvalid} {
		l := feed.Local{Source: "s", Path: filepath.Join(dir, path), Keep: feed.Below("z", ".json")}
		if _, _, err := collect(t.Context(), l, nil, nil); !errors.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
