package hostile

import (
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

const (
	status    = "var/lib/dpkg/status"
	statusOf2 = "Package: second\nStatus: install ok installed\nVersion: 2.0\nArchitecture: amd64\n\n"
)

// links are symbolic and hard links that lead where they should not.
func links() []hostile {
	const class = "link"
	e := npm("opt", "seen")
	one := func(name string, w want, entries ...entry) hostile {
		return layered(class, name, w, tarball(entries...))
	}
	two := func(name string, w want, lower, upper []entry) hostile {
		return layered(class, name, w, tarball(lower...), tarball(upper...))
	}
	list := func(e ...entry) []entry { return e }
	return []hostile{
		one("well-known file leads to the host", noted("!uncaptured "+status).unseen(), symlink(status, "/../../../../etc/hostname")),
		one("well-known file leads to this machine's own", noted("!uncaptured "+status).unseen(), symlink(status, "/proc/self/environ")),
		one("well-known file leads to itself", noted("!uncaptured "+status).unseen(), symlink(status, "status")),
		one("well-known file in a cycle of two", noted("!uncaptured "+status).unseen(), symlink(status, "other"), symlink("var/lib/dpkg/other", "status")),
		one("well-known file leads to a folder", noted("!uncaptured "+status).unseen(), symlink(status, "/etc"), folder("etc/")),
		one("well-known file leads to a device", noted("!uncaptured "+status).unseen(), symlink(status, "/dev/zero"), entry{name: "dev/zero", flag: '3'}),
		one("well-known file leads to nothing", noted("!uncaptured "+status).unseen(), symlink(status, "")),
		one("well-known file through 39 links", shown("second").unseen(), chain(39)...),
		one("well-known file through 41 links", noted("!uncaptured "+status).unseen(), chain(41)...),
		one("well-known file through 10,000 links", noted("!uncaptured "+status).unseen(), chain(10_000)...),
		one("link to a later entry", shown("second").unseen(), symlink(status, "/srv/db"), file("srv/db", statusOf2)),
		one("link that climbs out and comes back", shown("second").unseen(), symlink(status, "../../../../../../srv/db"), file("srv/db", statusOf2)),
		one("link with slashes and dots", shown("second").unseen(), symlink(status, "/.//srv/./x/..//db"), file("srv/db", statusOf2), folder("srv/x/")),
		one("link target of 5000 bytes", failed(image.ErrLimit, "layer sha256:", "4096", "5000"), pax(record("linkpath", strings.Repeat("a", 5000))), symlink(status, "x")),
		one("links that double a path", noted("!uncaptured "+status).unseen(), doubling()...),
		one("folder is a link out of the root", noted().unseen().with("second"), symlink("var/lib/dpkg", "../../../../srv"), file("srv/status", statusOf2)),
		one("folder is a link to itself", noted().unseen(), symlink("var", "var")).
			reported("!uncaptured "+status, "!uncaptured var/lib/chisel/manifest.wall", "!uncaptured var/lib/dpkg/diversions", "!uncaptured var/lib/opkg/status").
			reported("!uncaptured var/lib/rpm/Packages", "!uncaptured var/lib/rpm/Packages.db", "!uncaptured var/lib/rpm/rpmdb.sqlite", "!uncaptured var/lib/rpm/rpmdb.sqlite-journal", "!uncaptured var/lib/rpm/rpmdb.sqlite-wal", "!uncaptured var/lib/rpmmanifest/container-manifest-1", "!uncaptured var/lib/rpmmanifest/container-manifest-2"),
		two("folder becomes a link in a layer above", shown("second").unseen(), list(file("srv/status", statusOf2)), list(symlink("var/lib/dpkg", "/srv"))),
		two("entry through a link of a layer below", shown("seen"), list(symlink("app", "opt")), list(npm("app", "seen"))),
		one("entry through a link of its own layer", shown("seen"), symlink("app", "opt"), npm("app", "seen")),
		one("entry through a link to the host", shown("seen"), symlink("app", "/../../../../tmp"), npm("app", "seen")),
		one("database through a link of its own layer", shown("second").unseen(), symlink("v", "var"), file("v/lib/dpkg/status", statusOf2)),
		one("file over a link", shown("second").unseen(), symlink(status, "/srv/nothing"), file(status, statusOf2)),
		one("link over a file", noted("!uncaptured "+status).unseen(), file(status, statusOf2), symlink(status, "/srv/nothing")).
			reported("oddity " + status),
		one("link with a NUL", shown("second").unseen(), symlink(status, "/srv/db\x00/etc/passwd"), file("srv/db", statusOf2)),
		one("link that is not UTF-8", shown("second").unseen(), symlink(status, "/srv/\xff"), file("srv/\xff", statusOf2)).
			reported("oddity srv/%FF"),
		one("hard link to what is missing", noted("!uncaptured "+status).unseen(), hardlink(status, "srv/db")),
		one("hard link to the host", noted("!uncaptured "+status).unseen(), hardlink(status, "/../../../../etc/hostname")),
		one("hard link to itself", noted("!uncaptured "+status).unseen(), hardlink(status, status)),
		one("hard links in a cycle", noted("!uncaptured "+status, "!uncaptured srv/a").unseen(), hardlink(status, "srv/a"), hardlink("srv/a", status)),
		one("hard link to a folder", noted("!uncaptured "+status).unseen(), folder("srv/"), hardlink(status, "srv")),
		one("hard link to a link", shown("second").unseen(), file("srv/db", statusOf2), symlink("srv/l", "/srv/db"), hardlink(status, "srv/l")),
		one("hard link to a device", shown().unseen(), entry{name: "srv/dev", flag: '3'}, hardlink(status, "srv/dev")),
		one("hard link to a later entry", noted("!uncaptured "+status).unseen(), hardlink(status, "srv/db"), file("srv/db", statusOf2)),
		two("hard link to another layer", noted("!uncaptured "+status).unseen(), list(file("srv/db", statusOf2)), list(hardlink(status, "srv/db"))),
		one("hard link to a file that is then removed", shown("second").unseen(), file("srv/db", statusOf2), hardlink(status, "srv/db"), whiteout("srv/.wh.db")),
		one("hard link to a file that is then replaced", shown("second").unseen(), file("srv/db", statusOf2), hardlink(status, "srv/db"), file("srv/db", "x")),
		one("hard link with content", failed(image.ErrInvalid, "layer sha256:", "checksum"), file("srv/db", statusOf2), entry{name: status, link: "srv/db", flag: '1', data: strings.Repeat("x", 512)}),
		one("hard link through a symbolic link", noted("!uncaptured "+status).unseen(), file("srv/db", statusOf2), symlink("s", "srv"), hardlink(status, "s/db")),
		one("package file by a hard link", shown("seen"), file("srv/x", e.data), hardlink(e.name, "srv/x")),
		one("package file by a symbolic link", shown(), file("srv/x", e.data), symlink(e.name, "/srv/x")),
		one("the root is a link", noted("oddity layer").with("seen"), symlink("./", "/tmp"), e),
		grown(class, "100,000 hard links to one database", shown("second").unseen(), manyLinks(100_000)),
		grown(class, "symbolic links over the memory for them", failed(image.ErrLimit, "memory"), manySymlinks(450_000)).stored(imagetest.Gzip),
	}
}

// reported adds gaps to what is wanted.
func (h hostile) reported(gaps ...string) hostile {
	h.want.gaps = append(h.want.gaps, gaps...)
	return h
}

// chain is the database behind n links.
func chain(n int) []entry {
	out := []entry{symlink(status, "/srv/0"), file(fmt.Sprint("srv/", n-1), statusOf2)}
	for i := range n - 1 {
		out = append(out, symlink(fmt.Sprint("srv/", i), fmt.Sprint(i+1)))
	}
	return out
}

// doubling is a path that would double with each of 30 links.
func doubling() []entry {
	out := []entry{symlink(status, "/d30"), folder("d0/")}
	for i := range 30 {
		out = append(out, symlink(fmt.Sprint("d", i+1), fmt.Sprintf("d%d/../d%d", i, i)))
	}
	return out
}

func manyLinks(n int) func(io.Writer) {
	return func(w io.Writer) {
		w.Write(noEnd(file("srv/db", statusOf2)))
		for i := range n {
			w.Write(hardlink(fmt.Sprint("opt/", i), "srv/db").bytes())
		}
		w.Write(tarball(hardlink(status, "srv/db")))
	}
}

func manySymlinks(n int) func(io.Writer) {
	return func(w io.Writer) {
		for i := range n {
			name := fmt.Sprintf("%07d%080d", i, 0) // no two begin alike
			w.Write(symlink(name, name).bytes())
		}
		w.Write(tarball())
	}
}

// whiteouts are removals, by the rules of the OCI image-spec.
func whiteouts() []hostile {
	const class = "whiteout"
	e := npm("opt", "seen")
	dir := "opt/node_modules/"
	stack := func(name string, w want, layers ...[]entry) hostile {
		var tars [][]byte
		for _, l := range layers {
			tars = append(tars, tarball(l...))
		}
		return layered(class, name, w, tars...)
	}
	list := func(e ...entry) []entry { return e }
	base := list(e)
	return []hostile{
		stack("of a file", shown(), base, list(whiteout(dir+"seen/.wh.package.json"))),
		stack("of a folder", shown(), base, list(whiteout(dir+".wh.seen"))),
		stack("of a folder above", shown(), base, list(whiteout(".wh.opt"))),
		stack("of a file of its own layer, before it", shown("seen"), list(whiteout(dir+"seen/.wh.package.json"), e)),
		stack("of a file of its own layer, after it", shown("seen"), list(e, whiteout(dir+"seen/.wh.package.json"))),
		stack("of what is not there", shown("seen"), base, list(whiteout("usr/.wh.nothing"))),
		stack("without a name", noted("oddity "+dir+".wh.").with("seen"), base, list(whiteout(dir+".wh."))),
		stack("of a dot", noted("oddity "+dir+".wh..").with("seen"), base, list(whiteout(dir+".wh.."))),
		stack("of the folder above by dots", noted("oddity "+dir+".wh...").with("seen"), base, list(whiteout(dir+".wh..."))),
		stack("of the root", noted("oddity .wh.").with("seen"), base, list(whiteout(".wh."))),
		stack("with dots in its path", shown(), base, list(whiteout("usr/../"+dir+".wh.seen"))),
		stack("that leads out of the root", noted("oddity .wh.opt"), base, list(whiteout("../../.wh.opt"))),
		stack("through a link to the host", shown("seen"), append(list(symlink("out", "/../../../../tmp")), base...), list(whiteout("out/.wh.stella-canary"), whiteout("out/../.wh.nothing"))),
		stack("with content", shown(), base, list(file(dir+".wh.seen", "content"))),
		stack("that is a folder", shown(), base, list(folder(dir+".wh.seen/"))),
		stack("that is a link", shown(), base, list(symlink(dir+".wh.seen", "/etc/passwd"))),
		stack("and the file again above", shown("seen"), base, list(whiteout(dir+".wh.seen")), base),
		stack("and the file again beside it", shown("seen"), base, list(whiteout(dir+".wh.seen"), e)),
		stack("of a whiteout", noted("oddity "+dir+".wh..wh.seen").with("seen"), base, list(whiteout(dir+".wh..wh.seen"))),
		stack("aufs housekeeping", noted("oddity .wh..wh.plnk", "oddity .wh..wh.aufs").with("seen"), base, list(whiteout(".wh..wh.plnk"), whiteout(".wh..wh.aufs"))),
		stack("overlay device 0/0", shown(), base, list(entry{name: dir + "seen/package.json", flag: '3'})),
		stack("opaque folder", shown(), base, list(whiteout(dir+"seen/.wh..wh..opq"))),
		stack("opaque folder, filled before", shown("new"), base, list(npm("opt", "new"), whiteout(dir+".wh..wh..opq"))),
		stack("opaque folder, filled after", shown("new"), base, list(whiteout(dir+".wh..wh..opq"), npm("opt", "new"))),
		stack("opaque root", noted("!oddity /").with("new").unseen(), base, list(whiteout(".wh..wh..opq"), npm("opt", "new"))),
		stack("opaque below a file", shown(), base, list(whiteout(dir+"seen/package.json/.wh..wh..opq"))),
		stack("opaque with content", shown(), base, list(file(dir+".wh..wh..opq", "content"))),
		stack("opaque of the layer alone", shown("seen"), list(whiteout(dir+".wh..wh..opq"), e)),
		stack("folder replaced by a file", shown(), base, list(file("opt", "x"))),
		stack("file replaced by a folder", shown(), base, list(folder(e.name+"/"))),
		stack("folder again keeps what is in it", shown("seen"), base, list(folder("opt/"), folder(dir))),
		stack("of the database", shown().unseen(), list(whiteout("var/lib/dpkg/.wh.status"))),
		stack("not UTF-8", noted("oddity opt/%FF/"+e.name, "oddity opt/.wh.%FF"), list(npm("opt/\xff/opt", "seen")), list(whiteout("opt/.wh.\xff"))),
		{class: class, name: "by the hundred thousand", want: shown(), large: true, kit: over(whole(tarball(e)), func(w io.Writer) {
			for i := range 100_000 {
				w.Write(whiteout(fmt.Sprintf("usr/.wh.%d", i)).bytes())
			}
			w.Write(tarball(whiteout(dir + ".wh.seen")))
		}), as: []imagetest.Compression{imagetest.Gzip}},
	}
}
