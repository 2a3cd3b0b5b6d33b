package hostile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/rpmdb/rpmdbtest"
	"github.com/stella-ops/stella/scan/image"
)

// others are images that are irregular as a whole, and files and layers that flaws in
// other scanners are known for.
func others() []hostile {
	return append(append(append(wholes(), texts()...), archivesInside()...), formats()...)
}

// wholes are images of layers that no builder would put together.
func wholes() []hostile {
	const class = "image"
	e := npm("opt", "seen")
	some := func(name string, w want, parts func(c imagetest.Compression) []part) hostile {
		return hostile{class: class, name: name, want: w, kit: func(c imagetest.Compression) *kit {
			return &kit{parts: parts(c)}
		}}
	}
	layer := func(c imagetest.Compression, entries ...entry) part { return stored(whole(tarball(entries...)), c) }
	return []hostile{
		some("a layer many times over", shown("seen"), func(c imagetest.Compression) []part {
			p := layer(c, e)
			return []part{stored(whole(witness), c), p, p, p, p}
		}),
		some("whose base comes last", shown("seen"), func(c imagetest.Compression) []part {
			return []part{layer(c, e), stored(whole(witness), c)}
		}),
		some("with an empty layer between", shown("seen"), func(c imagetest.Compression) []part {
			return []part{stored(whole(witness), c), layer(c), layer(c, e)}
		}),
		some("with 120 layers", shown("seen"), func(c imagetest.Compression) []part {
			out := []part{stored(whole(witness), c)}
			for range 118 {
				out = append(out, layer(c, folder("opt/")))
			}
			return append(out, layer(c, e))
		}).heavy(),
		some("of folders alone", shown().unseen(), func(c imagetest.Compression) []part { return []part{layer(c, folder("etc/"), folder("var/"))} }),
		some("of an empty layer alone", shown().unseen(), func(c imagetest.Compression) []part { return []part{layer(c)} }),
		{class: class, name: "from scratch, without any layer", want: shown().unseen(), as: []imagetest.Compression{imagetest.Gzip}, kit: func(imagetest.Compression) *kit {
			return &kit{
				config:   func(c obj) { c["rootfs"].(obj)["diff_ids"], c["history"] = []any{}, []any{} },
				manifest: func(m obj) { m["layers"] = []any{} },
			}
		}},
		some("that removes everything", noted().unseen(), func(c imagetest.Compression) []part {
			return []part{stored(whole(witness), c), layer(c, whiteout(".wh.etc"), whiteout(".wh.var"))}
		}),
		some("with a file that nothing owns", shown("seen", "usr/local/bin/dropper"), func(c imagetest.Compression) []part {
			program := file("usr/local/bin/dropper", elf(func([]byte) {}))
			program.mode = "0000755\x00"
			return []part{stored(whole(witness), c), layer(c, program, e)}
		}),
		spoiled(class, "of two platforms with other packages", shown("seen"), asDocuments, func(k *kit) {
			k.index = func(k *kit, m obj) []byte {
				other := k.put(typeManifest, marshal(obj{"schemaVersion": 2, "mediaType": typeManifest, "layers": []any{},
					"config": k.put(typeConfig, marshal(obj{"os": "linux", "architecture": "arm64", "rootfs": obj{"type": "layers", "diff_ids": []any{}}}))}))
				aim := func(d obj, arch string) obj {
					return obj{"mediaType": d["mediaType"], "digest": d["digest"], "size": d["size"], "platform": obj{"os": "linux", "architecture": arch}}
				}
				return marshal(obj{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []any{aim(other, "arm64"), aim(m, "amd64")}})
			}
		}),
	}
}

// texts are configs that want to be run or shown.
func texts() []hostile {
	const class = "config"
	text := func(name string, config obj) hostile {
		return spoiled(class, name, shown("seen"), everywhere, func(k *kit) { k.config = func(c obj) { c["config"] = config } })
	}
	return []hostile{
		text("labels with control characters", obj{"Labels": obj{"a\x1b[2Jb\r\n": "\x1b]0;owned\x07", "\u202e": "\u0085"}}),
		spoiled(class, "labels with a NUL", noted("oddity image config").with("seen"), everywhere, func(k *kit) { k.config = func(c obj) { c["config"] = obj{"Labels": obj{"a": "\u0000"}} } }),
		text("labels that are commands", obj{"Labels": obj{"INSTALL": "docker run --privileged -v /:/host $(id)", "RUN": "`touch /tmp/stella-canary`", "io.containers.autoupdate": "registry"}}),
		text("environment with control characters", obj{"Env": []any{"A=\x1b[2J\nB=2", "=", "LD_PRELOAD=/tmp/x.so", "PATH="}}),
		text("entrypoint with control characters", obj{"Entrypoint": []any{"\x1b[2J", "$(touch /tmp/stella-canary)", "\n"}, "Cmd": []any{"\u0000"}}),
		text("entrypoint of 100,000 words", obj{"Entrypoint": strings.Split(strings.Repeat("/bin/x ", 100_000), " ")}),
		text("user beyond 31 bits", obj{"User": "4294967296:4294967296"}),
		text("volumes and folder that lead out", obj{"Volumes": obj{"/../../../etc": obj{}, "/": obj{}}, "WorkingDir": "/../../../etc"}),
	}
}

