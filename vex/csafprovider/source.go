package csafprovider

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/internal/csaf/retrieve"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/csaf"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// Config says where a provider is, and on what terms.
type Config struct {
	// Name is the source's name: lower case letters, digits and hyphens.
	Name string
	// Metadata is the address of its provider-metadata.json. Where it is empty
	// Folders are read.
	Metadata string
	// Folders have a changes.csv each.
	Folders []Folder
	// Namespace is the publisher's. The metadata and all documents must have it:
	// trust is given to a publisher, and not to an address.
	Namespace string
	// Hosts are further hosts that may be asked. No other than these and those of
	// the addresses above is, whatever the metadata say.
	Hosts []string
	// Title, Home, License, Attribution and Redistribute are as in vex.Description;
	// without a licence documents are not redistributed.
	Title, Home, License, Attribution string
	Redistribute                      bool
}

// Folder is a folder of documents.
type Folder struct {
	URL string
	// Archive is the address of an archive of all documents, tar with zstd, gzip or
	// bzip2, from which the first Fetch takes them; or Latest that of a text with
	// its name in the folder. What is in it comes with the signatures that are in it,
	// beside their documents, and so perhaps with none.
	Archive, Latest string
	// Deletions is the address of a list of what was deleted, in the form of a
	// changes.csv; "" for none.
	Deletions string
}

func (f *Folder) list() retrieve.List {
	l := retrieve.Folder(f.URL, ".sha256", ".sha512") // the one that publishers have first
	l.Archive, l.Latest, l.Deletions = f.Archive, f.Latest, f.Deletions
	return l
}

// Source is one provider. It is safe for concurrent use.
type Source struct {
	config      Config
	description vex.Description
}

var _ vex.Source = (*Source)(nil)

// New returns the source of a provider. An error wraps ErrInvalid.
func New(c Config) (*Source, error) {
	addresses := []string{c.Metadata}
	for _, f := range c.Folders {
		addresses = append(addresses, f.URL)
		for _, a := range []string{f.Archive, f.Latest, f.Deletions} {
			if a != "" {
				addresses = append(addresses, a)
			}
		}
	}
	if c.Metadata == "" {
		addresses = addresses[1:]
	}
	if (c.Metadata == "") == (len(c.Folders) == 0) || c.Namespace == "" {
		return nil, fmt.Errorf("CSAF provider %.64q: want metadata or folders, and the publisher's namespace: %w", c.Name, fault.Invalid)
	}
	for _, a := range addresses {
		if u, err := url.Parse(a); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("CSAF provider %.64q: %.200q is no https address: %w", c.Name, a, fault.Invalid)
		}
	}
	c.Namespace = strings.TrimSuffix(c.Namespace, "/")
	d := vex.Description{
		Name: c.Name, Title: c.Title, Home: c.Home, License: c.License, Attribution: c.Attribution,
		Redistribute: c.Redistribute && c.License != "", Hosts: fetch.Hosts(c.Hosts, addresses...),
	}
	if d.Title == "" {
		d.Title = "CSAF of " + c.Namespace
	}
	if d.Home == "" {
		d.Home = c.Namespace
	}
	if d.License == "" {
		d.License = "LicenseRef-" + c.Name
	}
	return &Source{config: c, description: d}, nil
}

// RedHat returns the source of what Red Hat says about each CVE.
func RedHat() *Source {
	const base = "https://security.access.redhat.com/data/csaf/v2/vex/"
	return preset(Config{
		Name: "redhat-vex", Title: "Red Hat VEX", Home: "https://access.redhat.com/security/data", Namespace: "https://www.redhat.com",
		License: "CC-BY-4.0", Attribution: "Red Hat, Inc., CC BY 4.0", Redistribute: true,
		Folders: []Folder{{URL: base, Latest: base + "archive_latest.txt", Deletions: base + "deletions.csv"}},
	})
}

// SUSE returns the source of what SUSE says about each CVE.
func SUSE() *Source {
	const base = "https://ftp.suse.com/pub/projects/security/csaf-vex"
	return preset(Config{
		Name: "suse-vex", Title: "SUSE VEX", Home: "https://www.suse.com/support/security/csaf/", Namespace: "https://www.suse.com",
		License: "CC-BY-4.0", Attribution: "SUSE LLC, CC BY 4.0", Redistribute: true,
		Folders: []Folder{{URL: base + "/", Archive: base + ".tar.bz2"}},
	})
}

func preset(c Config) *Source {
	s, err := New(c)
	if err != nil {
		return &Source{config: c} // of fixed addresses: it does not happen
	}
	return s
}

// Describe says what the source is.
func (s *Source) Describe() vex.Description { return s.description }

// Fetch passes on what the lists have as newer; see vex.Source.
func (s *Source) Fetch(ctx context.Context, door vex.Door, old []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	src := retrieve.Source{
		Name: s.description.Name, Hosts: s.description.Hosts, Metadata: s.config.Metadata,
		Namespace: s.config.Namespace, Publisher: true, Proofs: true, MaxRefused: MaxRefused,
	}
	for _, f := range s.config.Folders {
		src.Lists = append(src.Lists, f.list())
	}
	pass := fetch.Pass{Context: ctx, Source: s.description.Name, Emit: emit}
	out, err := src.Fetch(ctx, door, old, func(d *retrieve.Document) error {
		return pass.Document(&vex.Document{Name: d.Name, URL: d.URL, Content: d.Content, Proof: d.Proof, Gone: d.Gone})
	})
	if err != nil {
		return nil, err
	}
	return &vex.Fetched{State: out.State, Complete: out.Complete, Unchanged: out.Unchanged}, nil
}

// Parse yields what a document says; see vex.Source.
func (s *Source) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	return csaf.Decode(doc.Name, doc.Content, nil)
}
