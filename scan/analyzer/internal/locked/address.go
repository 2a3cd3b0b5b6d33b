package locked

import "strings"

// Anonymous returns an address without the password or token that lockfiles may hold: what
// they say about packages is shown to others. The user of an address that is not of the web
// ("ssh://git@host") is kept, as it is part of the place.
func Anonymous(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return address
	}
	if strings.HasSuffix(scheme, "http") || strings.HasSuffix(scheme, "https") {
		return scheme + "://" + rest[at+1:]
	}
	user, _, _ := strings.Cut(host[:at], ":")
	return scheme + "://" + user + rest[at:]
}

// VCS writes the address of a repository as package URLs do: "git+https://host/x@revision".
// It returns "" for a folder.
func VCS(tool, address, revision string) string {
	switch before, after, _ := strings.Cut(address, ":"); {
	case strings.Contains(address, "://"):
		address = Anonymous(strings.TrimPrefix(address, tool+"+"))
	case len(before) > 1 && after != "" && !strings.ContainsAny(before, `/\`): // git@host:path, and not C:\path
		address = "ssh://" + before + "/" + strings.TrimPrefix(after, "/")
	default:
		return ""
	}
	if !strings.HasPrefix(address, tool+"://") { // git://host is one itself
		address = tool + "+" + address
	}
	if revision != "" {
		address += "@" + revision
	}
	return address
}
