package composer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// The properties of packages.
const (
	sourceProperty    = "composer:source"    // the folder of a package that no server has
	typeProperty      = "composer:type"      // such as "composer-plugin", where it is no library
	referenceProperty = "composer:reference" // the revision of its sources
)

// document is a file with lists of packages.
type document struct {
	locked.File
	r      *jsontext.Reader
	places map[string]where // by name in lower case
}

// where is the folder of an installed package, relative to Composer's own, and its programs,
// relative to that.
type where struct {
	folder   string
	programs []string
}

// packages reads a list. Composer writes null for packages that it was told to leave out.
func (d *document) packages(scope sbom.Scope) {
	switch d.r.Peek() {
	case '[':
		d.r.Array(func() {
			if e := d.entry(scope); d.r.Err() == nil { // half a package is none
				d.Put(e)
			}
		})
	case 'n':
		d.r.Skip()
	default:
		d.r.Fail("expected a list of packages")
	}
}

// origin is one of the two places from which a package can be had.
type origin struct{ kind, url, reference, shasum string }

// item collects the members of one package
// (https://getcomposer.org/doc/04-schema.md, and "source" and "dist" of 05-repositories.md).
type item struct {
	sbom.Package
	kind, notify string
	source, dist origin
	authors      []person
	wants, also  []string
	where        where
}

func (d *document) entry(scope sbom.Scope) locked.Entry {
	t := item{Package: sbom.Package{Scope: scope}}
	d.r.Object(func(key []byte) { t.member(d.r, string(key)) })
	t.describe()
	key := strings.ToLower(t.Name)
	if d.places == nil {
		d.places = map[string]where{}
	}
	d.places[key] = t.where
	if t.Name != key {
		t.also = append(t.also, key)
	}
	return locked.Entry{Key: key + "@" + t.Version, Package: t.Package, Also: t.also, Wants: t.wants}
}

func (t *item) member(r *jsontext.Reader, key string) {
	switch key {
	case "name", "package": // the second in the first lockfiles
		t.Name, _ = r.Text()
	case "version":
		t.Version = scalar(r)
	case "type":
		t.kind, _ = r.Text()
	case "description":
		t.Description, _ = r.Text()
		t.Description = strings.Join(strings.Fields(t.Description), " ")
	case "homepage":
		t.Homepage, _ = r.Text()
	case "notification-url":
		t.notify, _ = r.Text()
	case "source":
		t.source.read(r)
	case "dist":
		t.dist.read(r)
	case "source-reference":
		t.source.reference, _ = r.Text()
	case "license":
		t.licences(r)
	case "authors":
		r.Array(func() {
			var p person
			r.Object(func(key []byte) {
				switch string(key) {
				case "name":
					p.name, _ = r.Text()
				case "email":
					p.mail, _ = r.Text()
				}
			})
			t.authors = append(t.authors, p)
		})
	case "install-path":
		t.where.folder, _ = r.Text()
	case "bin":
		one := func() {
			if text, _ := r.Text(); text != "" {
				t.where.programs = append(t.where.programs, text)
			}
		}
		if r.Peek() == '[' {
			r.Array(one)
		} else {
			one()
		}
	case "require":
		t.wants = names(r)
	case "provide", "replace":
		t.also = append(t.also, names(r)...)
	}
}

// scalar reads a text or a number as it is written.
func scalar(r *jsontext.Reader) string {
	if c := r.Peek(); c == '-' || '0' <= c && c <= '9' {
		return string(r.Raw())
	}
	text, _ := r.Text()
	return text
}

func names(r *jsontext.Reader) (out []string) {
	r.Object(func(key []byte) { out = append(out, strings.ToLower(jsontext.Clean(key))) })
	return out
}

func (o *origin) read(r *jsontext.Reader) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			o.kind, _ = r.Text()
		case "url":
			o.url, _ = r.Text()
		case "reference":
			o.reference = scalar(r)
		case "shasum":
			o.shasum, _ = r.Text()
		}
	})
}

// licences reads one or a list of them, of which the user may choose one.
func (t *item) licences(r *jsontext.Reader) {
	one := func() {
		if text, _ := r.Text(); strings.TrimSpace(text) != "" {
			t.Licenses = append(t.Licenses, sbom.License{Name: strings.TrimSpace(text)})
		}
	}
	if r.Peek() == '[' {
		r.Array(one)
	} else {
		one()
	}
}

// describe makes the package of what its members say.
func (t *item) describe() {
	t.Originator = people(t.authors)
	t.Hashes = locked.Hex("sha1", t.dist.shasum)
	if t.kind != "" && t.kind != "library" {
		t.Properties = append(t.Properties, sbom.Property{Name: typeProperty, Value: t.kind})
	}
	if ref := cmp.Or(t.dist.reference, t.source.reference); ref != "" {
		t.Properties = append(t.Properties, sbom.Property{Name: referenceProperty, Value: ref})
	}
	if t.dist.kind == "path" {
		t.Properties = append(t.Properties, sbom.Property{Name: sourceProperty, Value: t.dist.url})
		return
	}
	t.PURL = packageURL(t.Name, t.Version)
	vcs := locked.VCS(t.source.kind, t.source.url, t.source.reference)
	archive := ""
	if strings.Contains(t.dist.url, "://") {
		archive = locked.Anonymous(t.dist.url)
	}
	t.Download = cmp.Or(archive, vcs)
	switch repository, ok := strings.CutSuffix(strings.TrimSuffix(locked.Anonymous(t.notify), "/"), "/downloads"); {
	case ok && repository == "https://packagist.org", ok && repository == "http://packagist.org":
	case ok && strings.Contains(repository, "://"):
		t.with("repository_url", repository)
	case vcs != "":
		t.with("vcs_url", vcs)
	case archive != "":
		t.with("download_url", archive)
	}
}

func (t *item) with(key, value string) {
	if !t.PURL.IsZero() {
		t.PURL = t.PURL.With(key, value)
	}
}

// packageURL returns the package URL of a package, whose vendor is the namespace (purl-spec,
// type composer). A name without a vendor has none.
func packageURL(name, version string) purl.PackageURL {
	parts := strings.Split(name, "/")
	if len(parts) != 2 || slices.Contains(parts, "") {
		return purl.PackageURL{}
	}
	return locked.URL("composer", parts[0], parts[1], version)
}
