package main

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/image"
)

// manifests are the media types of what can be scanned. Layers are pushed as well, and
// are told of in the same way.
var manifests = map[string]bool{
	"application/vnd.oci.image.index.v1+json":                   true,
	"application/vnd.oci.image.manifest.v1+json":                true,
	"application/vnd.docker.distribution.manifest.list.v2+json": true,
	"application/vnd.docker.distribution.manifest.v2+json":      true,
}

// distribution is what Docker's distribution sends: an envelope of events.
type distribution struct {
	Events []struct {
		Action string `json:"action"`
		Target struct {
			MediaType  string `json:"mediaType"`
			Digest     string `json:"digest"`
			Repository string `json:"repository"`
		} `json:"target"`
	} `json:"events"`
}

// harbor is what Harbor sends: one event about one or more artifacts of a repository.
type harbor struct {
	Type string `json:"type"`
	Data struct {
		Resources []struct {
			Digest string `json:"digest"`
		} `json:"resources"`
		Repository struct {
			FullName string `json:"repo_full_name"`
		} `json:"repository"`
	} `json:"event_data"`
}

// read returns the images that a webhook says were pushed, in its order, each once. None
// is no error: registries tell of much else.
func read(body []byte, registry string) ([]string, error) {
	var form struct {
		Events jsontext.Value `json:"events"`
		Type   string         `json:"type"`
	}
	if err := json.Unmarshal(body, &form); err != nil {
		return nil, err
	}
	var pushed [][2]string // repository and digest
	switch {
	case form.Events != nil:
		var d distribution
		if err := json.Unmarshal(body, &d); err != nil {
			return nil, err
		}
		for _, e := range d.Events {
			if e.Action == "push" && manifests[e.Target.MediaType] {
				pushed = append(pushed, [2]string{e.Target.Repository, e.Target.Digest})
			}
		}
	case form.Type == "PUSH_ARTIFACT":
		var h harbor
		if err := json.Unmarshal(body, &h); err != nil {
			return nil, err
		}
		for _, r := range h.Data.Resources {
			pushed = append(pushed, [2]string{h.Data.Repository.FullName, r.Digest})
		}
	case form.Type == "":
		return nil, errors.New("neither a notification of distribution nor one of Harbor")
	}
	return references(pushed, registry)
}

// references checks what was pushed and names it. Tags are left out: the same image under
// two tags is one scan, and a tag may be moved before a worker reads it.
func references(pushed [][2]string, registry string) (list []string, err error) {
	seen := map[string]bool{}
	for _, p := range pushed {
		name := registry + "/" + p[0] + "@" + p[1]
		ref, err := image.ParseRemote(name)
		switch {
		case err != nil:
			return nil, err
		case ref.Registry != registry || ref.Repository != p[0] || ref.Digest != p[1] || ref.Digest == "":
			return nil, fmt.Errorf("%.200q is no image of %s by its digest", name, registry)
		case !seen[name]:
			seen[name] = true
			list = append(list, name)
		}
	}
	return list, nil
}
