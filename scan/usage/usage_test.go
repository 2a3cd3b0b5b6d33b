package usage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/usage"
)

// TestResolve: each way to start something, alone.
func TestResolve(t *testing.T) {
	for _, test := range []struct {
		name       string
		files      tree
		start      []string // the entrypoint
		env        []string
		dir        string
		reached    string // of bin/ and lib/ and so on, sorted, without the program that is started
		unresolved []string
	}{
		{name: "nothing", unresolved: []string{": the image starts nothing by itself"}},
		{name: "missing", start: []string{"run"}, unresolved: []string{": the image has no program run"}},
		{name: "a file that is no program", files: tree{"run": "data"}, start: []string{"/run"}, reached: "run", unresolved: []string{"run: it is started, and was not read as a program"}},
		{name: "relative", files: tree{"app/bin/run": "elf", "bin/run": "elf"}, start: []string{"bin/run"}, dir: "/app", reached: "app/bin/run"},
		{name: "the first of PATH", files: tree{"usr/bin/run": "elf", "opt/bin/run": "elf"}, start: []string{"run"}, env: []string{"PATH=/opt/bin:/usr/bin"}, reached: "opt/bin/run"},
		{name: "links", files: tree{"usr/bin/run": "-> /etc/alternatives/run", "etc/alternatives/run": "-> ../../opt/run-2", "opt/run-2": "elf"}, start: []string{"run"}, reached: "opt/run-2 usr/bin/run"},
		{name: "a cycle of links", files: tree{"bin/run": "-> bin2", "bin/bin2": "-> run"}, start: []string{"/bin/run"}, unresolved: []string{": the image has no program /bin/run"}},
		{name: "wrappers", files: tree{"sbin/tini": "elf", "bin/gosu": "elf", "bin/env": "elf", "bin/nice": "elf", "bin/timeout": "elf", "bin/run": "elf", "bin/other": "elf"},
			start: strings.Fields("tini -g -p SIGTERM -- gosu app env -u A B=1 nice -n 5 timeout -k 5 10 run other"), reached: "bin/env bin/gosu bin/nice bin/run bin/timeout sbin/tini"},
		{name: "setpriv, chpst, sudo, su-exec, dumb-init", files: tree{"bin/dumb-init": "elf", "bin/setpriv": "elf", "bin/chpst": "elf", "bin/sudo": "elf", "bin/su-exec": "elf", "bin/run": "elf"},
			start: strings.Fields("dumb-init --rewrite 15:3 -- setpriv --reuid 1000 --clear-groups chpst -u app sudo -E -u app A=b su-exec app run"), reached: "bin/chpst bin/dumb-init bin/run bin/setpriv bin/su-exec bin/sudo"},
		{name: "su", files: tree{"bin/su": "elf", "bin/sh": "elf", "bin/bash": "elf", "bin/run": "elf"}, start: []string{"su", "app", "-s", "/bin/bash", "-c", "exec run"}, reached: "bin/bash bin/run bin/su"},
		{name: "env that splits", files: tree{"bin/run": "#!/usr/bin/env -S bash -e\nother\n", "usr/bin/env": "elf", "bin/bash": "elf", "bin/other": "elf"}, start: []string{"run"}, reached: "bin/bash bin/other bin/run usr/bin/env"},
		{name: "applets", files: tree{"bin/busybox": "elf", "bin/sh": "-> busybox", "bin/nice": "-> busybox", "bin/run": "elf"}, start: strings.Fields("busybox nice sh -c run"), reached: "bin/busybox bin/run bin/sh"},
		{name: "the shell form", files: tree{"bin/sh": "elf", "bin/a": "elf", "bin/b": "elf", "bin/c": "elf"}, start: []string{"/bin/sh", "-c", "a && exec b --x $HOME"}, reached: "bin/a bin/b bin/sh"},
		{name: "the shell form of nothing", files: tree{"bin/sh": "elf"}, start: []string{"/bin/sh", "-c", "cd /srv && PORT=1 node x"}, reached: "bin/sh", unresolved: []string{"bin/sh: the image has no program node"}},
		{name: "exec of nothing", files: tree{"bin/sh": "elf", "run": "#!/bin/sh\noptional\nexec node x\n"}, start: []string{"/run"}, reached: "bin/sh run", unresolved: []string{"run: the image has no program node"}},
		{name: "a shell alone", files: tree{"bin/bash": "elf"}, start: []string{"bash"}, reached: "bin/bash", unresolved: []string{": a shell reads what to run from its input"}},
		{name: "a login shell", files: tree{"bin/sh": "elf", "bin/a": "elf"}, start: []string{"sh", "-lc", "a"}, reached: "bin/a bin/sh", unresolved: []string{"bin/sh: a login shell reads profiles, which are not followed"}},
		{name: "an interpreter that is missing", files: tree{"run": "#!/usr/bin/python\n"}, start: []string{"/run"}, reached: "run", unresolved: []string{"run: the image has no interpreter /usr/bin/python"}},
		{name: "s6", files: tree{"init": "#!/bin/sh\nexec /bin/s6-svscan\n", "bin/sh": "elf", "bin/s6-svscan": "elf", "package/admin/s6/x": "elf"}, start: []string{"/init"}, reached: "bin/s6-svscan bin/sh init",
			unresolved: []string{"bin/s6-svscan: s6 starts what its configuration says, which is not followed", "init: s6 starts what its configuration says, which is not followed"}},
		{name: "supervisord", files: tree{"bin/supervisord": "#!/bin/python3\n", "bin/python3": "elf"}, start: strings.Fields("supervisord -n"), reached: "bin/python3 bin/supervisord", unresolved: []string{"bin/supervisord: supervisord starts what its configuration says, which is not followed"}},
		{name: "other formats", files: tree{"run.exe": "elf format=pe"}, start: []string{"/run.exe"}, reached: "run.exe", unresolved: []string{"run.exe: what files in the format pe load is not followed"}},
		{name: "what is not known of a program", files: tree{"run": "elf unknown=truncated"}, start: []string{"/run"}, reached: "run", unresolved: []string{"run: truncated"}},
		{name: "libraries", files: tree{"run": "elf needs=liba.so,libb.so,libc.so,libd.so,libe.so,libf.so runpath=$ORIGIN/own:/opt/$LIB interp=/lib/ld.so", "own/liba.so": "so", "usr/lib/liba.so": "so", "opt/lib64/libb.so": "so",
			"ld/libc.so": "so", "usr/lib/x86_64-linux-gnu/libd.so": "-> libd.so.1", "usr/lib/x86_64-linux-gnu/libd.so.1": "so needs=libg.so", "srv/x/libe.so": "so", "lib/ld.so": "so", "lib/libg.so": "so"},
			start: []string{"/run"}, env: []string{"LD_LIBRARY_PATH=/ld"}, reached: "ld/libc.so lib/ld.so lib/libg.so opt/lib64/libb.so own/liba.so run srv/x/libe.so usr/lib/x86_64-linux-gnu/libd.so usr/lib/x86_64-linux-gnu/libd.so.1"},
		{name: "preloaded", files: tree{"run": "elf", "usr/lib/libjemalloc.so.2": "so"}, start: []string{"/run"}, env: []string{"LD_PRELOAD=libjemalloc.so.2"}, reached: "run usr/lib/libjemalloc.so.2"},
		{name: "PATH that a script sets", files: tree{"run": "#!/bin/sh\nexport PATH=/opt/bin:$PATH\nnext\n", "srv/next": "elf", "opt/bin/next": "#!/bin/sh\nlast\n", "opt/bin/last": "elf", "bin/sh": "elf"}, start: []string{"/run"}, dir: "/srv", reached: "bin/sh opt/bin/last opt/bin/next run"},
		{name: "variables", files: tree{"run": "#!/bin/sh\nBIN=/opt/a\nif x; then BIN=/opt/b; fi\n$BIN/go ${C:-/opt/c/go} \n\"${D:-/opt/d/go}\"\n$E /opt/e/go\n", "opt/a/go": "elf", "opt/b/go": "elf", "opt/c/go": "elf", "opt/d/go": "elf", "opt/e/go": "elf", "bin/sh": "elf"},
			start: []string{"/run"}, reached: "bin/sh opt/a/go opt/b/go opt/d/go opt/e/go run"},
		{name: "a variable with several words", files: tree{"run": "#!/bin/sh\nCMD='nice -n 5 a'\nexec $CMD\n", "bin/nice": "elf", "bin/a": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/a bin/nice bin/sh run"},
		{name: "a name with a space", files: tree{"run": "#!/bin/sh\nD='/opt/my app'\n\"$D/go\"\nE='/opt/my app/on'\n\"$E\"\n", "opt/my app/go": "elf", "opt/my app/on": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/sh opt/my app/go opt/my app/on run"},
		{name: "the folder above a link", files: tree{"srv": "-> opt/x/y", "opt/x/go": "elf", "go": "elf"}, start: []string{"/srv/../go"}, reached: "opt/x/go"},
		{name: "functions and arguments", files: tree{"run": "#!/bin/sh\nas() { shift; \"$@\"; }\nunused() { c; }\nas app a\nas app b x\n", "bin/a": "elf", "bin/b": "elf", "bin/c": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/a bin/b bin/sh run"},
		{name: "commands from elsewhere", files: tree{"opt/run": "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\nstart a\n", "opt/lib.sh": "#!/bin/sh\nstart() { exec \"$1\"; }\n", "bin/a": "elf", "bin/sh": "elf"}, start: []string{"/opt/run"}, reached: "bin/a bin/sh opt/lib.sh opt/run"},
		{name: "commands from a folder", files: tree{"run": "#!/bin/sh\nfor f in /etc/init.d/*.sh; do . $f; done\n", "etc/init.d/1.sh": "#!/bin/sh\na\n", "etc/init.d/2.sh": "data", "etc/init.d/3": "#!/bin/sh\nb\n", "bin/a": "elf", "bin/b": "elf", "bin/sh": "elf"}, start: []string{"/run"},
			reached: "bin/a bin/sh etc/init.d/1.sh etc/init.d/2.sh run", unresolved: []string{"etc/init.d/2.sh: a script reads commands from it, and they were not read"}},
		{name: "a name made at run time", files: tree{"run": "#!/bin/sh\nread x\n\"$x\"\n\"$x/bin/a\"\n", "opt/bin/a": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/sh opt/bin/a run", unresolved: []string{"run: a program is started by a name that is made at run time: ${x}"}},
		{name: "eval", files: tree{"run": "#!/bin/sh\nX=a\neval \"$X -x\"\neval \"b $(date)\"\n", "bin/a": "elf", "bin/b": "elf", "bin/date": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/a bin/b bin/date bin/sh run", unresolved: []string{"run: eval runs a text that is made at run time: b ${}"}},
		{name: "trap", files: tree{"run": "#!/bin/sh\ntrap 'a' EXIT\ntrap \"b $x\" INT\n", "bin/a": "elf", "bin/b": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/a bin/b bin/sh run"},
		{name: "find and xargs", files: tree{"run": "#!/bin/sh\nfind / -exec a {} + | xargs -n 1 b\n", "bin/find": "elf", "bin/xargs": "elf", "bin/a": "elf", "bin/b": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/a bin/b bin/find bin/sh bin/xargs run"},
		{name: "input of a shell", files: tree{"run": "#!/bin/sh\ncurl x | sh\n", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/sh run", unresolved: []string{"run: a shell reads what to run from its input"}},
		{name: "the folder of a script", files: tree{"run": "#!/bin/sh\ncd /opt\n./a\ncd \"$x\" && cd $(date)\n./b\n", "opt/a": "elf", "opt/b": "elf", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/sh opt/a opt/b run", unresolved: []string{"run: a path is relative to a folder that is made at run time: ./a", "run: a path is relative to a folder that is made at run time: ./b"}},
		{name: "a script that starts itself", files: tree{"run": "#!/bin/sh\nexec \"$0\" again \"$@\"\n", "bin/sh": "elf"}, start: []string{"/run"}, reached: "bin/sh run", unresolved: []string{"run: it is started in too many ways"}},
		{name: "scripts that start each other", files: tree{"a": "#!/bin/sh\n/b\n", "b": "#!/bin/sh\n/a\n", "bin/sh": "elf"}, start: []string{"/a"}, reached: "a b bin/sh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := image(test.files, test.start, nil)
			in.Env, in.WorkingDir = test.env, test.dir
			v := usage.Resolve(in)
			var got []string
			for p := range v.Reached {
				got = append(got, p)
			}
			slices.Sort(got)
			if d := cmp.Diff(test.reached, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(test.unresolved, reasons(v)); d != "" {
				t.Error(d)
			}
			check(t, in, v)
		})
	}
}

// TestLanguages: what can be said of where code lies.
func TestLanguages(t *testing.T) {
	programs := tree{"bin/python3.12": "elf", "bin/node": "elf", "opt/jdk/bin/java": "elf", "bin/perl5.36": "elf", "bin/ruby": "elf", "bin/php": "elf", "bin/sh": "elf", "usr/bin/dotnet": "elf",
		"app/app.jar": "data", "app/main.js": "data", "app/x.py": "data", "app/sub/package.json": "data", "app/sub/src/y.js": "data", "app/app.dll": "data", "opt/lib/b.jar": "data", "top.jar": "data",
		"usr/lib/dart/bin/dart": "elf", "bin/swipl": "elf", "app/main.dart": "data"}
	for _, test := range []struct {
		start, env, want string
		complete         bool
	}{
		{"python3.12 -u x.py", "", "python@*", true},
		{"python3.12 -um http.server", "", "python@*", true},
		{"python3.12 -W ignore -c pass", "", "python@*", true},
		{"python3.12", "", "python@*", false},
		{"python3.12 other.py", "", "python@*", false},
		{"node main.js", "", "node@app/,node_modules/", true},
		{"node --enable-source-maps -r dotenv sub/src/y --port 80", "", "node@app/,app/node_modules/,app/sub/,node_modules/", true},
		{"node -e 1", "", "node@*", true},
		{"node", "", "node@*", false},
		{"/opt/jdk/bin/java -Xmx1g -jar app.jar --x", "", "java@app/,app/app.jar", true},
		{"/opt/jdk/bin/java -jar /top.jar", "", "java@*", true},
		{"/opt/jdk/bin/java -cp /opt/lib/*:/app/app.jar Main", "", "java@app/,app/app.jar,opt/lib/", true},
		{"/opt/jdk/bin/java -Dhome=/srv/x -jar /opt/lib/b.jar", "", "java@app/,opt/,opt/lib/b.jar,srv/x/", true},
		{"/opt/jdk/bin/java -jar app.jar", "JAVA_TOOL_OPTIONS=-javaagent:/opt/a.jar", "java@*", true},
		{"/opt/jdk/bin/java @args", "", "java@*", false},
		{"/opt/jdk/bin/java -jar other.jar", "", "java@*", false},
		{"perl5.36 -e 1", "", "perl@*", true},
		{"dotnet app.dll", "", "dotnet@*", true},
		{"php -S 0.0.0.0:80", "", "php@*", true},
		{"sh -c 'ruby'", "", "ruby@*", false},
		{"/usr/lib/dart/bin/dart --enable-asserts main.dart", "", "dart@*", true},
		{"/usr/lib/dart/bin/dart run", "", "dart@*", false},
		{"swipl -g main app.pl", "", "prolog@*", true},
	} {
		in := image(programs, strings.Fields(test.start), nil)
		in.WorkingDir = "/app"
		if test.env != "" {
			in.Env = []string{test.env}
		}
		v := usage.Resolve(in)
		if got := languages(v); got != test.want || v.Complete != test.complete {
			t.Errorf("%s: %s, complete %v: %q; want %s", test.start, got, v.Complete, reasons(v), test.want)
		}
		check(t, in, v)
	}
	l := usage.Language{Roots: []string{"app/", "opt/a.jar"}}
	for p, want := range map[string]bool{"app/x": true, "app": false, "opt/a.jar": true, "opt/a.jar.b": false, "application/x": false} {
		if l.Contains(p) != want {
			t.Errorf("%s: %v", p, !want)
		}
	}
}

func TestChains(t *testing.T) {
	in := image(tree{"run": "#!/bin/sh\n/a\n/b\n", "a": "elf needs=libz.so", "b": "elf needs=liby.so", "lib/libz.so": "so needs=libx.so", "lib/liby.so": "so needs=libx.so", "lib/libx.so": "-> libx.so.1", "lib/libx.so.1": "so", "bin/sh": "elf"}, []string{"/run"}, nil)
	v := usage.Resolve(in)
	if d := cmp.Diff([]string{"run", "a", "lib/libz.so", "lib/libx.so", "lib/libx.so.1"}, v.Chain("lib/libx.so.1")); d != "" {
		t.Error(d)
	}
	for range 5 {
		if d := cmp.Diff(v, usage.Resolve(in)); d != "" {
			t.Fatal(d)
		}
	}
}

func ExampleResolve() {
	in := image(tree{
		"usr/bin/start": "#!/bin/sh\nset -e\nexec \"$@\"\n", "bin/sh": "elf", "usr/bin/server": "elf needs=libssl.so.3", "usr/bin/other": "elf", "usr/lib/libssl.so.3": "so",
	}, []string{"start"}, []string{"server", "--port", "80"})
	v := usage.Resolve(in)
	fmt.Println(v.Complete, strings.Join(v.Chain("usr/lib/libssl.so.3"), " → "))
	// Output: true usr/bin/start → usr/bin/server → usr/lib/libssl.so.3
}
