// Package version orders package versions by the rules of their ecosystem and
// answers whether a version is in a range.
//
// [For] finds the [Scheme] of an ecosystem, named as OSV names it ("Debian:12",
// "npm", "PyPI"). A scheme parses and compares; [Compare] is both in one call.
// A [Range] holds intervals, as OSV events ([NewRange]), as a VERS string
// ([ParseVERS]) or as npm writes them ([ParseNPMRange]), and enumerated
// versions ([Enumerated]); [Range.Contains] answers yes, no, or unknown with a
// reason.
//
// A text that its scheme does not accept is an error that wraps [ErrInvalid],
// and makes a range answer unknown: it is never compared by guess. Numbers have
// no size limit unless the scheme's own program has one that it checks. No
// function panics, whatever its input; parsing and comparing take time linear
// in the text. All values are immutable and safe for concurrent use.
//
// Each scheme's file names the specification or the program whose rules it
// implements. Three of those orders are not transitive everywhere, Maven's,
// Conan's and Arch Linux's; their files say where. Each pair is compared as the
// program compares it nonetheless.
package version
