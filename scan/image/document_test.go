package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/sbom"
)

// badDocument is a manifest, index or config that is refused, wherever it is
// kept.
type badDocument struct {
	name string
	make func(f *fixture)
	kind error
	say  string
}

// edit changes the image's manifest.
func edit(change func(f *fixture, m obj)) func(*fixture) {
	return func(f *fixture) {
		m := f.addImage("linux/amd64", imagetest.Gzip)
		change(f, m)
		f.top = marshal(m)
	}
}

// text changes the text of the image's manifest.
func text(old, new string) func(*fixture) {
	return func(f *fixture) {
		f.top = marshal(f.addImage("linux/amd64", imagetest.Gzip))
		if !strings.Contains(string(f.top), old) {
			panic("no " + old)
		}
		f.top = []byte(strings.Replace(string(f.top), old, new, 1))
	}
}

// editConfig changes the image's config.
func editConfig(change func(c obj)) func(*fixture) {
	return edit(func(f *fixture, m obj) {
		var c obj
		mustUnmarshal(f.blobs[m["config"].(obj)["digest"].(string)], &c)
		change(c)
		m["config"] = f.desc(typeOCIConfig, marshal(c))
	})
}

// rawConfig replaces the image's config.
func rawConfig(b string) func(*fixture) {
	return edit(func(f *fixture, m obj) { m["config"] = f.desc(typeOCIConfig, []byte(b)) })
}

// index makes an index of these entries.
func index(entries func(f *fixture) []obj) func(*fixture) {
	return func(f *fixture) {
		f.topType = typeOCIIndex
		f.top = marshal(obj{"schemaVersion": 2, "manifests": entries(f)})
	}
}

func layers(m obj) []obj { return m["layers"].([]obj) }

var other = imagetest.Digest([]byte("other"))

