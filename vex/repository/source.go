package repository

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// Config says where a repository is, and on what terms.
type Config struct {
	// Name is the source's name: lower case letters, digits and hyphens.
	Name string
	// Manifest is the address of its manifest, or Index that of the index of a
	// repository of plain files: one of them.
	Manifest, Index string
	// Hosts are further hosts that may be asked. No other than these and those of
	// the addresses above is, whatever the manifest says.
	Hosts []string
	// Title, Home, License, Attribution and Redistribute are as in vex.Description;
	// without a licence documents are not redistributed.
	Title, Home, License, Attribution string
	Redistribute                      bool
	// Foreign lets documents speak about other packages than they are listed for.
	Foreign bool
}

// Source is one repository. It is safe for concurrent use.
type Source struct {
	config      Config
	description vex.Description
}

var _ vex.Source = (*Source)(nil)

// New returns the source of a repository. An error wraps ErrInvalid.
func New(c Config) (*Source, error) {
	address := c.Manifest
	if address == "" {
		address = c.Index
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || (c.Manifest == "") == (c.Index == "") {
		return nil, fmt.Errorf("VEX repository %.64q: want one https address, of a manifest or an index: %w", c.Name, fault.Invalid)
	}
	d := vex.Description{
		Name: c.Name, Title: c.Title, Home: c.Home, License: c.License, Attribution: c.Attribution,
		Redistribute: c.Redistribute && c.License != "", Hosts: fetch.Hosts(c.Hosts, address),
	}
	if d.Title == "" {
		d.Title = "VEX repository at " + fetch.Host(address)
	}
	if d.Home == "" {
		d.Home = address
	}
	if d.License == "" {
		d.License = "LicenseRef-" + c.Name
	}
	return &Source{config: c, description: d}, nil
}

// VEXHub returns the source of the repository that Aqua Security runs.
func VEXHub() *Source {
	return github(Config{
		Name: "vexhub", Title: "VEX Hub", License: "Apache-2.0", Attribution: "Aqua Security and the projects that are listed", Redistribute: true,
	}, "aquasecurity/vexhub")
}

// Rancher returns the source of the repository of Rancher by SUSE.
func Rancher() *Source {
	return github(Config{
		Name: "rancher-vexhub", Title: "Rancher VEX Hub", License: "CC-BY-4.0", Attribution: "SUSE Rancher, CC BY 4.0", Redistribute: true,
	}, "rancher/vexhub")
}

func github(c Config, repository string) *Source {
	c.Home = "https://github.com/" + repository
	c.Manifest = "https://raw.githubusercontent.com/" + repository + "/main/vex-repository.json"
	c.Hosts = []string{"github.com", "codeload.github.com"}
	s, err := New(c)
	if err != nil {
		return &Source{config: c} // of fixed addresses: it does not happen
	}
	return s
}

// Describe says what the source is.
func (s *Source) Describe() vex.Description { return s.description }

// Fetch passes on all documents that the index lists and the archive has, if the
// archive is another than before; of a repository of plain files all each time, as they
// change without their index. See vex.Source.
func (s *Source) Fetch(ctx context.Context, door vex.Door, old []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	r := &run{source: s, door: door, pass: fetch.Pass{Context: ctx, Source: s.description.Name, Emit: emit}, old: fetch.ReadState[state](old)}
	if s.config.Index != "" {
		return r.files(s.config.Index)
	}
	at, folder, err := r.manifest()
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(at, "/index.json") {
		return r.files(at)
	}
	return r.archive(at, folder)
}

// Parse yields what a document says about the package that it is listed for; see
// vex.Source. What it says about others is a *vex.StatementError that wraps
// ErrForbidden, unless it raises risk.
func (s *Source) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		listed := path.Dir(doc.Name)
		for st, err := range format.Decode(doc.Name, doc.Content, nil) {
			if err == nil && !s.config.Foreign && st.Safe() {
				if err = restrict(st, listed); err != nil {
					st, err = nil, &vex.StatementError{Document: doc.Name, Pointer: st.Origin.Pointer, Err: err}
				}
			}
			if !yield(st, err) {
				return
			}
		}
	}
}

// restrict leaves those products of a statement that are the package.
func restrict(st *vex.Statement, listed string) error {
	var own []vex.Product
	for _, p := range st.Products {
		if u, err := purl.Parse(p.PURL); err == nil && p.PURL != "" && Place(u) == listed {
			own = append(own, p)
		}
	}
	switch {
	case len(own) == 0:
		return fmt.Errorf("none of its %d products is of the package that the document is listed for, %s: %w", len(st.Products), listed, fault.Forbidden)
	case len(own) == len(st.Products):
		return nil
	}
	st.Products = own
	return st.Prepare()
}

// Place returns the folder of a package: "pkg", its type, and its namespace and name,
// or the repository of an image. Versions and other qualifiers are no part of it.
func Place(u purl.PackageURL) string {
	name := u.Name
	if u.Namespace != "" {
		name = u.Namespace + "/" + name
	}
	if where := strings.Trim(u.Qualifier("repository_url"), "/"); u.Type == "oci" && where != "" {
		where = strings.TrimPrefix(strings.TrimPrefix(where, "https://"), "http://")
		if where == name || strings.HasSuffix(where, "/"+name) {
			name = where
		} else {
			name = where + "/" + name
		}
	}
	return "pkg/" + u.Type + "/" + strings.Trim(name, "/")
}
