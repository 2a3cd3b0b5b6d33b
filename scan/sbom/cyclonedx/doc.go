// Package cyclonedx reads and writes CycloneDX documents (OWASP CycloneDX,
// ECMA-424), JSON and XML, as the neutral model of package sbom. It reads
// versions 1.0 to 1.7 and writes 1.4 to 1.7. It does no I/O beyond its reader
// and writer, and it fetches nothing that a document names.
//
// # What goes where
//
// The subject is metadata.component, a container where it is an image: named
// by its config digest, whatever registry, archive or layout it came from. A
// pkg:oci package URL needs a repository and a manifest digest, which are part
// of the Source, so that none is made up; a Subject.Package that has one keeps
// it. The distribution is a component of the type operating-system. Packages
// are flat components whose bom-ref is their ID. DependsOn is the dependency
// graph. A group is split from the name for Maven, npm and Composer. Originator
// is author, one free text in all versions. Development scope is "excluded".
// Licences are ids and names, or one expression; where a list must hold an
// expression beside others before 1.7, it goes into a name and is read back as
// an expression. Timestamps are Document.Created and never the time of writing.
//
// What CycloneDX has no member for are properties, all prefixed "stella:":
//
//	component   arch, upstream:name, upstream:version, state, found-by,
//	            layer (diffID, or "diffID path" for each place),
//	            location (before 1.5, later evidence.occurrences),
//	            cpe (all but the first), contained-by, owned-by (bom-refs),
//	            license:detected (found in a text, for each licence),
//	            usage (reached or unreached), usage:chain:<n>,
//	            version, homepage, download (where the schema cannot hold them)
//	subject     subject (the kind), config-digest, platform, layer:<n>,
//	            layer:<n>:created-by
//	system      os:id, os:id-like, os:name, os:codename, os:build-id,
//	            os:variant-id, os:cpe
//	metadata    name, namespace (where it is no urn:uuid), gap and secret
//	            (a JSON object each), contains ("all": the subject
//	            contains what nothing else does),
//	            composition:merkle-root, composition:fragment:<n>, source:…
//
// OwnedBy is a property and not dependencies.provides: that says which
// specification a component implements. Contains is a property and not
// nesting: many readers look at the first level only. Components that a decoded
// document had nested are flat in the model, and nested again by Encode. A
// blocking gap also makes the composition of the subject "incomplete".
//
// Properties of Syft and Trivy for source packages, places, layers and
// distributions are read where a document has them, and so are the qualifiers
// arch and upstream of package URLs; Encode does not repeat what they say.
//
// # What the model has no place for
//
// Services, vulnerabilities, formulation, pedigree, signatures, extensions and
// all else stay in Foreign["cyclonedx"] of the document, of the package and of
// Subject.Package, by their JSON names, and Encode writes them back. A member
// that says more than the model (a supplier with an address) is kept whole, and
// written instead of the model's value as long as both agree. A null says that
// the document lacked a member that Encode would write; members that begin with
// "#" are notes of this package, among them "#xml", elements and attributes of
// foreign namespaces. The file members.txt says which version and format has
// which member: what the target lacks is left out and told as a loss. Sets are
// sorted, so that an enveloped signature, which is kept as data, no longer
// holds for the bytes; verify the original.
//
// # What is refused and what is noted
//
// Decode refuses what makes the meaning doubtful: another format or version,
// duplicate member names, values of another JSON type,
// components without a name, data after the document, invalid UTF-8, document
// type declarations and entities, and input beyond the limits. It notes what
// can be read nevertheless: unknown types, scopes, hashes and licence ids, bad
// timestamps, serial numbers and package URLs, references to nothing, a bom-ref
// that several components have (equal components are one, others keep apart and
// references mean the first), and a subject that is listed again among the
// components. Foreign members are passed on as they are and not judged.
package cyclonedx
