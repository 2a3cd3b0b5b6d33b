package trust_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

// The tables below attack a decision end to end: a document is signed or not,
// verified, its statement selected and judged. Each begins with a claim that does
// suppress, which is checked too, and changes one thing. None may suppress.

var (
	imageDigest = digest("the image")
	otherDigest = digest("another image")
	fileDigest  = digest("the file")
)

// world is one attack.
type world struct {
	t         *testing.T
	issuers   string
	keys      []string
	vendor    *dsse.PrivateKey
	other     *dsse.PrivateKey // of an issuer that may speak about something else
	stranger  *dsse.PrivateKey
	statement *vex.Statement
	more      []*vex.Statement // further statements, of the vendor, verified
	signers   []*dsse.PrivateKey
	change    func(e *dsse.Envelope) // after signing
	bare      bool                   // no envelope
	proof     []byte
	query     *vex.Query
	at        time.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, vendor: newKey(t, 1), other: newKey(t, 2), stranger: newKey(t, 3), at: at}
	w.issuers = `  - {id: vendor, tier: 1, products: ["pkg:npm/foo", "pkg:oci/app?repository_url=registry.example.com/vendor/**"], sources: [vendor-feed], authors: [Vendor], unsigned: [affected], max_age: 365}
  - {id: other, tier: 1, products: ["pkg:npm/bar", "pkg:oci/*?repository_url=registry.example.com/other/**"], sources: [hub], unsigned: [affected, under_investigation]}
  - {id: hub, tier: 2, products: ["pkg:npm/hub-only/*"], sources: [hub], authors: [Hub], unsigned: [not_affected, fixed, affected]}
`
	w.keys = []string{keyEntry("vendor", "vendor", "pem", string(w.vendor.Public().PEM())), keyEntry("other", "other", "pem", string(w.other.Public().PEM()))}
	w.statement = claim("pkg:npm/foo@1.2.3")
	w.signers = []*dsse.PrivateKey{w.vendor}
	w.query = &vex.Query{
		Vulnerabilities: []string{"CVE-2026-1"}, Package: vex.Part{PURL: "pkg:npm/foo@1.2.3", Digests: []string{fileDigest}},
		Image: vex.Image{Digests: []string{imageDigest}, Names: []string{"registry.example.com/vendor/app:1"}},
	}
	return w
}

// claim is a statement that suppresses where it counts.
func claim(purl string) *vex.Statement {
	return &vex.Statement{
		Vulnerability: "CVE-2026-1", Products: []vex.Product{{PURL: purl}}, Status: vex.NotAffected, Justification: vex.CodeNotPresent,
		Time: at.AddDate(0, -1, 0), Origin: vex.Origin{Document: digest("document"), Format: "openvex", Source: "vendor-feed", Author: "Vendor"},
	}
}

// run verifies, selects and resolves.
func (w *world) run() *vex.Consensus {
	w.t.Helper()
	d := document(w.t, w.issuers, w.keys...)
	doc := &vex.Document{Content: []byte(`{"@context":"https://openvex.dev/ns/v0.2.0"}`), Proof: w.proof}
	if !w.bare {
		e := envelope(w.t, intoto.PayloadType, attestation(openVEX, string(doc.Content), imageDigest), w.signers...)
		if w.change != nil {
			w.change(e)
		}
		doc.Content = encode(w.t, e)
	}
	v := verify(w.t, d.Verifier(&trust.Options{At: w.at}), doc)
	w.statement.Origin.Signature, w.statement.Origin.Signer = v.Signature, v.Signer
	all := append([]*vex.Statement{w.statement}, w.more...)
	for i, s := range all {
		if i > 0 {
			s.Origin.Signature, s.Origin.Signer = vex.Verified, identity(w.vendor)
		}
		if err := s.Prepare(); err != nil {
			w.t.Fatal(err)
		}
	}
	j, err := d.Trust().Judge()
	if err != nil {
		w.t.Fatal(err)
	}
	found := w.query.Select(all)
	return j.Resolve(found.Claims, w.at)
}

func suppressed(c *vex.Consensus) bool { return c.Status == vex.NotAffected || c.Status == vex.Fixed }

// attack is a change of a world that suppresses.
type attack struct {
	name string
	do   func(w *world)
}

func runAttacks(t *testing.T, base func(w *world), attacks []attack) {
	t.Helper()
	w := newWorld(t)
	base(w)
	if c := w.run(); !suppressed(c) {
		t.Fatalf("the claim that is attacked does not suppress: %+v", c)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			w := newWorld(t)
			base(w)
			a.do(w)
			if c := w.run(); suppressed(c) {
				t.Errorf("suppressed by %+v", c.Claims)
			}
		})
	}
}

