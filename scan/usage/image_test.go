package usage_test

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/shell"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/usage"
)

// tree describes files by path, by what their content begins with:
//
//	-> target          a symbolic link
//	#!                 a script
//	elf name=value …   an executable: needs, interp, runpath, soname, unknown
//	so name=value …    a shared object
//	anything else      a file that is no program
type tree map[string]string

// image makes the input of usage of it. Environment and working directory are the caller's.
func image(files tree, entrypoint, cmd []string) *usage.Image {
	links, data := map[string]string{}, map[string]bool{}
	in := &usage.Image{Entrypoint: entrypoint, Cmd: cmd, Programs: map[string]*analyzer.Program{}}
	for p, text := range files {
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			links[p] = target
		}
	}
	in.Resolve = func(p string) string { return follow(links, p) }
	for p, text := range files {
		p = in.Resolve(path.Dir(p)) + "/" + path.Base(p)
		p = strings.TrimPrefix(p, "/")
		word, rest, _ := strings.Cut(text, " ")
		switch {
		case links[p] != "" || word == "->":
		case strings.HasPrefix(text, "#!"):
			in.Programs[p] = script(text)
		case word == "elf" || word == "so":
			in.Programs[p] = object(word, rest)
		default:
			data[p] = true
		}
	}
	in.Exists = func(p string) bool { return data[p] }
	in.List = func(folder string) []string {
		var out []string
		for _, p := range slices.Sorted(maps.Keys(data)) {
			if strings.HasPrefix(p, folder+"/") {
				out = append(out, p)
			}
		}
		for p := range in.Programs {
			if strings.HasPrefix(p, folder+"/") {
				out = append(out, p)
			}
		}
		return out
	}
	return in
}

func script(text string) *analyzer.Program {
	line, _, _ := strings.Cut(text[2:], "\n")
	p := &analyzer.Program{Kind: analyzer.Script, Format: "script", Interpreter: strings.TrimSpace(line)}
	for _, w := range strings.Fields(line) {
		if shell.IsShell(path.Base(w)) {
			commands, err := shell.Commands([]byte(text))
			p.Commands = commands
			if err != nil {
				p.Unknown = err.Error()
			}
		}
	}
	return p
}

func object(word, rest string) *analyzer.Program {
	p := &analyzer.Program{Kind: analyzer.Executable, Format: "elf"}
	if word == "so" {
		p.Kind = analyzer.SharedObject
	}
	for _, f := range strings.Fields(rest) {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "needs":
			p.Needed = strings.Split(value, ",")
		case "interp":
			p.Interpreter = value
		case "runpath":
			p.RunPath = strings.Split(value, ":")
		case "soname":
			p.Soname = value
		case "unknown":
			p.Unknown = value
		case "format":
			p.Format = value
		}
	}
	return p
}

// follow resolves links as a kernel does.
func follow(links map[string]string, p string) string {
	done, rest := "", p
	for hops := 0; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = strings.TrimPrefix(path.Dir("/"+done), "/")
			continue
		}
		next := path.Join(done, part)
		target, ok := links[next]
		if !ok {
			done = next
			continue
		}
		if hops++; hops > 40 {
			return ""
		}
		if strings.HasPrefix(target, "/") {
			done = ""
		}
		rest = target + "/" + rest
	}
	return done
}

// with adds files to others.
func with(all ...tree) tree {
	out := tree{}
	for _, t := range all {
		maps.Copy(out, t)
	}
	return out
}

// debian and alpine are what all images of theirs have.
var debian = tree{
	"bin": "-> usr/bin", "lib": "-> usr/lib", "lib64": "-> usr/lib64", "sbin": "-> usr/sbin",
	"usr/bin/sh": "-> dash", "usr/bin/dash": "elf needs=libc.so.6 interp=/lib64/ld-linux-x86-64.so.2", "usr/bin/bash": "elf needs=libtinfo.so.6,libc.so.6 interp=/lib64/ld-linux-x86-64.so.2",
	"usr/lib64/ld-linux-x86-64.so.2":                "-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "so soname=ld-linux-x86-64.so.2",
	"usr/lib/x86_64-linux-gnu/libc.so.6":            "so needs=ld-linux-x86-64.so.2 soname=libc.so.6",
	"usr/lib/x86_64-linux-gnu/libtinfo.so.6":        "-> libtinfo.so.6.4", "usr/lib/x86_64-linux-gnu/libtinfo.so.6.4": "so needs=libc.so.6 soname=libtinfo.so.6",
	"usr/lib/x86_64-linux-gnu/libnss_files.so.2": "so needs=libc.so.6", "usr/lib/x86_64-linux-gnu/libcurl.so.4": "so needs=libc.so.6",
	"usr/bin/env": "elf needs=libc.so.6", "usr/bin/id": "elf needs=libc.so.6", "usr/bin/find": "elf needs=libc.so.6", "usr/bin/sort": "elf needs=libc.so.6",
	"usr/bin/perl": "elf needs=libc.so.6", "usr/bin/apt": "elf needs=libapt-pkg.so.6.0", "usr/bin/sed": "elf needs=libc.so.6", "usr/bin/mkdir": "elf", "usr/bin/chown": "elf",
	"usr/lib/x86_64-linux-gnu/libapt-pkg.so.6.0": "so needs=libc.so.6", "usr/lib/os-release": "data", "etc/os-release": "-> ../usr/lib/os-release",
}

var alpine = tree{
	"bin/busybox": "elf needs=libc.musl-x86_64.so.1 interp=/lib/ld-musl-x86_64.so.1", "bin/sh": "-> /bin/busybox", "bin/nice": "-> /bin/busybox", "usr/bin/find": "-> /bin/busybox",
	"usr/bin/id": "-> /bin/busybox", "bin/su": "-> /bin/busybox", "lib/ld-musl-x86_64.so.1": "so soname=libc.musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1": "-> ld-musl-x86_64.so.1",
	"usr/bin/wget": "-> /bin/busybox", "sbin/apk": "elf needs=libapk.so.2.14.0", "usr/lib/libapk.so.2.14.0": "so",
}
