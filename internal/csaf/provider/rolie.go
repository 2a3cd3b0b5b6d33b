package provider

import (
	"net/url"
	"path"

	"github.com/stella-ops/stella/internal/csaf/shape"
)

// Feed is a ROLIE feed in JSON.
//
// Source: RFC 8322; CSAF 2.0, section 7.1.15.
type Feed struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Links      []Link     `json:"link,omitzero"`
	Categories []Category `json:"category,omitzero"`
	Updated    string     `json:"updated"`
	Entries    []Entry    `json:"entry,omitzero"`
}

// Link refers to something; Relation is "self", "hash", "signature" and others.
type Link struct {
	Relation string `json:"rel"`
	URL      string `json:"href"`
}

// Category is a term within a scheme.
type Category struct {
	Scheme string `json:"scheme,omitzero"`
	Term   string `json:"term"`
}

// Entry is one document of a feed. ID is the document's.
type Entry struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Links     []Link     `json:"link,omitzero"`
	Published string     `json:"published,omitzero"`
	Updated   string     `json:"updated"`
	Summary   *Summary   `json:"summary,omitzero"`
	Content   Content    `json:"content"`
	Format    *Format    `json:"format,omitzero"`
	Category  []Category `json:"category,omitzero"`
}

// Summary is text for people.
type Summary struct {
	Content string `json:"content,omitzero"`
}

// Content says where the document itself is.
type Content struct {
	Type string `json:"type,omitzero"`
	URL  string `json:"src"`
}

// Format names the schema of the document.
type Format struct {
	Schema  string `json:"schema"`
	Version string `json:"version"`
}

// URL returns where the document is: its link to itself, or else its content.
func (e *Entry) URL() string {
	if urls := linked(e.Links, "self"); len(urls) > 0 {
		return urls[0]
	}
	return e.Content.URL
}

// Hashes returns where files with digests are.
func (e *Entry) Hashes() []string { return linked(e.Links, "hash") }

// Signatures returns where signatures are.
func (e *Entry) Signatures() []string { return linked(e.Links, "signature") }

// Name returns the name of the document's file, or "" if its URL has none.
func (e *Entry) Name() string {
	u, err := url.Parse(e.URL())
	if err != nil || u.Path == "" {
		return ""
	}
	return path.Base(u.Path)
}

func linked(links []Link, relation string) (out []string) {
	for _, l := range links {
		if l.Relation == relation {
			out = append(out, l.URL)
		}
	}
	return out
}

// ParseFeed reads a feed. An error wraps [ErrInvalid] or [ErrLimit].
func ParseFeed(text []byte, limits *Limits) (*Feed, error) {
	l := limits.withDefaults()
	var file struct {
		Feed Feed `json:"feed"`
	}
	if err := decode("ROLIE feed", text, feedRule, l, &file); err != nil {
		return nil, err
	}
	if err := l.entries("ROLIE feed", len(file.Feed.Entries)); err != nil {
		return nil, err
	}
	return &file.Feed, nil
}

// feedRule asks for what is used, and for what Atom makes mandatory (RFC 4287,
// sections 4.1.1 and 4.1.2). A feed may have no entry yet.
var feedRule = func() *shape.Rule {
	text := shape.Text()
	links := &shape.Rule{Kind: shape.Array, Items: shape.Struct(members{"rel": text, "href": anyURL}, "rel", "href")}
	categories := &shape.Rule{Kind: shape.Array, Items: shape.Struct(members{"scheme": {Kind: shape.String}, "term": text}, "term")}
	entry := shape.Struct(members{
		"id": text, "title": {Kind: shape.String}, "link": links, "published": date, "updated": date, "category": categories,
		"summary": shape.Struct(members{"content": {Kind: shape.String}}),
		"content": shape.Struct(members{"type": {Kind: shape.String}, "src": anyURL}, "src"),
		"format":  shape.Struct(members{"schema": anyURL, "version": text}, "schema", "version"),
	}, "id", "title", "updated", "content")
	feed := shape.Struct(members{
		"id": text, "title": {Kind: shape.String}, "link": links, "category": categories, "updated": date,
		"entry": {Kind: shape.Array, Items: entry},
	}, "id", "title", "updated")
	return shape.Struct(members{"feed": feed}, "feed")
}()

// ParseService reads a ROLIE service document and returns where its feeds are
// (section 7.1.16).
func ParseService(text []byte, limits *Limits) ([]string, error) {
	l := limits.withDefaults()
	var file struct {
		Service struct {
			Workspaces []struct {
				Collections []struct {
					URL string `json:"href"`
				} `json:"collection"`
			} `json:"workspace"`
		} `json:"service"`
	}
	if err := decode("ROLIE service", text, serviceRule, l, &file); err != nil {
		return nil, err
	}
	var out []string
	for _, w := range file.Service.Workspaces {
		for _, c := range w.Collections {
			out = append(out, c.URL)
		}
	}
	return out, l.entries("ROLIE service", len(out))
}

var serviceRule = func() *shape.Rule {
	collection := shape.Struct(members{"title": {Kind: shape.String}, "href": anyURL}, "title", "href")
	workspace := shape.Struct(members{"title": {Kind: shape.String}, "collection": {Kind: shape.Array, Items: collection}}, "title", "collection")
	return shape.Struct(members{"service": shape.Struct(members{"workspace": shape.List(workspace)}, "workspace")}, "service")
}()
