package vendored

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readComponents reads .bitnami_components.json, the list of what Bitnami built into an image:
//
//	{"redis": {"arch": "amd64", "digest": "…", "distro": "debian-12", "type": "NAMI", "version": "7.2.4-1"}}
func readComponents(data []byte) ([]analyzer.Fact, error) {
	var file locked.File
	r := jsontext.New(data)
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			c := map[string]string{}
			name := jsontext.Clean(key)
			if !r.Object(func(key []byte) {
				if r.Peek() == '"' {
					c[jsontext.Clean(key)], _ = r.Text()
				}
			}) {
				file.Odd(fmt.Errorf("%.100q is no component: %w", name, fault.Invalid))
				return
			}
			p := sbom.Package{Type: "application", Name: name, Version: c["version"], Hashes: locked.Hex("sha256", c["digest"])}
			if p.PURL = locked.URL("bitnami", "", strings.ToLower(name), p.Version); !p.PURL.IsZero() {
				p.PURL = p.PURL.With("arch", c["arch"]).With("distro", c["distro"])
			}
			file.Put(locked.Entry{Package: p})
		}) && r.Err() == nil {
			file.Odd(fmt.Errorf("no list of components: %w", fault.Invalid))
		}
	})
	facts, err := file.Facts(err)
	for i := range facts {
		facts[i].Package.State = sbom.Installed
	}
	return facts, err
}