// TestAttackSignatures: who did not sign does not count.
func TestAttackSignatures(t *testing.T) {
	edit := func(f func(w *world, e *dsse.Envelope)) func(w *world) {
		return func(w *world) { w.change = func(e *dsse.Envelope) { f(w, e) } }
	}
	runAttacks(t, func(*world) {}, []attack{
		{"unsigned, with the vendor's name", func(w *world) { w.bare = true }},
		{"unsigned, of another source", func(w *world) { w.bare = true; w.statement.Origin.Source = "hub" }},
		{"unsigned, of another source under its author", func(w *world) { w.bare = true; w.statement.Origin.Source, w.statement.Origin.Author = "hub", "Hub" }},
		{"unsigned, of a file", func(w *world) { w.bare = true; w.statement.Origin.Source = trust.SourceFile }},
		{"unsigned, of no source", func(w *world) { w.bare = true; w.statement.Origin.Source = "" }},
		{"unsigned, naming the vendor as author in another case", func(w *world) { w.bare = true; w.statement.Origin.Author = "vendor" }},
		{"unsigned fixed", func(w *world) { w.bare = true; w.statement.Status, w.statement.Justification = vex.Fixed, "" }},
		{"a stranger's", func(w *world) { w.signers = []*dsse.PrivateKey{w.stranger} }},
		{"a stranger's under the vendor's key id", func(w *world) {
			w.signers = []*dsse.PrivateKey{w.stranger}
			w.change = func(e *dsse.Envelope) { e.Signatures[0].KeyID = w.vendor.KeyID() }
		}},
		{"another issuer's", func(w *world) { w.signers = []*dsse.PrivateKey{w.other} }},
		{"another issuer's under the vendor's key id", func(w *world) {
			w.signers = []*dsse.PrivateKey{w.other}
			w.change = func(e *dsse.Envelope) { e.Signatures[0].KeyID = w.vendor.KeyID() }
		}},
		{"another issuer's and a stranger's", func(w *world) { w.signers = []*dsse.PrivateKey{w.other, w.stranger} }},
		{"payload changed", edit(func(_ *world, e *dsse.Envelope) { e.Payload = append(e.Payload, ' ') })},
		{"payload replaced", edit(func(_ *world, e *dsse.Envelope) { e.Payload = attestation(openVEX, "{}", otherDigest) })},
		{"payload emptied", edit(func(_ *world, e *dsse.Envelope) { e.Payload = []byte{} })},
		{"payload type changed", edit(func(_ *world, e *dsse.Envelope) { e.PayloadType = "text/vex" })},
		{"payload type of something else", edit(func(_ *world, e *dsse.Envelope) { e.PayloadType = "application/json" })},
		{"payload type in another case", edit(func(_ *world, e *dsse.Envelope) { e.PayloadType = strings.ToUpper(e.PayloadType) })},
		{"signature changed", edit(func(_ *world, e *dsse.Envelope) { e.Signatures[0].Sig[0] ^= 1 })},
		{"signature cut", edit(func(_ *world, e *dsse.Envelope) { e.Signatures[0].Sig = e.Signatures[0].Sig[:63] })},
		{"signature longer", edit(func(_ *world, e *dsse.Envelope) { e.Signatures[0].Sig = append(e.Signatures[0].Sig, 0) })},
		{"signature of the bare payload", edit(func(w *world, e *dsse.Envelope) {
			e.Signatures[0].Sig, _ = w.vendor.Sign(w.t.Context(), e.Payload)
		})},
		{"signature under another payload type", edit(func(w *world, e *dsse.Envelope) {
			e.Signatures[0].Sig, _ = w.vendor.Sign(w.t.Context(), dsse.PAE("application/vnd.stella.role+json", e.Payload))
		})},
		{"signature of another payload", edit(func(w *world, e *dsse.Envelope) {
			e.Signatures[0].Sig, _ = w.vendor.Sign(w.t.Context(), dsse.PAE(e.PayloadType, []byte("{}")))
		})},
		{"signed by somebody, in the vendor's words", func(w *world) {
			w.signers, w.statement.Origin.Author = []*dsse.PrivateKey{w.stranger}, "Vendor"
		}},
		{"key revoked", func(w *world) {
			w.keys[0] = keyEntry("vendor", "vendor", "pem", string(w.vendor.Public().PEM()), "revoked: lost")
		}},
		{"key revoked, another added", func(w *world) {
			w.keys[0] = keyEntry("vendor", "vendor", "pem", string(w.vendor.Public().PEM()), "revoked: lost")
			w.keys = append(w.keys, keyEntry("new", "vendor", "pem", string(newKey(w.t, 9).Public().PEM())))
		}},
		{"key taken away", func(w *world) { w.keys = w.keys[1:] }},
		{"key given to another issuer", func(w *world) {
			w.keys[0] = keyEntry("vendor", "other", "pem", string(w.vendor.Public().PEM()))
		}},
		{"issuer gone", func(w *world) {
			w.issuers = strings.ReplaceAll(w.issuers, "id: vendor,", "id: former,")
			w.keys = w.keys[1:]
		}},
	})
}

