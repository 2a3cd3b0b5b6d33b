package vextest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// mode is how a door fails.
type mode string

const (
	unavailable mode = "unavailable" // it does not answer
	missing     mode = "missing"     // it has no such address
	cut         mode = "cut"         // the answer breaks off halfway
	tooMuch     mode = "too much"    // the answer goes over its bound
)

var kinds = map[mode]error{unavailable: vex.ErrUnavailable, missing: vex.ErrNotFound, cut: vex.ErrUnavailable, tooMuch: vex.ErrLimit}

// Door returns a door that serves files, by host and path. An answer's ETag is the
// digest of its content.
func Door(files map[string][]byte) vex.Door { return newDoor(files) }

type door struct {
	files map[string][]byte
	mode  mode
	at    int // which request fails, from 1 on; all from there on, as retries do not help

	mu    sync.Mutex
	asked []string
	open  int // bodies that are not closed
	hit   int // answers that failed and would have been
}

func newDoor(files map[string][]byte) *door { return &door{files: files} }

// Open serves a file; see vex.Door.
func (d *door) Open(ctx context.Context, r vex.Request) (*vex.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, r.URL)
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("open %.200s: it is no address: %w", r.URL, fault.Invalid)
	}
	content, ok := d.files[u.Host+u.Path]
	failing := mode("")
	if d.mode != "" && len(d.asked) >= d.at {
		failing = d.mode
	}
	if ok && failing != "" {
		d.hit++
	}
	switch {
	case failing == unavailable:
		return nil, fmt.Errorf("open %s: the door fails: %w", r.URL, fault.Unavailable)
	case failing == missing, !ok:
		return nil, fmt.Errorf("open %s: there is none: %w", r.URL, fault.NotFound)
	}
	sum := sha256.Sum256(content)
	out := &vex.Response{Size: int64(len(content)), ETag: `"` + hex.EncodeToString(sum[:]) + `"`, URL: r.URL}
	if r.ETag == out.ETag && failing == "" {
		out.NotModified = true
		return out, nil
	}
	b := &body{door: d, Reader: bytes.NewReader(content)}
	switch {
	case failing == cut:
		b.Reader, b.end = bytes.NewReader(content[:len(content)/2]), fmt.Errorf("read %s: the connection broke: %w", r.URL, fault.Unavailable)
	case failing == tooMuch, r.Max > 0 && int64(len(content)) > r.Max:
		b.Reader, b.end = bytes.NewReader(content[:len(content)/2]), &fault.LimitError{What: "bytes of an answer", Where: r.URL, Max: r.Max}
	}
	d.open++
	out.Body = b
	return out, nil
}

// foreign are the addresses that were asked for and are not https at one of hosts.
func (d *door) foreign(hosts []string) (out []string) {
	for _, a := range d.asked {
		u, err := url.Parse(a)
		if err != nil || u.Scheme != "https" || !slices.Contains(hosts, strings.ToLower(u.Hostname())) {
			out = append(out, a)
		}
	}
	return out
}

// body is an answer's.
type body struct {
	*bytes.Reader
	door   *door
	end    error
	closed bool
}

// Read reads on, and ends with what is wrong.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.end != nil {
		err = b.end
	}
	return n, err
}

// Close closes the body.
func (b *body) Close() error {
	b.door.mu.Lock()
	defer b.door.mu.Unlock()
	if !b.closed {
		b.door.open--
	}
	b.closed = true
	return nil
}
