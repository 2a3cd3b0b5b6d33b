package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// The bounds of what is evaluated at once.
const (
	MaxFindings   = 1_000_000
	MaxExceptions = 100_000
	MaxItems      = 1_000_000 // secrets and files that no package accounts for
)

// Inputs are everything that a verdict is a function of, beside the policy. They are
// not changed.
type Inputs struct {
	Subject Subject
	// Environment is what is decided for, such as "production"; may be empty.
	Environment string
	// Controls are the controls that are in place there, for exceptions that require
	// one.
	Controls []string
	// At is the evaluation time. It is required.
	At time.Time
	// Packages are those of the SBOM. Facts about a package that is not among them are
	// unknown.
	Packages []sbom.Package
	// Owners are package URLs of what contains a package, by the package's ID.
	Owners map[string][]string
	// Secrets are those of the SBOM, and Looked says what was looked for: whether that
	// there are none means something.
	Secrets []sbom.Secret
	Looked  sbom.Looked
	// Findings are what matching reports, in the order of finding.Report, and Gaps
	// what was not assessed, by the scan or by matching.
	Findings []finding.Finding
	Gaps     []sbom.Gap
	// Signals are what the advisory data has about vulnerabilities beside records:
	// "kev", "epss". Where one is not there, its facts are unknown.
	Signals []string
	// Statements are what suppliers say, prepared; those about other vulnerabilities
	// and packages do no harm. Judge says whom to believe; nil believes nobody.
	Statements []*vex.Statement
	Judge      *vex.Judge
	// Exceptions are those of the tenant, in any order.
	Exceptions []Exception
	// Digests name the inputs.
	Digests Digests
}

// Subject is what is decided about.
type Subject struct {
	// Image are the digests and names of the image; empty for what is none.
	Image vex.Image `json:"image,omitzero"`
	// Name is for people: what was scanned.
	Name string `json:"name,omitempty"`
	// Base are names of the base image, and BaseLayers how many layers are its; 0
	// where that is not known.
	Base       []string `json:"base,omitempty"`
	BaseLayers int      `json:"base_layers,omitzero"`
	// Labels are the image's; nil where they are not known.
	Labels map[string]string `json:"labels,omitempty"`
	// Created is when the image was made, RFC 3339; OS is its distribution,
	// "debian-12".
	Created string `json:"created,omitempty"`
	OS      string `json:"os,omitempty"`
	// Layers are the diffIDs, base first.
	Layers []string `json:"layers,omitempty"`
}

// Digests name inputs, each "sha256:" and 64 hex digits. Evaluate sets Policy,
// Exceptions, Trust and Subject.
type Digests struct {
	SBOM string `json:"sbom,omitempty"` // of the neutral document
	// Report is of the findings and gaps, as ReportDigest gives it.
	Report string `json:"report"`
	// Advisories is of the snapshot that was matched with; empty means that there was
	// none: nothing was assessed.
	Advisories string `json:"advisories,omitempty"`
	// VEX are the digests of the sets of statements: what is public, then the
	// tenant's.
	VEX        []string `json:"vex,omitempty"`
	Trust      string   `json:"trust,omitempty"`
	Policy     string   `json:"policy"`
	Exceptions string   `json:"exceptions"`
	// Subject is of the subject and the environment with its controls and signals.
	Subject string `json:"subject"`
}

// Of fills in what a document says: the subject, the packages with what contains
// them, the secrets, and the document's gaps.
func (in *Inputs) Of(doc *sbom.Document) {
	s := &in.Subject
	s.Name = doc.Name
	if s.Name == "" {
		s.Name = doc.Subject.Name
	}
	add := func(list *[]string, v string) {
		for _, have := range *list {
			if have == v {
				return
			}
		}
		if v != "" {
			*list = append(*list, v)
		}
	}
	add(&s.Image.Digests, doc.Subject.ConfigDigest)
	if src := doc.Source; src != nil {
		add(&s.Image.Digests, src.Manifest)
		add(&s.Image.Digests, src.Index)
		for _, t := range src.Tags {
			add(&s.Image.Names, t)
		}
	}
	if s.Created == "" {
		s.Created = doc.Created
	}
	if os := doc.Subject.OS; os != nil {
		s.OS = os.ID
		if os.VersionID != "" {
			s.OS += "-" + os.VersionID
		}
	}
	s.label(doc)
	s.Layers = nil
	for _, l := range doc.Subject.Layers {
		s.Layers = append(s.Layers, l.DiffID)
	}
	in.Packages, in.Secrets, in.Looked = doc.Packages, doc.Secrets, doc.Looked()
	in.Gaps = append(in.Gaps, doc.Gaps...)
	in.own(doc)
}

