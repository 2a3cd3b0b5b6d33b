package advisorytest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/osv"
)

// fetcher is a shape of package feed.
type fetcher interface {
	Fetch(context.Context, advisory.Door, []byte, func(*advisory.Document) error) (*advisory.Fetched, error)
}

// toy is a source of OSV records with one fault or none.
type toy struct {
	fetcher
	host  string
	fault string
}

func (s toy) Describe() advisory.Description {
	return advisory.Description{Name: "toy", Title: "Toy", Home: "https://example.org/", License: "CC0-1.0", Hosts: []string{s.host}}
}

func (s toy) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		r, err := osv.Parse(doc.Content, nil)
		switch {
		case s.fault == "quiet" && doc.Name == "osv/X-2.json":
			return
		case s.fault == "hungry":
			doc.Content[0] = ' '
		case s.fault == "silent" && err != nil:
			return
		case s.fault == "panics" && err != nil:
			panic("no record")
		case s.fault == "invalid" && err == nil:
			r.Modified = "yesterday"
		case s.fault == "goes on" && err != nil:
			yield(nil, advisory.ErrInvalid)
			yield(nil, advisory.ErrInvalid)
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		yield(r, nil)
	}
}

func (s toy) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	switch s.fault {
	case "forgets":
		state = nil
	case "wraps":
		out, err := s.fetcher.Fetch(ctx, door, state, emit)
		if err != nil {
			return nil, fmt.Errorf("fetch: %w", err)
		}
		return out, nil
	case "half":
		door = halving{door}
	case "never changes":
		if state != nil {
			return &advisory.Fetched{State: state, Unchanged: true}, nil
		}
	case "swallows":
		out, err := s.fetcher.Fetch(ctx, door, state, emit)
		if errors.Is(err, advisory.ErrUnavailable) {
			return &advisory.Fetched{State: state, Unchanged: true}, nil
		}
		return out, err
	}
	return s.fetcher.Fetch(ctx, door, state, emit)
}

// halving takes broken answers for whole ones.
type halving struct{ advisory.Door }

func (h halving) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	out, err := h.Door.Open(ctx, r)
	if err == nil && !out.NotModified {
		b, _ := io.ReadAll(out.Body)
		out.Body.Close()
		out.Body = io.NopCloser(bytes.NewReader(b))
	}
	return out, err
}

func archive(fault string) toy {
	return toy{fault: fault, host: "codeload.example.org", fetcher: feed.Archive{
		Source: "toy", URL: "https://codeload.example.org/a/b/tar.gz/refs/heads/main", Strip: 1, Keep: feed.Below("osv", ".json"),
	}}
}

func files(fault string) toy {
	return toy{fault: fault, host: "files.example.org", fetcher: feed.Files{Source: "toy", List: []feed.File{
		{URL: "https://files.example.org/one.json.gz"},
		{URL: "https://files.example.org/q?a=1", Name: "two.json"},
		{URL: "https://files.example.org/none", Optional: true},
	}}}
}

func entries(list []byte) (out []feed.Entry, err error) {
	for line := range strings.Lines(string(list)) {
		at, id, _ := strings.Cut(strings.TrimSpace(line), ",")
		out = append(out, feed.Entry{Name: id + ".json", URL: "https://index.example.org/" + id + ".json", Modified: at})
	}
	return out, nil
}

func index(bulk *feed.Archive) toy {
	return toy{host: "index.example.org", fetcher: feed.Index{Source: "toy", URL: "https://index.example.org/list.csv", Entries: entries, Bulk: bulk}}
}

func TestShapes(t *testing.T) {
	t.Run("Archive", func(t *testing.T) { advisorytest.TestSource(t, archive(""), "testdata/archive.txtar") })
	t.Run("Files", func(t *testing.T) { advisorytest.TestSource(t, files(""), "testdata/files.txtar") })
	t.Run("Index", func(t *testing.T) { advisorytest.TestSource(t, index(nil), "testdata/index.txtar") })
	t.Run("Bulk", func(t *testing.T) {
		advisorytest.TestSource(t, index(&feed.Archive{Source: "toy", URL: "https://index.example.org/all.zip"}), "testdata/index.txtar")
	})
}

// TestBroken runs the suite on broken sources in a process of its own, which
// must fail with the reason.
func TestBroken(t *testing.T) {
	if fault := os.Getenv("STELLA_TOY"); fault != "" {
		if fault == "half" {
			advisorytest.TestSource(t, files(fault), "testdata/files.txtar")
			return
		}
		advisorytest.TestSource(t, archive(fault), "testdata/archive.txtar")
		return
	}
	for fault, want := range map[string]string{
		"quiet":         "says 0 things",
		"hungry":        "its content was changed",
		"silent":        "says nothing",
		"panics":        "panic: no record",
		"invalid":       "not of RFC 3339",
		"goes on":       "something follows",
		"wraps":         "want that error alone",
		"half":          "is not what the publisher wrote",
		"never changes": "was not passed on anew",
		"swallows":      "no error",
	} {
		c := exec.Command(os.Args[0], "-test.run=^TestBroken$")
		c.Env = append(os.Environ(), "STELLA_TOY="+fault)
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: the suite does not say %q (%v):\n%.2000s", fault, want, err, out)
		}
	}
}
