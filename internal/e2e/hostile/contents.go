package hostile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
)

// member is one file of a zip.
type member struct{ name, data string }

func zipped(members ...member) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		method := zip.Deflate
		if len(m.data) < 200 {
			method = zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		check(err)
		_, err = io.WriteString(f, m.data)
		check(err)
	}
	check(w.Close())
	return b.String()
}

const pomPath = "META-INF/maven/org.example/%s/pom.properties"

// maven is the member that names a jar.
func maven(artifact string) member {
	return member{fmt.Sprintf(pomPath, artifact), "groupId=org.example\nartifactId=" + artifact + "\nversion=1.0\n"}
}

// nested is a jar within a jar, depth times.
func nested(depth int) string {
	data := zipped(maven("inner"))
	for i := range depth {
		data = zipped(maven(fmt.Sprint("level", i)), member{"lib/next.jar", data})
	}
	return data
}

// contents are sound layers with files in them that are not.
func contents() []hostile {
	const class = "content"
	one := func(name string, w want, entries ...entry) hostile {
		return layered(class, name, w, tarball(entries...))
	}
	jar := func(name string, w want, data string) hostile { return one("jar "+name, w, file("app/x.jar", data)) }
	good := zipped(maven("seen"))
	db := func(name string, w want, data string) hostile { return one("dpkg "+name, w, file(status, data)) }
	lock := func(name, at string, w want, data string) hostile { return one(name, w, file(at, data)) }
	return append([]hostile{
		jar("cut", noted("unreadable app/x.jar"), good[:len(good)/2]),
		jar("without its directory", noted("unreadable app/x.jar"), good[:len(good)-22]),
		jar("of noise", noted("unreadable app/x.jar"), incompressible(5000)),
		jar("of nothing", noted("unreadable app/x.jar"), ""),
		jar("with a wrong checksum", noted("unreadable app/x.jar").with("org.example:seen"), string(flip([]byte(good), bytes.Index([]byte(good), []byte("PK\x01\x02"))+16))),
		jar("64 deep", noted("!limit app/x.jar").with(levels(55, 64)...), nested(64)),
		jar("with absolute and climbing names", shown("org.example:seen"), zipped(member{"/etc/passwd", "x"}, member{"../../canary/new", "x"}, maven("seen"))),
		jar("with a name twice", shown("org.example:seen", "x"), zipped(maven("seen"), maven("seen"))),
		jar("whose count lies", noted("unreadable app/x.jar"), string(edit([]byte(good), func(b []byte) { binary.LittleEndian.PutUint16(b[len(b)-12:], 60000) }))),
		jar("whose directory begins in nowhere", noted("unreadable app/x.jar"), string(edit([]byte(good), func(b []byte) { binary.LittleEndian.PutUint32(b[len(b)-6:], 0xfffffff0) }))),
		jar("whose sizes lie", noted("unreadable app/x.jar").with("org.example:seen"), string(edit([]byte(good), func(b []byte) { binary.LittleEndian.PutUint32(b[bytes.Index(b, []byte("PK\x01\x02"))+20:], 1<<30) }))),
		jar("encrypted", noted("unsupported app/x.jar").with("org.example:seen"), string(edit([]byte(good), func(b []byte) { b[bytes.Index(b, []byte("PK\x01\x02"))+8] |= 1 }))),
		jar("by an unknown method", noted("unsupported app/x.jar").with("org.example:seen"), string(edit([]byte(good), func(b []byte) { b[bytes.Index(b, []byte("PK\x01\x02"))+10] = 99 }))),
		jar("with a bomb in it", noted("!limit app/x.jar").with("org.example:seen"), zipped(member{"lib/a.jar", strings.Repeat("\x00", 70<<20)}, maven("seen"))).heavy(),
		jar("with a manifest of 10 MB", shown("org.example:seen"), zipped(member{"META-INF/MANIFEST.MF", strings.Repeat("Name: x\r\n\r\n", 1<<20)}, maven("seen"))),
		jar("with 70,000 members", shown("org.example:seen"), zipped(append(manyMembers(70_000), maven("seen"))...)).heavy(),
		jar("with 20,000 packages", noted("!limit app/x.jar").counting(10_002), zipped(manyPackages(20_000)...)).heavy(),
		db("without an end of line", shown("second").unseen(), strings.TrimRight(statusOf2, "\n")),
		db("without names", noted("!unreadable "+status).with("second").unseen(), "Version: 1\nStatus: install ok installed\n\n"+statusOf2),
		db("with a field twice, the last counts", shown("third").unseen(), strings.Replace(statusOf2, "Package: second", "Package: second\nPackage: third", 1)),
		db("with NULs", noted("!unreadable "+status).unseen(), strings.Repeat("\x00", 4096)),
		db("of noise", noted("!unreadable "+status).unseen(), incompressible(8192)),
		db("with a line of 5 MiB", noted("!limit "+status).with("second").unseen(), "Package: "+strings.Repeat("x", 5<<20)+"\n"+statusOf2).heavy(),
		db("of nothing", shown().unseen(), ""),
		lock("apk of noise", "lib/apk/db/installed", noted("!unreadable lib/apk/db/installed"), incompressible(8192)),
		lock("apk without a version", "lib/apk/db/installed", noted("!unreadable lib/apk/db/installed"), "P:a\n\n"),
		lock("rpm sqlite of noise", "var/lib/rpm/rpmdb.sqlite", noted("!unreadable var/lib/rpm/rpmdb.sqlite"), incompressible(8192)),
		lock("rpm sqlite with a header alone", "var/lib/rpm/rpmdb.sqlite", noted("!unreadable var/lib/rpm/rpmdb.sqlite"), "SQLite format 3\x00"+strings.Repeat("\x00", 4000)),
		lock("rpm Berkeley of zeros", "var/lib/rpm/Packages", noted("!unreadable var/lib/rpm/Packages"), strings.Repeat("\x00", 8192)),
		lock("rpm ndb of zeros", "var/lib/rpm/Packages.db", noted("!unreadable var/lib/rpm/Packages.db"), strings.Repeat("\x00", 8192)),
		lock("npm lock of noise", "app/package-lock.json", noted("unreadable app/package-lock.json"), incompressible(4096)),
		lock("npm lock nested 100,000 deep", "app/package-lock.json", noted("!limit app/package-lock.json"), `{"lockfileVersion":3,"packages":`+strings.Repeat(`{"a":`, 1e5)+strings.Repeat("}", 1e5)+"}"),
		lock("npm lock whose packages need each other", "app/package-lock.json", shown("app", "a", "b"), `{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0","dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"}},"node_modules/b":{"version":"1.0.0","dependencies":{"a":"1"}}}}`),
		lock("npm lock with addresses to fetch", "app/package-lock.json", shown("app", "a"), `{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},"node_modules/a":{"version":"1.0.0","resolved":"http://169.254.169.254/a.tgz"}}}`),
		lock("pnpm lock with aliases that double", "app/pnpm-lock.yaml", noted("unsupported app/pnpm-lock.yaml"), aliasBomb()),
		lock("yarn lock of noise", "app/yarn.lock", noted("unreadable app/yarn.lock"), incompressible(4096)),
		lock("requirements with addresses to fetch", "app/requirements.txt", noted("unresolved app/requirements.txt", "unresolved app/requirements.txt"), "-r http://169.254.169.254/r.txt\n-i file:///etc/passwd\n-r /etc/passwd\n-c ../../../canary/file\na @ http://169.254.169.254/a.whl\nb==1.0\n").with("a", "b"),
		lock("requirements that include themselves", "app/requirements.txt", noted(), "-r requirements.txt\nb==1.0\n").with("b"),
		lock("poetry lock of noise", "app/poetry.lock", noted("unreadable app/poetry.lock"), incompressible(4096)),
		lock("poetry lock nested deep", "app/poetry.lock", noted("!limit app/poetry.lock"), "a="+strings.Repeat("[", 1e5)+strings.Repeat("]", 1e5)),
		lock("Pipfile lock cut", "app/Pipfile.lock", noted("unreadable app/Pipfile.lock"), `{"default":{"a":{"version":`),
		lock("pom with entities that double", "app/pom.xml", noted("unreadable app/pom.xml"), entityBomb()),
		lock("pom with an entity of the host", "app/pom.xml", noted("unreadable app/pom.xml"), `<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><project><groupId>a</groupId><artifactId>&x;</artifactId><version>1</version></project>`),
		lock("pom nested 100,000 deep", "app/pom.xml", noted("!limit app/pom.xml"), "<project>"+strings.Repeat("<a>", 1e5)+strings.Repeat("</a>", 1e5)+"</project>"),
		lock("pom that is its own parent", "app/pom.xml", noted(), "<project><parent><groupId>a</groupId><artifactId>b</artifactId><version>1</version></parent><groupId>a</groupId><artifactId>b</artifactId><version>${project.version}</version></project>").with("a:b"),
		lock("ELF with 2^32 sections", "bin/x", noted().with("bin/x"), elf(func(b []byte) { binary.LittleEndian.PutUint64(b[40:], 64); binary.LittleEndian.PutUint16(b[58:], 64) })),
		lock("ELF whose headers lie outside", "bin/x", noted("!limit bin/x").with("bin/x"), elf(func(b []byte) {
			binary.LittleEndian.PutUint64(b[32:], 1<<62)
			binary.LittleEndian.PutUint16(b[56:], 0xffff)
		})),
		lock("program with broken build information", "bin/x", noted().with("bin/x"), elf(func(b []byte) { copy(b[4096:], "\xff Go buildinf:\x08\x02\xff\xff\xff\xff") })),
		lock("PE of zeros", "bin/x.exe", noted(), "MZ"+strings.Repeat("\x00", 8190)),
		lock("Mach-O with a billion slices", "bin/x", noted().with("bin/x"), "\xca\xfe\xba\xbe\x00\x00\x00\x04"+strings.Repeat("\xff", 8190)),
		one("os-release that lies", noted(), file("etc/os-release", "ID=alpine\nVERSION_ID=3.20\n")),
		one("os-release twice the same key", noted(), file("etc/os-release", "ID=alpine\nID=debian\nVERSION_ID=12\n")),
		one("os-release that runs commands", shown(), file("etc/os-release", "ID=$(touch /tmp/x)\nVERSION_ID=`id`\n")),
		one("os-release of noise", noted("!unidentified "+status, "!unreadable etc/os-release"), file("etc/os-release", incompressible(4096))),
		one("os-release of 2 MB", noted("!unidentified "+status, "!limit etc/os-release"), file("etc/os-release", strings.Repeat("#", 2<<20))),
		one("os-release is missing", noted("!unidentified "+status), whiteout("etc/.wh.os-release")),
		one("package manifest with a control character", noted("unreadable opt/node_modules/x/package.json"), file("opt/node_modules/x/package.json", `{"name":"x\u0000y","version":"1\u001b[2J"}`)),
		one("package manifest with a name of a megabyte", shown(strings.Repeat("x", 1<<20)), file("opt/node_modules/x/package.json", `{"name":"`+strings.Repeat("x", 1<<20)+`","version":"1"}`)),
		one("package manifest with a version that is no text", noted("unreadable opt/node_modules/x/package.json"), file("opt/node_modules/x/package.json", `{"name":"x","version":{}}`)),
		one("databases of systems that are not read", noted("!unsupported var/db/xbps/pkgdb-0.38.plist", "unsupported app/nimble.lock"), file("var/db/xbps/pkgdb-0.38.plist", "<plist/>"), file("app/nimble.lock", "")),
	}, floods(class)...)
}

