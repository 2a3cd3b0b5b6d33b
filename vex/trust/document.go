package trust

import (
	"slices"
	"strings"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/vex"
)

// Document is a trust document. It must not be changed, and is safe for concurrent
// use. Make it by [Parse] or [Default].
type Document struct {
	// Name is the file that it was read from.
	Name string
	// Issuers are as they are written, without the identities of their keys.
	Issuers []vex.Issuer
	// Keys are as they are written, revoked ones too.
	Keys []Key
}

// Key is a public key of an issuer.
type Key struct {
	// Name is what people call it.
	Name string
	// Issuer is the id of whom it speaks for.
	Issuer string
	// Identity is made of the key: "key:sha256:" and the SHA-256 of its
	// SubjectPublicKeyInfo, or "pgp:" and the fingerprint of its primary key in
	// upper case.
	Identity string
	// Revoked says why it speaks for nobody any longer; "" while it does.
	Revoked string

	public dsse.Verifier   // of a PEM key
	entity *openpgp.Entity // of an OpenPGP key
}

// Trust returns whom the document believes. Keys that are revoked speak for nobody;
// an issuer of whom nothing can come any longer is left out.
func (d *Document) Trust() *vex.Trust {
	t := new(vex.Trust)
	for _, i := range d.Issuers {
		i.Identities = slices.Clone(i.Identities)
		for k := range d.Keys {
			if d.Keys[k].Issuer == i.ID && d.Keys[k].Revoked == "" {
				i.Identities = append(i.Identities, d.Keys[k].Identity)
			}
		}
		slices.Sort(i.Identities)
		if len(i.Identities) > 0 || len(i.Sources) > 0 {
			t.Issuers = append(t.Issuers, i)
		}
	}
	slices.SortFunc(t.Issuers, func(a, b vex.Issuer) int { return strings.Compare(a.ID, b.ID) })
	return t
}

// The sources of files that the operator names, as [Default] trusts them. Package
// folder has them.
const (
	SourceFile = "file"
	SourceDir  = "dir"
)

// Default returns what holds where nobody configures trust: what is in files and
// folders that the operator names counts for every product, signed or not, and
// nothing else counts at all.
func Default() *Document {
	return &Document{Name: "default", Issuers: []vex.Issuer{{
		ID: "operator", Tier: 1, Sources: []string{SourceFile, SourceDir}, Products: []string{"*"}, Unsigned: slices.Clone(vex.Statuses),
	}}}
}
