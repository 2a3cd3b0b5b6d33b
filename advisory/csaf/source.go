package csaf

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/csaf/retrieve"
)

// Source is one publisher's documents. It is safe for concurrent use.
type Source struct {
	publisher   publisher
	description advisory.Description
	lists       []retrieve.List // of fixed addresses
	metadata    string          // or what provider metadata say that is here
	archive     *feed.Archive   // or the members of an archive
}

// publisher is how one publisher writes CSAF.
type publisher struct {
	// namespace is the one that documents must name, without a slash at the end.
	namespace string
	// prefix makes the id of a record of that of a CVE.
	prefix string
	// platform returns the ecosystem of a platform's packages, "" for none; nil
	// for a publisher that is no distribution.
	platform func(name, cpe string) string
	// recommended says that it writes as SUSE does: fixed versions are recommended
	// ones; what is affected is named without a version, and named so still when
	// there is a fix.
	recommended bool
}

// Describe says what the source is.
func (s *Source) Describe() advisory.Description { return s.description }

// Fetch passes on what is new; see [advisory.Source].
func (s *Source) Fetch(ctx context.Context, door advisory.Door, old []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	if s.archive != nil {
		return s.fetchArchive(ctx, door, old, emit)
	}
	return s.fetchLists(ctx, door, old, emit)
}

// Parse yields what a document says; see [advisory.Source].
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) { s.parse(doc, yield) }
}

// RedHatAdvisories returns the source of Red Hat's errata.
func RedHatAdvisories() *Source {
	return redHat("redhat-csaf", "Red Hat security advisories", "https://security.access.redhat.com/data/csaf/v2/advisories/")
}

// RedHatVEX returns the source of what Red Hat says about each CVE, fixed or
// not.
func RedHatVEX() *Source {
	return redHat("redhat-vex", "Red Hat VEX", "https://security.access.redhat.com/data/csaf/v2/vex/")
}

func redHat(name, title, base string) *Source {
	l := folder(base)
	l.Deletions, l.Latest = base+"deletions.csv", base+"archive_latest.txt"
	return newSource(publisher{namespace: "https://www.redhat.com", prefix: "RHVEX-", platform: redHatPlatform}, advisory.Description{
		Name: name, Title: title, Home: "https://access.redhat.com/security/data",
		License: "CC-BY-4.0", Attribution: "Red Hat, Inc., CC BY 4.0", Redistribute: true,
	}, l)
}

// SUSE returns the source of SUSE's advisories.
func SUSE() *Source { return suse("suse-csaf", "SUSE security advisories", "csaf") }

// SUSEVEX returns the source of what SUSE says about each CVE, fixed or not.
func SUSEVEX() *Source { return suse("suse-vex", "SUSE VEX", "csaf-vex") }

func suse(name, title, path string) *Source {
	const root = "https://ftp.suse.com/pub/projects/security/"
	l := folder(root + path)
	l.Archive = root + path + ".tar.bz2"
	return newSource(publisher{namespace: "https://www.suse.com", prefix: "SUSEVEX-", platform: susePlatform, recommended: true}, advisory.Description{
		Name: name, Title: title, Home: "https://www.suse.com/support/security/csaf/",
		License: "CC-BY-4.0", Attribution: "SUSE LLC, CC BY 4.0", Redistribute: true,
	}, l)
}

func newSource(p publisher, d advisory.Description, l retrieve.List) *Source {
	d.Hosts = []string{hostOf(l.URL)}
	return &Source{publisher: p, description: d, lists: []retrieve.List{l}}
}

// CISA returns the source of the advisories of the United States' Cybersecurity
// and Infrastructure Security Agency about industrial control systems and
// medical devices. They name products in words, so that their records name no
// package.
func CISA() *Source {
	a := feed.GitHub("cisa-csaf", "cisagov/CSAF", "", func(name string) bool {
		return strings.HasPrefix(name, "csaf_files/") && strings.Contains(name, "/white/") && isDocument(name)
	})
	return &Source{archive: &a, publisher: publisher{namespace: "https://www.cisa.gov", prefix: "CISA-"}, description: advisory.Description{
		Name: "cisa-csaf", Title: "CISA advisories", Home: "https://github.com/cisagov/CSAF",
		License: "LicenseRef-US-Government-Work", Attribution: "Cybersecurity and Infrastructure Security Agency", Redistribute: true,
		Hosts: []string{feed.GitHubHost},
	}}
}

// Trusted is a provider whose documents shall count.
type Trusted struct {
	// Name is the source's name: lower case letters, digits and hyphens. Ids of
	// records that are those of CVEs start with it in upper case.
	Name string
	// Metadata is the address of its provider-metadata.json.
	Metadata string
	// Namespace is the publisher's namespace. The metadata and all documents must
	// have it: trust is given to a publisher, and not to an address.
	Namespace string
	// Hosts are hosts beside the one of Metadata that it keeps documents on. No
	// other is asked, whatever the metadata say.
	Hosts []string
	// License and Attribution are as in [advisory.Description]; without a
	// licence, documents are not redistributed.
	License, Attribution string
	Redistribute         bool
}

// Provider returns the source of a provider's documents. Where its metadata
// name ROLIE feeds, those are read, and otherwise its folders. Its publisher is
// no distribution: packages are read by package URLs of languages, and products
// by CPE names.
func Provider(t Trusted) *Source {
	s := &Source{metadata: t.Metadata, description: advisory.Description{
		Name: t.Name, Title: "CSAF of " + t.Namespace, Home: t.Namespace,
		License: t.License, Attribution: t.Attribution, Redistribute: t.Redistribute && t.License != "",
		Hosts: append([]string{hostOf(t.Metadata)}, t.Hosts...),
	}}
	if t.License == "" {
		s.description.License = "LicenseRef-" + t.Name
	}
	s.publisher = publisher{namespace: strings.TrimSuffix(t.Namespace, "/"), prefix: strings.ToUpper(strings.ReplaceAll(t.Name, "-", "")) + "-"}
	slices.Sort(s.description.Hosts)
	s.description.Hosts = slices.Compact(s.description.Hosts)
	return s
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// redHatPlatform makes "Red Hat:enterprise_linux:9::appstream" of
// "cpe:/a:redhat:enterprise_linux:9::appstream", as OSV has it.
func redHatPlatform(_, cpe string) string {
	parts := strings.SplitN(cpe, ":", 4)
	if len(parts) < 4 || parts[0] != "cpe" || !strings.HasPrefix(parts[1], "/") || parts[2] != "redhat" || strings.Trim(parts[3], ":") == "" {
		return ""
	}
	return "Red Hat:" + strings.TrimRight(parts[3], ":")
}

// susePlatform makes "SUSE:Linux Enterprise Server 15 SP6" of "SUSE Linux
// Enterprise Server 15 SP6", as OSV has it.
func susePlatform(name, _ string) string {
	for _, vendor := range []string{"SUSE", "openSUSE"} {
		if rest, ok := strings.CutPrefix(name, vendor+" "); ok && rest != "" {
			return vendor + ":" + rest
		}
	}
	return ""
}
