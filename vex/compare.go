package vex

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/cpe"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/scan/purl"
)

// answer is whether two things are the same.
type answer uint8

const (
	no answer = iota
	unknown
	yes
)

// match is an answer with its reason.
type match struct {
	is        answer
	versioned bool   // a version was compared
	why       Reason // where it is not yes
}

func better(a, b match) bool {
	if a.is != b.is {
		return a.is > b.is
	}
	return a.is == yes && a.versioned && !b.versioned || a.is == no && a.why.rank() > b.why.rank()
}

func either(a, b match) match {
	if better(b, a) {
		return b
	}
	return a
}

// both is the match of a product and its part.
func both(whole, part match) match {
	out := match{is: min(whole.is, part.is), versioned: whole.versioned || part.versioned}
	if out.is != yes {
		out.why = part.why
		if whole.is <= part.is {
			out.why = whole.why
		}
	}
	return out
}

// evidence collects what each identifier of a product says.
type evidence struct {
	seen        int
	agree, deny int
	denied      Reason
	versioned   bool
	open        bool // a name under which authority is given could not be compared
}

// name adds what a name says under which authority is given: where it cannot be
// compared, a digest that agrees does not replace it. Else who may speak about one
// product could speak about any, by its digest.
func (e *evidence) name(m match) {
	e.open = e.open || m.is == unknown
	e.add(m)
}

func (e *evidence) add(m match) {
	e.seen++
	switch m.is {
	case yes:
		e.agree++
	case no:
		if e.deny++; e.denied == "" || m.why.rank() > e.denied.rank() {
			e.denied = m.why
		}
	}
	e.versioned = e.versioned || m.is == yes && m.versioned
}

func (e *evidence) conclude() match {
	switch {
	case e.seen == 0:
		return match{is: no, why: Unidentified}
	case e.deny > 0 && e.agree > 0:
		return match{is: unknown, why: Disagreeing}
	case e.deny > 0:
		return match{is: no, why: e.denied}
	case e.agree > 0 && !e.open:
		return match{is: yes, versioned: e.versioned}
	}
	return match{is: unknown, why: Uncertain}
}

// fold puts the epoch of an RPM where versions have it, and takes the "v" off Go
// versions.
func fold(u purl.PackageURL) purl.PackageURL {
	switch u.Type {
	case "rpm":
		if e := u.Qualifier("epoch"); e != "" && e != "0" && u.Version != "" && !strings.Contains(u.Version, ":") {
			u.Version = e + ":" + u.Version
		}
		u.Version = strings.TrimPrefix(u.Version, "0:")
		u = u.With("epoch", "")
	case "golang":
		u.Version = strings.TrimPrefix(u.Version, "v")
	}
	return u
}

// informative are qualifiers that say something about a package and do not tell
// two apart.
var informative = []string{"vcs_url", "download_url", "checksum", "checksums", "file_name", "upstream", "vers", "tag"}

// comparePURL compares a package URL that a statement names with one that is there.
// What the statement leaves out stands for anything.
func comparePURL(s *identity, p purl.PackageURL) match {
	u := s.purl
	if p.IsZero() {
		return match{is: unknown, why: Uncertain}
	}
	if u.Type != p.Type || u.Namespace != p.Namespace || u.Name != p.Name {
		return match{is: no, why: OtherPackage}
	}
	out := match{is: yes}
	weaken := func(a answer, why Reason) {
		if a < out.is {
			out.is, out.why = a, why
		}
	}
	switch {
	case u.Version != "" && u.Version != "*":
		weaken(sameVersion(p.Type, u.Version, p.Version), OtherVersion)
		out.versioned = out.is == yes
	case s.rng != nil:
		weaken(s.rng.contains(p.Version), OtherVersion)
		out.versioned = out.is == yes
	}
	for _, q := range u.Qualifiers {
		if !slices.Contains(informative, q.Key) {
			weaken(sameQualifier(u, q, p), OtherQualifiers)
		}
	}
	switch {
	case u.Subpath == "" || u.Subpath == p.Subpath:
	case p.Subpath == "":
		weaken(unknown, Uncertain)
	default:
		weaken(no, OtherQualifiers)
	}
	if out.is == unknown {
		out.why = Uncertain
	}
	out.versioned = out.versioned && out.is == yes
	return out
}

// sameQualifier compares one qualifier of u with what p has.
func sameQualifier(u purl.PackageURL, q purl.Qualifier, p purl.PackageURL) answer {
	has := p.Qualifier(q.Key)
	switch q.Key {
	case "arch":
		if source := q.Value == "source" || q.Value == "src"; source && has == "" {
			return yes // a source package has none
		}
	case "distro":
		return sameRelease(q.Value, has)
	case "os_name":
		return sameRelease(q.Value+"-"+u.Qualifier("os_version"), p.Qualifier("distro"))
	case "os_version":
		if u.Qualifier("os_name") != "" {
			return yes // compared with it
		}
	case "os_distro":
		if u.Qualifier("os_name") != "" && u.Qualifier("os_version") != "" {
			return yes // the code name of what they say
		}
	}
	switch has {
	case q.Value:
		return yes
	case "":
		return unknown
	}
	return no
}

// sameRelease compares releases of distributions, "debian-12". A minor release is of
// its major one. A code name cannot be compared with a number.
func sameRelease(said, is string) answer {
	said = strings.TrimSuffix(said, "-")
	name, number, _ := strings.Cut(said, "-")
	isName, isNumber, _ := strings.Cut(is, "-")
	switch {
	case is == "" || (number == "") != (isNumber == ""):
		if is != "" && number == "" && name == isName {
			return yes // every release of it
		}
		return unknown
	case said == is || strings.HasPrefix(is, said+"."):
		return yes
	case name == isName && strings.HasPrefix(said, is+"."):
		return unknown
	}
	return no
}

