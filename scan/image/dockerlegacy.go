package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// legacy finds the image in an archive from before Docker 1.10, which has the
// file repositories and a chain of folders, each with a layer and the name of
// its parent. Such a chain can be verified only where the archive also has the
// image config, as transitional tools wrote it.
func (a *archive) legacy(ref string, lim *Limits) ([]saved, error) {
	b, err := readFile(a.files, "repositories", lim.Manifest)
	if errors.Is(err, fault.NotFound) {
		if _, ok := a.files.index["index.json"]; ok {
			return nil, fmt.Errorf("%s is not a docker-archive but an OCI layout: open it as oci-archive: %w", a.files.name, fault.Unsupported)
		}
		return nil, fmt.Errorf("%s is not a docker-archive: it has neither manifest.json nor repositories: %w", a.files.name, fault.Invalid)
	}
	if err != nil {
		return nil, err
	}
	tags, err := parseRepositories(b, "repositories in "+a.files.name, lim)
	if err != nil {
		return nil, err
	}
	var all []saved
	for _, t := range tags {
		all = append(all, saved{Config: t.id, RepoTags: []string{t.name}, Layers: []string{t.id}})
	}
	img, err := a.choose(all, ref)
	if err != nil {
		return nil, err
	}
	img, err = a.chain(legacyTag{img.RepoTags[0], img.Config}, lim)
	return []saved{img}, err
}

// legacyTag is a tag and the folder of its last layer.
type legacyTag struct{ name, id string }

// parseRepositories reads {"repo": {"tag": "id"}}.
func parseRepositories(b []byte, what string, lim *Limits) ([]legacyTag, error) {
	var repos map[string]map[string]string
	if err := decode(b, what, &repos); err != nil {
		return nil, err
	}
	var out []legacyTag
	for repo, tags := range repos {
		for tag, id := range tags {
			if len(out) == lim.ArchiveImages {
				return nil, &fault.LimitError{What: "images", Where: what, Max: int64(lim.ArchiveImages)}
			}
			if strings.ContainsRune(id, '/') || cleanName(id) != id {
				return nil, fmt.Errorf("%s: %q is not a layer's folder: %w", what, clip(id), fault.Invalid)
			}
			out = append(out, legacyTag{repo + ":" + tag, id})
		}
	}
	slices.SortFunc(out, func(a, b legacyTag) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// chain follows the parents of a layer, and finds the config that tells of as
// many layers.
func (a *archive) chain(t legacyTag, lim *Limits) (saved, error) {
	img := saved{RepoTags: []string{t.name}}
	seen := map[string]bool{}
	for id := t.id; id != ""; {
		if seen[id] || len(seen) == lim.Layers {
			return img, fmt.Errorf("%s: the parents of layer %q never end: %w", a.files.name, clip(t.id), fault.Invalid)
		}
		seen[id] = true
		img.Layers = append(img.Layers, id+"/layer.tar")
		b, err := readFile(a.files, id+"/json", lim.Config)
		if err != nil {
			return img, err
		}
		var v struct {
			Parent string `json:"parent"`
		}
		if err := decode(b, id+"/json in "+a.files.name, &v, "parent"); err != nil {
			return img, err
		}
		if strings.ContainsRune(v.Parent, '/') {
			return img, fmt.Errorf("%s/json in %s: %q is not a layer's folder: %w", id, a.files.name, clip(v.Parent), fault.Invalid)
		}
		id = v.Parent
	}
	slices.Reverse(img.Layers)
	return img, a.findConfig(&img, lim)
}

func (a *archive) findConfig(img *saved, lim *Limits) error {
	var found []string
	for _, name := range a.files.names() {
		if strings.Contains(name, "/") || !strings.HasSuffix(name, ".json") || digestInName(name) == "" {
			continue
		}
		cfg, err := a.config(name, lim)
		if err == nil && len(cfg.diffIDs) == len(img.Layers) {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("%s: an archive from before Docker 1.10 without the image config of %s, so that its layers cannot be verified; load and save it with a current Docker: %w", a.files.name, quoteReference(img.RepoTags[0]), fault.Unsupported)
	}
	img.Config = found[0]
	return nil
}

// listDocument is list for a whole document.
func listDocument[T any](b []byte, what string, limit int, names ...string) ([]T, error) {
	var raw jsontext.Value
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
	}
	if raw.Kind() == 'n' {
		return nil, fmt.Errorf("%s: it is null: %w", what, fault.Invalid)
	}
	return list[T](raw, what, limit, names...)
}
