// Package kit carries everything that a closed site needs in one signed file:
// advisories, VEX, policies, exceptions, trust documents, and the engine's own
// files. [Publish] signs an edition, [Edition.Write] writes it whole or as a delta,
// [Verify] checks a file, and [Store.Load] makes its contents the active ones of a
// folder: all or nothing.
//
// A kit is trusted for its signatures alone, by the four roles of package
// attest/role: enough distinct keys, not expired, no older than what was seen, and
// each content what the targets role says it is. No option turns any of this off.
//
// # File
//
// A kit is an uncompressed tar archive (ustar, POSIX.1-1988) that tar itself can
// list. It has these members in this order and nothing else:
//
//	kit.json            what follows
//	1.root.json …       the roots, one version after the other
//	timestamp.json
//	7.snapshot.json
//	7.targets.json
//	sha256/<64 hex>     contents that the targets name, each once, sorted
//
// kit.json is canonical JSON (RFC 8785) of at most [MaxHead] bytes:
//
//	{"base":0,"files":[{"digest":"sha256:…","length":2345,"name":"1.root.json"}, …],"format":1}
//
// files are the members up to the targets, in their order. The files themselves
// are those of package attest/role. A header is a regular file of mode 0644 whose
// owner, group and time are 0 and whose other fields are empty; contents are filled
// up with zeros to blocks of 512 bytes; two blocks of zeros end the file. So of the
// same metadata and base there is exactly one file, and a reader compares each
// header with the only one that can stand there: links, devices, sparse files,
// extended headers, other names, repetitions and trailing bytes do not occur. The
// digest of kit.json names the whole file.
//
// # Targets
//
// The name of a target is its kind and, after a slash, its name: "engine" and
// "linux/amd64". Names are keys for the reader; none is ever a path. What the
// targets role says of one in "custom" is
//
//	{"about":any JSON,"since":5,"time":"2026-11-28T12:00:00Z"}
//
// since is the version of the targets from which on each has had a target with this
// content. time is that of what the content says, such as when advisories were
// last compared with their source. about is what the publisher adds, and may be
// absent.
//
// # Deltas
//
// A kit whose base is not 0 lacks the contents with since ≤ base: who has the
// release base, or any later one, has them. Of the numbers that leave out the same
// the greatest that occurs as a since is written. The metadata are those of the
// whole kit, and so is the result of loading it. A kit that lacks everything renews
// the times of expiry.
//
// # Reading
//
// Metadata come first: whoever has read them knows the digest, length and place of
// each content that follows, and the length of the file. So one pass with bounded
// memory verifies it, and a copy that stopped can go on: [Resume] says where.
//
// # Registries
//
// A registry keeps a kit as an artifact whose layers are the members of the file, from
// kit.json on: [Split] lists them, [Join] makes the same file of them. Kits share what
// they have in common, so that of the next one only the rest is sent and read.
//
// # Store
//
// A [Store] is a folder for the user alone:
//
//	state.json          what is known of the feed: a role.State
//	current.json        which release is active, and which were before
//	releases/<hex>.json metadata of a release, as a role.State
//	sha256/<hex>        contents
//	partial/<hex>       contents that are not whole yet
//	lock                held by who changes the store
//
// Load verifies everything into it before it replaces current.json by renaming, so
// that at any time the old release is served, or the new one. A load that fails
// leaves nothing but the roots that it learnt of, and the contents that were right:
// those are not read from a kit again. Old ones stay until [Store.Collect].
package kit
