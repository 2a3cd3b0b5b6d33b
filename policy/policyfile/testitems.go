package policyfile

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// items reads secrets, files that no package accounts for, and what was not looked
// for. Nothing said means that all was looked for, and nothing found.
func (x *fixtures) items(in *policy.Inputs, f map[string]*yaml.Node, path string) {
	in.Looked = sbom.Looked{Secrets: true, Programs: true}
	for _, what := range x.texts(f["not_looked_for"], path+".not_looked_for", []string{"secrets", "files"}) {
		in.Looked.Secrets = in.Looked.Secrets && what != "secrets"
		in.Looked.Programs = in.Looked.Programs && what != "files"
		if f[what] != nil {
			x.bad(f[what], path+"."+what, "nobody looked for them, as not_looked_for says")
		}
	}
	for i, n := range x.list(f["secrets"], path+".secrets") {
		at := fmt.Sprintf("%s.secrets[%d]", path, i)
		s := x.fields(n, at, "rule", "path", "line", "removed", "in_base")
		x.required(s, n, at, "rule", "path")
		in.Secrets = append(in.Secrets, sbom.Secret{
			Rule: x.text(s["rule"], at+".rule", 128), Path: x.text(s["path"], at+".path", 1024), Line: x.number(s["line"], at+".line", 1, 1<<31-1),
			Removed: x.flag(s["removed"], at+".removed"), Layer: x.layer(in, s["in_base"], at+".in_base"),
		})
	}
	for i, n := range x.list(f["files"], path+".files") {
		at := fmt.Sprintf("%s.files[%d]", path, i)
		s := x.fields(n, at, "path", "kind", "mode", "digest", "in_base")
		x.required(s, n, at, "path")
		p := sbom.Package{ID: fmt.Sprintf("file-%d", i+1), Type: sbom.TypeFile, Name: x.text(s["path"], at+".path", 1024)}
		p.Locations = []sbom.Location{{Path: p.Name, Layer: x.layer(in, s["in_base"], at+".in_base")}}
		for _, property := range []sbom.Property{{Name: "file:kind", Value: x.oneOf(s["kind"], at+".kind", valuesOf("file_kind"))}, {Name: "file:mode", Value: x.text(s["mode"], at+".mode", 16)}} {
			if property.Value != "" {
				p.Properties = append(p.Properties, property)
			}
		}
		if digest := x.text(s["digest"], at+".digest", 256); digest != "" {
			algorithm, value, ok := strings.Cut(digest, ":")
			if !ok {
				x.bad(s["digest"], at+".digest", "want an algorithm and a digest, such as sha256:…")
			}
			p.Hashes = []sbom.Hash{{Algorithm: algorithm, Value: value}}
		}
		in.Packages = append(in.Packages, p)
	}
}

func (x *fixtures) required(f map[string]*yaml.Node, n *yaml.Node, path string, names ...string) {
	for _, name := range names {
		if f != nil && f[name] == nil {
			x.bad(n, path+"."+name, "it is missing")
		}
	}
}

// layer is the layer of something that may be of the base image; "" where nothing is
// said.
func (x *fixtures) layer(in *policy.Inputs, n *yaml.Node, path string) string {
	if n == nil {
		return ""
	}
	in.Subject.Layers, in.Subject.BaseLayers = []string{baseLayer, ownLayer}, 1
	if x.flag(n, path) {
		return baseLayer
	}
	return ownLayer
}