// archivesInside are zips that say of themselves what is not so.
func archivesInside() []hostile {
	jar := func(name string, w want, data string) hostile {
		return layered("content", "jar "+name, w, tarball(file("app/x.jar", data)))
	}
	le := binary.LittleEndian
	two := zipped(maven("one"), maven("two"))
	second := strings.Index(two[strings.Index(two, "PK\x01\x02")+4:], "PK\x01\x02") + strings.Index(two, "PK\x01\x02") + 4
	good := zipped(maven("seen"), member{"large", strings.Repeat("x", 4096)})
	end := len(good) - 22
	start := strings.Index(good, "PK\x01\x02")
	zip64 := func(entries, size, offset uint64) string {
		b := bytes.NewBufferString(good[:end])
		record := make([]byte, 56)
		copy(record, "PK\x06\x06")
		le.PutUint64(record[4:], 44)
		le.PutUint64(record[24:], entries)
		le.PutUint64(record[32:], entries)
		le.PutUint64(record[40:], size)
		le.PutUint64(record[48:], offset)
		locator := make([]byte, 20)
		copy(locator, "PK\x06\x07")
		le.PutUint64(locator[8:], uint64(end))
		le.PutUint32(locator[16:], 1)
		b.Write(record)
		b.Write(locator)
		b.WriteString("PK\x05\x06\x00\x00\x00\x00" + strings.Repeat("\xff", 12) + "\x00\x00")
		return b.String()
	}
	bombs := func() string {
		zeros := strings.Repeat("\x00", 4<<20)
		inner := zipped(member{"a.class", zeros}, member{"b.class", zeros}, member{"c.class", zeros})
		var all []member
		for i := range 16 {
			all = append(all, member{strings.Repeat("x", i+1) + ".jar", inner})
		}
		middle := zipped(append(all, maven("middle"))...)
		return zipped(member{"lib/1.jar", middle}, member{"lib/2.jar", middle}, maven("seen"))
	}
	return []hostile{
		jar("whose members overlap", noted("unreadable app/x.jar").with("org.example:one", "org.example:two", "x"), string(edit([]byte(two), func(b []byte) { le.PutUint32(b[second+42:], 0) }))),
		jar("with a link that leads out", shown("org.example:seen"), linked(maven("seen"))),
		jar("in zip64 with 2^60 members", noted("unreadable app/x.jar"), zip64(1<<60, uint64(end-start), uint64(start))),
		jar("in zip64 that begins beyond it", noted("unreadable app/x.jar"), zip64(2, uint64(end-start), 1<<62)),
		jar("in zip64 of negative size", noted("unreadable app/x.jar"), zip64(2, 1<<63, uint64(start))),
		jar("in zip64 without its record", noted("unreadable app/x.jar"), good[:end]+"PK\x05\x06\x00\x00\x00\x00"+strings.Repeat("\xff", 12)+"\x00\x00"),
		jar("whose descriptor of data lies", shown("org.example:seen"), string(edit([]byte(good), func(b []byte) {
			at := bytes.LastIndex(b[:start], []byte("PK\x07\x08"))
			le.PutUint32(b[at+8:], 0xfffffff0)
			le.PutUint32(b[at+12:], 0xfffffff0)
		}))),
		jar("in jars in a jar, all of zeros", shown(append(twiceNamed(16), "org.example:middle", "org.example:seen")...), bombs()).heavy(),
		layered("content", "war in an ear, 16 deep", noted("!limit app/x.ear").with(append(levels(8, 16), "org.example:ear")...),
			tarball(file("app/x.ear", zipped(maven("ear"), member{"web.war", nested(16)})))),
		layered("content", "jar that is encrypted throughout", noted("unsupported app/x.war").with("org.example:seen"), tarball(file("app/x.war", string(edit([]byte(zipped(maven("seen"))), func(b []byte) {
			b[bytes.Index(b, []byte("PK\x01\x02"))+8] |= 1
			b[6] |= 1
		}))))),
	}
}

