package hostile

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

// spoiled is a case of a sound image of which spoil changes something.
func spoiled(class, name string, w want, at []where, spoil func(k *kit)) hostile {
	upper := tarball(npm("opt", "seen"))
	return hostile{class: class, name: name, want: w, at: at, as: []imagetest.Compression{imagetest.Gzip}, kit: func(c imagetest.Compression) *kit {
		k := over(whole(upper))(c)
		spoil(k)
		return k
	}}
}

// layerOf returns a layer's descriptor in a manifest.
func layerOf(m obj, i int) obj { return m["layers"].([]any)[i].(obj) }

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			panic("nothing to replace: " + old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	}
}

// documents are manifests, indexes and configs that lie or are irregular.
func documents() []hostile {
	const class = "manifest"
	m := func(name string, w want, change func(m obj)) hostile {
		return spoiled(class, name, w, asDocuments, func(k *kit) { k.manifest = change })
	}
	b := func(name string, w want, change func([]byte) []byte) hostile {
		return spoiled(class, name, w, asDocuments, func(k *kit) { k.manifB = change })
	}
	invalid := func(says ...string) want { return failed(image.ErrInvalid, append(says, "manifest")...) }
	return bySaved(append(append([]hostile{
		m("index and image at once", invalid("at once"), func(m obj) { m["manifests"] = []any{} }),
		m("index and image at once, with entries", invalid("at once"), func(m obj) { m["manifests"] = []any{m["config"]} }),
		m("schema 1 layers beside layers", invalid("fsLayers"), func(m obj) { m["fsLayers"] = []any{obj{"blobSum": "x"}} }),
		m("schema 1", failed(image.ErrUnsupported, "schema 1"), func(m obj) { m["schemaVersion"] = 1 }),
		m("schema of the future", invalid("3"), func(m obj) { m["schemaVersion"] = 3 }),
		m("schema missing", invalid("schemaVersion"), func(m obj) { delete(m, "schemaVersion") }),
		m("media type is another's", invalid("vnd.docker"), func(m obj) { m["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json" }),
		m("media type is unknown", failed(image.ErrUnsupported, `"text/html"`), func(m obj) { m["mediaType"] = "text/html" }),
		m("media type is an index's", invalid("index"), func(m obj) { m["mediaType"] = typeIndex }),
		m("without layers", invalid("layers"), func(m obj) { delete(m, "layers") }),
		m("layers are null", invalid("layers"), func(m obj) { m["layers"] = nil }),
		m("no layers for two diff_ids", failed(image.ErrInvalid, "0 layers", "2 diff_ids"), func(m obj) { m["layers"] = []any{} }),
		m("layers are no array", invalid("array"), func(m obj) { m["layers"] = "two" }),
		m("a layer is no object", invalid("a number is not what belongs here"), func(m obj) { m["layers"] = []any{1} }),
		m("without a config", invalid("config"), func(m obj) { delete(m, "config") }),
		m("config of another kind", failed(image.ErrUnsupported, "helm"), func(m obj) { m["config"].(obj)["mediaType"] = "application/vnd.cncf.helm.config.v1+json" }),
		m("config is a layer", invalid("same blob"), func(m obj) { layerOf(m, 0)["digest"] = m["config"].(obj)["digest"] }),
		m("layer of another kind", failed(image.ErrUnsupported, "layer 1", "wasm"), func(m obj) { layerOf(m, 1)["mediaType"] = "application/wasm" }),
		m("layer without a media type", invalid("media type"), func(m obj) { layerOf(m, 1)["mediaType"] = "" }),
		m("layer of negative size", invalid("-1"), func(m obj) { layerOf(m, 1)["size"] = -1 }),
		m("layer of size 0", invalid("size 0"), func(m obj) { layerOf(m, 1)["size"] = 0 }),
		m("layer of a size in words", invalid("size"), func(m obj) { layerOf(m, 1)["size"] = "12" }),
		m("layer of half a byte", invalid("size"), func(m obj) { layerOf(m, 1)["size"] = 1.5 }),
		m("layer without a size", invalid("no size"), func(m obj) { delete(layerOf(m, 1), "size") }),
		m("layer is smaller than it says", failed(image.ErrMismatch, "size", "99999"), func(m obj) { layerOf(m, 1)["size"] = 99999 }),
		m("layer is larger than it says", failed(image.ErrMismatch, "size", "5"), func(m obj) { layerOf(m, 1)["size"] = 5 }),
		b("layer of 2^63 bytes", invalid("size"), sizeOfLast("9223372036854775808")),
		m("layer of 2^63-1 bytes", failed(image.ErrMismatch, "size"), func(m obj) { layerOf(m, 1)["size"] = int64(1<<63 - 1) }),
		m("digest too short", invalid("digest"), func(m obj) { layerOf(m, 1)["digest"] = "sha256:abcd" }),
		m("digest in upper case", failed(image.ErrUnsupported, "SHA256", "layers: entry 1"), func(m obj) { layerOf(m, 1)["digest"] = strings.ToUpper(layerOf(m, 1)["digest"].(string)) }),
		m("digest with path parts", invalid("digest"), func(m obj) { layerOf(m, 1)["digest"] = "sha256:../../../../canary/file" }),
		m("digest of an unknown algorithm", failed(image.ErrUnsupported, "md5", "layers: entry 1"), func(m obj) { layerOf(m, 1)["digest"] = "md5:d41d8cd98f00b204e9800998ecf8427e" }),
		m("digest of what is not there", failed(image.ErrNotFound, imagetest.Digest([]byte("absent"))[7:]), func(m obj) { layerOf(m, 1)["digest"] = imagetest.Digest([]byte("absent")) }),
		m("data is not what the digest says", failed(image.ErrMismatch, "data"), func(m obj) { inline(m["config"].(obj), "{}") }),
		m("data is not base64", invalid("base64"), func(m obj) { m["config"].(obj)["data"] = "%%%" }),
		m("foreign layer that is missing", noted("!foreign-layer layer 1").saying("kept elsewhere"), func(m obj) {
			layerOf(m, 1)["digest"], layerOf(m, 1)["urls"] = imagetest.Digest([]byte("absent")), []any{"http://169.254.169.254/latest", "file:///etc/passwd"}
		}),
		m("foreign layer that is there", shown("seen"), func(m obj) { layerOf(m, 1)["urls"] = []any{"http://169.254.169.254/latest"} }),
		m("layer that may not be distributed", noted("!foreign-layer layer 1"), func(m obj) {
			layerOf(m, 1)["mediaType"], layerOf(m, 1)["digest"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", imagetest.Digest([]byte("absent"))
		}),
		m("a thousand places for a layer", failed(image.ErrLimit, "urls", "100"), func(m obj) { layerOf(m, 1)["urls"] = strings.Split(strings.Repeat("https://x.example/,", 1000), ",") }),
		m("an artifact beside an image", shown("seen"), func(m obj) { m["artifactType"] = "application/x" }),
		b("a name twice", invalid("JSON"), replace(`"layers":`, `"layers":[],"layers":`)),
		b("a name in another case", invalid("another case"), replace(`"layers":`, `"Layers":[],"layers":`)),
		b("a layer's digest in another case", invalid("another case"), replace(`"digest":`, `"Digest":"x","digest":`)),
		b("something after it", invalid("JSON"), func(b []byte) []byte { return append(b, "{}"...) }),
		b("not UTF-8", invalid("JSON"), replace(`"mediaType"`, "\"x\":\"\xff\",\"mediaType\"")),
		b("nested 100,000 deep", invalid("JSON"), replace(`"mediaType"`, `"x":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+`,"mediaType"`)),
		b("an array", invalid("an array is not what belongs here"), func(b []byte) []byte { return []byte("[" + string(b) + "]") }),
		b("nothing", failed(image.ErrInvalid, "manifest"), func([]byte) []byte { return nil }),
		b("cut", invalid("JSON"), func(b []byte) []byte { return b[:len(b)/2] }),
		b("a comment in it", invalid("JSON"), func(b []byte) []byte { return append([]byte("/* */"), b...) }),
		b("over 4 MiB", failed(image.ErrLimit, "manifest", "4194304"), func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 5<<20)...) }),
		b("10,001 layers", failed(image.ErrLimit, "layers", "10000"), manyLayers(10_001)),
	}, indexes()...), configs()...))
}

// bySaved says which of them do not matter to an archive that has a manifest.json
// too: it names the config and the layers, which are held to their digests.
func bySaved(list []hostile) []hostile {
	for i, h := range list {
		switch h.name {
		case "config of another kind", "config is a layer", "layer of another kind", "layer is smaller than it says", "layer is larger than it says",
			"layer of 2^63-1 bytes", "digest of what is not there", "foreign layer that is missing", "layer that may not be distributed",
			"for other platforms", "of nothing", "of attestations":
			if h.class != "config" {
				list[i] = h.but(atSaved, shown("seen"))
			}
		case "of images without platforms by the hundred":
			list[i] = h.but(atSaved, failed(image.ErrInvalid, "index.json", "others"))
		}
	}
	return list
}

func inline(d obj, data string) { d["data"] = base64.StdEncoding.EncodeToString([]byte(data)) }

// sizeOfLast writes a number that no Go integer holds.
func sizeOfLast(n string) func([]byte) []byte {
	return func(b []byte) []byte {
		at := bytes.LastIndex(b, []byte(`"size":`)) + len(`"size":`)
		end := at + bytes.IndexByte(b[at:], '}')
		return []byte(string(b[:at]) + n + string(b[end:]))
	}
}

func manyLayers(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		d := fmt.Sprintf(`{"mediaType":"a","digest":%q,"size":1}`, imagetest.Digest(nil))
		at := bytes.Index(b, []byte(`"layers":[`)) + len(`"layers":[`)
		return []byte(string(b[:at]) + strings.Repeat(d+",", n) + string(b[at:]))
	}
}

// indexes are documents above the manifest.
func indexes() []hostile {
	const class = "index"
	one := func(name string, w want, index func(k *kit, manifest obj) []byte) hostile {
		return spoiled(class, name, w, asDocuments, func(k *kit) { k.index = index })
	}
	list := func(entries ...obj) []byte {
		return marshal(obj{"schemaVersion": 2, "mediaType": typeIndex, "manifests": entries})
	}
	aimed := func(d obj, platform string) obj {
		part := strings.Split(platform, "/")
		return obj{"mediaType": d["mediaType"], "digest": d["digest"], "size": d["size"], "platform": obj{"os": part[0], "architecture": part[1]}}
	}
	nest := func(depth int) func(k *kit, m obj) []byte {
		return func(k *kit, m obj) []byte {
			b := list(m)
			for range depth {
				b = list(k.put(typeIndex, b))
			}
			return b
		}
	}
	return []hostile{
		one("50 deep", failed(image.ErrLimit, "depth", "4"), nest(50)),
		one("10,000 entries", failed(image.ErrLimit, "1000"), func(k *kit, m obj) []byte {
			var all []obj
			for range 10_000 {
				all = append(all, m)
			}
			return list(all...)
		}),
		one("that names itself", failed(image.ErrMismatch, "manifest"), func(k *kit, m obj) []byte {
			d := imagetest.Digest([]byte("later"))
			b := list(obj{"mediaType": typeIndex, "digest": d, "size": 300})
			k.blobs[d], k.types[d] = b, typeIndex
			return b
		}),
		one("with the platform twice, the first counts", shown("seen"), func(k *kit, m obj) []byte {
			other := k.put(typeManifest, []byte("{}"))
			return list(aimed(m, "linux/amd64"), aimed(other, "linux/amd64"))
		}),
		one("for other platforms", failed(image.ErrNotFound, "linux/amd64 was asked for", "linux/s390x"), func(k *kit, m obj) []byte { return list(aimed(m, "linux/s390x")) }),
		one("of nothing", failed(image.ErrNotFound, "no image"), func(k *kit, m obj) []byte { return list() }),
		one("of attestations", failed(image.ErrNotFound, "no image"), func(k *kit, m obj) []byte { return list(aimed(m, "unknown/unknown")) }),
		one("whose image is an index", failed(image.ErrInvalid, "manifest"), func(k *kit, m obj) []byte {
			d := k.put(typeManifest, list(m))
			return list(aimed(d, "linux/amd64"))
		}),
		one("whose entry has another size", failed(image.ErrMismatch, "size"), func(k *kit, m obj) []byte {
			d := aimed(m, "linux/amd64")
			d["size"] = 7
			return list(d)
		}),
		one("whose platform has a NUL", failed(image.ErrInvalid), func(k *kit, m obj) []byte { return list(aimed(m, "linux/a\x00")) }),
		one("of images without platforms by the hundred", failed(image.ErrLimit, "16"), func(k *kit, m obj) []byte {
			var all []obj
			for i := range 100 {
				config := marshal(obj{"os": "plan9", "architecture": fmt.Sprint("a", i), "rootfs": obj{"type": "layers"}})
				all = append(all, k.put(typeManifest, marshal(obj{"schemaVersion": 2, "mediaType": typeManifest, "config": k.put(typeConfig, config), "layers": []any{}})))
			}
			return list(all...)
		}),
	}
}

// configs are image configs.
func configs() []hostile {
	const class = "config"
	c := func(name string, w want, change func(c obj)) hostile {
		return spoiled(class, name, w, everywhere, func(k *kit) { k.config = change })
	}
	b := func(name string, w want, change func([]byte) []byte) hostile {
		return spoiled(class, name, w, everywhere, func(k *kit) { k.configB = change })
	}
	ids := func(c obj) []any { return c["rootfs"].(obj)["diff_ids"].([]any) }
	return []hostile{
		c("a diff_id is missing", failed(image.ErrInvalid, "2 layers", "1 diff_ids"), func(c obj) { c["rootfs"].(obj)["diff_ids"] = ids(c)[:1] }),
		c("a diff_id too many", failed(image.ErrInvalid, "2 layers", "3 diff_ids"), func(c obj) { c["rootfs"].(obj)["diff_ids"] = append(ids(c), ids(c)[0]) }),
		c("diff_ids in another order", failed(image.ErrMismatch, "diffID", "layer sha256:"), func(c obj) { ids(c)[0], ids(c)[1] = ids(c)[1], ids(c)[0] }),
		c("a diff_id is another's", failed(image.ErrMismatch, "diffID", "layer sha256:"), func(c obj) { ids(c)[1] = imagetest.Digest([]byte("x")) }),
		c("a diff_id is no digest", failed(image.ErrInvalid, "diff_ids: entry 1"), func(c obj) { ids(c)[1] = "../../x" }),
		c("a diff_id of an unknown algorithm", failed(image.ErrUnsupported, "diff_ids: entry 1", "md5"), func(c obj) { ids(c)[1] = "md5:d41d8cd98f00b204e9800998ecf8427e" }),
		c("diff_ids twice the same", failed(image.ErrMismatch, "diffID"), func(c obj) { ids(c)[1] = ids(c)[0] }),
		c("no root filesystem", failed(image.ErrUnsupported, "root filesystem"), func(c obj) { delete(c, "rootfs") }),
		c("root filesystem of another type", failed(image.ErrUnsupported, "root filesystem"), func(c obj) { c["rootfs"].(obj)["type"] = "windows" }),
		c("history of other layers", noted("oddity image config").with("seen"), func(c obj) { c["history"] = []any{obj{"created_by": "x"}} }),
		c("history with a NUL", failed(image.ErrInvalid, "history: entry 0", "NUL"), func(c obj) { c["history"] = []any{obj{"created_by": "a\x00b"}} }),
		c("history of 20,001 entries", failed(image.ErrLimit, "history", "20000"), func(c obj) {
			var h []any
			for range 20_001 {
				h = append(h, obj{"empty_layer": true})
			}
			c["history"] = h
		}),
		c("history with escapes for a terminal", shown("seen"), func(c obj) {
			c["history"] = []any{obj{"created_by": "\x1b]0;owned\x07\x1b[2J"}, obj{"created_by": "\u202e"}}
		}),
		c("created in the year 0", shown("seen"), func(c obj) { c["created"] = "0000-01-01T00:00:00Z" }),
		c("created in the year 9999", shown("seen"), func(c obj) { c["created"] = "9999-12-31T23:59:59.999999999-12:00" }),
		c("created never", shown("seen"), func(c obj) { c["created"] = "yesterday" }),
		c("created is a number", failed(image.ErrInvalid, "created"), func(c obj) { c["created"] = 5 }),
		c("platform with control characters", failed(image.ErrInvalid, "image config"), func(c obj) { c["os"] = "li\x00nux" }),
		c("another platform than asked for", failed(image.ErrNotFound, "linux/amd64 was asked for", "linux/arm64"), func(c obj) { c["architecture"] = "arm64" }),
		c("secrets in its environment and command", shown("seen"), func(c obj) {
			c["config"] = obj{"Env": []any{"PASSWORD=" + secret}, "Labels": obj{"team": "payments"}, "Entrypoint": []any{secret}, "User": "root\n" + secret}
		}),
		c("a label of 10 MB", failed(image.ErrLimit, "8388608"), func(c obj) { c["config"] = obj{"Labels": obj{"x": strings.Repeat("x", 10<<20)}} }),
		b("a name twice", failed(image.ErrInvalid, "image config", "JSON"), replace(`"rootfs":`, `"rootfs":{"type":"layers","diff_ids":[]},"rootfs":`)),
		b("a name in another case", failed(image.ErrInvalid, "image config", "another case"), replace(`"rootfs":`, `"RootFS":{"type":"layers","diff_ids":[]},"rootfs":`)),
		b("something after it", failed(image.ErrInvalid, "image config", "JSON"), func(b []byte) []byte { return append(b, "{}"...) }),
		b("nested 100,000 deep", failed(image.ErrInvalid, "image config", "JSON"), replace(`"os"`, `"x":`+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)+`,"os"`)),
		b("not JSON", failed(image.ErrInvalid, "image config"), func([]byte) []byte { return []byte("FROM scratch") }),
	}
}

// archives are irregular files around an image.
func archives() []hostile {
	const class = "archive"
	both := []where{atArchive, atLayoutTar}
	docker := []where{atArchive}
	layouts := []where{atLayout, atLayoutTar}
	whole := func(name string, w want, at []where, change func([]byte) []byte) hostile {
		return spoiled(class, name, w, at, func(k *kit) { k.archive = change })
	}
	files := func(name string, w want, at []where, change func(k *kit, f map[string][]byte)) hostile {
		return spoiled(class, name, w, at, func(k *kit) { k.files = func(f map[string][]byte) { change(k, f) } })
	}
	saved := func(name string, w want, change func(m obj)) hostile {
		return files(name, w, docker, func(k *kit, f map[string][]byte) {
			m := obj{"Config": configName(k), "RepoTags": []any{"app:latest"}, "Layers": []any{"layer0/layer.tar", "layer1/layer.tar"}}
			change(m)
			f["manifest.json"] = marshal([]any{m})
		})
	}
	extra := func(entries ...entry) func([]byte) []byte {
		return func(b []byte) []byte { return append(noEnd(entries...), b...) }
	}
	return append([]hostile{
		whole("empty file", failed(image.ErrInvalid, "empty"), both, func([]byte) []byte { return nil }),
		whole("text", failed(image.ErrInvalid, "image.tar"), both, func([]byte) []byte { return []byte(strings.Repeat("no archive\n", 200)) }),
		whole("cut in its middle", failed(image.ErrInvalid, "image.tar"), both, func(b []byte) []byte { return b[:len(b)/2-300] }),
		whole("gzip cut in its middle", failed(image.ErrInvalid, "image.tar"), both, func(b []byte) []byte { z := gz(b); return z[:len(z)/2] }),
		whole("zstd cut in its middle", failed(image.ErrInvalid, "image.tar"), both, func(b []byte) []byte { z := zs(b); return z[:len(z)/2] }),
		whole("zstd with a window of 2 GiB", failed(image.ErrInvalid, "image.tar"), both, func([]byte) []byte { return []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00") }),
		whole("gzip of it is read", shown("seen"), both, gz),
		whole("zstd of it is read", shown("seen"), both, zs),
		whole("bomb within its limit of bytes", failed(image.ErrLimit, "image.tar", "10000000"), both, func(b []byte) []byte { return gz(append(b, make([]byte, 32<<20)...)) }).bounded(image.Limits{Spool: 10_000_000}),
		whole("100,001 entries", failed(image.ErrLimit, "image.tar", "100000"), both, extra(manyEntries(100_001)...)),
		whole("entries that lead out", shown("seen"), both, extra(file("../../../canary/new", "x"), file("/tmp/stella-canary", "x"), symlink("out", "/etc"), file("out/x", "x"))),
		whole("a file twice", failed(image.ErrInvalid, "more than once"), both, extra(file("manifest.json", "[]"), file("index.json", "{}"))),
		saved("layer leads out", failed(image.ErrNotFound, "layer"), func(m obj) { m["Layers"] = []any{"layer0/layer.tar", "../../canary/file"} }),
		saved("layer is an absolute path", failed(image.ErrNotFound, "layer"), func(m obj) { m["Layers"] = []any{"layer0/layer.tar", "/etc/passwd"} }),
		saved("layer is not there", failed(image.ErrNotFound, "layer9"), func(m obj) { m["Layers"] = []any{"layer0/layer.tar", "layer9/layer.tar"} }),
		saved("layers in another order", failed(image.ErrMismatch, "diffID"), func(m obj) { m["Layers"] = []any{"layer1/layer.tar", "layer0/layer.tar"} }),
		saved("a layer is missing", failed(image.ErrInvalid, "1 layers", "2 diff_ids"), func(m obj) { m["Layers"] = []any{"layer0/layer.tar"} }),
		saved("no layers", failed(image.ErrInvalid, "0 layers", "2 diff_ids"), func(m obj) { m["Layers"] = nil }),
		saved("no config", failed(image.ErrInvalid, "Config"), func(m obj) { delete(m, "Config") }),
		saved("config leads out", failed(image.ErrNotFound, "config"), func(m obj) { m["Config"] = "../../canary/file" }),
		saved("config is another digest's", failed(image.ErrNotFound, "config"), func(m obj) { m["Config"] = strings.Repeat("0", 64) + ".json" }),
		saved("a name in another case", failed(image.ErrInvalid, "another case"), func(m obj) { m["layers"] = []any{} }),
		files("config is not its digest's", failed(image.ErrMismatch, "config"), docker, func(k *kit, f map[string][]byte) {
			f[configName(k)] = append(f[configName(k)], ' ')
		}),
		files("manifest.json of two images", failed(image.ErrInvalid, "several images"), docker, func(k *kit, f map[string][]byte) {
			f["other.json"] = k.configD
			f["manifest.json"] = []byte(fmt.Sprintf(`[%s,{"Config":"other.json","RepoTags":["b:1"],"Layers":["layer0/layer.tar"]}]`, bytes.Trim(f["manifest.json"], "[]")))
		}),
		files("manifest.json of nothing", failed(image.ErrNotFound, "no image"), docker, func(_ *kit, f map[string][]byte) { f["manifest.json"] = []byte("[]") }),
		files("manifest.json is an object", failed(image.ErrInvalid, "manifest.json"), docker, func(_ *kit, f map[string][]byte) { f["manifest.json"] = []byte("{}") }),
		files("no manifest.json", failed(image.ErrInvalid), docker, func(_ *kit, f map[string][]byte) { delete(f, "manifest.json") }),
		files("two manifests that disagree", failed(image.ErrInvalid, "index.json", "others"), docker, func(k *kit, f map[string][]byte) {
			other := (&kit{parts: k.parts[:1]})
			other.build()
			for name, b := range other.layoutFiles() {
				f[name] = b
			}
		}),
		files("no oci-layout", failed(image.ErrInvalid, "oci-layout"), layouts, func(_ *kit, f map[string][]byte) { delete(f, "oci-layout") }),
		files("layout of version 9", failed(image.ErrUnsupported, `"9.0.0"`), layouts, func(_ *kit, f map[string][]byte) { f["oci-layout"] = []byte(`{"imageLayoutVersion":"9.0.0"}`) }),
		files("layout version of 10 KB", failed(image.ErrLimit, "oci-layout"), layouts, func(_ *kit, f map[string][]byte) { f["oci-layout"] = make([]byte, 10<<10) }),
		files("no index.json", failed(image.ErrNotFound, "index.json"), layouts, func(_ *kit, f map[string][]byte) { delete(f, "index.json") }),
		files("index.json is a manifest", failed(image.ErrInvalid, "index.json"), layouts, func(k *kit, f map[string][]byte) { f["index.json"] = k.blobs[k.topDesc["digest"].(string)] }),
		files("a blob with a flipped byte", failed(image.ErrMismatch), layouts, func(k *kit, f map[string][]byte) { f[blobName(imagetest.Digest(k.configD))] = flip(k.configD, 40) }),
		files("a layer with a flipped byte", failed(image.ErrMismatch, "layer sha256:", "digest"), layouts, func(k *kit, f map[string][]byte) {
			name := blobName(imagetest.Digest(k.parts[1].stored))
			f[name] = edit(f[name], func(b []byte) { b[9] ^= 0xff }) // the operating system in gzip's header
		}),
		files("a layer that is cut", failed(image.ErrMismatch, "size"), layouts, func(k *kit, f map[string][]byte) {
			name := blobName(imagetest.Digest(k.parts[1].stored))
			f[name] = f[name][:len(f[name])-9]
		}),
	}, special(class)...)
}

func configName(k *kit) string {
	return strings.TrimPrefix(imagetest.Digest(k.configD), "sha256:") + ".json"
}

func (h hostile) bounded(l image.Limits) hostile { h.options.Limits = &l; return h }

func manyEntries(n int) []entry {
	out := make([]entry, n)
	for i := range out {
		out[i] = entry{name: fmt.Sprint(i)}
	}
	return out
}

// special are files of a layout that are not regular.
func special(class string) []hostile {
	at := func(name string, w want, change func(file string) error) hostile {
		return spoiled(class, name, w, []where{atLayout}, func(k *kit) {
			k.dir = func(root string) error {
				file := filepath.Join(root, blobName(imagetest.Digest(k.parts[1].stored)))
				if err := os.Rename(file, file+".real"); err != nil {
					return err
				}
				return change(file)
			}
		})
	}
	return []hostile{
		at("a blob is a link to itself", failed(image.ErrInvalid, "layer"), func(f string) error { return os.Symlink(filepath.Base(f), f) }),
		at("a blob is a link in the layout", failed(image.ErrInvalid, "layer"), func(f string) error { return os.Symlink(filepath.Base(f)+".real", f) }),
		at("a blob is a link to the host", failed(image.ErrInvalid, "layer"), func(f string) error { return os.Symlink("/etc/passwd", f) }),
		at("a blob is a pipe that nobody writes to", failed(image.ErrInvalid, "layer"), func(f string) error { return syscall.Mkfifo(f, 0o600) }),
		at("a blob is a folder", failed(image.ErrInvalid, "layer"), func(f string) error { return os.Mkdir(f, 0o700) }),
		at("a blob is not there", failed(image.ErrNotFound, "layer"), func(string) error { return nil }),
	}
}