// TestAttackOpenPGP is the same with detached signatures.
func TestAttackOpenPGP(t *testing.T) {
	e, stranger := pgpKey(t, "psirt", at.AddDate(-2, 0, 0), 0), pgpKey(t, "psirt", at.AddDate(-2, 0, 0), 0)
	taken := pgpKey(t, "taken", at.AddDate(-2, 0, 0), 0)
	content := []byte(`{"@context":"https://openvex.dev/ns/v0.2.0"}`)
	made := at.AddDate(0, -1, 0)
	good, old := sign(t, content, made, 0, e), sign(t, content, made, 0, taken)
	if err := taken.Revoke(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return at.AddDate(0, 0, -1) }}); err != nil {
		t.Fatal(err)
	}
	runAttacks(t, func(w *world) {
		w.bare, w.proof = true, good
		w.keys = append(w.keys, keyEntry("psirt", "vendor", "openpgp", publicBlock(t, e)), keyEntry("taken", "vendor", "openpgp", publicBlock(t, taken)))
	}, []attack{
		{"a stranger's of the same name", func(w *world) { w.proof = sign(t, content, made, 0, stranger) }},
		{"of another document", func(w *world) { w.proof = sign(t, []byte("{}"), made, 0, e) }},
		{"of a longer document", func(w *world) { w.proof = sign(t, append(slices.Clone(content), '\n'), made, 0, e) }},
		{"from the future", func(w *world) { w.proof = sign(t, content, at.AddDate(0, 0, 1), 0, e) }},
		{"for a term that is over", func(w *world) { w.proof = sign(t, content, made, 60, e) }},
		{"of a stolen key", func(w *world) { w.proof = old }},
		{"no time to check at", func(w *world) { w.at = time.Time{} }},
		{"a key instead", func(w *world) { w.proof = []byte(publicBlock(t, e)) }},
		{"nothing", func(w *world) { w.proof = nil }},
		{"revoked here", func(w *world) {
			w.keys[len(w.keys)-2] = keyEntry("psirt", "vendor", "openpgp", publicBlock(t, e), "revoked: lost")
		}},
		{"of another issuer", func(w *world) { w.keys[len(w.keys)-2] = keyEntry("psirt", "other", "openpgp", publicBlock(t, e)) }},
		{"key taken away", func(w *world) { w.keys = w.keys[:2] }},
	})
}

// TestAttackTime: what is over, not yet, or was replaced does not count.
func TestAttackTime(t *testing.T) {
	later := func(do func(s *vex.Statement)) func(w *world) {
		return func(w *world) {
			s := claim("pkg:npm/foo@1.2.3")
			s.Time, s.Origin.Document = at.AddDate(0, 0, -1), digest("later")
			do(s)
			w.more = append(w.more, s)
		}
	}
	warn := func(status vex.Status) func(s *vex.Statement) {
		return func(s *vex.Statement) { s.Status, s.Justification = status, "" }
	}
	runAttacks(t, func(*world) {}, []attack{
		{"not yet", func(w *world) { w.statement.Time = at.Add(time.Second) }},
		{"valid until a moment ago", func(w *world) { w.statement.Until = at.Add(-time.Nanosecond) }},
		{"valid until now", func(w *world) { w.statement.Until = at }},
		{"a year old", func(w *world) { w.statement.Time = at.Add(-365 * 24 * time.Hour) }},
		{"of no time", func(w *world) { w.statement.Time = time.Time{} }},
		{"decided before it was made", func(w *world) { w.at = w.statement.Time.Add(-time.Second) }},
		{"decided when it is too old", func(w *world) { w.at = at.AddDate(1, 0, 0) }},
		{"replaced by affected", later(warn(vex.Affected))},
		{"replaced by under_investigation", later(warn(vex.UnderInvestigation))},
		{"replaced by what is over", later(func(s *vex.Statement) { s.Until = at.Add(-time.Hour) })},
		{"contradicted at the same time", later(func(s *vex.Statement) { warn(vex.Affected)(s); s.Time = at.AddDate(0, -1, 0) })},
		{"older, and warned of by version since", func(w *world) {
			w.statement.Products[0].PURL = "pkg:npm/foo"
			later(warn(vex.Affected))(w)
		}},
	})
}

