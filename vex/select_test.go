package vex_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/vex"
)

// asking is a Debian package in an image, whose source package has another name.
var asking = vex.Query{
	Vulnerabilities: []string{"CVE-2026-0001", "DSA-1"},
	Package:         vex.Part{PURL: "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12", CPEs: []string{"cpe:2.3:a:openssl:openssl:3.0.11:*:*:*:*:*:*:*"}, Digests: []string{"sha256:" + strings.Repeat("1", 64)}},
	Upstream:        "pkg:deb/debian/openssl@3.0.11-1?distro=debian-12",
	Owners:          []string{"pkg:golang/example.com/app@v1.2.0"},
	Image:           vex.Image{Digests: []string{"sha256:" + strings.Repeat("a", 64)}, Names: []string{"docker.io/library/web:1.0", "registry.example.com/team/web"}, CPEs: []string{"cpe:/a:example:platform:4::el9"}},
}

// TestIdentity: which products are what is asked about. Each is asked with a claim
// that lowers risk and with one that raises it: "yes" is both, "doubt" the second
// alone.
func TestIdentity(t *testing.T) {
	d1, da, db := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	type p = vex.Product
	for name, c := range map[string]struct {
		product p
		want    string // "yes", "versioned", "doubt" or a reason
	}{
		"name":                    {p{PURL: "pkg:deb/debian/libssl3"}, "yes"},
		"version":                 {p{PURL: "pkg:deb/debian/libssl3@3.0.11-1"}, "versioned"},
		"equal version":           {p{PURL: "pkg:deb/debian/libssl3@0:3.0.11-1"}, "versioned"},
		"other version":           {p{PURL: "pkg:deb/debian/libssl3@3.0.11-2"}, "other_version"},
		"any version":             {p{PURL: "pkg:deb/debian/libssl3@*"}, "yes"},
		"range":                   {p{PURL: "pkg:deb/debian/libssl3", Versions: "vers:deb/<3.0.12-1"}, "versioned"},
		"other range":             {p{PURL: "pkg:deb/debian/libssl3", Versions: "vers:deb/<3.0.11-1"}, "other_version"},
		"range in qualifier":      {p{PURL: "pkg:deb/debian/libssl3?vers=vers:deb%2F%3C3.0.12-1"}, "versioned"},
		"unreadable range":        {p{PURL: "pkg:deb/debian/libssl3", Versions: "vers:deb/<<"}, "doubt"},
		"source package":          {p{PURL: "pkg:deb/debian/openssl?arch=source"}, "yes"},
		"source version":          {p{PURL: "pkg:deb/debian/openssl@3.0.11-1"}, "versioned"},
		"architecture":            {p{PURL: "pkg:deb/debian/libssl3?arch=amd64"}, "yes"},
		"other architecture":      {p{PURL: "pkg:deb/debian/libssl3?arch=arm64"}, "other_qualifiers"},
		"release":                 {p{PURL: "pkg:deb/debian/libssl3?distro=debian-12"}, "yes"},
		"minor release":           {p{PURL: "pkg:deb/debian/libssl3?distro=debian-12.5"}, "doubt"},
		"other release":           {p{PURL: "pkg:deb/debian/libssl3?distro=debian-11"}, "other_qualifiers"},
		"release by prefix":       {p{PURL: "pkg:deb/debian/libssl3?distro=debian-1"}, "other_qualifiers"},
		"code name":               {p{PURL: "pkg:deb/debian/libssl3?distro=bookworm"}, "doubt"},
		"os names":                {p{PURL: "pkg:deb/debian/libssl3?os_distro=bookworm&os_name=debian&os_version=12"}, "yes"},
		"other os names":          {p{PURL: "pkg:deb/debian/libssl3?os_distro=trixie&os_name=debian&os_version=13"}, "other_qualifiers"},
		"unknown qualifier":       {p{PURL: "pkg:deb/debian/libssl3?flavor=fips"}, "doubt"},
		"informative qualifier":   {p{PURL: "pkg:deb/debian/libssl3?download_url=https://x.example/"}, "yes"},
		"subpath":                 {p{PURL: "pkg:deb/debian/libssl3#lib"}, "doubt"},
		"prefix of the name":      {p{PURL: "pkg:deb/debian/libssl"}, "other_package"},
		"longer name":             {p{PURL: "pkg:deb/debian/libssl3-dev"}, "other_package"},
		"other namespace":         {p{PURL: "pkg:deb/ubuntu/libssl3"}, "other_package"},
		"no namespace":            {p{PURL: "pkg:deb/libssl3"}, "other_package"},
		"other type":              {p{PURL: "pkg:rpm/debian/libssl3"}, "other_package"},
		"escaped name":            {p{PURL: "pkg:deb/debian/lib%73sl3"}, "yes"},
		"cpe":                     {p{CPE: "cpe:2.3:a:openssl:openssl:3.0.11:*:*:*:*:*:*:*"}, "versioned"},
		"cpe of every version":    {p{CPE: "cpe:/a:openssl:openssl"}, "yes"},
		"cpe of another version":  {p{CPE: "cpe:2.3:a:openssl:openssl:3.0.12:*:*:*:*:*:*:*"}, "other_version"},
		"cpe of a vendor":         {p{CPE: "cpe:2.3:a:openssl:*:*:*:*:*:*:*:*:*"}, "product_not_identified"},
		"digest":                  {p{Digests: []string{d1}}, "versioned"},
		"other digest":            {p{Digests: []string{db}}, "other_image"},
		"digest elsewise":         {p{Digests: []string{"sha512:00"}}, "doubt"},
		"purl and cpe":            {p{PURL: "pkg:deb/debian/libssl3", CPE: "cpe:/a:openssl:openssl:3.0.11"}, "versioned"},
		"purl against cpe":        {p{PURL: "pkg:deb/debian/libssl3", CPE: "cpe:/a:openssl:openssl:1.0"}, "doubt"},
		"purl against digest":     {p{PURL: "pkg:deb/debian/libssl3", Digests: []string{db}}, "doubt"},
		"other purl, same cpe":    {p{PURL: "pkg:npm/openssl", CPE: "cpe:/a:openssl:openssl:3.0.11"}, "doubt"},
		"nothing but a name":      {p{Name: "libssl3"}, "product_not_identified"},
		"not a purl":              {p{PURL: "libssl3"}, "product_not_identified"},
		"the image":               {p{PURL: "pkg:oci/web?repository_url=registry.example.com/team/web"}, "yes"},
		"the image, parted":       {p{PURL: "pkg:oci/web?repository_url=registry.example.com/team"}, "yes"},
		"the image by digest":     {p{PURL: "pkg:oci/web@" + strings.Replace(da, ":", "%3A", 1) + "?repository_url=registry.example.com/team/web"}, "versioned"},
		"the image by hash":       {p{Digests: []string{da}}, "versioned"},
		"another image":           {p{PURL: "pkg:oci/web?repository_url=registry.example.com/other/web"}, "other_image"},
		"an image by prefix":      {p{PURL: "pkg:oci/we?repository_url=registry.example.com/team/we"}, "other_image"},
		"digest of another":       {p{PURL: "pkg:oci/web@" + strings.Replace(db, ":", "%3A", 1) + "?repository_url=registry.example.com/team/web"}, "doubt"},
		"digest, other place":     {p{PURL: "pkg:oci/x@" + strings.Replace(da, ":", "%3A", 1) + "?repository_url=evil.example/x"}, "doubt"},
		"an image of no registry": {p{PURL: "pkg:oci/web"}, "product_not_identified"},
		"docker's":                {p{PURL: "pkg:docker/web"}, "yes"},
		"docker's tag":            {p{PURL: "pkg:docker/library/web@1.0"}, "yes"},
		"docker's other tag":      {p{PURL: "pkg:docker/library/web@2.0"}, "other_version"},
		"docker's other":          {p{PURL: "pkg:docker/team/web"}, "other_image"},
		"owner":                   {p{PURL: "pkg:golang/example.com/app"}, "yes"},
		"other owner":             {p{PURL: "pkg:golang/example.com/app@v1.3.0"}, "other_version"},
		"part of the image":       {p{PURL: "pkg:docker/web", Subcomponents: []p{{PURL: "pkg:npm/x"}, {PURL: "pkg:deb/debian/libssl3@3.0.11-1"}}}, "versioned"},
		"other part":              {p{PURL: "pkg:docker/web", Subcomponents: []p{{PURL: "pkg:npm/x"}}}, "other_package"},
		"part of another image":   {p{PURL: "pkg:docker/db", Subcomponents: []p{{PURL: "pkg:deb/debian/libssl3"}}}, "other_image"},
		"part of the owner":       {p{PURL: "pkg:golang/example.com/app@1.2.0", Subcomponents: []p{{PURL: "pkg:deb/debian/openssl"}}}, "yes"},
		"part, doubtful image":    {p{PURL: "pkg:oci/web?repository_url=registry.example.com/team/web&tag=7", Subcomponents: []p{{PURL: "pkg:deb/debian/libssl3"}}}, "doubt"},
		"cpe of the image":        {p{CPE: "cpe:/a:example:platform:4", Subcomponents: []p{{PURL: "pkg:deb/debian/libssl3"}}}, "yes"},
		"cpe of another image":    {p{CPE: "cpe:/a:example:platform:5", Subcomponents: []p{{PURL: "pkg:deb/debian/libssl3"}}}, "other_version"},
		"package with parts":      {p{PURL: "pkg:deb/debian/libssl3", Subcomponents: []p{{PURL: "pkg:npm/x"}}}, "other_package"},
	} {
		got := map[bool]vex.Selection{}
		for _, lowers := range []bool{true, false} {
			s := &vex.Statement{Vulnerability: "dsa-1", Products: []p{c.product}, Status: vex.Affected}
			if lowers {
				s.Status, s.Justification = vex.NotAffected, vex.CodeNotPresent
			}
			if err := s.Prepare(); err != nil {
				t.Fatal(err)
			}
			got[lowers] = asking.Select([]*vex.Statement{s})
		}
		is := ""
		switch lower := got[true]; {
		case len(lower.Claims) > 0 && lower.Claims[0].Versioned:
			is = "versioned"
		case len(lower.Claims) > 0:
			is = "yes"
		case len(got[false].Claims) > 0:
			is = "doubt"
		default:
			is = string(lower.Others[0].Reason)
		}
		if is != c.want {
			t.Errorf("%s: %+v is %s, want %s", name, c.product, is, c.want)
		}
		if len(got[true].Claims) > len(got[false].Claims) {
			t.Errorf("%s: a claim lowers risk where another does not raise it", name)
		}
	}
}

