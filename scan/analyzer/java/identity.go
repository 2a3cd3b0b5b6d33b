package java

import "strings"

// What the coordinates of an archive rest on, best first. It is told in the
// property "java:identified-by".
const (
	byDescriptor = "pom.properties"
	byManifest   = "manifest"
	byFileName   = "file name"
)

// evidence is all that bears on the identity of one archive.
type evidence struct {
	file     fileName
	manifest manifest
	poms     []coordinates // Maven descriptors inside, in directory order
	inside   folders
}

// folders answers what is in an archive.
type folders interface {
	has(dir string) bool // whether anything is below a folder, such as "org/slf4j/"
	hasClasses() bool    // whether there is any class
}

// identity is the decision about an archive.
type identity struct {
	coordinates
	own int    // index into evidence.poms of the archive's own descriptor, or -1
	by  string // what the coordinates rest on
}

// identify decides what an archive is.
//
// A Maven descriptor inside decides it, where one of them is the archive's own
// (see ownDescriptor). Else the name comes from the file name or the manifest,
// and so does the version. The group comes from the manifest or from a table
// only by the rules of groupOf; where they give none, it stays empty and the
// package has no package URL: a wrong name would bring wrong findings and hide
// right ones.
func (e *evidence) identify() identity {
	if i := e.ownDescriptor(); i >= 0 {
		c := e.poms[i]
		if c.version == "" && !e.file.doubtful {
			c.version = firstText(e.file.version, e.manifestVersion())
		}
		c.classifier = e.classifierOf(c)
		return identity{c, i, byDescriptor}
	}
	if c, ok := e.declared(); ok {
		return identity{c, -1, byManifest}
	}
	id := identity{own: -1, by: byFileName}
	id.coordinates = coordinates{artifact: e.file.artifact, version: e.file.version, classifier: e.file.classifier}
	if v := e.manifestVersion(); v != "" && (id.version == "" || e.file.doubtful && !strings.HasPrefix(id.version, v)) {
		id.coordinates, id.by = coordinates{artifact: e.file.stem, version: v}, byManifest
		if isPlainID(e.manifest.title) {
			id.artifact = e.manifest.title
		}
	}
	e.bundleFileName(&id.coordinates)
	if group, by := e.groupOf(id.artifact, id.version); group != "" {
		id.group = group
		if by == byManifest {
			id.by = by
		}
	}
	return id
}

// isPlainID reports whether a title is an artifact id, not a title for people.
func isPlainID(s string) bool { return isID(s) && isLetter(s[0]) && s == strings.ToLower(s) }

// classifierOf returns what the file name has behind the coordinates.
func (e *evidence) classifierOf(c coordinates) string {
	for _, stem := range []string{c.artifact + "-" + c.version + "-", c.group + "." + c.artifact + "-" + c.version + "-"} {
		if rest, ok := strings.CutPrefix(e.file.stem, stem); ok && isID(rest) && !isDigit(rest[0]) {
			return rest
		}
	}
	return ""
}

// ownDescriptor returns the index of the descriptor that is about the archive
// itself, or -1: an archive made of others carries theirs too.
func (e *evidence) ownDescriptor() int {
	best, score, tie := -1, 0, false
	for i, c := range e.poms {
		switch s := e.agreement(c); {
		case c.artifact == "":
		case s > score:
			best, score, tie = i, s, false
		case s == score && best >= 0 && c != e.poms[best]:
			tie = true
		}
	}
	if best >= 0 && !tie {
		return best
	}
	// A renamed archive: one descriptor, nothing that speaks against it, and no
	// classes but where those of its group would be.
	if m := &e.manifest; len(e.poms) == 1 && e.poms[0].artifact != "" && (e.file.version == "" || e.file.doubtful) && e.manifestVersion() == "" && m.symbolicName == "" &&
		(e.file.extension != "jar" || e.hasGroup(e.poms[0].group)) {
		return 0
	}
	return -1
}

// hasGroup reports whether there are classes below the first two parts of a
// group, also where those of applications are, or no classes at all.
func (e *evidence) hasGroup(group string) bool {
	parts := strings.SplitN(group, ".", 3)
	dir := strings.Join(parts[:min(2, len(parts))], "/") + "/"
	return group != "" && (e.inside.has(dir) || e.inside.has("BOOT-INF/classes/"+dir) || !e.inside.hasClasses())
}

