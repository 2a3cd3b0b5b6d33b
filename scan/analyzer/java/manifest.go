package java

import (
	"bytes"
	"strings"
)

// manifest holds what the main section of META-INF/MANIFEST.MF says about the
// identity of its archive (JAR File Specification, "JAR Manifest"). Values with
// placeholders that a build left in are empty.
type manifest struct {
	symbolicName   string // Bundle-SymbolicName, without directives
	bundleVersion  string
	bundleLicense  string
	bundleVendor   string
	title          string // Implementation-Title
	version        string // Implementation-Version
	vendor         string // Implementation-Vendor
	vendorID       string // Implementation-Vendor-Id
	specVersion    string // Specification-Version
	moduleName     string // Automatic-Module-Name
	pluginGroup    string // Group-Id of Jenkins plugins
	pluginName     string // Short-Name or Extension-Name of the same
	pluginVersion  string // Plugin-Version of the same
	pluginLicenses []string
}

// field returns where the value of an attribute goes, or nil. Names are
// compared without case.
func (m *manifest) field(name []byte) *string {
	switch strings.ToLower(string(name)) {
	case "bundle-symbolicname":
		return &m.symbolicName
	case "bundle-version":
		return &m.bundleVersion
	case "bundle-license":
		return &m.bundleLicense
	case "bundle-vendor":
		return &m.bundleVendor
	case "implementation-title":
		return &m.title
	case "implementation-version":
		return &m.version
	case "implementation-vendor":
		return &m.vendor
	case "implementation-vendor-id":
		return &m.vendorID
	case "specification-version":
		return &m.specVersion
	case "automatic-module-name":
		return &m.moduleName
	case "group-id":
		return &m.pluginGroup
	case "short-name":
		return &m.pluginName
	case "plugin-version":
		return &m.pluginVersion
	}
	return nil
}

// parseManifest reads the main section: up to the first empty line behind an
// attribute. A line that begins with a blank continues the one before.
func parseManifest(data []byte) manifest {
	var m manifest
	var to *string
	var value []byte
	flush := func() {
		if to != nil {
			*to = clean(value)
		}
		to, value = nil, value[:0]
	}
	some := false
	for len(data) > 0 {
		var line []byte
		line, data = physicalLine(data)
		switch {
		case len(line) == 0 && some:
			data = nil
		case len(line) == 0:
		case line[0] == ' ':
			if to != nil {
				value = append(value, line[1:]...)
			}
		default:
			flush()
			some = true
			if name, v, ok := bytes.Cut(line, []byte(":")); ok {
				if to = m.field(name); to == nil && hasPrefixFold(name, "plugin-license-name") {
					m.pluginLicenses = append(m.pluginLicenses, "")
					to = &m.pluginLicenses[len(m.pluginLicenses)-1]
				}
				value = append(value, v...)
			}
		}
	}
	flush()
	m.symbolicName, _, _ = strings.Cut(m.symbolicName, ";")
	m.symbolicName = strings.TrimSpace(m.symbolicName)
	return m
}

// mainSection returns how many bytes at the start of data are the main section
// with its end, or -1 where the end is not in data.
func mainSection(data []byte) int {
	some := false
	for off := 0; off < len(data); {
		line, rest := physicalLine(data[off:])
		next := len(data) - len(rest)
		if next == len(data) && data[next-1] != '\n' {
			return -1 // perhaps there is more of it
		}
		if len(line) == 0 && some {
			return next
		}
		some, off = some || len(line) > 0, next
	}
	return -1
}

// physicalLine splits off a line, which ends at CR LF, LF or CR.
func physicalLine(data []byte) (line, rest []byte) {
	for i, c := range data {
		if c == '\r' && i+1 < len(data) && data[i+1] == '\n' {
			return data[:i], data[i+2:]
		}
		if c == '\r' || c == '\n' {
			return data[:i], data[i+1:]
		}
	}
	return data, nil
}

// clean returns value without blanks around it, or nothing where a build left
// a placeholder in.
func clean(value []byte) string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(value), "\uFFFD"))
	if strings.Contains(s, "${") || strings.HasPrefix(s, "%") || (len(s) > 2 && s[0] == '@' && s[len(s)-1] == '@') {
		return ""
	}
	return s
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}