// heavy keeps a case to one place.
func (h hostile) heavy() hostile {
	h.large, h.as = true, []imagetest.Compression{imagetest.Gzip}
	return h
}

func levels(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint("org.example:level", i))
	}
	return out
}

func manyMembers(n int) []member {
	out := make([]member, n)
	for i := range out {
		out[i].name = fmt.Sprint("d/", i)
	}
	return out
}

func manyPackages(n int) []member {
	out := make([]member, n)
	for i := range out {
		out[i] = maven(fmt.Sprint("p", i))
	}
	return out
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("lockfileVersion: '9.0'\na0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 30 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	b.WriteString("packages: *a30\n")
	return b.String()
}

func entityBomb() string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE p [<!ENTITY e0 "xxxxxxxxxx">`)
	for i := range 30 {
		fmt.Fprintf(&b, `<!ENTITY e%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&e%d;", i), 10))
	}
	b.WriteString(`]><project><groupId>a</groupId><artifactId>&e30;</artifactId><version>1</version></project>`)
	return b.String()
}

// elf is a header and two pages.
func elf(change func([]byte)) string {
	b := make([]byte, 12<<10)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(b[16:], 2)
	binary.LittleEndian.PutUint16(b[18:], 62)
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint16(b[52:], 64)
	binary.LittleEndian.PutUint16(b[54:], 56)
	change(b)
	return string(b)
}