// agreement counts what speaks for c being about the archive itself: its names,
// then its version. The version alone counts for renamed archives, where the
// manifest names nothing else.
func (e *evidence) agreement(c coordinates) int {
	n := 0
	stem, release := strings.ToLower(e.file.stem), strings.ToLower(c.artifact+"-"+c.version)
	switch {
	case stem == release, strings.HasPrefix(stem, release+"-"), strings.HasPrefix(stem, strings.ToLower(c.group)+"."+release):
		n += 8
	case strings.EqualFold(e.file.artifact, c.artifact):
		n += 4
	}
	m := &e.manifest
	if c.symbolicName(m.symbolicName) {
		n += 4
	}
	if strings.EqualFold(m.title, c.artifact) {
		n += 4
	}
	if n == 0 && (e.file.version != "" && !e.file.doubtful || isPlainID(m.title)) {
		return 0
	}
	if c.version != "" && (sameVersion(m.version, c.version) || sameVersion(m.bundleVersion, c.version)) {
		n += 2
	}
	if n > 0 && m.vendorID != "" && m.vendorID == c.group {
		n++
	}
	return n
}

// manifestVersion returns the version of the manifest: the implementation's,
// else the bundle's. That of a specification is another thing.
func (e *evidence) manifestVersion() string {
	for _, v := range []string{e.manifest.version, e.manifest.bundleVersion} {
		v, _, _ = strings.Cut(v, " ") // "1.4 1855 April 22 2006"
		if isVersion(v) && isDigit(v[0]) && v != "0.0.0" {
			return v
		}
	}
	return ""
}

// sameVersion reports whether two spellings are of one version: OSGi writes
// three numbers and a dot before the qualifier, so that 2.0-alpha-1 becomes
// 2.0.0.alpha-1.
func sameVersion(a, b string) bool {
	return a == b || a != "" && b != "" && versionKey(a) == versionKey(b)
}

// versionKey is the numbers at the start of v, three at least, and the rest
// without separators.
func versionKey(v string) string {
	var b strings.Builder
	rest, numbers := v, 0
	for {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		if digits == "" {
			break
		}
		b.WriteString(digits + ".")
		numbers++
		rest = rest[len(digits):]
		if len(rest) < 2 || rest[0] != '.' || !isDigit(rest[1]) {
			break
		}
		rest = rest[1:]
	}
	for ; numbers < 3; numbers++ {
		b.WriteString("0.")
	}
	for _, r := range strings.ToLower(rest) {
		if r != '.' && r != '-' && r != '_' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// declared returns the coordinates where a manifest spells them out:
//
//   - the attributes by which Jenkins knows its plugins;
//   - a title "group:artifact";
//   - the symbolic names of Apache Tomcat, "org.apache.tomcat-catalina", whose
//     files have shorter names in its distributions.
func (e *evidence) declared() (coordinates, bool) {
	m := &e.manifest
	c := coordinates{group: m.pluginGroup, artifact: m.pluginName}
	c.version, _, _ = strings.Cut(m.pluginVersion, " ")
	if isID(c.group) && isID(c.artifact) && isVersion(c.version) {
		return c, true
	}
	c = coordinates{version: e.manifestVersion()}
	if group, artifact, ok := strings.Cut(m.title, ":"); ok && isGroup(group) && isID(artifact) {
		c.group, c.artifact = group, artifact
	} else if rest, ok := strings.CutPrefix(m.symbolicName, "org.apache.tomcat-"); ok && isID(rest) {
		c.group, c.artifact = "org.apache.tomcat", "tomcat-"+rest
		if strings.HasPrefix(rest, "embed-") {
			c.group += ".embed"
		}
	}
	return c, c.complete()
}

// bundleFileName repairs the name of an OSGi bundle in an Eclipse folder:
// "org.eclipse.osgi_3.15.0.v20200101.jar". Underscores are part of other names,
// so the manifest must agree.
func (e *evidence) bundleFileName(c *coordinates) {
	name, version, ok := strings.Cut(c.artifact, "_")
	if ok && name == e.manifest.symbolicName && isVersion(version) && isDigit(version[0]) {
		c.artifact, c.version = name, version
	}
}
