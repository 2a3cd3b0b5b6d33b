package java

import "strings"

// groupOf derives the group of an archive without a Maven descriptor from its
// manifest, by rules that invert what build tools write:
//
//   - the symbolic name that the Maven bundle plugin makes of group and
//     artifact, where the artifact is known from the file name;
//   - Implementation-Vendor-Id, which Maven's archiver fills with the group,
//     where the archive has a folder of that name and it is no vendor at large.
//
// Names of modules, packages, main classes and vendors are no groups.
func (e *evidence) groupOf(artifact, version string) string {
	m := &e.manifest
	if known := knownGroup(artifact, version, e.has); known != "" {
		return known
	}
	if g := symbolicGroup(m.symbolicName, artifact); isGroup(g) {
		return g
	}
	if g := m.vendorID; isGroup(g) && !vendorAtLarge(g) && e.has(folderOf(g)) {
		return g
	}
	return ""
}

// symbolicGroup returns the group from which, with the artifact, the Maven
// bundle plugin makes the symbolic name, or "":
//
//	group.artifact                    com.google.code.gson:gson… → as it is
//	group, where it ends in artifact  org.apache.maven:maven
//	group.rest, artifact = last-rest  org.apache.maven:maven-core → org.apache.maven.core
func symbolicGroup(name, artifact string) string {
	if name == "" || artifact == "" {
		return ""
	}
	if group, ok := strings.CutSuffix(name, "."+artifact); ok {
		return group
	}
	// The artifact repeats the last part of the group.
	for i := strings.IndexByte(artifact, '-'); i > 0; {
		last, rest := artifact[:i], artifact[i+1:]
		if group, ok := strings.CutSuffix(name, "."+rest); ok && lastPart(group) == last {
			return group
		}
		j := strings.IndexByte(rest, '-')
		if j < 0 {
			break
		}
		i += 1 + j
	}
	return ""
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
	return strings.Count(id, ".") == 0
}

func lastPart(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }

// folderOf returns the folder that classes of a package name are in.
func folderOf(name string) string { return strings.ReplaceAll(name, ".", "/") + "/" }
