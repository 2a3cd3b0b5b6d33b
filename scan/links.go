package scan

import "strings"

const (
	maxHops = 40   // symbolic links followed for one path, as Linux does (ELOOP)
	maxPath = 4096 // bytes of a path while links are followed (PATH_MAX)
)

// links are the symbolic links that the squashed image shows.
type links map[string]string

// resolve follows links in every part of p, within the root. A cycle, more
// than maxHops links, or a path that grows over maxPath gives "".
func (l links) resolve(p string) string {
	for end := 1; end <= len(p); end++ {
		if end < len(p) && p[end] != '/' {
			continue
		}
		if _, ok := l[p[:end]]; ok {
			return follow(p, func(q string) (string, bool) { target, ok := l[q]; return target, ok })
		}
	}
	return p
}

// follow resolves p part by part, as the kernel does: ".." leaves the folder
// that a link led to, not the one that the link is in.
func follow(p string, link func(string) (string, bool)) string {
	done, rest, hops := "", p, 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = done[:max(strings.LastIndexByte(done, '/'), 0)]
			continue
		}
		next := part
		if done != "" {
			next = done + "/" + part
		}
		target, ok := link(next)
		if !ok {
			done = next
			continue
		}
		if hops++; hops > maxHops || len(done)+len(target)+len(rest) > maxPath {
			return ""
		}
		if strings.HasPrefix(target, "/") {
			done = ""
		}
		rest = target + "/" + rest
	}
	return done
}