// TestAttackContent: what does not say enough does not count.
func TestAttackContent(t *testing.T) {
	fixed := func(w *world) { w.statement.Status, w.statement.Justification = vex.Fixed, "" }
	runAttacks(t, fixed, []attack{
		{"fixed without a version", func(w *world) { w.statement.Products[0].PURL = "pkg:npm/foo" }},
		{"fixed in any version", func(w *world) { w.statement.Products[0].PURL = "pkg:npm/foo@*" }},
		{"fixed in another", func(w *world) { w.statement.Products[0].PURL = "pkg:npm/foo@1.2.4" }},
		{"fixed in an unreadable range", func(w *world) {
			w.statement.Products[0] = vex.Product{PURL: "pkg:npm/foo", Versions: "vers:npm/>=x y"}
		}},
		{"fixed in a range that ends before", func(w *world) {
			w.statement.Products[0] = vex.Product{PURL: "pkg:npm/foo", Versions: "vers:npm/>=1.0.0|<1.2.3"}
		}},
		{"version of the package unknown", func(w *world) { w.query.Package.PURL = "pkg:npm/foo" }},
	})
	runAttacks(t, func(*world) {}, []attack{
		{"no justification", func(w *world) { w.statement.Justification = "" }},
		{"notes instead of one", func(w *world) { w.statement.Justification, w.statement.Notes = "", "trust us" }},
		{"an action instead of one", func(w *world) { w.statement.Justification, w.statement.Action = "", "none" }},
		{"affected", func(w *world) { w.statement.Status, w.statement.Justification = vex.Affected, "" }},
		{"under_investigation", func(w *world) { w.statement.Status, w.statement.Justification = vex.UnderInvestigation, "" }},
		{"another vulnerability", func(w *world) { w.statement.Vulnerability = "CVE-2026-10" }},
		{"a longer id", func(w *world) { w.statement.Vulnerability = "CVE-2026-1 " }},
		{"a beginning of the id", func(w *world) { w.statement.Vulnerability = "CVE-2026-" }},
		{"another vulnerability with an alias that is like it", func(w *world) {
			w.statement.Vulnerability, w.statement.Aliases = "CVE-2026-2", []string{"CVE-2026-1x", "CVE-2026-1\x00"}
		}},
		{"letters that look alike", func(w *world) { w.statement.Vulnerability = "СVE-2026-1" }},
		{"another vulnerability asked for", func(w *world) { w.query.Vulnerabilities = []string{"GHSA-aaaa-bbbb-cccc"} }},
	})
}

