package version

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pair is two versions that a real program is asked to compare.
type pair [2]string

// pairs builds n adversarial pairs: few pieces after the same start, so that
// much is equal, and half the time one is the other with a change.
func pairs(n int, start string, pieces ...string) []pair {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	list := make([]pair, n)
	for i := range list {
		a := choose(r, pieces)
		b := choose(r, pieces)
		if r.IntN(2) == 0 {
			cut := r.IntN(len(a))
			b = slices.Concat(a[:cut], b[:1], a[min(cut+r.IntN(3), len(a)):])
		}
		list[i] = pair{start + strings.Join(a, ""), start + strings.Join(b, "")}
	}
	return list
}

// choose picks one to eight pieces.
func choose(r *rand.Rand, pieces []string) []string {
	chosen := make([]string, 1+r.IntN(8))
	for i := range chosen {
		chosen[i] = pieces[r.IntN(len(pieces))]
	}
	return chosen
}

// program skips the test where the program is not installed.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: its order is not compared", name)
	}
	return path
}

// run gives a program its input and returns the lines of its output.
func run(t *testing.T, input string, name string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("%s does not run here: %v: %.300s", name, err, stderr.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// agree compares each pair, for which the program answered -1, 0, 1 or x for
// one that it refuses.
func agree(t *testing.T, ecosystem string, list []pair, answers []string) {
	t.Helper()
	if len(answers) != len(list) {
		t.Fatalf("%s: %d answers to %d pairs", ecosystem, len(answers), len(list))
	}
	valid := 0
	for i, p := range list {
		got := "x"
		if c, err := Compare(ecosystem, p[0], p[1]); err == nil {
			got = strconv.Itoa(c)
			valid++
		}
		if got != answers[i] {
			t.Errorf("%s: %q and %q: got %s, the program says %s", ecosystem, p[0], p[1], got, answers[i])
		}
	}
	t.Logf("%s: %d pairs, %d of them of valid versions", ecosystem, len(list), valid)
}

// lines joins pairs with a tab, one pair a line.
func lines(list []pair) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s\t%s\n", p[0], p[1])
	}
	return b.String()
}

// TestAgainstDpkg asks dpkg, which needs two processes a pair.
func TestAgainstDpkg(t *testing.T) {
	program(t, "dpkg")
	list := pairs(300, "1", "0", "1", "10", "01", "a", "b", "Z", ".", "+", "~", "-", "1:", "0:", "1.0", "2-1")
	const script = `while read -r a b; do
	if ! dpkg --validate-version "$a" || ! dpkg --validate-version "$b"; then echo x
	elif dpkg --compare-versions "$a" lt "$b"; then echo -1
	elif dpkg --compare-versions "$a" eq "$b"; then echo 0
	else echo 1; fi
done 2>/dev/null`
	agree(t, "Debian", list, run(t, lines(list), "sh", "-c", script))
}

func TestAgainstRPM(t *testing.T) {
	program(t, "rpm")
	list := pairs(3000, "", "0", "1", "10", "01", "a", "b", "Z", ".", "..", "+", "_", "~", "^", "-", "1:", ":", "1.0", "é")
	file := filepath.Join(t.TempDir(), "pairs")
	if err := os.WriteFile(file, []byte(lines(list)), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `%%{lua: for line in io.lines(%q) do
	local tab = string.find(line, "\t")
	print(rpm.vercmp(string.sub(line, 1, tab - 1), string.sub(line, tab + 1)) .. " ")
end}`
	out := strings.Join(run(t, "", "rpm", "--eval", fmt.Sprintf(script, file)), "\n")
	agree(t, "Red Hat", list, strings.Fields(out))
}

func TestAgainstPackaging(t *testing.T) {
	program(t, "python3")
	list := pairs(3000, "1", "0", "1", "10", "01", "a", "b", "rc", "pre", "dev", "post", "r", "c", ".", "-", "_", "+", "1!", "v", "1.0", "é", "A")
	const script = `
import sys, warnings
warnings.simplefilter("ignore")
sys.stdin.reconfigure(encoding="utf-8")
from pip._vendor.packaging.version import parse, LegacyVersion
for line in sys.stdin:
    a, b = (parse(v) for v in line.rstrip("\n").split("\t"))
    print((a > b) - (a < b))
`
	agree(t, "PyPI", list, run(t, lines(list), "python3", "-c", script))
}

// nodeSemver returns the folder of the semver package that npm brings along.
func nodeSemver(t *testing.T) string {
	t.Helper()
	program(t, "node")
	program(t, "npm")
	root := run(t, "", "npm", "root", "-g")
	folder := filepath.Join(root[len(root)-1], "npm", "node_modules", "semver")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("npm brings no semver along: its order is not compared: %v", err)
	}
	return folder
}