func badDocuments() []badDocument {
	return []badDocument{
		{"empty", func(f *fixture) { f.top = nil }, ErrInvalid, ""},
		{"null", func(f *fixture) { f.top = []byte("null") }, ErrInvalid, ""},
		{"array", func(f *fixture) { f.top = []byte("[]") }, ErrInvalid, "an array"},
		{"not JSON", func(f *fixture) { f.top = []byte("<html>") }, ErrInvalid, "JSON"},
		{"cut off", func(f *fixture) { f.top = []byte(`{"schemaVersion":2,`) }, ErrInvalid, "ends too early"},
		{"trailing data", func(f *fixture) { edit(func(*fixture, obj) {})(f); f.top = append(f.top, "{}"...) }, ErrInvalid, "JSON"},
		{"byte order mark", func(f *fixture) { edit(func(*fixture, obj) {})(f); f.top = append([]byte("\xef\xbb\xbf"), f.top...) }, ErrInvalid, "JSON"},
		{"not UTF-8", text(`"schemaVersion"`, "\"x\":\"\xff\",\"schemaVersion\""), ErrInvalid, "UTF-8"},
		{"deep", func(f *fixture) {
			f.top = []byte(`{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`)
		}, ErrInvalid, "depth"},
		{"duplicate key", text(`"schemaVersion":2`, `"schemaVersion":2,"schemaVersion":2`), ErrInvalid, "duplicate"},
		{"duplicate key, escaped", text(`"schemaVersion":2`, `"schemaVersion":2,"schem\u0061Version":2`), ErrInvalid, "duplicate"},
		{"duplicate key in a descriptor", text(`"size":`, `"size":1,"size":`), ErrInvalid, "duplicate"},
		{"key in another case", text(`"schemaVersion"`, `"Layers":[],"schemaVersion"`), ErrInvalid, "another case"},
		{"key in another case, long s", text(`"schemaVersion"`, `"layer\u017f":[],"schemaVersion"`), ErrInvalid, "another case"},
		{"descriptor key in another case", text(`"size":`, `"Digest":"x","size":`), ErrInvalid, "another case"},
		{"manifests and layers", edit(func(f *fixture, m obj) { m["manifests"] = []obj{} }), ErrInvalid, "at once"},
		{"manifests and config only", func(f *fixture) { f.top = []byte(`{"schemaVersion":2,"config":{},"manifests":[]}`) }, ErrInvalid, "at once"},
		{"schema 1", text(`"schemaVersion":2`, `"schemaVersion":1`), ErrUnsupported, "schema 1"},
		{"schema 3", text(`"schemaVersion":2`, `"schemaVersion":3`), ErrInvalid, "schemaVersion is 3"},
		{"schema 1 layers", edit(func(f *fixture, m obj) { m["fsLayers"] = []obj{} }), ErrInvalid, "fsLayers"},
		{"named as schema 1", func(f *fixture) { edit(func(*fixture, obj) {})(f); f.topType = typeDockerV1Signed }, ErrUnsupported, "schema 1"},
		{"media type is another", edit(func(f *fixture, m obj) { m["mediaType"] = typeDockerManifest }), ErrInvalid, "says media type"},
		{"media type is an index's", edit(func(f *fixture, m obj) { m["mediaType"] = typeOCIIndex }), ErrInvalid, "says media type"},
		{"named as an index", edit(func(f *fixture, m obj) { delete(m, "mediaType"); f.topType = typeOCIIndex }), ErrInvalid, "contradict"},
		{"media type is unknown", func(f *fixture) { edit(func(*fixture, obj) {})(f); f.topType = "application/vnd.example" }, ErrUnsupported, "neither"},
		{"no config", edit(func(f *fixture, m obj) { delete(m, "config") }), ErrInvalid, "neither config nor manifests"},
		{"no layers", edit(func(f *fixture, m obj) { delete(m, "layers") }), ErrInvalid, "no layers"},
		{"null layers", edit(func(f *fixture, m obj) { m["layers"] = nil }), ErrInvalid, "no layers"},
		{"config is no image's", edit(func(f *fixture, m obj) { m["config"].(obj)["mediaType"] = "application/vnd.cncf.helm.config.v1+json" }), ErrUnsupported, "no container image"},
		{"config is empty", edit(func(f *fixture, m obj) { m["config"] = f.desc("application/vnd.oci.empty.v1+json", []byte("{}")) }), ErrUnsupported, "no container image"},
		{"layer is encrypted", edit(func(f *fixture, m obj) {
			layers(m)[0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
		}), ErrUnsupported, "layer 0"},
		{"layer is a document", edit(func(f *fixture, m obj) { layers(m)[1]["mediaType"] = "application/vnd.in-toto+json" }), ErrUnsupported, "layer 1"},
		{"layer without a media type", edit(func(f *fixture, m obj) { delete(layers(m)[1], "mediaType") }), ErrInvalid, "no media type"},
		{"layer without a digest", edit(func(f *fixture, m obj) { delete(layers(m)[1], "digest") }), ErrInvalid, "digest"},
		{"layer without a size", edit(func(f *fixture, m obj) { delete(layers(m)[1], "size") }), ErrInvalid, "no size"},
		{"size null", edit(func(f *fixture, m obj) { layers(m)[1]["size"] = nil }), ErrInvalid, "no size"},
		{"size -1", edit(func(f *fixture, m obj) { layers(m)[1]["size"] = -1 }), ErrInvalid, "size -1"},
		{"size 0", edit(func(f *fixture, m obj) { layers(m)[1]["size"] = 0 }), ErrInvalid, "size 0"},
		{"size 2^63", text(`"size":`, `"size":9223372036854775808,"x":`), ErrInvalid, "/size"},
		{"size 1e3", text(`"size":`, `"size":1e3,"x":`), ErrInvalid, "/size"},
		{"size as text", text(`"size":`, `"size":"12","x":`), ErrInvalid, "a string"},
		{"digest in upper case", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = strings.ToUpper(other) }), ErrUnsupported, "neither sha256 nor sha512"},
		{"hex in upper case", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = "sha256:" + strings.Repeat("AB", 32) }), ErrInvalid, "lower-case"},
		{"digest too short", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = other[:50] }), ErrInvalid, "hex digits"},
		{"digest of another kind", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = "md5:" + strings.Repeat("a", 32) }), ErrUnsupported, "neither sha256 nor sha512"},
		{"digest is a path", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = "sha256:../../../../etc/passwd" }), ErrInvalid, "hex"},
		{"config digest is a layer's", edit(func(f *fixture, m obj) { layers(m)[0]["digest"] = m["config"].(obj)["digest"] }), ErrInvalid, "same blob"},
		{"config has another size", edit(func(f *fixture, m obj) { m["config"].(obj)["size"] = 5 }), ErrMismatch, "size of image config"},
		{"config is exchanged", edit(func(f *fixture, m obj) {
			d := m["config"].(obj)["digest"].(string)
			f.blobs[d] = []byte(strings.Replace(string(f.blobs[d]), "amd64", "arm64", 1))
		}), ErrMismatch, "digest of image config"},
		{"config is missing", edit(func(f *fixture, m obj) { m["config"].(obj)["digest"] = other }), ErrNotFound, "config"},
		{"config is too large", edit(func(f *fixture, m obj) { m["config"].(obj)["size"] = 9 << 20 }), ErrLimit, "8388608"},
		{"data is not base64", edit(func(f *fixture, m obj) { m["config"].(obj)["data"] = "***" }), ErrInvalid, "base64"},
		{"data is another's", edit(func(f *fixture, m obj) {
			c := m["config"].(obj)
			c["data"] = base64.StdEncoding.EncodeToString(make([]byte, c["size"].(int)))
		}), ErrMismatch, "data of"},
		{"more layers than diff_ids", edit(func(f *fixture, m obj) { m["layers"] = append(layers(m), layers(m)[0]) }), ErrInvalid, "3 layers"},
		{"fewer layers than diff_ids", edit(func(f *fixture, m obj) { m["layers"] = layers(m)[:1] }), ErrInvalid, "2 diff_ids"},
		{"too many layers", edit(func(f *fixture, m obj) {
			for range 10_001 {
				m["layers"] = append(layers(m), layers(m)[0])
			}
		}), ErrLimit, "10000"},
		{"100,000 empty layers", func(f *fixture) {
			f.top = []byte(`{"schemaVersion":2,"config":{},"layers":[` + strings.Repeat("{},", 100_000) + "{}]}")
		}, ErrInvalid, ""},
		{"many urls", edit(func(f *fixture, m obj) { layers(m)[0]["urls"] = make([]string, 101) }), ErrLimit, "urls"},

		{"config is null", rawConfig("null"), ErrInvalid, "not a JSON object"},
		{"config is a string", rawConfig(`"x"`), ErrInvalid, "a string"},
		{"config is cut off", rawConfig(`{"os":`), ErrInvalid, "too early"},
		{"config with a duplicate key", rawConfig(`{"os":"linux","os":"x"}`), ErrInvalid, "duplicate"},
		{"config key in another case", rawConfig(`{"RootFS":{}}`), ErrInvalid, "another case"},
		{"config without rootfs", rawConfig(`{"os":"linux"}`), ErrUnsupported, "root filesystem"},
		{"rootfs of another type", rawConfig(`{"rootfs":{"type":"layers+base"}}`), ErrUnsupported, "root filesystem"},
		{"no diff_ids", editConfig(func(c obj) { c["rootfs"].(obj)["diff_ids"] = nil }), ErrInvalid, "0 diff_ids"},
		{"one diff_id", editConfig(func(c obj) { r := c["rootfs"].(obj); r["diff_ids"] = r["diff_ids"].([]any)[:1] }), ErrInvalid, "1 diff_ids"},
		{"diff_id is no digest", editConfig(func(c obj) { c["rootfs"].(obj)["diff_ids"].([]any)[1] = "x" }), ErrInvalid, "diff_ids: entry 1"},
		{"diff_id is a number", editConfig(func(c obj) { c["rootfs"].(obj)["diff_ids"].([]any)[1] = 1 }), ErrInvalid, "a number"},
		{"NUL in a history line", editConfig(func(c obj) { c["history"].([]any)[1] = obj{"created_by": "a\x00b"} }), ErrInvalid, "NUL"},
		{"platform with a line break", editConfig(func(c obj) { c["os"] = "linux\nx" }), ErrInvalid, "not a name"},
		{"history without end", editConfig(func(c obj) { c["history"] = slices.Repeat([]obj{{}}, 20_001) }), ErrLimit, "20000"},

		{"index without images", index(func(*fixture) []obj { return []obj{} }), ErrNotFound, "no image"},
		{"index of attestations", index(func(f *fixture) []obj {
			d := f.desc(typeOCIManifest, []byte("{}"))
			d["platform"] = obj{"os": "unknown", "architecture": "unknown"}
			return []obj{d}
		}), ErrNotFound, "no image"},
		{"index of other things", index(func(f *fixture) []obj { return []obj{f.desc("application/vnd.example", []byte("{}"))} }), ErrNotFound, "no image"},
		{"index in 10,000 parts", func(f *fixture) { f.topType, f.top = typeOCIIndex, flatIndex(10_000) }, ErrLimit, "1000"},
		{"index in an index, 50 deep", func(f *fixture) {
			deep := flatIndex(1)
			for range 50 {
				deep = marshal(obj{"schemaVersion": 2, "manifests": []obj{f.desc(typeOCIIndex, deep)}})
			}
			f.topType, f.top = typeOCIIndex, deep
		}, ErrLimit, "depth of indexes"},
		{"index of indexes", index(func(f *fixture) (out []obj) {
			for i := range 40 {
				out = append(out, f.desc(typeOCIIndex, []byte(fmt.Sprintf(`{"schemaVersion":2,"manifests":[],"annotations":{"n":"%d"}}`, i))))
			}
			return out
		}), ErrLimit, "indexes"},
		{"index that names itself", index(func(f *fixture) []obj {
			f.put([]byte("other"))
			f.blobs[other] = []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"` + typeOCIIndex + `","digest":"` + other + `","size":5}]}`)
			return []obj{{"mediaType": typeOCIIndex, "digest": other, "size": 5}}
		}), ErrMismatch, other},
		{"image of an index is missing", index(func(f *fixture) []obj {
			return []obj{{"mediaType": typeOCIManifest, "digest": other, "size": 5, "platform": obj{"os": "linux", "architecture": "amd64"}}}
		}), ErrNotFound, other},
		{"image of an index is another", index(func(f *fixture) []obj {
			f.put([]byte("other"))
			f.blobs[other] = marshal(f.addImage("linux/amd64", imagetest.Gzip))
			return []obj{{"mediaType": typeOCIManifest, "digest": other, "size": len(f.blobs[other]), "platform": obj{"os": "linux", "architecture": "amd64"}}}
		}), ErrMismatch, other},
		{"image of an index has another size", index(func(f *fixture) []obj {
			d := f.desc(typeOCIManifest, marshal(f.addImage("linux/amd64", imagetest.Gzip)))
			d["size"], d["platform"] = 7, obj{"os": "linux", "architecture": "amd64"}
			return []obj{d}
		}), ErrMismatch, "7 bytes"},
		{"image of an index is an index", index(func(f *fixture) []obj {
			d := f.desc(typeOCIManifest, []byte(`{"schemaVersion":2,"manifests":[]}`))
			d["platform"] = obj{"os": "linux", "architecture": "amd64"}
			return []obj{d}
		}), ErrInvalid, "contradict"},
		{"platform with white space", index(func(f *fixture) []obj {
			d := f.desc(typeOCIManifest, []byte("{}"))
			d["platform"] = obj{"os": "linux\t", "architecture": "amd64"}
			return []obj{d}
		}), ErrInvalid, "not a name"},
		{"unsupported platform", index(func(f *fixture) []obj {
			d := f.desc(typeOCIManifest, []byte("{}"))
			d["platform"] = obj{"os": "plan9", "architecture": "mips"}
			return []obj{d}
		}), ErrNotFound, "the index has plan9/mips"},
	}
}

func TestBadDocuments(t *testing.T) {
	for _, tc := range badDocuments() {
		for _, source := range []string{"registry", "layout", "archive"} {
			t.Run(tc.name+"/"+source, func(t *testing.T) {
				f := &fixture{topType: typeOCIManifest}
				tc.make(f)
				var ref string
				switch source {
				case "registry":
					ref = serveHTTP(t, f.handler()) + "/app"
				case "layout":
					ref = "oci:" + f.dir(t)
				case "archive":
					ref = "oci-archive:" + f.archive(t)
				}
				m, err := Open(context.Background(), ref, anonymous())
				if err == nil {
					m.Close()
					t.Fatal("was accepted")
				}
				if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) {
					t.Fatalf("got %v, want %v saying %q", err, tc.kind, tc.say)
				}
				if strings.Contains(err.Error(), "image.json") || strings.Contains(err.Error(), "jsontext") {
					t.Errorf("%v names Go types", err)
				}
			})
		}
	}
}

// A changed byte in the manifest or the config is noticed.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	f := oneImage()
	var d struct{ Config struct{ Digest string } }
	mustUnmarshal(f.top, &d)
	topDigest := imagetest.Digest(f.top)
	files := memory(f.files())
	config := files[blobName(d.Config.Digest)]
	files[blobName(topDigest)] = f.top
	set := testSettings(t)
	flips := 0
	try := func(b []byte, digest string) {
		for i := range b {
			for _, x := range []byte{1, 32, 128} {
				b[i] ^= x
				r := newResolver(set, &layout{files}, "x")
				if _, err := r.layout(context.Background(), files, ""); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), digest) {
					t.Fatalf("byte %d xor %x of %s: %v", i, x, digest, err)
				}
				flips++
				b[i] ^= x
			}
		}
	}
	if _, err := newResolver(set, &layout{files}, "x").layout(context.Background(), files, ""); err != nil {
		t.Fatal(err)
	}
	try(f.top, topDigest)
	try(config, d.Config.Digest)
	t.Logf("%d flips, none accepted", flips)
}

func testSettings(t testing.TB) *settings {
	t.Helper()
	s, err := anonymous().settings()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Foreign layers are not fetched; each is a gap that blocks.
func TestForeignLayers(t *testing.T) {
	hits := 0
	elsewhere := serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	for _, media := range []string{
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+gzip",
	} {
		for _, held := range []bool{false, true} {
			f := &fixture{topType: typeOCIManifest}
			edit(func(f *fixture, m obj) {
				l := layers(m)[0]
				l["mediaType"], l["urls"] = media, []string{"http://" + elsewhere + "/layer"}
				if !held {
					delete(f.blobs, l["digest"].(string))
				}
			})(f)
			for _, ref := range []string{serveHTTP(t, f.handler()) + "/app", "oci:" + f.dir(t), "oci-archive:" + f.archive(t)} {
				m := mustOpen(t, ref, anonymous())
				want := 2
				if !held {
					want = 1
				}
				if len(m.Layers) != want || len(m.Subject.Layers) != 2 || len(m.Source.Layers) != 2 {
					t.Errorf("%s held %v: %d layers, %d in the subject", media, held, len(m.Layers), len(m.Subject.Layers))
				}
				if held != (len(m.Gaps) == 0) {
					t.Fatalf("%s held %v: gaps %v", media, held, m.Gaps)
				}
				if !held && (m.Gaps[0].Code != sbom.GapForeignLayer || !m.Gaps[0].Blocking || m.Gaps[0].Layer != m.Subject.Layers[0].DiffID) {
					t.Errorf("gap %+v", m.Gaps[0])
				}
			}
		}
	}
	if hits != 0 {
		t.Errorf("the other place was asked %d times", hits)
	}
}

func TestImagesThatAreOdd(t *testing.T) {
	open := func(t *testing.T, make func(*fixture)) string {
		f := &fixture{topType: typeOCIManifest}
		make(f)
		return serveHTTP(t, f.handler()) + "/app"
	}
	t.Run("no layers at all", func(t *testing.T) {
		ref := open(t, edit(func(f *fixture, m obj) {
			m["layers"] = []obj{}
			m["config"] = f.desc(typeOCIConfig, marshal(configOf("linux/amd64")))
		}))
		if m := mustOpen(t, ref, anonymous()); len(m.Layers) != 0 || len(m.Gaps) != 0 || m.Subject.ConfigDigest == "" {
			t.Errorf("layers %v, gaps %v", m.Layers, m.Gaps)
		}
	})
	t.Run("history of another length", func(t *testing.T) {
		ref := open(t, editConfig(func(c obj) { c["history"] = c["history"].([]any)[:2] }))
		m := mustOpen(t, ref, anonymous())
		if m.Layers[0].CreatedBy != "" || len(m.Gaps) != 1 || m.Gaps[0].Code != sbom.GapOddity || m.Gaps[0].Blocking {
			t.Errorf("line %q, gaps %v", m.Layers[0].CreatedBy, m.Gaps)
		}
	})
	t.Run("no history", func(t *testing.T) {
		ref := open(t, editConfig(func(c obj) { delete(c, "history") }))
		if m := mustOpen(t, ref, anonymous()); m.Layers[0].CreatedBy != "" || len(m.Gaps) != 0 {
			t.Errorf("line %q, gaps %v", m.Layers[0].CreatedBy, m.Gaps)
		}
	})
	t.Run("the same layer twice", func(t *testing.T) {
		ref := open(t, func(f *fixture) {
			edit(func(f *fixture, m obj) {
				m["layers"] = []obj{layers(m)[0], layers(m)[0]}
			})(f)
		})
		if m := mustOpen(t, ref, anonymous()); len(m.Layers) != 2 {
			t.Errorf("layers %v", m.Layers)
		}
	})
	t.Run("control characters and long labels are data", func(t *testing.T) {
		ref := open(t, editConfig(func(c obj) {
			c["config"].(map[string]any)["Labels"].(map[string]any)["x"] = strings.Repeat("\x1b[31m", 1<<20/5)
			c["history"].([]any)[1] = obj{"created_by": "RUN \x1b]0;x\a\n<script>"}
		}))
		if m := mustOpen(t, ref, anonymous()); m.Layers[0].CreatedBy != "RUN \x1b]0;x\a\n<script>" {
			t.Errorf("line %q", m.Layers[0].CreatedBy)
		}
	})
	t.Run("vague content type", func(t *testing.T) {
		f := oneImage()
		f.topType = "application/json"
		if m := mustOpen(t, serveHTTP(t, f.handler())+"/app", anonymous()); m.Source.MediaType != typeOCIManifest {
			t.Errorf("media type %q", m.Source.MediaType)
		}
	})
	t.Run("sha512", func(t *testing.T) {
		f := &fixture{topType: typeOCIManifest}
		m := f.addImage("linux/amd64", imagetest.Gzip)
		cfg := f.blobs[m["config"].(obj)["digest"].(string)]
		d512 := digestOf(cfg, "sha512:")
		f.blobs[d512] = cfg
		m["config"] = obj{"mediaType": typeOCIConfig, "digest": d512, "size": len(cfg)}
		f.top = marshal(m)
		for _, ref := range []string{serveHTTP(t, f.handler()) + "/app", "oci:" + f.dir(t)} {
			if got := mustOpen(t, ref, anonymous()).Subject.ConfigDigest; got != d512 {
				t.Errorf("config %s, want %s", got, d512)
			}
		}
	})
	t.Run("inline data that is right", func(t *testing.T) {
		mustOpen(t, open(t, edit(func(f *fixture, m obj) {
			c := m["config"].(obj)
			c["data"] = base64.StdEncoding.EncodeToString(f.blobs[c["digest"].(string)])
		})), anonymous())
	})
}

func TestNormalTime(t *testing.T) {
	for in, want := range map[string]string{
		"2024-05-06T07:08:09Z":                "2024-05-06T07:08:09Z",
		"2024-05-06T07:08:09.999999999Z":      "2024-05-06T07:08:09Z",
		"2024-05-06T01:08:09-06:00":           "2024-05-06T07:08:09Z",
		"1970-01-01T00:00:00Z":                "1970-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z":                "",
		"0000-01-01T00:00:00Z":                "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59-12:00":           "",
		"10000-01-01T00:00:00Z":               "",
		"2024-13-06T07:08:09Z":                "",
		"2024-02-30T07:08:09Z":                "",
		"2024-05-06":                          "",
		"yesterday":                           "",
		"":                                    "",
		"2024-05-06T07:08:09Z\x00":            "",
		"2024-05-06T07:08:60Z":                "",
		"2024-05-06T07:08:09+25:00":           "",
		"2024-05-06T07:08:09.5+02:00":         "2024-05-06T05:08:09Z",
		strings.Repeat("2", 1<<16) + "-01-01": "",
	} {
		if got := normalTime(in); got != want {
			t.Errorf("normalTime(%q) = %q, want %q", clip(in), got, want)
		}
	}
}

// memory is files that are held in memory.
type memory map[string][]byte

func (m memory) what() string { return "memory" }
func (m memory) close() error { return nil }

func (m memory) open(name string) (*section, error) {
	b, ok := m[name]
	if !ok {
		return nil, missing(m, name)
	}
	return inMemory(b), nil
}
