package jenkins

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxDevelopers bounds the names that are told of one plugin.
const maxDevelopers = 10

// manifest is the main section of a META-INF/MANIFEST.MF (JAR File Specification), as far as
// Jenkins gives it a meaning (hudson.ClassicPluginStrategy, and the Maven plugin that packs
// plugins). Names are compared without case; the last attribute of a name counts.
type manifest struct {
	group, name, extension, version     string
	jenkins, hudson, mainClass          string
	longName, url, dependencies, people string
	licenses                            []string
}

func (m *manifest) field(name string) *string {
	switch name = strings.ToLower(name); name {
	case "group-id":
		return &m.group
	case "short-name":
		return &m.name
	case "extension-name":
		return &m.extension
	case "plugin-version":
		return &m.version
	case "jenkins-version":
		return &m.jenkins
	case "hudson-version":
		return &m.hudson
	case "main-class":
		return &m.mainClass
	case "long-name":
		return &m.longName
	case "url":
		return &m.url
	case "plugin-dependencies":
		return &m.dependencies
	case "plugin-developers":
		return &m.people
	}
	if strings.HasPrefix(name, "plugin-license-name") {
		m.licenses = append(m.licenses, "")
		return &m.licenses[len(m.licenses)-1]
	}
	return nil
}

// parseManifest reads up to the first empty line. A line that begins with a blank continues
// the one before.
func parseManifest(data []byte) *manifest {
	m := new(manifest)
	var to *string
	var value strings.Builder
	flush := func() {
		if to != nil {
			*to = strings.TrimSpace(strings.ToValidUTF8(value.String(), "\uFFFD")) // a character may be cut in two
		}
		to = nil
		value.Reset()
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
	for line := range strings.Lines(strings.TrimLeft(text, "\n")) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		if line[0] == ' ' {
			value.WriteString(line[1:])
			continue
		}
		flush()
		if name, v, ok := strings.Cut(line, ":"); ok {
			to = m.field(name)
			value.WriteString(v)
		}
	}
	flush()
	if m.name == "" {
		m.name = m.extension // as the oldest plugins write it
	}
	m.version, _, _ = strings.Cut(m.version, " ") // "1.0-SNAPSHOT (private-… by …)"
	return m
}

func (m *manifest) isPlugin() bool { return m.name != "" && m.version != "" }

// isCore: a plugin says under Jenkins-Version what it needs, the core what it is.
func (m *manifest) isCore() bool { return m.version == "" && m.name == "" && m.jenkins != "" }

// coordinates reports whether m names one release of one Maven artifact.
func (m *manifest) coordinates() bool { return isID(m.group) && isID(m.name) && m.version != "" }

func (m *manifest) plugin() analyzer.Fact {
	p := sbom.Package{Name: m.name, Version: m.version, Description: m.longName, Homepage: m.url, Originator: m.developers()}
	if m.coordinates() {
		p.Name = m.group + ":" + m.name
		p.PURL = locked.URL("maven", m.group, m.name, m.version)
	}
	for _, l := range m.licenses {
		if l != "" {
			p.Licenses = append(p.Licenses, sbom.License{Name: l})
		}
	}
	if core := m.jenkins; core != "" || m.hudson != "" {
		if core == "" {
			core = m.hudson
		}
		p.Properties = append(p.Properties, sbom.Property{Name: "jenkins:needs-core", Value: core})
	}
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: m.name, Package: &p, DependsOn: m.needs()}
}

// needs are the plugins without which this one does not start:
// "structs:1.23,matrix-project:1.0;resolution:=optional".
func (m *manifest) needs() []string {
	var out []string
	for entry := range strings.SplitSeq(m.dependencies, ",") {
		entry, how, _ := strings.Cut(entry, ";")
		name, _, _ := strings.Cut(strings.TrimSpace(entry), ":")
		if name != "" && name != m.name && !strings.Contains(how, "resolution:=optional") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// developers are the names in "Name:id:mail,Name:id:mail".
func (m *manifest) developers() string {
	var out []string
	for entry := range strings.SplitSeq(m.people, ",") {
		name, _, _ := strings.Cut(entry, ":")
		if name = strings.TrimSpace(name); name != "" && len(out) < maxDevelopers && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func (m *manifest) core() analyzer.Fact {
	p := sbom.Package{Type: "application", Name: "org.jenkins-ci.main:jenkins-war", Version: m.jenkins, PURL: locked.URL("maven", "org.jenkins-ci.main", "jenkins-war", m.jenkins)}
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: "jenkins-war", Package: &p}
}

// isID reports whether s can be a group or artifact id: what Maven itself allows.
func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("._-", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 256
}
