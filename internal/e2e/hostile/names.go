package hostile

import (
	"maps"
	"slices"
	"strings"
)

// badReferences are names that no registry is to be asked for.
func badReferences() map[string]string {
	hex := strings.Repeat("a", 64)
	return map[string]string{
		"empty": "", "spaces": "  ", "upper case": "localhost/App", "upper case on the hub": "App",
		"a part too long": "localhost/" + strings.Repeat("a", 300), "too long": "localhost/" + strings.Repeat("a/", 2000) + "a",
		"two at signs": "localhost/app@sha256:" + hex + "@sha256:" + hex, "digest too short": "localhost/app@sha256:abcd",
		"digest too long": "localhost/app@sha256:" + hex + "aa", "digest in upper case": "localhost/app@sha256:" + strings.ToUpper(hex),
		"digest not hexadecimal": "localhost/app@sha256:" + strings.Repeat("z", 64), "digest of an unknown algorithm": "localhost/app@md5:d41d8cd98f00b204e9800998ecf8427e", "digest is empty": "localhost/app@",
		"tag with a NUL": "localhost/app:a\x00b", "tag with a line break": "localhost/app:a\nb", "tag that climbs": "localhost/app:../../x",
		"tag of unicode dots": "localhost/app:\u2025", "tag with an escaped slash": "localhost/app:a%2fb", "tag too long": "localhost/app:" + strings.Repeat("a", 129),
		"tag is empty": "localhost/app:", "name that climbs": "localhost/../x", "name with dots": "localhost/a/./b", "name is empty": "localhost/", "name with an escape": "localhost/a%2f..%2fb",
		"port 0": "localhost:0/app", "port 70000": "localhost:70000/app", "port in words": "localhost:http/app", "port is empty": "localhost:/app",
		"IPv6 with a zone": "[fe80::1%eth0]/app", "IPv6 without end": "[::1/app",
		"user information": "user:" + secret + "@localhost/app", "host that begins with a dash": "-localhost.x/app", "host with an underscore": "a_b.x/app",
		"fragment": "localhost/app#x", "query": "localhost/app?x=y", "backslash": `localhost\app`,
	}
}

// names are archives and layouts that call a sound image by such a name: it is
// not shown, and the rest is read.
func names() (out []hostile) {
	bad := badReferences()
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		ref, inArchive, inLayout := bad[name], noted("oddity image names").with("seen"), noted("oddity image names").with("seen")
		switch ref {
		case "":
			inLayout = shown("seen") // as if it had none
		case "App":
			inArchive, inLayout = shown("seen"), shown("seen") // it is a tag
		}
		out = append(out,
			spoiled("name", name, inArchive, []where{atArchive}, func(k *kit) {
				k.files = func(f map[string][]byte) {
					f["manifest.json"] = marshal([]any{obj{"Config": configName(k), "RepoTags": []any{ref}, "Layers": []any{"layer0/layer.tar", "layer1/layer.tar"}}})
				}
			}),
			spoiled("name", name+" in an index", inLayout, []where{atLayout, atLayoutTar}, func(k *kit) {
				k.top = func(d obj) { d["annotations"] = obj{"org.opencontainers.image.ref.name": ref} }
			}))
	}
	return out
}
