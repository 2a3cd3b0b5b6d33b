package shell_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/shell"
)

// lines writes commands down: words between slashes where they have spaces.
func lines(commands [][]string) (out []string) {
	for _, c := range commands {
		words := slices.Clone(c)
		for i, w := range words {
			if w == "" || strings.ContainsAny(w, " \n|") {
				words[i] = fmt.Sprintf("%q", w)
			}
		}
		out = append(out, strings.Join(words, " | "))
	}
	return out
}

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		name, src string
		want      []string
	}{
		{"words", `nginx -g 'daemon off;' "a b"c\ d ""`, []string{`nginx | -g | "daemon off;" | "a bc d" | ""`}},
		{"nothing", "# only a comment\n\n", nil},
		{"quoted dollars", `awk '{print $1}' "\$x" \$y`, []string{`awk | "{print $$1}" | $$x | $$y`}},
		{"parameters", `exec "$@" $* "$1" ${2} "${NAME}" $NAME "$0" ${10} $# "${arr[@]}" ${BASH_SOURCE[0]}`,
			[]string{`exec | $@ | $@ | $1 | $2 | ${NAME} | ${NAME} | $0 | ${} | ${} | ${arr[@]} | ${BASH_SOURCE}`}},
		{"operators", `a ${X:-/bin/x} ${X-y} ${X:+"a b"} ${X:?no} ${X%%.*} ${X/a/b} ${!X} ${#X} ${0%/*}`,
			[]string{`a | ${X:-/bin/x} | ${X:-y} | "${X:+a b}" | ${X} | ${} | ${} | ${} | ${} | "${dir $0}"`}},
		{"operators within", `a "${X:-${Y:-$Z/bin}}" ${X:-a\}b}`, []string{`a | ${X:-${Y:-${Z}/bin}} | ${X:-${}}`}},
		{"assigning", `: "${HOME_DIR:=/srv}"; "$HOME_DIR/run"`, []string{`: | ${HOME_DIR:-/srv}`, `HOME_DIR=/srv`, `${HOME_DIR}/run`}},
		{"patterns", `ls *.sh /etc/init.d/[a-z]?x '*' [ a = b ]`, []string{`ls | $[].sh | /etc/init.d/$[]$[]x | * | [ | a | = | b | ]`}},
		{"homes", `~/bin/x ~root/x "~/y" a~`, []string{`${HOME}/bin/x | ${} | ~/y | a~`}},
		{"braces", `cp /a/{b,c} {} '{a,b}'`, []string{`cp | /a/${} | {} | {a,b}`}},
		{"ansi", `a $'x y' $'\x41' $"t"`, []string{`a | "x y" | ${} | t`}},
		{"assignments", `A=1 B="$A/x" run; C=2; export D=$C E; readonly F; local "$g"="$h"; PATH+=:/x`,
			[]string{`A=1 | B=${A}/x | run`, `C=2`, `export | D=${C} | E`, `readonly | F`, `local | ${g}=${h}`, `PATH+=:/x`}},
		{"arrays", `cmd=( mysqld "$@" ); cmd+=( --x ); exec "${cmd[@]}"`, []string{`cmd()= | mysqld | $@`, `cmd()+= | --x`, `exec | ${cmd[@]}`}},
		{"flow", "if a; then b; elif c; then d; else e; fi; while f; do g; done; until h; do i; done\ncase $x in y) j ;; *) k; esac\n! l && m || n &\n( o; { p; } ); time q",
			strings.Split("abcdefghijklmnopq", "")},
		{"pipes", "a | b |& c", []string{"a", "b", "c"}},
		{"functions", "f() { a \"$1\"; }\nfunction g { f b; }\ng", []string{"f() | {", "a | $1", "f() | }", "g() | {", "f | b", "g() | }", "g"}},
		{"loops", `for x in a "$@" /etc/*.d; do "$x"; done; for y; do z; done; for ((i=0;i<3;i++)); do w; done`,
			[]string{"for | x | in | a | $@ | /etc/$[].d", "${x}", "for | y | in | $@", "z", "w"}},
		{"substitutions", "echo \"$(a `b`)\" <(c) $((1+$(d))) >\"$(e)\"", []string{"echo | ${} | ${} | ${}", "a | ${}", "b", "c", "d", "e"}},
		{"known output", `"$(dirname "$0")/x" $(readlink -f "$1") "$(cd "$(dirname "$0")/.." >/dev/null && pwd -P)" $(command -v sh) $(pwd)/a`,
			[]string{`"${dir $0}/x" | $1 | "${dir $0}/.." | sh | ${PWD}/a`, `dirname | $0`, `readlink | -f | $1`, `dirname | $0`, `pwd | -P`, `command | -v | sh`, `pwd`}},
		{"here-document", "cat <<EOF\n$(a) ${B:=c}\nEOF\ncat <<'EOF'\n$(b)\nEOF\n", []string{"cat", "a", "B=c", "cat"}},
		{"trap", `trap 'kill -TERM $PID' TERM; trap - EXIT; trap -- 'a; trap "b" INT' EXIT; trap "$x" HUP`,
			[]string{`trap | "kill -TERM $$PID" | TERM`, "kill | -TERM | ${PID}", "trap | - | EXIT", `trap | -- | "a; trap \"b\" INT" | EXIT`, "a", "trap | b | INT", "b", "trap | ${x} | HUP"}},
		{"read from find", `find /docker-entrypoint.d/ -follow -type f -print | sort -V | while read -r f; do "$f"; done`,
			[]string{"find | /docker-entrypoint.d/ | -follow | -type | f | -print", "sort | -V", "f=/docker-entrypoint.d/${}", "${f}"}},
		{"read from elsewhere", `find /a -print | sed s/a/b/ | while read f; do :; done; find . | while read f; do :; done; x | while read g; do :; done`,
			[]string{"find | /a | -print", "sed | s/a/b/", "read | f", ":", "find | .", "read | f", ":", "x", "read | g", ":"}},
		{"over find", `for f in $(find /etc/init -name '*.sh' | sort); do . $f; done`,
			[]string{"for | f | in | /etc/init/${}", "find | /etc/init | -name | *.sh", "sort", ". | ${f}"}},
		{"where it is empty", `[ -z "$A" ] && A=$(cd x; pwd); if [ -z "${B:-}" ]; then B=b; C=c; fi; [[ -z $D ]] && export D=d; [ -n "$E" ] && E=e`,
			[]string{"[ | -z | ${A} | ]", "A=${A:-x}", "pwd", "[ | -z | ${B:-} | ]", "B=${B:-b}", "C=c", "export | D=${D:-d}", "[ | -n | ${E} | ]", "E=e"}},
		{"not UTF-8", "a 'x\xffy' # \xe9\nb", []string{"a | x${}y", "b"}},
		{"posix", "function=1\nf () (a)\n(( b ) )\n", []string{"function=1", "f() | {", "a", "f() | }", "b"}},
	} {
		got, err := shell.Commands([]byte(test.src))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if d := cmp.Diff(test.want, lines(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

// TestPieces: where a script is cut into pieces for the parser does not matter.
func TestPieces(t *testing.T) {
	const script = "a \"$(dirname \"$0\")/é\" ${b:-c} <<X $'d'\n${e} X\nX\nf() { g && `h`; }; i=(j \"$@\")\ncase $k in l|m) n;; esac\n"
	want, err := shell.Commands([]byte(script))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 300 {
		got, err := shell.Commands([]byte(strings.Repeat(" ", n) + script))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Fatalf("after %d spaces: %v %s", n, err, d)
		}
	}
}

// TestBroken: what stands before an error is told.
func TestBroken(t *testing.T) {
	got, err := shell.Commands([]byte("a\nb c\nif d\n"))
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff([]string{"a", "b | c"}, lines(got)); d != "" {
		t.Error(d)
	}
}

func TestHostile(t *testing.T) {
	const n = shell.MaxSource
	repeat := func(s string) string { return strings.Repeat(s, n/len(s)) }
	for _, test := range []struct {
		name, src string
		limit     bool // else any error, or none
	}{
		{"large", strings.Repeat("a\n", n), true},
		{"many commands", strings.Repeat("a;", 100_000), true},
		{"many words", repeat("a "), true},
		{"many functions", repeat("f(){ a;};"), true},
		{"joined", repeat("a&&")[6:] + "a", true},
		{"subshells", repeat("("), true},
		{"braces", repeat("{ "), true},
		{"substitutions", repeat("$("), true},
		{"substitutions in quotes", repeat("\"$("), true},
		{"parameters", repeat("${a:-"), true},
		{"ifs", repeat("if "), true},
		{"cases", repeat("case a in a)"), true},
		{"functions in functions", repeat("f()"), true},
		{"pipes", repeat("a|")[4:] + "a", true},
		{"negations in arithmetic", "((" + repeat("!")[4:], true},
		{"parentheses in arithmetic", "$((" + repeat("(")[4:], true},
		{"powers", "((" + repeat("1**")[9:] + "1))", true},
		{"tests", "[[ " + repeat("! ")[4:], true},
		{"test groups", "[[ " + repeat("( ")[4:], true},
		{"time", repeat("time "), true},
		{"elif", "if a;then b;" + strings.Repeat("elif a;then b;", n/20) + "fi", true},
		{"backquotes", repeat("`"), false},
		{"quotes", repeat(`"`), false},
		{"sums", "((" + strings.Repeat("1+", n/4) + "1))", false},
		{"here-documents", repeat("<<a "), false},
		{"here-documents in substitutions", repeat("<<a $("), true},
		{"escapes", repeat(`\`), false},
		{"zeros", repeat("\x00"), false},
		{"traps", strings.Repeat(`trap 'trap "trap \"a\" x" x' x;`, 4000), false},
		{"find and filters", "find /a|" + strings.Repeat("cat|", n/8) + "cat", true},
		{"defaults in defaults", strings.Repeat("${a:=", 250) + strings.Repeat("}", 250), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := shell.Commands([]byte(test.src))
			if test.limit && !errors.Is(err, fault.Limit) {
				t.Errorf("error %v", err)
			}
			if err != nil && fault.KindOf(err) == "" {
				t.Errorf("error %v has no kind", err)
			}
		})
	}
}

// TestDeepEnough: what people write is far from the bound of nesting.
func TestDeepEnough(t *testing.T) {
	for _, src := range []string{
		strings.Repeat("if a; then ", 60) + "b" + strings.Repeat("; fi", 60),
		strings.Repeat("$(", 60) + "b" + strings.Repeat(")", 60),
		strings.Repeat("a | ", 500) + "b",
		"if a; then b; " + strings.Repeat("elif a; then b; ", 300) + "fi",
		strings.Repeat("a && ", 5000) + "b",
	} {
		if _, err := shell.Commands([]byte(src)); err != nil {
			t.Errorf("%.30s…: %v", src, err)
		}
	}
}

// deeper calls Commands with more open calls.
func deeper(n int, src []byte) error {
	if n == 0 {
		_, err := shell.Commands(src)
		return err
	}
	return deeper(n-1, src)
}

// TestCallers: how deep the caller is does not matter.
func TestCallers(t *testing.T) {
	src := []byte(strings.Repeat("$(", 60) + "b" + strings.Repeat(")", 60))
	if err := deeper(shell.MaxFrames, src); err != nil {
		t.Error(err)
	}
}

func TestInvoked(t *testing.T) {
	for _, test := range []struct {
		words string
		want  shell.Invocation
	}{
		{"-c text", shell.Invocation{Text: "text", Args: []string{}, Inner: true}},
		{"-ec text a b", shell.Invocation{Text: "text", Args: []string{"a", "b"}, Inner: true}},
		{"-e -o pipefail -c text", shell.Invocation{Text: "text", Args: []string{}, Inner: true}},
		{"-lc text", shell.Invocation{Text: "text", Args: []string{}, Inner: true, Login: true}},
		{"--login /run a", shell.Invocation{File: "/run", Args: []string{"a"}, Login: true}},
		{"--rcfile x -- /run", shell.Invocation{File: "/run", Args: []string{}}},
		{"+x file -c", shell.Invocation{File: "file", Args: []string{"-c"}}},
		{"-s a", shell.Invocation{Args: []string{"a"}}},
		{"", shell.Invocation{}},
		{"-c", shell.Invocation{}},
		{"-", shell.Invocation{File: "-", Args: []string{}}},
	} {
		if d := cmp.Diff(test.want, shell.Invoked(strings.Fields(test.words))); d != "" {
			t.Errorf("%s: %s", test.words, d)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		word string
		want []shell.Part
	}{
		{"", nil},
		{"a$$b", []shell.Part{{Text: "a$b"}}},
		{"$@", []shell.Part{{Kind: shell.Args}}},
		{"${A}/$1x", []shell.Part{{Kind: shell.Param, Text: "A"}, {Text: "/"}, {Kind: shell.Param, Text: "1"}, {Text: "x"}}},
		{"${A:-${B:-c}}", []shell.Part{{Kind: shell.Default, Text: "A", Word: "${B:-c}"}}},
		{"${A:+c}", []shell.Part{{Kind: shell.Instead, Text: "A", Word: "c"}}},
		{"${dir ${dir $0}}", []shell.Part{{Kind: shell.Dir, Word: "${dir $0}"}}},
		{"${A[@]}", []shell.Part{{Kind: shell.Array, Text: "A"}}},
		{"a$[].b${}", []shell.Part{{Text: "a"}, {Kind: shell.Name}, {Text: ".b"}, {Kind: shell.Any}}},
		{"${a", []shell.Part{{Kind: shell.Param, Text: "a"}}},
		{"$", []shell.Part{{Kind: shell.Any}}},
		{"${a b}", []shell.Part{{Kind: shell.Any}}},
	} {
		if d := cmp.Diff(test.want, shell.Split(test.word)); d != "" {
			t.Errorf("%s: %s", test.word, d)
		}
	}
	if s, ok := shell.Static(shell.Quote("a$b$$")); !ok || s != "a$b$$" {
		t.Errorf("Quote reads back as %q, %v", s, ok)
	}
}

func FuzzCommands(f *testing.F) {
	for _, s := range []string{
		"exec \"$@\"", "f() { a; }; f", "${a:-${b}}", "cat <<A\n$(b)\nA\n", "a=(b c); x+=(\"$@\")", "$(dirname \"$0\")/x",
		"find /a | while read b; do . $b; done", "trap 'a' EXIT", "case a in b) c;; esac", "((a=1))", "[[ a =~ b ]]", "~/x {a,b} *[c]?",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := shell.Commands(slices.Clone(src))
		again, errAgain := shell.Commands(src)
		if d := cmp.Diff(got, again); d != "" || (err == nil) != (errAgain == nil) {
			t.Fatal("two readings differ")
		}
		if err != nil && fault.KindOf(err) == "" {
			t.Fatalf("error without a kind: %v", err)
		}
		for _, c := range got {
			if len(c) == 0 {
				t.Fatal("a command without words")
			}
			for _, w := range c {
				if !utf8.ValidString(w) {
					t.Fatalf("%q is not UTF-8", w)
				}
				for _, p := range shell.Split(w) {
					if p.Kind == shell.Text && p.Text == "" {
						t.Fatalf("%q has an empty part", w)
					}
				}
			}
			shell.Invoked(c)
		}
	})
}
