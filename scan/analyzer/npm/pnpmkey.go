package npm

import "strings"

// withoutPeers cuts the peers off a key or version: "a@1.0.0(b@2.0.0)" names
// the copy of a 1.0.0 that sees b 2.0.0.
func withoutPeers(s string) string {
	s, _, _ = strings.Cut(s, "(")
	return s
}

// splitKey takes name and version from the key of a package; both are empty
// where the key is the address of a repository, tarball or folder.
func (p *pnpmLock) splitKey(key string) (name, version string) {
	key = strings.TrimPrefix(withoutPeers(key), "/")
	if p.major < 6 {
		return splitOldKey(key)
	}
	if p.major < 9 { // another registry's host may stand in front
		slash := strings.LastIndexByte(key, '/')
		if scope := strings.LastIndexByte(key[:max(slash, 0)], '/') + 1; slash > 0 && key[scope] == '@' {
			key = key[scope:]
		} else {
			key = key[slash+1:]
		}
	}
	at := strings.IndexByte(key[min(1, len(key)):], '@') + 1
	if at <= 0 {
		return "", ""
	}
	if name, version = key[:at], key[at+1:]; strings.ContainsAny(version, ":/") {
		version = "" // an address; the entry says which version it is
	}
	return name, version
}

// splitOldKey takes apart "name/1.0.0", "host/@scope/name/1.0.0_peers" and
// "name/1.0.0/peers".
func splitOldKey(key string) (name, version string) {
	parts := strings.Split(key, "/")
	for i := 1; i < len(parts); i++ {
		v, _, _ := strings.Cut(parts[i], "_")
		if !startsVersion(v) {
			continue
		}
		if name = parts[i-1]; i > 1 && strings.HasPrefix(parts[i-2], "@") {
			name = parts[i-2] + "/" + name
		}
		return name, v
	}
	return "", ""
}

// startsVersion reports whether s begins with "<digits>.<digits>.".
func startsVersion(s string) bool {
	for range 2 {
		rest := strings.TrimLeft(s, "0123456789")
		if rest == s || !strings.HasPrefix(rest, ".") {
			return false
		}
		s = rest[1:]
	}
	return true
}

// place returns the key of the package that a dependency on name leads to. ref
// is a version, or the key itself for aliases and addresses.
func (p *pnpmLock) place(name, ref string) string {
	base := withoutPeers(ref)
	switch {
	case p.major >= 9:
		at, colon := strings.IndexByte(base, '@'), strings.IndexByte(base, ':')
		if at == 0 || at > 0 && (colon < 0 || at < colon) {
			return p.prefix + ref
		}
		return p.prefix + name + "@" + ref
	case strings.Contains(base, "/") || strings.HasPrefix(base, "file:"):
		return p.prefix + ref
	case p.major >= 6:
		return p.prefix + "/" + name + "@" + ref
	}
	return p.prefix + "/" + name + "/" + ref
}
