package usage

import (
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// plugin is a folder from which a program or library loads whatever lies there, by names
// that are in a configuration or made at run time.
type plugin struct {
	by     string // how the name of the program, or of the library, begins
	folder string // the name of a folder on the way to the files, or how it begins before "*"
	file   string // how their names begin
}

// pluginFolders are those that are common in images.
var pluginFolders = []plugin{
	{"apache2", "modules", ""}, {"httpd", "modules", ""}, {"nginx", "modules", ""}, {"postgres", "postgresql", ""}, {"postgres", "pgsql*", ""},
	{"mysqld", "plugin", ""}, {"mariadbd", "plugin", ""}, {"redis-server", "modules", ""}, {"valkey-server", "modules", ""}, {"slapd", "ldap", ""},
	{"libpam.so", "security", ""}, {"libc.so.6", "gconv", ""}, {"libc.so.6", "*", "libnss_"},
	{"libcrypto.so", "engines*", ""}, {"libcrypto.so", "ossl-modules", ""}, {"libsasl2.so", "sasl2", ""}, {"libkrb5.so", "krb5", ""},
	{"libgio-2.0.so", "gio", ""}, {"libgstreamer-1.0.so", "gstreamer-1.0", ""}, {"libMagickCore", "ImageMagick*", ""}, {"libgdk_pixbuf", "gdk-pixbuf*", ""},
	{"libcamel", "evolution*", ""}, {"libasound.so", "alsa-lib", ""}, {"libp11-kit.so", "pkcs11", ""}, {"libvlc.so", "vlc", ""},
	{"libxtables.so", "xtables", ""}, {"iptables", "xtables", ""}, {"libodbc.so", "odbc", ""}, {"libgphoto2.so", "libgphoto2", ""},
}

// plugins reaches what a program is known to load from a folder.
func (r *resolver) plugins(p string, prog *analyzer.Program) {
	for _, known := range pluginFolders {
		if r.plugged[known] || !strings.HasPrefix(base(p), known.by) && !strings.HasPrefix(prog.Soname, known.by) {
			continue
		}
		r.plugged[known] = true
		r.objects(p, func(q string) bool { return segment(q, known.folder) && strings.HasPrefix(base(q), known.file) })
	}
}

// loadable reports whether a program is one that Linux's loaders load.
func loadable(p *analyzer.Program) bool { return p.Kind == analyzer.SharedObject && isELF(p) }

// objectsOf are all programs that loaders load.
func (f *files) objectsOf() []string {
	if f.loadables == nil {
		f.loadables = []string{}
		for _, p := range f.paths {
			if prog := f.Programs[p]; prog != nil && loadable(prog) {
				f.loadables = append(f.loadables, p)
			}
		}
	}
	return f.loadables
}

// objects reaches all shared objects that want agrees to, from a program that may load them.
func (r *resolver) objects(from string, want func(p string) bool) {
	for _, q := range r.objectsOf() {
		if want(q) {
			r.reach(from, q)
		}
	}
}

// tree reaches the shared objects below a folder, which ends in a slash. Folders of the
// system's programs hold much that a program among them does not load.
func (r *resolver) tree(from, folder string) {
	if folder == "/" || folder == "bin/" || folder == "sbin/" || strings.HasPrefix(folder, "usr/") && strings.HasSuffix(folder, "bin/") {
		return
	}
	for _, q := range r.below(folder) {
		if prog := r.Programs[q]; r.step(1) && prog != nil && loadable(prog) {
			r.reach(from, q)
		}
	}
}
