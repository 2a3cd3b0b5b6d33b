package java

import (
	"strings"
)

// Identified says by what an archive's own coordinates are known, best first.
const (
	byDescriptor = "pom.properties"
	byManifest   = "manifest"
	byFileName   = "file name"
)

// evidence is all that bears on the identity of one archive.
type evidence struct {
	file     fileName
	manifest manifest
	poms     []coordinates         // Maven descriptors inside, in directory order
	has      func(dir string) bool // whether a folder is inside, such as "org/slf4j/"
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
		if rest, ok := strings.CutPrefix(e.file.stem, c.artifact+"-"+c.version+"-"); ok && isClassifier(rest) {
			c.classifier = rest
		}
		return identity{c, i, byDescriptor}
	}
	if c, ok := e.plugin(); ok {
		return identity{c, -1, byManifest}
	}
	id := identity{own: -1, by: byFileName}
	id.classifier = e.file.classifier
	if id.artifact, id.version = e.file.artifact, e.file.version; id.version == "" {
		if v := e.manifestVersion(); v != "" {
			id.version, id.by = v, byManifest
		}
	}
	e.bundleFileName(&id.coordinates)
	if group := e.groupOf(id.artifact, id.version); group != "" {
		id.group, id.by = group, byManifest
	} else if group = knownGroup(id.artifact, id.version, e.has); group != "" {
		id.group = group
	}
	return id
}

// ownDescriptor returns the index of the descriptor that is about the archive
// itself, or -1: an archive made of others carries theirs too.
func (e *evidence) ownDescriptor() int {
	best, score, tie := -1, 0, false
	for i, c := range e.poms {
		switch s := e.agreement(c); {
		case s > score:
			best, score, tie = i, s, false
		case s == score && best >= 0 && c != e.poms[best]:
			tie = true
		}
	}
	if best >= 0 && !tie {
		return best
	}
	// One descriptor and nothing that speaks against it: a renamed archive.
	if len(e.poms) == 1 && e.file.version == "" && e.manifestVersion() == "" && e.manifest.symbolicName == "" {
		return 0
	}
	return -1
}

// agreement counts what speaks for c being about the archive itself. The same
// version alone says too little when other things have the name of something
// else, but is what renamed archives keep.
func (e *evidence) agreement(c coordinates) int {
	n := 0
	if f := &e.file; f.stem == c.artifact+"-"+c.version || strings.HasPrefix(f.stem, c.artifact+"-"+c.version+"-") ||
		f.stem == c.group+"."+c.artifact+"-"+c.version {
		n += 8
	} else if f.artifact == c.artifact {
		n += 4
	}
	m := &e.manifest
	if m.symbolicName != "" && (m.symbolicName == c.artifact || m.symbolicName == c.group+"."+c.artifact || symbolicGroup(m.symbolicName, c.artifact) == c.group) {
		n += 4
	}
	if strings.EqualFold(m.title, c.artifact) {
		n += 4
	}
	if m.vendorID != "" && m.vendorID == c.group {
		n++
	}
	if c.version != "" && (sameVersion(m.version, c.version) || sameVersion(m.bundleVersion, c.version)) {
		n += 2
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

// plugin reads the attributes by which Jenkins knows its plugins, which are
// their coordinates.
func (e *evidence) plugin() (coordinates, bool) {
	c := coordinates{group: e.manifest.pluginGroup, artifact: e.manifest.pluginName}
	c.version, _, _ = strings.Cut(e.manifest.pluginVersion, " ")
	return c, isID(c.group) && isID(c.artifact) && isVersion(c.version)
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
