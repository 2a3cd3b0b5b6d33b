package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completed is what a shell is offered for the last of words.
func completed(t *testing.T, run func(...string) (int, string, string), words ...string) []string {
	t.Helper()
	code, out, complaint := run(append([]string{"__completeNoDesc"}, words...)...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", words, code, complaint)
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if len(lines) == 0 || !strings.HasPrefix(lines[len(lines)-1], ":") {
		t.Fatalf("%v: no directive: %q", words, out)
	}
	return lines[:len(lines)-1]
}

func TestComplete(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := writeTourFiles("."); err != nil {
		t.Fatal(err)
	}
	run := commands(t, "SOURCE_DATE_EPOCH="+tourEpoch)
	for _, line := range []string{"db import records", "scan oci:shop -q --policy policy.yaml --save monday"} {
		if code, _, complaint := run(tourWords(line)...); code != 0 && code != exitBlocked {
			t.Fatalf("%s: exit code %d: %s", line, code, complaint)
		}
	}
	for _, c := range []struct {
		typed string // the last word is what is being typed
		want  []string
		not   []string
	}{
		{"sc", []string{"scan", "scans"}, nil},
		{"scan do", []string{"docker://", "docker-archive:", "docker-daemon:"}, []string{"oci:"}},
		{"scan oci:s", []string{"oci:shop/"}, []string{"oci:policy.yaml"}},
		{"scan sbom:po", []string{"sbom:policy.yaml"}, nil},
		{"scan x --policy ", []string{"default", "policy.yaml", "records/"}, nil},
		{"scan x -o ", []string{"table", "json", "ndjson", "template=", "packages", "sarif", "verdict", "cyclonedx-json", "spdx-json"}, []string{""}},
		{"scan x -o json=po", []string{"json=policy.yaml"}, nil},
		{"scans list -o ", []string{"table", "json"}, []string{"sarif"}},
		{"scan x --sbom-format ", []string{"spdx", "cyclonedx", "cyclonedx-xml"}, nil},
		{"scan x --fail-on ", []string{"low", "critical"}, []string{"none"}},
		{"scan x --severity low,h", []string{"low,high"}, []string{"low,low"}},
		{"scan x --platform linux/a", []string{"linux/amd64", "linux/arm64"}, nil},
		{"db update --source de", []string{"debian"}, nil},
		{"db update --source kev,ep", []string{"kev,epss"}, []string{"kev,kev"}},
		{"db search ", []string{"PyPI", "Alpine:v3.20"}, nil},
		{"replay ", []string{"monday"}, []string{"shop/"}},
		{"diff monday ", []string{"monday"}, nil},
		{"explain mo", []string{"monday"}, nil},
		{"explain p", []string{"pkg:", "policy.yaml"}, nil},
		{"explain monday ", []string{"CVE-2099-1001", "CVE-2099-1002"}, []string{"CVE-2099-1003"}},
		{"explain monday --package ", []string{"zlib", "requests"}, []string{"musl"}},
		{"vex add f --status ", []string{"not_affected", "fixed"}, nil},
		{"vex add f --justification ", []string{"component_not_present"}, nil},
		{"completion ", []string{"bash", "zsh", "fish", "powershell"}, nil},
		{"scans show ", nil, []string{"monday"}},
		{"policy test x ", nil, nil},
	} {
		got := completed(t, run, strings.Split(c.typed, " ")...)
		for _, want := range c.want {
			if !slices.Contains(got, want) {
				t.Errorf("stella %s: %q is not offered: %q", c.typed, want, got)
			}
		}
		for _, not := range c.not {
			if slices.Contains(got, not) {
				t.Errorf("stella %s: %q is offered", c.typed, not)
			}
		}
	}
}

// TestCompleteScans: the scans of a server are offered, and one that does not answer is
// neither waited for nor complained of.
func TestCompleteScans(t *testing.T) {
	server, _ := startServer(t)
	run := commands(t, "STELLA_SERVER="+server.url)
	if code, _, complaint := run("login", "-q"); code != 0 {
		t.Fatal(complaint)
	}
	code, id, complaint := run("scan", "registry.example/complete:1", "--detach")
	if code != 0 {
		t.Fatal(complaint)
	}
	for _, words := range [][]string{{"scans", "show", ""}, {"explain", "scan-"}, {"scans", "cancel", "scan-", "--server", server.url}} {
		if words[len(words)-1] == server.url {
			words = []string{"scans", "cancel", "--server", server.url, "scan-"}
		}
		if got := completed(t, run, words...); !slices.Contains(got, strings.TrimSpace(id)) {
			t.Errorf("%v: %q, want %s", words, got, id)
		}
	}
	if got := completed(t, run, "scans", "list", "--server", ""); !slices.Contains(got, server.url) {
		t.Errorf("servers with a login: %q", got)
	}
	deaf := commands(t, "STELLA_SERVER=http://127.0.0.1:1", "STELLA_TOKEN=t")
	begun := time.Now()
	code, out, complaint := deaf("__completeNoDesc", "scans", "show", "")
	if code != 0 || strings.Contains(complaint, "127.0.0.1") || !strings.HasPrefix(out, ":") || time.Since(begun) > 20*completeTimeout {
		t.Errorf("a server that is not there: exit code %d after %v, %q, %q", code, time.Since(begun), out, complaint)
	}
}

// TestCompletionScripts: each shell has its script, and bash, where it is here, completes
// by it.
func TestCompletionScripts(t *testing.T) {
	run := commands(t)
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, complaint := run("completion", name); code != 0 || !strings.Contains(out, "__complete") {
			t.Errorf("%s: exit code %d, %d bytes, %s", name, code, len(out), complaint)
		}
	}
	if code, _, _ := run("completion", "tcsh"); code != exitUsage {
		t.Errorf("another shell: exit code %d, want %d", code, exitUsage)
	}
	if code, out, _ := run("completion", "--help"); code != 0 || !strings.Contains(out, "bash-completion/completions/stella") {
		t.Errorf("help does not say how to install: %s", out)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	dir := t.TempDir()
	_, script, _ := run("completion", "bash")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"script": script,
		// What bash-completion would do, as far as the script asks for it.
		"type": `_init_completion() { cur="${COMP_WORDS[COMP_CWORD]}"; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; return 0; }
_get_comp_words_by_ref() { cur="${COMP_WORDS[COMP_CWORD]}"; prev="${COMP_WORDS[COMP_CWORD-1]}"; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
__ltrim_colon_completions() { :; }
compopt() { :; }
source "$1/script"
COMP_WORDS=(stella scan x --fail-on "")
COMP_CWORD=4
COMP_LINE="stella scan x --fail-on "
COMP_POINT=${#COMP_LINE}
COMP_TYPE=9
__start_stella
printf '%s\n' "${COMPREPLY[@]}"
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The program that testscript runs under the name of the command is this test.
	if err := os.Symlink(self, filepath.Join(dir, "stella")); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(bash, "--norc", filepath.Join(dir, "type"), dir)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	for _, want := range []string{"low", "medium", "high", "critical"} {
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(l string) bool { return strings.TrimSpace(l) == want }) {
			t.Errorf("bash does not offer %q: %s", want, out)
		}
	}
}