// label fills in what the image's labels say (OCI image-spec, annotations.md; the label
// "cpe" is Red Hat's). Where it is known what platform an image is for, its
// configuration was read, and it has these labels and no others.
func (s *Subject) label(doc *sbom.Document) {
	if of := &doc.Subject; len(of.Labels) == 0 && (of.Kind != sbom.SubjectImage || of.Platform == "") {
		return
	}
	s.Labels = make(map[string]string, len(doc.Subject.Labels))
	for _, l := range doc.Subject.Labels {
		s.Labels[l.Name] = l.Value
		switch {
		case l.Value == "":
		case l.Name == "org.opencontainers.image.base.name" && !slices.Contains(s.Base, l.Value):
			s.Base = append(s.Base, l.Value)
		case l.Name == "cpe" && !slices.Contains(s.Image.CPEs, l.Value):
			s.Image.CPEs = append(s.Image.CPEs, l.Value)
		}
	}
}

// own finds for each package what depends on it or contains it, up to the roots.
func (in *Inputs) own(doc *sbom.Document) {
	in.Owners = map[string][]string{}
	root := ""
	if p := doc.Subject.Package; p != nil && !p.PURL.IsZero() {
		root = p.PURL.String()
	}
	urls := make(map[string]string, len(doc.Packages))
	for i := range doc.Packages {
		urls[doc.Packages[i].ID] = doc.Packages[i].PURL.String()
	}
	for _, r := range doc.Relationships {
		from, to := r.From, r.To
		if r.Kind == sbom.OwnedBy {
			from, to = to, from
		}
		if u := urls[from]; u != "" && urls[to] != "" && len(in.Owners[to]) < maxOwners {
			in.Owners[to] = append(in.Owners[to], u)
		}
	}
	if root == "" {
		return
	}
	for id := range urls {
		if len(in.Owners[id]) < maxOwners {
			in.Owners[id] = append(in.Owners[id], root)
		}
	}
}

// maxOwners bounds the owners of one package.
const maxOwners = 64

// packageFacts is what rules and exceptions ask about a package.
type packageFacts struct {
	known    bool // it is in the document
	typ      string
	scope    string
	licenses []string
	paths    []string
	layer    int // -1 where it is not known
	usage    string
	url      string
	product  *vex.Product // see prepared
	query    *vex.Prepared
	// Of secrets, and of files that no package accounts for.
	removed    bool
	kind, mode string
	digests    []string
}

// prepared is the package as patterns look at it.
func (p *packageFacts) prepared() *vex.Product {
	if p.product == nil {
		p.product = &vex.Product{PURL: p.url}
		p.product.Prepare()
	}
	return p.product
}

func (r *run) factsOf(f *finding.Finding) *packageFacts {
	if known := r.packages[f.Package]; known != nil && known.url == f.PURL {
		return known
	}
	out := &packageFacts{layer: -1, url: f.PURL}
	if i, ok := r.byID[f.Package]; ok {
		out.describe(&r.in.Packages[i], r.layers)
	}
	if rest, ok := strings.CutPrefix(f.PURL, "pkg:"); ok {
		out.typ, _, _ = strings.Cut(rest, "/")
		out.typ = strings.ToLower(out.typ)
	}
	r.packages[f.Package] = out
	return out
}

func (out *packageFacts) describe(p *sbom.Package, layers map[string]int) {
	out.known, out.scope = true, cmp.Or(string(p.Scope), "runtime")
	if u := p.Usage; u != nil && (u.State == sbom.Reached || u.State == sbom.Unreached) {
		out.usage = string(u.State)
	}
	for _, l := range p.Licenses {
		if text := cmp.Or(l.Expression, l.Name); text != "" {
			out.licenses = append(out.licenses, text)
		}
	}
	for _, l := range p.Locations {
		out.paths = append(out.paths, l.Path)
		if n, ok := layers[l.Layer]; ok && (out.layer < 0 || n < out.layer) {
			out.layer = n
		}
	}
}

// queryOf returns what suppliers are asked about the finding's package.
func (r *run) queryOf(v *evaluated) *vex.Prepared {
	if v.pkg.query != nil {
		return v.pkg.query
	}
	q := vex.Query{Package: vex.Part{PURL: v.PURL}, Owners: r.in.Owners[v.Package], Image: r.in.Subject.Image}
	if i, ok := r.byID[v.Package]; ok {
		p := &r.in.Packages[i]
		for _, h := range p.Hashes {
			q.Package.Digests = append(q.Package.Digests, h.Algorithm+":"+h.Value)
		}
		q.Package.CPEs = p.CPEs
		if up := p.Upstream; up != nil && !p.PURL.IsZero() {
			u := p.PURL
			u.Name, u.Subpath, u.Version = up.Name, "", cmp.Or(up.Version, u.Version)
			q.Upstream = u.String()
		}
	}
	v.pkg.query = q.Prepare()
	return v.pkg.query
}
