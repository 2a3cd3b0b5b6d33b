package dpop

import (
	"errors"
	"net/netip"
	"strings"
)

var errURL = errors.New("htu is not an absolute http or https URL")

// normalize returns the one spelling of an absolute URL without query and fragment, by
// syntax and scheme (RFC 3986 §6.2.2, §6.2.3): scheme and host in lower case, no default
// port, percent-encodings in upper case and only where they are needed, no dot segments,
// "/" for no path. User information, a zone, a name that is not ASCII and characters that
// no URL has are refused. Nothing is looked up.
func normalize(raw string) (string, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return "", errURL
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		if _, err := escapes(rest[i:], "?#"); err != nil {
			return "", err
		}
		rest = rest[:i]
	}
	path := ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	host, err := authority(scheme, rest)
	if err != nil {
		return "", err
	}
	if path, err = normalizePath(path); err != nil {
		return "", err
	}
	return scheme + "://" + host + path, nil
}

// normalizePath does so for a path that is absolute or empty.
func normalizePath(path string) (string, error) {
	path, err := escapes(path, "")
	if err != nil {
		return "", err
	}
	if path == "" {
		return "/", nil
	}
	if path[0] != '/' {
		return "", errURL
	}
	return dots(path), nil
}

// authority normalises host and port.
func authority(scheme, s string) (string, error) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", errURL
		}
		ip, err := netip.ParseAddr(s[1:end])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", errURL
		}
		host, port = "["+ip.String()+"]", s[end+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	if port != "" && port[0] != ':' || len(port) > 6 || strings.Trim(port, ":0123456789") != "" || strings.Count(port, ":") > 1 {
		return "", errURL
	}
	if port == ":" || scheme == "https" && port == ":443" || scheme == "http" && port == ":80" {
		port = ""
	}
	if host == "" {
		return "", errURL
	}
	if host[0] != '[' {
		host = strings.ToLower(host)
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
			return "", errURL
		}
	}
	return host + port, nil
}

const upperHex = "0123456789ABCDEF"

// escapes normalises percent-encoding and refuses what no path has, or with more, what no
// query or fragment has.
func escapes(s, more string) (string, error) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%':
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", errURL
			}
			c = byte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			if unreserved(c) {
				b.WriteByte(c)
			} else {
				b.WriteByte('%')
				b.WriteByte(upperHex[c>>4])
				b.WriteByte(upperHex[c&15])
			}
		case unreserved(c) || strings.IndexByte("/!$&'()*+,;=:@", c) >= 0 || strings.IndexByte(more, c) >= 0:
			b.WriteByte(c)
		default:
			return "", errURL
		}
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// dots removes dot segments of an absolute path (RFC 3986 §5.2.4).
func dots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	in := strings.Split(path[1:], "/")
	out := make([]string, 0, len(in))
	for i, seg := range in {
		last := i == len(in)-1
		switch seg {
		case ".":
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, seg)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}