func TestAgainstNodeSemver(t *testing.T) {
	folder := nodeSemver(t)
	list := pairs(3000, "1.0.0", "0", "1", "10", "01", "a", "B", ".", "-", "-", "+", "-rc", "-0.", "x")
	// A fourth number is refused here. In loose mode node-semver takes digits
	// off the third one to make a pre-release of it: 1.2.34.5 is 1.2.3-4.5.
	const script = `
const semver = require(process.argv[1]), fs = require("fs");
const parse = v => /^[v=]*\d+\.\d+\.\d+\./.test(v) ? null : semver.parse(v, {loose: true});
for (const line of fs.readFileSync(0, "utf8").split("\n").slice(0, -1)) {
	const [a, b] = line.split("\t").map(parse);
	console.log(a && b ? String(semver.compare(a, b)) : "x");
}`
	agree(t, "npm", list, run(t, lines(list), "node", "-e", script, folder))
}

// TestAgainstNodeRanges asks node-semver for the comparators of ranges, in all
// four combinations of options, and whether they hold a version.
func TestAgainstNodeRanges(t *testing.T) {
	folder := nodeSemver(t)
	pieces := []string{"1", "0", "x", "*", "1.x", "X.2", "1.2.x", "0.2", "0.0", "1.2.3", "0.0.1", "0.0.0", "v2.0.0", "=1.2.3", "1.2.3-a.1",
		"1.2.3-0", "2.x.x-a+b", "1.2.3+b.1", "01.2.3", "1.2.3beta", "9007199254740991.0.0", "> 1", "<= 1.2.3", "< 1.x", ">= 0.0.1-0", "= v1.2", "~ 1.2", "~> 1", "^ 0.0.1",
		"^1", "^0.2", "^0.0.1-a", "~1", "~0.2.3", "~>1.2", ">1", "<=1.x", "<1", ">=0.0.0", ">=0.0.0-0", "<0.0.0-0", "-", "||", "||", ""}
	versions := []string{"0.0.0", "0.0.1", "0.0.2-0", "0.2.5", "1.0.0", "1.2.3", "1.2.3-a.1", "1.2.3-b", "1.3.0-a", "1.9.9", "2.0.0-0", "2.0.0", "10.1.0"}
	var list []pair
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		list = append(list, pair{strings.Join(choose(r, pieces), " "), versions[i%len(versions)]})
	}
	const script = `
const semver = require(process.argv[1]), fs = require("fs");
for (const line of fs.readFileSync(0, "utf8").split("\n").slice(0, -1)) {
	const [range, version] = line.split("\t"), row = [];
	for (const options of [{}, {loose: true}, {includePrerelease: true}, {loose: true, includePrerelease: true}]) {
		let r = null;
		try { r = new semver.Range(range, options) } catch {}
		row.push(r === null ? "invalid" : (r.range || "*") + " " + r.test(version));
	}
	console.log(JSON.stringify(row));
}`
	options := []NPMOptions{{}, {Loose: true}, {IncludePrerelease: true}, {Loose: true, IncludePrerelease: true}}
	invalid := 0
	for i, answer := range run(t, lines(list), "node", "-e", script, folder) {
		var want []string
		if err := json.Unmarshal([]byte(answer), &want); err != nil {
			t.Fatal(err)
		}
		for j := range options {
			got := "invalid"
			if r, err := ParseNPMRange(list[i][0], &options[j]); err == nil {
				got = fmt.Sprintf("%s %v", r, r.Contains(list[i][1]).State == Yes)
			} else {
				invalid++
			}
			if got != want[j] {
				t.Errorf("range %q, %+v, of %s: got %s, node-semver says %s", list[i][0], options[j], list[i][1], got, want[j])
			}
		}
	}
	t.Logf("%d ranges with 4 options each, %d invalid", len(list), invalid)
}
