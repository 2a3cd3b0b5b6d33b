// Package stella is the map of the SDK; it holds no code. Stella says, for
// every container image an organisation runs: what is inside, what is known
// about it, what is decided and why, who must know, and how anyone can check
// that later.
//
// What is in an image:
//   - scan: read images layer by layer and compose the document
//   - scan/image: open images from registries, archives, layouts, engines, folders
//   - scan/layer: one streaming pass over a layer; limits
//   - scan/analyzer: the plugin contract, with one package for each ecosystem;
//     scan/analyzer/all lists them
//   - scan/sbom: the neutral model; sub-packages read and write CycloneDX, SPDX
//     and syft-json
//   - scan/purl: package URLs
//   - scan/filecache: known layers on disk
//   - scan/scanhttp: the scan API, handler and client
//
// What is known about it:
//   - advisory: match packages with advisories
//   - advisory/version: version ordering for each ecosystem
//   - advisory/osv, advisory/snapshot: advisory records and their read model
//   - advisory/finding: the result
//   - advisory/cvss: scores from vectors
//
// Where it is kept and how it travels:
//   - store: jobs, results and events in a relational database, the outbox and its
//     relay; store/sqlite and store/postgres open one
//   - store/queue, store/blob, store/cache: messages, objects and keys, each over
//     several backends
//   - store/event: what is announced
//   - store/crashpoint: where a crash matters
//   - store/storetest, store/queue/queuetest, store/blob/blobtest,
//     store/cache/cachetest: suites that prove a backend
//
// Domain packages import neither network nor operating system: what they need
// is passed in. Services, the command line among them, are in the nested
// module services and only wire these packages together.
package stella
