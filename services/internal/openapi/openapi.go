// Package openapi joins the documents of all systems to the one that a gateway serves.
package openapi

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// Operation says who may ask for one.
type Operation struct {
	Method, Path string // "GET", "/api/v1/scans/{scan_id}"
	Scopes       []string
	Keys         bool // API keys are let in, and nothing else
}

// Join makes one document of all *.yaml files, as JSON: same files, same bytes. What the
// documents define together each keeps, under its file's name. Operations say what each
// needs; one without scopes is public. server is the address of the API, issuer the one
// that gives tokens.
func Join(files fs.FS, operations []Operation, server, issuer string) ([]byte, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	j := &joint{paths: map[string]any{}, components: map[string]map[string]any{}}
	for _, name := range names {
		if err := j.add(files, name); err != nil {
			return nil, fmt.Errorf("openapi: %s: %w", name, err)
		}
	}
	j.secure(operations)
	j.components["securitySchemes"] = map[string]any{
		"dpop": map[string]any{
			"type": "oauth2", "description": "Access tokens of RFC 9068 that are bound to a key: each request has a proof of it (RFC 9449).",
			"flows": map[string]any{
				"clientCredentials": map[string]any{"tokenUrl": issuer + "/token", "scopes": map[string]any{}},
				"authorizationCode": map[string]any{"authorizationUrl": issuer + "/authorize", "tokenUrl": issuer + "/token", "scopes": map[string]any{}},
			},
		},
		"key": map[string]any{"type": "apiKey", "in": "header", "name": "X-Api-Key"},
	}
	out := map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "Stella", "version": "v1", "description": "All systems, as the gateway serves them. Errors are problem documents (RFC 9457)."},
		"servers": []any{map[string]any{"url": server}}, "paths": j.paths, "components": j.components,
	}
	var text bytes.Buffer
	if err := json.MarshalWrite(&text, out, json.Deterministic(true), jsontext.WithIndent(" ")); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	return text.Bytes(), nil
}

// joint is what was joined so far.
type joint struct {
	paths      map[string]any
	components map[string]map[string]any
}

// add joins one document.
func (j *joint) add(files fs.FS, name string) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	var doc struct {
		Servers []struct {
			URL string `yaml:"url"`
		} `yaml:"servers"`
		Paths      map[string]map[string]any `yaml:"paths"`
		Components map[string]map[string]any `yaml:"components"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	own := strings.TrimSuffix(path.Base(name), ".yaml")
	below := "" // where the paths of a document begin
	if len(doc.Servers) == 1 {
		below = strings.TrimSuffix(doc.Servers[0].URL, "/")
	}
	for p, item := range doc.Paths {
		p = below + p
		if _, taken := j.paths[p]; taken {
			return fmt.Errorf("path %s is another document's as well: %w", p, fault.Conflict)
		}
		for _, operation := range item {
			if m, ok := operation.(map[string]any); ok {
				m["tags"] = []any{own}
			}
		}
		j.paths[p] = rename(item, own)
	}
	for kind, members := range doc.Components {
		if kind == "securitySchemes" {
			continue // the gateway's own hold
		}
		if j.components[kind] == nil {
			j.components[kind] = map[string]any{}
		}
		for n, c := range members {
			j.components[kind][own+"."+n] = rename(c, own)
		}
	}
	return nil
}

// rename has references name components by their document.
func rename(v any, own string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if ref, ok := e.(string); ok && (k == "$ref" || strings.HasPrefix(ref, "#/components/")) {
				if i := strings.LastIndexByte(ref, '/'); strings.HasPrefix(ref, "#/components/") {
					ref = ref[:i+1] + own + "." + ref[i+1:]
				}
				out[k] = ref
				continue
			}
			out[k] = rename(e, own)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = rename(out[i], own)
		}
		return out
	}
	return v
}

// secure says what operations need.
func (j *joint) secure(list []Operation) {
	for _, o := range list {
		item, _ := j.paths[o.Path].(map[string]any)
		operation, ok := item[strings.ToLower(o.Method)].(map[string]any)
		if !ok {
			continue
		}
		security := []any{}
		for _, s := range o.Scopes { // any of them
			security = append(security, map[string]any{"dpop": []any{s}})
		}
		if o.Keys { // and nothing else
			security = []any{map[string]any{"key": []any{}}}
		}
		operation["security"] = security
	}
}

// Operations lists the operations of all documents, "GET /path", sorted.
func Operations(files fs.FS) ([]string, error) {
	joined, err := Join(files, nil, "/", "")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths map[string]map[string]jsontext.Value `json:"paths"`
	}
	if err := json.Unmarshal(joined, &doc); err != nil {
		return nil, err
	}
	var out []string
	for p, item := range doc.Paths {
		for method := range maps.Keys(item) {
			if method != "parameters" && method != "summary" && method != "description" {
				out = append(out, strings.ToUpper(method)+" "+p)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// Headers lists the headers that answers of the documents have, sorted.
func Headers(files fs.FS) ([]string, error) {
	joined, err := Join(files, nil, "/", "")
	if err != nil {
		return nil, err
	}
	var doc any
	if err := json.Unmarshal(joined, &doc); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if h, ok := v["headers"].(map[string]any); ok {
				for name := range h {
					if !strings.Contains(name, ".") { // those are components, named where they are used
						found[name] = true
					}
				}
			}
			for _, e := range v {
				look(e)
			}
		case []any:
			for _, e := range v {
				look(e)
			}
		}
	}
	look(doc)
	return slices.Sorted(maps.Keys(found)), nil
}
