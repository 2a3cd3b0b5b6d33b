package homebrew

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/sbom"
)

const maxNeeds = 10_000 // dependencies of one package; the largest formulae have some 200

// readReceipt reads an INSTALL_RECEIPT.json.
func readReceipt(fact *analyzer.Fact, isCask bool, data []byte) error {
	p, r := fact.Package, jsontext.New(data)
	var tapped, source, version string
	var needs []string
	known := false // the receipt says where the package is from
	err := r.Document(func() {
		isObject := r.Object(func(key []byte) {
			switch string(key) {
			case "arch":
				p.Arch, _ = r.Text()
			case "tapped_from": // before source
				if old, ok := r.Text(); ok && tapped == "" && old != "path or URL" {
					tapped, known = old, true
				}
			case "runtime_dependencies":
				needs = readNeeds(r)
			case "source":
				known = r.Object(func(key []byte) {
					switch string(key) {
					case "tap":
						if tap, ok := r.Text(); ok {
							tapped = tap
						}
					case "path":
						source, _ = r.Text()
					case "version":
						version, _ = r.Text()
					}
				}) || known
			}
		})
		if !isObject && r.Err() == nil {
			r.Fail("a receipt is an object")
		}
	})
	if isCask {
		p.Version = version
	}
	switch tapped = strings.ToLower(tapped); tapped {
	case "mxcl/master", "homebrew/homebrew": // before there were taps
		tapped = coreTap
	}
	property(p, "homebrew:tap", tapped)
	if tapped == "" && known {
		property(p, "homebrew:source", cmp.Or(source, "path or URL"))
	}
	if len(needs) > maxNeeds {
		needs = needs[:maxNeeds]
		err = cmp.Or(err, error(&fault.LimitError{What: "dependencies of a package", Where: p.Name, Max: maxNeeds, Seen: maxNeeds + 1}))
	}
	slices.Sort(needs)
	fact.DependsOn = slices.Compact(needs)
	return err
}

// readNeeds reads the dependencies of a formula, which are a list, or of a cask, which are
// lists of formulae and casks: each as "name version".
func readNeeds(r *jsontext.Reader) []string {
	var out []string
	list := func() {
		r.Array(func() {
			var name, version string
			r.Object(func(key []byte) {
				switch string(key) {
				case "full_name":
					name, _ = r.Text()
				case "version":
					if v, ok := r.Text(); ok && version == "" {
						version = v
					}
				case "pkg_version": // with the revision
					version, _ = r.Text()
				}
			})
			name = name[strings.LastIndexByte(name, '/')+1:] // of another tap
			if name != "" && len(out) <= maxNeeds {
				out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s", name, version)))
			}
		})
	}
	if r.Peek() == '[' {
		list()
	} else {
		r.Object(func([]byte) { list() })
	}
	return out
}

// readCask reads the JSON that Homebrew keeps of a cask.
func readCask(p *sbom.Package, data []byte) error {
	r := jsontext.New(data)
	return r.Document(func() {
		r.Object(func(key []byte) {
			switch string(key) {
			case "desc":
				p.Description, _ = r.Text()
			case "homepage":
				p.Homepage, _ = r.Text()
			case "url":
				p.Download, _ = r.Text()
			}
		})
	})
}

func property(p *sbom.Package, name, value string) {
	if value != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
	}
}
