package vexhttp

import "github.com/stella-ops/stella/internal/sum"

// Routes lists method and path of every route.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range routes {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// Restricted lists the routes that not everybody may ask for, as Routes does.
func Restricted() [][2]string {
	var out [][2]string
	for _, r := range routes {
		if r.may != toRead {
			out = append(out, [2]string{r.method, r.path})
		}
	}
	return out
}

// DigestOf returns the digest of a document.
func DigestOf(content []byte) string { return sum.Of(content) }
