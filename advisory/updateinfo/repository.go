package updateinfo

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"path"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

// repository is one repository of packages, of which the updates are wanted.
type repository struct {
	// name is the release, and what tells the repositories of one release apart:
	// "8/BaseOS/x86_64".
	name string
	// base is its address, with a slash at the end. Where it is empty, the first
	// line of mirrors is.
	base, mirrors string
	// optional says that the publisher may not have it.
	optional bool
}

// document is the name of a repository's document.
func (r *repository) document() string { return r.name + "/updateinfo.xml" }

// key is the address under which the state keeps a repository.
func (r *repository) key() string {
	if r.mirrors != "" {
		return r.mirrors
	}
	return r.base + "repodata/repomd.xml"
}

// Fetch passes on the updateinfo.xml of each repository, compressed as it is,
// whose checksum in repomd.xml is another than before; see [advisory.Source].
func (s *Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	old, next := feed.ReadState(state), feed.State{}
	passed, changed := 0, false
	for i := range s.repositories {
		r := &s.repositories[i]
		doc, err := s.document(ctx, door, r, old, next)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		if changed = true; !doc.Gone {
			passed++
		}
		if err := emit(doc); err != nil {
			return nil, err
		}
	}
	known := 0
	for _, seen := range next {
		if seen.Name != "" {
			known++
		}
	}
	if len(next) == 0 {
		return nil, fmt.Errorf("fetch updates of %s: none of its %d repositories is there: %w", s.description.Name, len(s.repositories), fault.NotFound)
	}
	text, err := next.Text()
	if err != nil {
		return nil, err
	}
	unchanged := !changed && len(old) > 0
	return &advisory.Fetched{State: text, Complete: passed == known && !unchanged, Unchanged: unchanged}, nil
}

// document is what one repository has that is new; nil for nothing.
func (s *Source) document(ctx context.Context, door advisory.Door, r *repository, old, next feed.State) (*advisory.Document, error) {
	key, seen := r.key(), old[r.key()]
	gone := func() *advisory.Document {
		if seen.Name == "" {
			return nil
		}
		return &advisory.Document{Source: s.description.Name, Name: seen.Name, URL: key, Gone: true}
	}
	base, err := r.address(ctx, door)
	if errors.Is(err, fault.NotFound) && r.optional {
		return gone(), nil
	}
	if err != nil {
		return nil, err
	}
	text, resp, err := feed.Read(ctx, door, advisory.Request{URL: base + "repodata/repomd.xml", Max: maxRepomd, ETag: seen.ETag, Modified: seen.Modified})
	switch {
	case errors.Is(err, fault.NotFound) && r.optional:
		return gone(), nil
	case err != nil:
		return nil, err
	case resp.NotModified && old[key].ETag+old[key].Modified == "":
		return nil, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", r.name, fault.Invalid)
	case resp.NotModified:
		next[key] = seen
		return nil, nil
	}
	data, err := readRepomd(text)
	if err != nil {
		return nil, fmt.Errorf("read %srepodata/repomd.xml: %w", base, err)
	}
	if data == nil { // a repository without updates
		next[key] = feed.Seen{ETag: resp.ETag, Modified: resp.Modified}
		return gone(), nil
	}
	next[key] = feed.Seen{ETag: resp.ETag, Modified: resp.Modified, Digest: data.sum(), Name: r.document()}
	if seen.Digest == data.sum() && seen.Name == r.document() {
		return nil, nil
	}
	content, resp, err := feed.Read(ctx, door, advisory.Request{URL: base + data.Location.Href, Max: maxPacked})
	if err != nil {
		return nil, err
	}
	if err := data.check(content); err != nil {
		return nil, fmt.Errorf("fetch %s%s: %w", base, data.Location.Href, err)
	}
	return &advisory.Document{Source: s.description.Name, Name: r.document(), URL: resp.URL, Content: content, Signature: advisory.Unsigned}, nil
}

// address is the repository's base: its own, or the one that its list of
// mirrors names first, which must be of the list's host.
func (r *repository) address(ctx context.Context, door advisory.Door) (string, error) {
	if r.mirrors == "" {
		return r.base, nil
	}
	text, resp, err := feed.Read(ctx, door, advisory.Request{URL: r.mirrors, Max: maxRepomd})
	if err != nil {
		return "", err
	}
	if resp.NotModified {
		return "", fmt.Errorf("fetch %s: the answer says unmodified to who asks for all: %w", r.mirrors, fault.Invalid)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	u, err := url.Parse(strings.TrimSpace(line))
	list, _ := url.Parse(r.mirrors)
	if err != nil || u.Scheme != "https" || u.Host != list.Host || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("read %s: %.200q is no https address of %s: %w", r.mirrors, line, list.Host, fault.Invalid)
	}
	return strings.TrimSuffix(u.String(), "/") + "/", nil
}

// data is an entry of repomd.xml.
type data struct {
	Type     string `xml:"type,attr"`
	Checksum struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"checksum"`
	Location struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
}

func (d *data) sum() string {
	return d.Checksum.Type + ":" + strings.ToLower(strings.TrimSpace(d.Checksum.Text))
}

// readRepomd finds the entry of the updates; nil where there is none.
func readRepomd(text []byte) (*data, error) {
	var doc struct {
		XMLName xml.Name `xml:"repomd"`
		Data    []data   `xml:"data"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	if len(doc.Data) == 0 {
		return nil, fmt.Errorf("it names nothing: %w", fault.Invalid)
	}
	for i := range doc.Data {
		d := &doc.Data[i]
		if d.Type != "updateinfo" {
			continue
		}
		if href := d.Location.Href; href == "" || path.Clean(href) != href || strings.HasPrefix(href, "/") || strings.HasPrefix(href, "..") || strings.ContainsAny(href, ":?#%\\") {
			return nil, fmt.Errorf("the location %.200q is no path in the repository: %w", href, fault.Invalid)
		}
		return d, nil
	}
	return nil, nil
}

// check holds content against the checksum.
func (d *data) check(content []byte) error {
	var h hash.Hash
	switch d.Checksum.Type {
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	case "sha384":
		h = sha512.New384()
	case "sha", "sha1":
		h = sha1.New() // old repositories have no better
	default:
		return fmt.Errorf("a checksum of type %.40q: %w", d.Checksum.Type, fault.Unsupported)
	}
	h.Write(content)
	want := strings.ToLower(strings.TrimSpace(d.Checksum.Text))
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return &fault.MismatchError{What: "checksum of updateinfo.xml", Want: want, Got: got}
	}
	return nil
}
