// Package bottlerocket reads the inventory of software that an image of Bottlerocket has of
// itself; its rpm database is not part of the image.
//
// The package URL type is "bottlerocket", as trivy has it, with the architecture, the epoch
// and the distribution as qualifiers. No advisories are published by it, so that matching says a
// gap. The inventory does not name the files of a package, its licence, or what it needs.
//
// Format: Bottlerocket, "Variants", section "Software inventory"; AWS SSM's
// AWS:Application schema, whose members it has.
package bottlerocket

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	inventory   = "usr/share/bottlerocket/application-inventory.json"
	maxBytes    = 16 << 20
	maxPackages = 30_000 // of one inventory; images have some 150
)

// Analyzer reads inventories. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "bottlerocket", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer. In an image "usr" is a link to the folder of the
// architecture that it was built for.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Exact: []string{
		inventory, "aarch64-bottlerocket-linux-gnu/sys-root/" + inventory, "x86_64-bottlerocket-linux-gnu/sys-root/" + inventory,
	}}
}

// Extract implements analyzer.Analyzer: one fact for each package, which Join completes.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	return locked.Read(f, maxBytes, read)
}

// read reads an inventory. Of two entries of one name, version and architecture the first
// counts.
func read(data []byte) (out []analyzer.Fact, odd error) {
	r := jsontext.New(data)
	seen := map[string]bool{}
	isObject, hasContent, entries := false, false, 0
	err := r.Document(func() {
		isObject = r.Object(func(key []byte) {
			if string(key) != "Content" {
				return
			}
			hasContent = r.Array(func() {
				p, problem := entry(r)
				id := p.Name + "@" + p.Version + "." + p.Arch
				switch entries++; {
				case r.Err() != nil:
				case len(out) == maxPackages:
					odd = cmp.Or[error](odd, &fault.LimitError{What: "packages of an inventory", Where: p.Name, Max: maxPackages, Seen: maxPackages + 1})
				case problem != "":
					odd = cmp.Or(odd, fmt.Errorf("entry %d: %s: %w", entries, problem, fault.Invalid))
				case !seen[id]:
					seen[id] = true
					out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: id, Package: &p})
				}
			})
		})
	})
	if err == nil && (!isObject || !hasContent) {
		err = fmt.Errorf("no list Content: %w", fault.Invalid)
	}
	return out, cmp.Or(err, odd)
}

// entry reads one package, and what is wrong with it.
func entry(r *jsontext.Reader) (p sbom.Package, problem string) {
	var release, epoch string
	text := func(to *string) {
		*to, _ = r.Text()
	}
	if !r.Object(func(key []byte) {
		switch string(key) {
		case "Name":
			text(&p.Name)
		case "Version":
			text(&p.Version)
		case "Release":
			text(&release)
		case "Epoch": // the first inventories have none
			text(&epoch)
		case "Architecture":
			text(&p.Arch)
		case "Publisher":
			text(&p.Supplier)
		case "Url":
			text(&p.Homepage)
		case "Summary":
			text(&p.Description)
		}
	}) {
		return p, "not an object"
	}
	switch {
	case p.Name == "" || p.Version == "":
		return p, fmt.Sprintf("package %.100q with version %.100q", p.Name, p.Version)
	case strings.Trim(epoch, "0123456789") != "":
		return p, fmt.Sprintf("package %.100q with epoch %.100q", p.Name, epoch)
	}
	if release != "" {
		p.Version += "-" + release
	}
	if epoch = strings.TrimLeft(epoch, "0"); epoch != "" {
		p.Version = epoch + ":" + p.Version
	}
	return p, ""
}

// Join implements analyzer.Joiner: it gives packages their package URL. Of an image that
// has the inventory of two places the one below usr counts.
func (Analyzer) Join(in *analyzer.Squashed) (out []analyzer.Located, gaps []sbom.Gap) {
	resolve := func(p string) string {
		if in.Resolve == nil {
			return p
		}
		return path.Clean(in.Resolve(p))
	}
	place, found := resolve(inventory), false
	for _, f := range in.Facts {
		found = found || f.Path == place
	}
	for _, f := range in.Facts {
		if f.Package == nil || found && f.Path != place {
			continue
		}
		p := *f.Package
		p.PURL = packageURL(&p, in.OS)
		f.Package = &p
		out = append(out, f)
	}
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "packages of Bottlerocket, but no os-release says which version of it"})
	}
	return out, gaps
}

func packageURL(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	version, epoch := p.Version, ""
	if before, after, ok := strings.Cut(version, ":"); ok {
		version, epoch = after, before
	}
	u := locked.URL("bottlerocket", "", p.Name, version)
	if u.IsZero() {
		return u
	}
	if u = u.With("arch", p.Arch).With("epoch", epoch); os == nil || os.ID == "" {
		return u
	}
	return u.With("distro", strings.TrimSuffix(strings.ToLower(os.ID)+"-"+os.VersionID, "-"))
}
