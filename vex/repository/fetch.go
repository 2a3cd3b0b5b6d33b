package repository

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// state is what is known of the archive; of plain files it has the digest of all.
type state struct {
	URL      string `json:"url"`
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	Digest   string `json:"digest"`
}

// run is one Fetch.
type run struct {
	source *Source
	door   vex.Door
	pass   fetch.Pass
	old    state
}

func (r *run) read(q vex.Request) ([]byte, *vex.Response, error) {
	return fetch.Read(r.pass.Context, r.door, r.source.description.Hosts, q)
}

// manifest returns where the archive is, and its folder in it.
func (r *run) manifest() (address, folder string, err error) {
	at := r.source.config.Manifest
	text, _, err := r.read(vex.Request{URL: at, Max: 1 << 20})
	if err != nil {
		return "", "", err
	}
	var m struct {
		Versions []struct {
			Version   string `json:"spec_version"`
			Locations []struct {
				URL string `json:"url"`
			} `json:"locations"`
		} `json:"versions"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return "", "", fmt.Errorf("read the manifest %s: %v: %w", at, err, fault.Invalid)
	}
	for _, v := range m.Versions {
		if v.Version != "0.1" {
			continue
		}
		if len(v.Locations) == 0 {
			break
		}
		address, folder = splitFolder(v.Locations[0].URL)
		return address, folder, nil
	}
	return "", "", fmt.Errorf("read the manifest %s: it has no location of version 0.1: %w", at, fault.Unsupported)
}

// splitFolder splits "https://host/archive.tar.gz//folder".
func splitFolder(location string) (address, folder string) {
	scheme, rest, ok := strings.Cut(location, "://")
	if !ok {
		return location, ""
	}
	rest, folder, _ = strings.Cut(rest, "//")
	return scheme + "://" + rest, strings.Trim(folder, "/")
}

// entry is a document of an index.
type entry struct {
	name, location string
}

// parseIndex reads an index: documents by their locations, each with its names.
func parseIndex(where string, text []byte) (map[string][]string, []entry, error) {
	var index struct {
		Packages []struct {
			ID       string `json:"id"`
			Location string `json:"location"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, nil, fmt.Errorf("read the index %s: %v: %w", where, err, fault.Invalid)
	}
	if len(index.Packages) > MaxPackages {
		return nil, nil, &fault.LimitError{What: "packages", Where: where, Max: MaxPackages, Seen: int64(len(index.Packages))}
	}
	byLocation, seen := map[string][]string{}, map[string]bool{}
	var list []entry
	for i, p := range index.Packages {
		u, err := purl.Parse(p.ID)
		if err != nil || p.ID == "" {
			return nil, nil, fmt.Errorf("read the index %s: package %d: the id %.200q is no package URL: %w", where, i, p.ID, fault.Invalid)
		}
		if err := fetch.CheckName(p.Location); err != nil {
			return nil, nil, fmt.Errorf("read the index %s: package %d: %w", where, i, err)
		}
		e := entry{Place(u) + "/" + path.Base(p.Location), p.Location}
		switch {
		case slices.Contains(byLocation[p.Location], e.name):
			continue // the same again
		case seen[e.name]:
			return nil, nil, fmt.Errorf("read the index %s: package %d: %.200q has two documents of one name: %w", where, i, p.ID, fault.Invalid)
		}
		seen[e.name] = true
		byLocation[e.location] = append(byLocation[e.location], e.name)
		list = append(list, e)
	}
	if len(list) == 0 {
		return nil, nil, fmt.Errorf("read the index %s: it lists nothing: %w", where, fault.Invalid)
	}
	return byLocation, list, nil
}

// archive passes on what an archive has.
func (r *run) archive(at, folder string) (*vex.Fetched, error) {
	q := vex.Request{URL: at, Max: fetch.MaxArchive}
	if r.old.URL == at && r.old.Digest != "" {
		q.ETag, q.Modified = r.old.ETag, r.old.Modified
	}
	content, resp, err := r.read(q)
	if err != nil {
		return nil, err
	}
	if resp.NotModified && r.old.Digest == "" {
		return nil, fmt.Errorf("fetch %.300s: the answer says unmodified to who knows nothing: %w", at, fault.Invalid)
	}
	if resp.NotModified {
		return r.unchanged(r.old)
	}
	now := state{URL: at, ETag: resp.ETag, Modified: resp.Modified, Digest: door.Digest(content)}
	if now.Digest == r.old.Digest && r.old.URL == at {
		return r.unchanged(now)
	}
	// The archive is read twice: what it lists must be known first, and that it is
	// whole, before anything is passed on.
	var index []byte
	root := ""
	err = fetch.Members(at, content, folder, func(name string) bool { return path.Base(name) == "index.json" && strings.Count(name, "/") < 2 }, func(name string, text []byte) error {
		if index == nil || strings.Count(name, "/") < strings.Count(root, "/") {
			index, root = text, strings.TrimSuffix(name, "index.json")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if index == nil {
		return nil, fmt.Errorf("read %s: it has no index.json: %w", at, fault.Invalid)
	}
	byLocation, _, err := parseIndex(at, index)
	if err != nil {
		return nil, err
	}
	names := func(member string) []string {
		location, ok := strings.CutPrefix(member, root)
		if !ok {
			return nil
		}
		return byLocation[location]
	}
	err = fetch.Members(at, content, folder, func(name string) bool { return names(name) != nil }, func(member string, text []byte) error {
		for _, name := range names(member) {
			if err := r.pass.Document(&vex.Document{Name: name, URL: resp.URL + "#" + member, Content: text}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.done(now)
}

func (r *run) unchanged(s state) (*vex.Fetched, error) {
	text, err := fetch.WriteState(s)
	if err != nil {
		return nil, err
	}
	return &vex.Fetched{State: text, Unchanged: true}, nil
}

func (r *run) done(s state) (*vex.Fetched, error) {
	text, err := fetch.WriteState(s)
	if err != nil {
		return nil, err
	}
	return &vex.Fetched{State: text, Complete: true}, nil
}

// files passes on the documents that lie beside an index.
func (r *run) files(at string) (*vex.Fetched, error) {
	text, _, err := r.read(vex.Request{URL: at, Max: fetch.MaxList})
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("read the index %.300s: %v: %w", at, err, fault.Invalid)
	}
	_, list, err := parseIndex(at, text)
	if err != nil {
		return nil, err
	}
	var all strings.Builder
	all.WriteString(door.Digest(text))
	for _, e := range list {
		content, resp, err := r.read(vex.Request{URL: base.JoinPath("..", e.location).String()})
		if err != nil {
			return nil, err
		}
		all.WriteString(door.Digest(content))
		if err := r.pass.Document(&vex.Document{Name: e.name, URL: resp.URL, Content: content}); err != nil {
			return nil, err
		}
	}
	return r.done(state{URL: at, Digest: door.Digest([]byte(all.String()))})
}