// twiceNamed are jars that only their file names name, each in two others.
func twiceNamed(n int) (out []string) {
	for i := range n {
		name := strings.Repeat("x", i+1)
		out = append(out, name, name)
	}
	return out
}

// linked is a zip in which a folder is a symbolic link to the machine's, and a file in it.
func linked(m member) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "lib"}
	h.SetMode(fs.ModeSymlink | 0o777)
	for _, f := range []struct {
		head *zip.FileHeader
		data string
	}{{h, "/tmp"}, {&zip.FileHeader{Name: "lib/stella-canary"}, "x"}, {&zip.FileHeader{Name: m.name}, m.data}} {
		to, err := w.CreateHeader(f.head)
		check(err)
		_, err = io.WriteString(to, f.data)
		check(err)
	}
	check(w.Close())
	return b.String()
}

// formats are files and layers of formats that other scanners open.
func formats() []hostile {
	one := func(name string, w want, entries ...entry) hostile {
		return layered("content", name, w, tarball(entries...))
	}
	rpm := rpmdbtest.NDB(edit(rpmdbtest.Header([]rpmdbtest.Field{rpmdbtest.Text(1000, "a"), rpmdbtest.Text(1001, "1"), rpmdbtest.Text(1002, "1")}), func(b []byte) {
		binary.BigEndian.PutUint32(b, 0x7fffffff)
	}))
	raw := func(name string, w want, stored string) hostile {
		return hostile{class: "compression", name: name, want: w, as: []imagetest.Compression{imagetest.Plain}, kit: func(imagetest.Compression) *kit {
			return &kit{parts: []part{storedWitness(), packed(witness, []byte(stored), "")}}
		}}
	}
	chart := func() string { return string(gz(make([]byte, 32<<20))) }
	other := failed(image.ErrInvalid, "layer sha256:")
	xz := failed(image.ErrUnsupported, "layer sha256:", "xz")
	return []hostile{
		one("rpm header with 2^31 entries", noted("!unreadable var/lib/rpm/Packages.db"), file("var/lib/rpm/Packages.db", string(rpm))),
		one("rpm sqlite beside a journal of noise", noted("!unreadable var/lib/rpm/rpmdb.sqlite"),
			file("var/lib/rpm/rpmdb.sqlite", "SQLite format 3\x00"+strings.Repeat("\x00", 4000)), file("var/lib/rpm/rpmdb.sqlite-wal", incompressible(8192))),
		one("rpm file names that lead out", noted("unreadable usr/share/x.rpm"), file("usr/share/x.rpm", "\xed\xab\xee\xdb\x03\x00"+strings.Repeat("../", 2000))),
		one("chart that inflates 1,000 times", shown(), file("charts/x.tgz", chart())),
		one("apk archive that inflates 1,000 times", noted("unreadable var/cache/apk/x.apk"), file("var/cache/apk/x.apk", chart())),
		one("groups by the hundred thousand", shown(), file("etc/group", strings.Repeat("a:x:1:"+strings.Repeat("b,", 500)+"\n", 4096)), file("etc/passwd", strings.Repeat("a:x:4294967296:4294967296::/:/bin/sh\n", 1000))),
		one("pom with nothing in it", noted("unreadable app/pom.xml"), file("app/pom.xml", "")),
		one("pom whose dependency has no name", noted("unreadable app/pom.xml"), file("app/pom.xml", "<project><dependencies><dependency/></dependencies></project>")),
		one("Dockerfile and git folder that lead out", shown(), symlink("src/.git", "/../../../etc"), file("src/Dockerfile", "FROM $(id)\n")),
		raw("xz whose index never ends", xz, "\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x00"+strings.Repeat("\xff", 4096)),
		raw("lzma with a dictionary of 4 GiB", other, "\x5d\xff\xff\xff\xff"+strings.Repeat("\xff", 8)+strings.Repeat("\x00", 1024)),
		raw("rar with a dictionary of 4 GiB", other, "Rar!\x1a\x07\x01\x00"+strings.Repeat("\xff", 1024)),
		raw("squashfs", other, "hsqs"+strings.Repeat("\xff", 2048)),
		raw("a document where a layer belongs", other, `{"schemaVersion":2,"layers":[]}`+strings.Repeat(" ", 1024)),
	}
}
