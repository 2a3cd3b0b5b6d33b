// Package matcher tells which entries of your own inventory are affected by what is known,
// and why, without an image and without an SBOM.
//
// Copy it if you know already what you run, as package URLs: from an asset database, a
// package manager, an SBOM store of your own. What you keep is a Feed and a call of Match.
//
// A package of a distribution has to say which one: pkg:deb/debian/zlib1g@1:1.2.13?distro=debian-12,
// and where the source package is called otherwise, upstream=zlib. Without that nothing can
// be said about it, and Match says so: what was not assessed is in Answer.Gaps, and is not
// the same as unaffected.
//
// What to change: where records come from (here: a folder of OSV records; package
// advisory/sources has every publisher, advisory/mirror a signed feed), and what an Affected
// carries.
package matcher