// purlAttacks are package URLs that are not of what is there: is, said.
var purlAttacks = [][2]string{
	{"pkg:npm/foo@1.2.3", "pkg:npm/fo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo-bar@1.2.3"},
	{"pkg:npm/foo-bar@1.2.3", "pkg:npm/foo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo.@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo%20@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo%00@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/fo%D0%BE@1.2.3"}, // a Cyrillic letter
	{"pkg:npm/foo@1.2.3", "pkg:npm/%2A@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/*@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/"},
	{"pkg:npm/foo@1.2.3", "pkg:npm"},
	{"pkg:npm/foo@1.2.3", "pkg:pypi/foo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:generic/foo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "foo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.30"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.3-1"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@^1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.3%00"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.3?vers=vers:npm%2F%3E%3D2.0.0&x=y"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.3?repository_url=https:%2F%2Fnpm.example.com"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo@1.2.3#dist/other.js"},
	{"pkg:npm/foo@1.2.3#a.js", "pkg:npm/foo@1.2.3#b.js"},
	{"pkg:npm/%40vendor/foo@1.2.3", "pkg:npm/foo@1.2.3"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/%40vendor/foo@1.2.3"},
	{"pkg:npm/%40vendor/foo@1.2.3", "pkg:npm/%40vendors/foo@1.2.3"},
	{"pkg:npm/%40vendor/foo@1.2.3", "pkg:npm/vendor/foo@1.2.3"},
	{"pkg:npm/%40vendor/foo@1.2.3", "pkg:npm/%40vendor%2Ffoo@1.2.3?a=b"},
	{"pkg:npm/foo@1.2.3", "pkg:npm/foo"[:10] + "@1.2.3"},
	{"pkg:golang/example.com/a/b@v1.0.0", "pkg:golang/example.com/a@v1.0.0"},
	{"pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/a/v2@v1.0.0"},
	{"pkg:golang/example.com/a/v2@v2.0.0", "pkg:golang/example.com/a@v2.0.0"},
	{"pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.org/a@v1.0.0"},
	{"pkg:golang/example.com/a@v1.0.0", "pkg:golang/a@v1.0.0"},
	{"pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/a@v1.0.0#cmd/tool"},
	{"pkg:golang/example.com/a@v1.0.1", "pkg:golang/example.com/a@v1.0.0"},
	{"pkg:pypi/foo@1.0", "pkg:pypi/foo@1.0.post1"},
	{"pkg:pypi/foo@1.0", "pkg:pypi/foo@1.0%2Blocal"},
	{"pkg:maven/org.example/a@1", "pkg:maven/org/a@1"},
	{"pkg:maven/org.example/a@1", "pkg:maven/org.example.a/a@1"},
	{"pkg:maven/org.example/a@1", "pkg:maven/org.example/a@1?classifier=sources"},
	{"pkg:maven/org.example/a@1?classifier=tests", "pkg:maven/org.example/a@1?classifier=sources"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/ubuntu/openssl@3.0.11-1?arch=amd64"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@3.0.11-1?arch=arm64"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-11"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-1"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@3.0.11-1?distro=bookworm"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@1:3.0.11-1"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", "pkg:deb/debian/openssl@3.0.11-1~deb12u1"},
	{"pkg:deb/debian/openssl@3.0.11-1?arch=amd64", "pkg:deb/debian/openssl@3.0.11-1?distro=debian-12"}, // not known of which release
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/centos/openssl@3.0.7-1.el9"},
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/redhat/openssl@3.0.7-1.el8"},
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/redhat/openssl@3.0.7-1.el9?epoch=1"},
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=aarch64"},
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/redhat/openssl-libs@3.0.7-1.el9"},
	{"pkg:rpm/redhat/openssl@3.0.7-1.el9?arch=x86_64", "pkg:rpm/redhat/openssl@3.0.7-1.el9?rpmmod=openssl:1"},
	{"pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64&distro=alpine-3.19.1", "pkg:apk/alpine/busybox@1.36.1-r5?distro=alpine-3.18"},
	{"pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64&distro=alpine-3.19.1", "pkg:apk/alpine/busybox@1.36.1-r5?distro=alpine-3.1"},
	{"pkg:apk/alpine/busybox@1.36.1-r5?arch=x86_64&distro=alpine-3.19.1", "pkg:apk/wolfi/busybox@1.36.1-r5"},
	{"", "pkg:npm/foo@1.2.3"},
}

// TestAttackIdentity: an issuer that may say everything, about something else.
func TestAttackIdentity(t *testing.T) {
	anything := func(w *world) {
		w.issuers = strings.Replace(w.issuers, `["pkg:npm/foo", "pkg:oci/app?repository_url=registry.example.com/vendor/**"]`, `["*"]`, 1)
	}
	var list []attack
	for _, p := range purlAttacks {
		list = append(list, attack{fmt.Sprintf("%s said of %s", p[1], p[0]), func(w *world) {
			w.statement.Products[0].PURL, w.query.Package.PURL = p[1], p[0]
		}})
	}
	product := func(p vex.Product) func(w *world) { return func(w *world) { w.statement.Products = []vex.Product{p} } }
	list = append(list, []attack{
		{"a name alone", product(vex.Product{Name: "foo"})},
		{"a name and a range", product(vex.Product{Name: "foo", Versions: "vers:npm/*"})},
		{"another file's digest", product(vex.Product{Digests: []string{otherDigest}})},
		{"a digest of another algorithm", product(vex.Product{Digests: []string{"md5:" + strings.TrimPrefix(fileDigest, "sha256:")}})},
		{"a digest without its algorithm", product(vex.Product{Digests: []string{strings.TrimPrefix(fileDigest, "sha256:")}})},
		{"a beginning of the digest", product(vex.Product{Digests: []string{fileDigest[:20]}})},
		{"an empty digest", product(vex.Product{Digests: []string{"sha256:"}})},
		{"the right name, another's digest", product(vex.Product{PURL: "pkg:npm/foo@1.2.3", Digests: []string{otherDigest}})},
		{"another name, the right digest", product(vex.Product{PURL: "pkg:npm/bar@1.2.3", Digests: []string{fileDigest}})},
		{"the right name, a CPE that cannot be compared", func(w *world) {
			w.query.Package.CPEs = []string{"cpe:2.3:a:vendor:bar:1.2.3:*:*:*:*:*:*:*"}
			product(vex.Product{PURL: "pkg:npm/foo@1.2.3", CPE: "cpe:2.3:a:vendor:foo:1.2.3:*:*:*:*:*:*:*"})(w)
		}},
		{"a CPE, and none is known", product(vex.Product{CPE: "cpe:2.3:a:vendor:foo:1.2.3:*:*:*:*:*:*:*"})},
		{"a CPE of any product", func(w *world) {
			w.query.Package.CPEs = []string{"cpe:2.3:a:vendor:foo:1.2.3:*:*:*:*:*:*:*"}
			product(vex.Product{CPE: "cpe:2.3:a:vendor:*:*:*:*:*:*:*:*:*"})(w)
		}},
		{"a CPE of another vendor", func(w *world) {
			w.query.Package.CPEs = []string{"cpe:2.3:a:vendor:foo:1.2.3:*:*:*:*:*:*:*"}
			product(vex.Product{CPE: "cpe:2.3:a:vendors:foo:1.2.3:*:*:*:*:*:*:*"})(w)
		}},
		{"the image of another name", product(vex.Product{PURL: "pkg:oci/app@" + imageDigest + "?repository_url=registry.example.com/other/app"})},
		{"the name with another image's digest", product(vex.Product{PURL: "pkg:oci/app@" + otherDigest + "?repository_url=registry.example.com/vendor/app"})},
		{"the name with another tag", product(vex.Product{PURL: "pkg:oci/app?tag=2&repository_url=registry.example.com/vendor/app"})},
		{"an image by its last name alone", product(vex.Product{PURL: "pkg:oci/app"})},
		{"an image at another registry", product(vex.Product{PURL: "pkg:oci/app?repository_url=registry.example.org/vendor/app"})},
		{"an image below the name", product(vex.Product{PURL: "pkg:oci/app?repository_url=registry.example.com/vendor/app/app"})},
		{"an image of a longer name", product(vex.Product{PURL: "pkg:oci/app2?repository_url=registry.example.com/vendor/app2"})},
		{"an image at a host that begins so", product(vex.Product{PURL: "pkg:oci/app?repository_url=registry.example.com.evil.example/vendor/app"})},
		{"a Docker image of the name", product(vex.Product{PURL: "pkg:docker/vendor/app@1"})},
		{"the right image, another part", product(vex.Product{PURL: "pkg:oci/app@" + imageDigest + "?repository_url=registry.example.com/vendor/app", Subcomponents: []vex.Product{{PURL: "pkg:npm/bar@1.2.3"}}})},
		{"another image, the right part", product(vex.Product{PURL: "pkg:oci/app@" + otherDigest, Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})},
		{"another image by its digest, the right part", product(vex.Product{Digests: []string{otherDigest}, Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})},
		{"another owner, the right part", product(vex.Product{PURL: "pkg:golang/example.com/tool@v1", Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})},
		{"nameless, the right part", product(vex.Product{Name: "app", Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})},
		{"an image as a part", product(vex.Product{PURL: "pkg:oci/app@" + imageDigest, Subcomponents: []vex.Product{{PURL: "pkg:oci/app@" + imageDigest}}})},
		{"an image of which nothing is known", func(w *world) {
			w.query.Image = vex.Image{}
			product(vex.Product{PURL: "pkg:oci/app@" + imageDigest + "?repository_url=registry.example.com/vendor/app"})(w)
		}},
		{"an image of which the name is not known", func(w *world) {
			w.query.Image.Names = nil
			product(vex.Product{PURL: "pkg:oci/app@" + imageDigest + "?repository_url=registry.example.com/vendor/app"})(w)
		}},
		{"an image of which the digest is not known", func(w *world) {
			w.query.Image.Digests = nil
			product(vex.Product{PURL: "pkg:oci/app@" + imageDigest})(w)
		}},
	}...)
	runAttacks(t, anything, list)
}

// TestAttackScope: an issuer that names what is there, and may not.
func TestAttackScope(t *testing.T) {
	for _, tc := range []struct{ may, product string }{
		{"pkg:npm/foo", "pkg:npm/foo-bar@1.0.0"},
		{"pkg:npm/foo-bar", "pkg:npm/foo@1.0.0"},
		{"pkg:npm/foo", "pkg:npm/fo@1.0.0"},
		{"pkg:npm/foo", "pkg:npm/%40foo/foo@1.0.0"},
		{"pkg:npm/%40vendor/*", "pkg:npm/%40vendor-evil/foo@1.0.0"},
		{"pkg:npm/%40vendor/*", "pkg:npm/vendor/foo@1.0.0"},
		{"pkg:npm/%40vendor/*", "pkg:npm/foo@1.0.0"},
		{"pkg:npm/*", "pkg:npm/%40vendor/foo@1.0.0"},
		{"pkg:npm/foo@1.0.0", "pkg:npm/foo@1.0.1"},
		{"pkg:npm/foo@1.0.0", "pkg:npm/foo@1.0.0-rc.1"},
		{"pkg:npm/foo", "pkg:pypi/foo@1.0.0"},
		{"pkg:npm/foo?repository_url=https://npm.example.com", "pkg:npm/foo@1.0.0"},
		{"pkg:golang/example.com/vendor/**", "pkg:golang/example.com/vendor@v1.0.0"},
		{"pkg:golang/example.com/vendor/**", "pkg:golang/example.com/vendors/a@v1.0.0"},
		{"pkg:golang/example.com/vendor/**", "pkg:golang/example.com@v1.0.0"},
		{"pkg:golang/example.com/vendor/*", "pkg:golang/example.com/vendor/a/b@v1.0.0"},
		{"pkg:golang/example.com/vendor/**", "pkg:golang/other.example/example.com/vendor/a@v1.0.0"},
		{"pkg:golang/example.com/vendor/**", "pkg:golang/example.com/%2E%2E/vendor/a@v1.0.0"},
		{"pkg:deb/debian/**", "pkg:deb/ubuntu/openssl@1-1"},
		{"pkg:deb/debian/**?arch=amd64", "pkg:deb/debian/openssl@1-1?arch=arm64"},
		{"pkg:deb/debian/**?arch=amd64", "pkg:deb/debian/openssl@1-1"},
		{"pkg:rpm/redhat/**", "pkg:rpm/redhat-evil/openssl@1-1"},
		{"pkg:maven/org.example/*", "pkg:maven/org.example.evil/a@1"},
		{"pkg:maven/org.example/*", "pkg:maven/org/a@1"},
		{"pkg:docker/dhi/**", "pkg:docker/library/nginx@1"},
		{"cpe:2.3:a:vendor:*", "pkg:npm/foo@1.0.0"},
		{"sha256:" + strings.Repeat("0", 64), "pkg:npm/foo@1.0.0"},
	} {
		runAttacks(t, func(w *world) {
			w.issuers = "  - {id: vendor, tier: 1, products: [\"*\"]}\n"
			w.keys = w.keys[:1]
			w.statement.Products[0].PURL, w.query.Package.PURL = tc.product, tc.product
			if strings.HasPrefix(tc.product, "pkg:docker/") {
				w.query.Image.Names = []string{"docker.io/library/nginx:1"}
			}
		}, []attack{{tc.may + " for " + tc.product, func(w *world) {
			w.issuers = fmt.Sprintf("  - {id: vendor, tier: 1, products: [%q]}\n", tc.may)
		}}})
	}
}

// TestAttackDigests: authority over one thing, by another of its identifiers.
func TestAttackDigests(t *testing.T) {
	const ours = "cpe:2.3:a:vendor:thing:1:*:*:*:*:*:*:*"
	scope := func(w *world, may string) {
		w.issuers = fmt.Sprintf("  - {id: vendor, tier: 1, products: [%q]}\n", may)
		w.keys = w.keys[:1]
	}
	say := func(w *world, may string, p vex.Product) {
		scope(w, may)
		w.statement.Products = []vex.Product{p}
	}
	runAttacks(t, func(w *world) { say(w, fileDigest, vex.Product{Digests: []string{fileDigest}}) }, []attack{
		{"a CPE of its own with a foreign file", func(w *world) {
			say(w, "cpe:2.3:a:vendor:*", vex.Product{CPE: ours, Digests: []string{fileDigest}})
		}},
		{"a CPE of its own with a foreign image", func(w *world) {
			say(w, "cpe:2.3:a:vendor:*", vex.Product{CPE: ours, Digests: []string{imageDigest}})
		}},
		{"a CPE of its own with a foreign image, its parts", func(w *world) {
			say(w, "cpe:2.3:a:vendor:*", vex.Product{CPE: ours, Digests: []string{imageDigest}, Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})
		}},
		{"a digest of its own beside a foreign file", func(w *world) {
			say(w, otherDigest, vex.Product{Digests: []string{otherDigest, fileDigest}})
		}},
		{"a digest of its own beside a foreign image", func(w *world) {
			say(w, otherDigest, vex.Product{Digests: []string{otherDigest, imageDigest}})
		}},
		{"a digest of its own with a foreign name, of a file without digests", func(w *world) {
			say(w, otherDigest, vex.Product{PURL: "pkg:npm/foo@1.2.3", Digests: []string{otherDigest}})
			w.query.Package.Digests = nil
		}},
		{"a digest of its own with a foreign CPE, of a file without digests", func(w *world) {
			say(w, otherDigest, vex.Product{CPE: ours, Digests: []string{otherDigest}})
			w.query.Package.Digests, w.query.Package.CPEs = nil, []string{ours}
		}},
		{"a digest of its own as the version of a foreign image", func(w *world) {
			say(w, otherDigest, vex.Product{PURL: "pkg:oci/app@" + otherDigest + "?repository_url=registry.example.com/vendor/app"})
			w.query.Image.Digests = nil
		}},
		{"a digest of its own as the version, a foreign one beside it", func(w *world) {
			say(w, otherDigest, vex.Product{PURL: "pkg:oci/app@" + otherDigest, Digests: []string{imageDigest}})
		}},
		{"a package of its own with a foreign file", func(w *world) {
			say(w, "pkg:npm/bar", vex.Product{PURL: "pkg:npm/bar@1", Digests: []string{fileDigest}})
		}},
		{"a package of its own with a foreign file of no name", func(w *world) {
			say(w, "pkg:npm/bar", vex.Product{PURL: "pkg:npm/bar@1", Digests: []string{fileDigest}})
			w.query.Package.PURL = ""
		}},
		{"a package of its own with a foreign image", func(w *world) {
			say(w, "pkg:npm/bar", vex.Product{PURL: "pkg:npm/bar@1", Digests: []string{imageDigest}})
		}},
		{"a package of its own with a foreign image, its parts", func(w *world) {
			say(w, "pkg:npm/bar", vex.Product{PURL: "pkg:npm/bar@1", Digests: []string{imageDigest}, Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}})
		}},
		{"a package of its own with a foreign CPE", func(w *world) {
			say(w, "pkg:npm/bar", vex.Product{PURL: "pkg:npm/bar@1", CPE: ours})
			w.query.Package.CPEs = []string{ours}
		}},
		{"an image by its name, whose digest is not known", func(w *world) {
			say(w, "pkg:oci/app?repository_url=registry.example.com/vendor/**", vex.Product{PURL: "pkg:oci/app@" + imageDigest + "?repository_url=registry.example.com/vendor/app"})
			w.query.Image.Digests = nil
		}},
		{"an image by its name and digest, whose digest is not known", func(w *world) {
			say(w, "pkg:oci/app?repository_url=registry.example.com/vendor/**", vex.Product{PURL: "pkg:oci/app?repository_url=registry.example.com/vendor/app", Digests: []string{otherDigest}})
			w.query.Image.Digests = nil
		}},
		{"an image by its name, of another architecture", func(w *world) {
			say(w, "pkg:oci/app?repository_url=registry.example.com/vendor/**", vex.Product{PURL: "pkg:oci/app?arch=arm64&repository_url=registry.example.com/vendor/app"})
		}},
		{"an image by its name, of another platform", func(w *world) {
			say(w, "pkg:oci/app?repository_url=registry.example.com/vendor/**", vex.Product{PURL: "pkg:oci/app?platform=linux%2Farm64&repository_url=registry.example.com/vendor/app"})
		}},
	})
}

// TestAttackImages: issuers of repositories in one registry.
func TestAttackImages(t *testing.T) {
	const mine = "pkg:oci/app?repository_url=registry.example.com/vendor/app"
	image := func(purl string, digests ...string) func(w *world) {
		return func(w *world) {
			w.statement.Products = []vex.Product{{PURL: purl, Digests: digests, Subcomponents: []vex.Product{{PURL: "pkg:npm/foo@1.2.3"}}}}
		}
	}
	byOther := func(do func(w *world)) func(w *world) {
		return func(w *world) { do(w); w.signers = []*dsse.PrivateKey{w.other} }
	}
	theirs := "pkg:oci/app?repository_url=registry.example.com/other/app"
	runAttacks(t, image(mine, imageDigest), []attack{
		{"another repository's issuer, about this one", byOther(image(mine, imageDigest))},
		{"its own name with this image's digest", byOther(image(theirs, imageDigest))},
		{"its own name with this image's digest as version", byOther(image(strings.Replace(theirs, "?", "@"+imageDigest+"?", 1)))},
		{"no name, this image's digest", byOther(image("", imageDigest))},
		{"a name without a registry", byOther(image("pkg:oci/app", imageDigest))},
		{"its own name, decided where the image's is not known", func(w *world) {
			byOther(image(theirs, imageDigest))(w)
			w.query.Image.Names = nil
		}},
		{"both names as products", byOther(func(w *world) {
			image(theirs, imageDigest)(w)
			w.statement.Products = append(w.statement.Products, vex.Product{PURL: mine, Digests: []string{imageDigest}})
		})},
		{"a name that climbs out of its own", byOther(image("pkg:oci/app?repository_url=registry.example.com/other/../vendor/app", imageDigest))},
		{"a name in other letters", byOther(image("pkg:oci/app?repository_url=REGISTRY.example.com/Vendor/app", imageDigest))},
		{"a name with an encoded slash", byOther(image("pkg:oci/app?repository_url=registry.example.com%2Fvendor%2Fapp", imageDigest))},
		{"the vendor about a copy elsewhere", func(w *world) {
			image(mine, imageDigest)(w)
			w.query.Image.Names = []string{"registry.example.com/other/app:1"}
		}},
		{"the vendor about an image that was pushed over", func(w *world) {
			image(mine, imageDigest)(w)
			w.query.Image.Digests = []string{otherDigest}
		}},
		{"the vendor without the repository's name in its scope", func(w *world) {
			image("pkg:oci/app2?repository_url=registry.example.com/vendor/app2", imageDigest)(w)
		}},
	})
}
