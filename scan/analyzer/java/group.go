package java

import "strings"

// groupOf derives the group of an archive without a Maven descriptor of its
// own, and says by what. The table of well-known artifacts comes first; then, where the artifact
// is sure, the traces that build tools leave in a manifest:
//
//   - Bundle-SymbolicName, which is "group.artifact" from the Maven bundle
//     plugin. An artifact of one word decides nothing: com.google.gson is
//     com.google.code.gson:gson, and org.fusesource.jansi is the group itself.
//   - Implementation-Title "group#artifact;version", from plugins for Gradle.
//   - Implementation-Vendor-Id, which Maven's archiver fills with the group,
//     unless it names an organisation at large.
//
// Names of modules, packages, main classes and vendors are no groups, and the
// name of the archive never is: it gives none.
func (e *evidence) groupOf(artifact, version string) (group, by string) {
	if g := knownGroup(artifact, version, e.inside); g != "" {
		return g, byFileName
	}
	m := &e.manifest
	if !e.sure(artifact) {
		return "", ""
	}
	if g, ok := strings.CutSuffix(m.symbolicName, "."+artifact); ok && isGroup(g) && strings.ContainsAny(artifact, "-._") {
		return g, byManifest
	}
	if g, _, ok := strings.Cut(m.title, "#"); ok && isGroup(g) {
		return g, byManifest
	}
	if g := m.vendorID; g == artifact || isGroup(g) && !vendorAtLarge(g) && (strings.Count(g, ".") > 1 || e.inside.has(folderOf(g))) {
		return g, byManifest
	}
	return "", ""
}

// sure reports whether an artifact's name is more than the name somebody gave
// to a file: with a version behind it, or with the manifest's consent.
func (e *evidence) sure(artifact string) bool {
	m := &e.manifest
	return e.file.version != "" && e.file.artifact == artifact || m.title == artifact || m.symbolicName == artifact
}

// symbolicName reports whether name is the symbolic name that the Maven bundle
// plugin makes of c, in one of its three ways:
//
//	group.artifact                     org.fusesource.jansi:jansi-native
//	group, where it ends in artifact   org.apache.maven:maven
//	group.rest, artifact is last-rest  org.apache.maven:maven-core → org.apache.maven.core
func (c coordinates) symbolicName(name string) bool {
	if c.group == "" || c.artifact == "" {
		return false
	}
	last := c.group[strings.LastIndexByte(c.group, '.')+1:]
	rest, repeats := strings.CutPrefix(c.artifact, last+"-")
	return name == c.group+"."+c.artifact || name == c.group && last == c.artifact || repeats && name == c.group+"."+rest || name == c.artifact
}

// isGroup reports whether s can be a group by itself: an id of two parts.
func isGroup(s string) bool {
	return isID(s) && strings.IndexByte(s, '.') > 0 && !strings.HasSuffix(s, ".")
}

// vendorAtLarge reports whether a vendor id names an organisation whose
// archives belong to many groups.
func vendorAtLarge(id string) bool {
	switch id {
	case "org.apache", "org.glassfish", "org.eclipse", "org.codehaus", "com.sun", "com.oracle", "com.google", "com.ibm", "org.jboss", "org.netbeans":
		return true
	}
	return false
}

// folderOf returns the folder that classes of a package name are in.
func folderOf(name string) string { return strings.ReplaceAll(name, ".", "/") + "/" }