// TestUnknownImage: where nothing is known of the image, no claim about one lowers
// risk, not even by a digest under a name that is not known.
func TestUnknownImage(t *testing.T) {
	q := asking
	q.Image = vex.Image{Digests: asking.Image.Digests}
	s := &vex.Statement{Vulnerability: "CVE-2026-0001", Status: vex.NotAffected, Impact: "no", Products: []vex.Product{
		{PURL: "pkg:oci/web@sha256%3A" + strings.Repeat("a", 64) + "?repository_url=registry.example.com/team/web"}}}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	if got := q.Select([]*vex.Statement{s}); len(got.Claims) > 0 || got.Others[0].Reason != vex.Uncertain {
		t.Errorf("got %+v", got)
	}
}

// TestNames: references without a registry are those of Docker Hub, as everywhere.
func TestNames(t *testing.T) {
	for name, product := range map[string]string{
		"alpine": "pkg:docker/alpine", "alpine:3.20": "pkg:docker/library/alpine@3.20", "team/web": "pkg:docker/team/web", "docker://alpine:latest": "pkg:docker/alpine@latest",
		"index.docker.io/library/alpine": "pkg:docker/alpine", "ghcr.io/team/web@sha256:00": "pkg:oci/web?repository_url=ghcr.io/team/web",
		"localhost/web": "pkg:oci/web?repository_url=localhost/web", "localhost:5000/web:1": "pkg:oci/web?repository_url=localhost:5000/web&tag=1",
	} {
		q := vex.Query{Vulnerabilities: []string{"CVE-1"}, Image: vex.Image{Names: []string{name}}}
		s := &vex.Statement{Vulnerability: "CVE-1", Status: vex.NotAffected, Impact: "no", Products: []vex.Product{{PURL: product}}}
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		if got := q.Select([]*vex.Statement{s}); len(got.Claims) != 1 {
			t.Errorf("%s is not %s: %+v", product, name, got.Others)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, product string
		want             bool
	}{
		{"*", "pkg:npm/foo", true},
		{"pkg:npm/foo", "pkg:npm/foo@1.0", true},
		{"pkg:npm/foo", "pkg:npm/foo-bar", false},
		{"pkg:npm/foo", "pkg:npm/%40foo/foo", false},
		{"pkg:npm/foo", "pkg:pypi/foo", false},
		{"pkg:npm/foo@1.0", "pkg:npm/foo@1.0", true},
		{"pkg:npm/foo@1.0", "pkg:npm/foo", false},
		{"pkg:npm/%40babel/*", "pkg:npm/%40babel/core", true},
		{"pkg:npm/%40babel/*", "pkg:npm/%40babel-evil/core", false},
		{"pkg:npm/*", "pkg:npm/%40babel/core", false},
		{"pkg:npm/**", "pkg:npm/%40babel/core", true},
		{"pkg:golang/k8s.io/**", "pkg:golang/k8s.io/api", true},
		{"pkg:golang/k8s.io/**", "pkg:golang/k8s.io/api/core/v1", true},
		{"pkg:golang/k8s.io/**", "pkg:golang/k8s.io.evil/api", false},
		{"pkg:golang/k8s.io/**", "pkg:golang/evil/k8s.io/api", false},
		{"pkg:deb/debian/**?arch=amd64", "pkg:deb/debian/a?arch=amd64", true},
		{"pkg:deb/debian/**?arch=amd64", "pkg:deb/debian/a", false},
		{"pkg:oci/*?repository_url=registry.example.com/team/**", "pkg:oci/web?repository_url=registry.example.com/team/web", true},
		{"pkg:oci/*?repository_url=registry.example.com/team/**", "pkg:oci/web?repository_url=registry.example.com/team-evil/web", false},
		{"pkg:oci/*?repository_url=registry.example.com/team/**", "pkg:oci/web", false},
		{"pkg:docker/dhi/**", "pkg:docker/dhi/golang", true},
		{"pkg:docker/dhi/**", "pkg:deb/debian/libssl3", false},
		{"sha256:" + strings.Repeat("a", 64), "pkg:oci/x@sha256:" + strings.Repeat("a", 64), true},
	} {
		p, err := vex.ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		product := vex.Product{PURL: c.product}
		product.Prepare()
		if got := p.Covers(&product); got != c.want {
			t.Errorf("%s covers %s is %v, want %v", c.pattern, c.product, got, c.want)
		}
	}
	cpes := vex.Product{CPE: "cpe:/a:redhat:openshift:4.12"}
	cpes.Prepare()
	for pattern, want := range map[string]bool{"cpe:2.3:a:redhat:*": true, "cpe:2.3:a:redhat:openshift:4.12": true, "cpe:2.3:a:red:*": false, "cpe:2.3:o:redhat:*": false} {
		p, err := vex.ParsePattern(pattern)
		if err != nil || p.Covers(&cpes) != want {
			t.Errorf("%s covers it is %v, want %v (%v)", pattern, !want, want, err)
		}
	}
	for _, bad := range []string{"", "npm/foo", "pkg:npm", "pkg:npm/", "pkg:*/x", "pkg:npm/f*", "pkg:npm/**/x", "pkg:npm/*@1", "pkg:npm/a//b", "cpe:2.3:a:*", "cpe:2.3:*:redhat", "sha256:00", "pkg:npm/x?arch"} {
		if p, err := vex.ParsePattern(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
}

// TestTrustRefuses what is no trust, and says whose entry it is.
func TestTrustRefuses(t *testing.T) {
	good := vex.Issuer{ID: "a", Tier: 1, Identities: []string{"key:a"}, Products: []string{"*"}}
	with := func(change func(*vex.Issuer)) vex.Issuer { i := good; change(&i); return i }
	for want, list := range map[string][]vex.Issuer{
		"tier":          {with(func(i *vex.Issuer) { i.Tier = 0 })},
		"id":            {with(func(i *vex.Issuer) { i.ID = "a b" })},
		"no product":    {with(func(i *vex.Issuer) { i.Products = nil })},
		"pattern":       {with(func(i *vex.Issuer) { i.Products = []string{"pkg:npm/f*"} })},
		"identities or": {with(func(i *vex.Issuer) { i.Identities = nil })},
		"identity":      {with(func(i *vex.Issuer) { i.Identities = []string{"maker"} })},
		"'*'":           {with(func(i *vex.Issuer) { i.Identities = []string{"sigstore:https://a|*"} })},
		"only a":        {with(func(i *vex.Issuer) { i.Identities = []string{"key:*"} })},
		"sources":       {with(func(i *vex.Issuer) { i.Authors = []string{"me"} })},
		"unsigned":      {with(func(i *vex.Issuer) { i.Unsigned = []vex.Status{"safe"} })},
		"twice":         {good, with(func(i *vex.Issuer) { i.Identities = []string{"key:b"} })},
		"same identity": {good, with(func(i *vex.Issuer) { i.ID = "b" })},
		"max_age":       {with(func(i *vex.Issuer) { i.MaxAge = -1 })},
	} {
		_, err := (&vex.Trust{Issuers: list}).Judge()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"a"`) && want != "id" && !strings.Contains(err.Error(), "a") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestDigests: what is equal has equal digests, whatever its order.
func TestDigests(t *testing.T) {
	a := vex.Trust{Issuers: []vex.Issuer{{ID: "a"}, {ID: "b"}}}
	b := vex.Trust{Issuers: []vex.Issuer{{ID: "b"}, {ID: "a"}}}
	if a.Digest() != b.Digest() {
		t.Error("the order of issuers matters")
	}
	s, again := said{who: "maker", status: vex.Affected, at: -3, document: "1"}.statement(t), said{who: "maker", status: vex.Affected, at: -3, document: "2"}.statement(t)
	if s.ID == again.ID || s.Content != again.Content {
		t.Errorf("copies: IDs %s and %s, contents %s and %s", s.ID, again.ID, s.Content, again.Content)
	}
	one, other := vex.NewSet([]*vex.Statement{s, again, s}), vex.NewSet([]*vex.Statement{again, s})
	if one.Digest() != other.Digest() || len(one.All()) != 2 {
		t.Errorf("sets of the same: %s and %s", one.Digest(), other.Digest())
	}
	list, err := one.Statements(t.Context(), []string{"cve-2026-0001", "CVE-2026-0001"})
	if diff := cmp.Diff(2, len(list)); err != nil || diff != "" {
		t.Errorf("statements: %v %s", err, diff)
	}
}
