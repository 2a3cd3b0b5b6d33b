package advisorytest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

// mode is how a door fails.
type mode string

const (
	unavailable mode = "unavailable" // it does not answer
	missing     mode = "missing"     // it has no such address
	cut         mode = "cut"         // the answer breaks off halfway
	tooMuch     mode = "too much"    // the answer goes over its bound
)

var kinds = map[mode]error{unavailable: advisory.ErrUnavailable, missing: advisory.ErrNotFound, cut: advisory.ErrUnavailable, tooMuch: advisory.ErrLimit}

// door serves files.
type door struct {
	files map[string][]byte
	mode  mode
	at    int // which request fails, from 1 on; all from there on, as retries do not help

	mu    sync.Mutex
	asked []string
	open  int // bodies that are not closed
	hit   int // answers that failed and would have been
}

func newDoor(t *testing.T, files map[string][]byte) *door {
	t.Helper()
	packed, err := pack(files)
	if err != nil {
		t.Fatal(err)
	}
	return &door{files: packed}
}

// modified is when everything was written last: late, so that archives count
// as current.
var modified = time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)

// Open serves a file; see [advisory.Door].
func (d *door) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL)
	name, err := feed.Path(r.URL)
	if err != nil {
		return nil, err
	}
	failing := mode("")
	if d.mode != "" && len(d.asked) >= d.at {
		failing = d.mode
	}
	content, ok := d.files[name]
	if ok && failing != "" {
		d.hit++
	}
	switch {
	case failing == unavailable:
		return nil, fmt.Errorf("open %s: the door fails: %w", r.URL, fault.Unavailable)
	case failing == missing, !ok:
		return nil, fmt.Errorf("open %s: the door has no %s: %w", r.URL, name, fault.NotFound)
	}
	out := &advisory.Response{Size: int64(len(content)), ETag: `"` + feed.Digest(content) + `"`, Modified: modified, URL: r.URL}
	if r.ETag == out.ETag && failing == "" {
		out.NotModified, out.Size = true, -1
		return out, nil
	}
	b := &body{door: d, r: bytes.NewReader(content)}
	switch failing {
	case cut:
		b.r, b.end = bytes.NewReader(content[:len(content)/2]), fmt.Errorf("read %s: it broke off: %w", r.URL, fault.Unavailable)
	case tooMuch:
		b.r, b.end = bytes.NewReader(content[:len(content)/2]), fmt.Errorf("read: %w", &fault.LimitError{What: "bytes", Where: r.URL, Max: r.Max})
	}
	d.open++
	out.Body = b
	return out, nil
}

type body struct {
	door *door
	r    *bytes.Reader
	end  error // instead of io.EOF
	shut bool
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF && b.end != nil {
		err = b.end
	}
	return n, err
}

// Close closes the body.
func (b *body) Close() error {
	b.door.mu.Lock()
	defer b.door.mu.Unlock()
	if !b.shut {
		b.shut = true
		b.door.open--
	}
	return nil
}

// foreign lists addresses that were asked for and are not at one of the hosts.
func (d *door) foreign(hosts []string) (out []string) {
	for _, address := range d.asked {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || !slices.Contains(hosts, u.Hostname()) {
			out = append(out, address)
		}
	}
	return out
}