// sameVersion compares versions by the order of the package's type.
func sameVersion(typ, said, is string) answer {
	switch {
	case is == "":
		return unknown
	case said == is:
		return yes
	}
	scheme, err := version.ForVERS(typ)
	if err != nil {
		return unknown
	}
	c, err := scheme.Compare(said, is)
	switch {
	case err != nil:
		return unknown
	case c == 0:
		return yes
	}
	return no
}

// versionRange is a range that a statement gives, or why it cannot be read.
type versionRange struct {
	version.Range
	err error
}

func parseRange(text string) *versionRange {
	r, err := version.ParseVERS(text)
	return &versionRange{r, err}
}

func (r *versionRange) contains(v string) answer {
	if r.err != nil || v == "" {
		return unknown
	}
	switch r.Contains(v).State {
	case version.Yes:
		return yes
	case version.No:
		return no
	}
	return unknown
}

// compareCPE asks whether a name describes one of those that the package has.
func compareCPE(s *identity, has []cpe.Name) match {
	best := match{is: unknown, why: Uncertain}
	for i, n := range has {
		m := match{is: no, why: OtherPackage}
		switch {
		case s.cpe.Key() != n.Key():
		case !cpe.Match(s.cpe, n):
			m.why = OtherVersion
		case s.rng != nil && s.cpe.FullVersion() == "":
			m = match{is: s.rng.contains(n.FullVersion()), why: OtherVersion, versioned: true}
		default:
			m = match{is: yes, versioned: s.cpe.FullVersion() != "" && !cpe.HasWildcard(s.cpe.FullVersion())}
		}
		if i == 0 || better(m, best) {
			best = m
		}
	}
	return best
}

// compareDigests compares digests by the same algorithm.
func compareDigests(said, has []string, other Reason) match {
	comparable := false
	for _, s := range said {
		algorithm, _, _ := strings.Cut(s, ":")
		for _, h := range has {
			if strings.EqualFold(s, h) {
				return match{is: yes, versioned: true}
			}
			a, _, _ := strings.Cut(h, ":")
			comparable = comparable || strings.EqualFold(a, algorithm)
		}
	}
	if comparable {
		return match{is: no, why: other}
	}
	return match{is: unknown, why: Uncertain}
}

// compareImage compares a package URL of an image with one that is there. A URL
// that says neither the digest nor the registry is of no image in particular.
func compareImage(u purl.PackageURL, has *Image) match {
	var all evidence
	tag := u.Qualifier("tag")
	digest := u.Version
	if digest != "" && !strings.Contains(digest, ":") {
		tag, digest = digest, "" // pkg:docker names a tag so
	}
	if digest != "" {
		all.name(compareDigests([]string{digest}, has.Digests, OtherImage))
	} else if u.Qualifier("arch") != "" || u.Qualifier("platform") != "" {
		all.name(match{is: unknown, why: Uncertain}) // one of those that the name stands for
	}
	if repository := repositoryOf(u); repository != "" {
		best := match{is: unknown, why: Uncertain}
		for i, name := range has.Names {
			m := match{is: no, why: OtherImage}
			path, t := splitTag(name)
			switch {
			case canonicalRepository(withRegistry(path)) != repository:
			case tag == "" || digest != "" || t == tag:
				m = match{is: yes, versioned: false}
			case t == "":
				m = match{is: unknown, why: Uncertain}
			default:
				m.why = OtherVersion
			}
			if i == 0 || better(m, best) {
				best = m
			}
		}
		all.name(best)
	}
	return all.conclude()
}

// repositoryOf returns registry and path of an image's package URL, "" where it
// names no registry. Type docker has a default one (purl specification, types).
func repositoryOf(u purl.PackageURL) string {
	where := strings.TrimSuffix(u.Qualifier("repository_url"), "/")
	where = strings.TrimPrefix(strings.TrimPrefix(where, "https://"), "http://")
	path := u.Name
	if u.Namespace != "" {
		path = u.Namespace + "/" + path
	}
	path = strings.ToLower(path)
	switch {
	case where == "" && u.Type == "docker":
		return canonicalRepository("docker.io/" + path)
	case where == "":
		return ""
	case u.Type == "docker" || !strings.Contains(where, "/"):
		return canonicalRepository(where + "/" + path)
	case !strings.HasSuffix(where, "/"+path) && where != path:
		return canonicalRepository(where + "/" + path) // both forms are in use
	}
	return canonicalRepository(where)
}

// canonicalRepository spells Docker Hub one way.
func canonicalRepository(path string) string {
	path = strings.ToLower(path)
	host, rest, ok := strings.Cut(path, "/")
	if !ok {
		return path
	}
	if host == "index.docker.io" || host == "registry-1.docker.io" || host == "registry.hub.docker.com" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return host + "/" + rest
}

// withRegistry adds the registry that a reference without one is of, as container
// engines read it.
func withRegistry(path string) string {
	host, _, ok := strings.Cut(path, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "docker.io/" + path
	}
	return path
}

// splitTag cuts the tag and the digest off a reference.
func splitTag(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	name = strings.TrimPrefix(name, "docker://")
	slash := strings.LastIndexByte(name, '/')
	if colon := strings.LastIndexByte(name, ':'); colon > slash {
		return name[:colon], name[colon+1:]
	}
	return name, ""
}