// floods are files that say more than there is room for.
func floods(class string) []hostile {
	numbered := func(name, path string, w want, head, line, tail string, n int) hostile {
		size := len(head) + len(fmt.Sprintf(line, 0))*n + len(tail)
		return grown(class, name, w, func(out io.Writer) {
			out.Write(entry{name: path, size: base256(size)}.bytes())
			io.WriteString(out, head)
			for i := range n {
				fmt.Fprintf(out, line, i)
			}
			io.WriteString(out, tail)
			if pad := size % 512; pad > 0 {
				out.Write(make([]byte, 512-pad))
			}
			out.Write(tarball())
		}).stored(imagetest.Gzip)
	}
	big := func(name, path string, w want, head, line, tail string, n int64) hostile {
		return grown(class, name, w, func(out io.Writer) {
			out.Write(entry{name: path, size: base256(len(head) + len(line)*int(n) + len(tail))}.bytes())
			io.WriteString(out, head)
			block := []byte(strings.Repeat(line, 1000))
			repeat(block, n/1000)(out)
			io.WriteString(out, tail)
			if pad := (len(head) + len(line)*int(n) + len(tail)) % 512; pad > 0 {
				out.Write(make([]byte, 512-pad))
			}
			out.Write(tarball())
		}).stored(imagetest.Gzip)
	}
	record := "Package: a\nStatus: a b c\nVersion: 1\n\n"
	return []hostile{
		big("dpkg with a million packages", status, noted("!limit "+status).unseen().with("a"), "", record, "", 1_000_000),
		big("dpkg with packages to just below a limit of size", status, noted("!limit "+status).unseen().with("a"), "", record, "", 1_700_000),
		big("dpkg with lines that go on", status, noted().unseen().with("a"), "Package: a\nStatus: a b c\nVersion: 1\nDepends: x\n", " y\n", "", 20_000_000),
		big("dpkg with dependencies by the million", status, noted("!limit "+status).unseen().with("a"), "", "Package: a\nStatus: a b c\nVersion: 1\nDepends: "+strings.Repeat("a,", 30_000)+"\n\n", "", 1000),
		big("dpkg with files by the ten million", "var/lib/dpkg/info/witness.list", noted("!limit var/lib/dpkg/info/witness.list"), "", "/\n/a\n", "", 10_000_000),
		big("apk with a million packages", "lib/apk/db/installed", noted("!limit lib/apk/db/installed").with("a"), "", "P:a\nV:1\n\n", "", 1_000_000),
		big("apk with files by the ten million", "lib/apk/db/installed", noted("!limit lib/apk/db/installed"), "P:a\nV:1\n", "R:a\n", "", 10_000_000),
		big("requirements with a million lines", "app/requirements.txt", noted("!limit app/requirements.txt"), "", "a==1\n", "", 1_000_000),
		numbered("dpkg with stanzas of many lines", status, noted("!limit "+status).counting(63), "", "Package: a%07d\nStatus: a b c\nVersion: 1\nDepends: x\n"+strings.Repeat(" ,y\n", 16_000)+"\n", "", 900),
		numbered("npm lock with 700,000 packages", "app/package-lock.json", noted("!limit app/package-lock.json").counting(100_001), `{"lockfileVersion":2,"packages":{"":{}`, `,"node_modules/%07d":{"version":"1"}`, `}}`, 700_000),
		numbered("requirements with 300,000 packages", "app/requirements.txt", noted("!limit app/requirements.txt").counting(100_001), "", "a%07d==1\n", "", 300_000),
		numbered("Gradle lock with 500,000 packages", "app/gradle.lockfile", noted("!limit app/gradle.lockfile").counting(100_001), "", "a:a%07d:1=c\n", "", 500_000),
	}
}
