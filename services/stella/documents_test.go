package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"
)

// docFiles are the Markdown files of the repository, but for those of test data.
func docFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir("../..", func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != "../..") {
			return filepath.SkipDir
		}
		if filepath.Ext(p) == ".md" {
			out = append(out, p)
		}
		return err
	})
	if err != nil || len(out) < 20 {
		t.Fatalf("%d documents, %v", len(out), err)
	}
	return out
}

// docFence is a block of code of a document.
type docFence struct {
	language string
	line     int // of its first line of code
	text     string
}

// docFences returns the blocks of code of a document in their order.
func docFences(text string) []docFence {
	var out []docFence
	var open *docFence
	for i, line := range strings.Split(text, "\n") {
		mark, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &docFence{language: mark, line: i + 2}
		case isFence:
			out, open = append(out, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}

// TestDocumentedCommands: each command line of stella in a document names a command that
// there is, with flags and as many arguments as it takes.
func TestDocumentedCommands(t *testing.T) {
	found := 0
	for _, doc := range docFiles(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range docFences(string(text)) {
			if f.language != "" && f.language != "sh" && f.language != "console" {
				continue
			}
			for i, line := range docLines(f.text) {
				for _, args := range docInvocations(line) {
					found++
					if err := docParses(args); err != nil {
						t.Errorf("%s, in the block at line %d, command %d: stella %s: %v", doc, f.line, i+1, strings.Join(args, " "), err)
					}
				}
			}
		}
	}
	if found < 70 {
		t.Errorf("%d commands in the blocks of all documents: too few to be all", found)
	}
}

// docInline is a command in running text. Those with an ellipsis or an alternative are
// no command lines.
var docInline = regexp.MustCompile("`(stella [a-z][^`\n]*)`")

// TestDocumentedVerbs: what running text calls a command is one.
func TestDocumentedVerbs(t *testing.T) {
	root := (&program{stdout: io.Discard, stderr: io.Discard}).rootCommand()
	for _, doc := range docFiles(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range docInline.FindAllStringSubmatch(string(text), -1) {
			words := strings.Fields(m[1])[1:]
			cmd := root
			for len(words) > 0 && cmd.HasSubCommands() && !strings.ContainsAny(words[0], "|…<[-") {
				i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == words[0] })
				if i < 0 {
					if cmd.Runnable() && cmd != root && cmd.Args != nil && cmd.Args(cmd, words[:1]) == nil {
						break // an argument of a command that has others below it
					}
					t.Errorf("%s: `%s`: there is no %s %s", doc, m[1], cmd.CommandPath(), words[0])
					break
				}
				cmd, words = cmd.Commands()[i], words[1:]
			}
			cmd.InitDefaultHelpFlag()
			for _, w := range words {
				if flag, ok := strings.CutPrefix(w, "--"); ok {
					flag, _, _ = strings.Cut(strings.TrimRight(flag, ".,;:…"), "=")
					if flag != "" && cmd.Flags().Lookup(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil {
						t.Errorf("%s: `%s`: %s has no --%s", doc, m[1], cmd.CommandPath(), flag)
					}
				}
			}
		}
	}
}

// docParses reports what is wrong with the arguments of a command line; it runs nothing.
func docParses(args []string) error {
	root := (&program{stdout: io.Discard, stderr: io.Discard}).rootCommand()
	root.InitDefaultHelpFlag()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return nil
	}
	if left := cmd.Flags().Args(); cmd.Args != nil {
		return cmd.Args(cmd, left)
	}
	return nil
}

// docLines joins what backslashes continue, and leaves out here-documents.
func docLines(text string) []string {
	var out []string
	var until, long string
	for line := range strings.SplitSeq(text, "\n") {
		if until != "" {
			if strings.TrimSpace(line) == until {
				until = ""
			}
			continue
		}
		if strings.Contains(line, "─") {
			continue // a picture
		}
		line = long + strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		if head, ok := strings.CutSuffix(line, `\`); ok {
			long = head
			continue
		}
		long = ""
		if m := regexp.MustCompile(`<<-?'?(\w+)'?`).FindStringSubmatch(line); m != nil {
			until = m[1]
		}
		out = append(out, line)
	}
	return out
}

// docInvocations returns the arguments of each call of stella in a line of a shell. It knows
// quotes, comments, pipes, lists and redirections; a line that begins otherwise than with
// stella, "go run ./services/stella" or one behind a pipe has none.
func docInvocations(line string) [][]string {
	var out [][]string
	for _, words := range docWords(line) {
		for len(words) > 0 && (regexp.MustCompile(`^[A-Z_]+=`).MatchString(words[0]) || slices.Contains([]string{"until", "if", "!", "while", "do", "then", "time"}, words[0])) {
			words = words[1:]
		}
		if len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./services/stella" {
			words = append([]string{"stella"}, words[3:]...)
		}
		if len(words) > 1 && (words[0] == "stella" || words[0] == "./stella") && words[1] != "…" {
			out = append(out, words[1:])
		}
	}
	return out
}

// docWords splits a line into its simple commands and these into words, without
// redirections.
func docWords(line string) [][]string {
	var out [][]string
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	end := func() {
		if inWord {
			words = append(words, word.String())
			word.Reset()
			inWord = false
		}
	}
	command := func() {
		end()
		out, words = append(out, docUnredirected(words)), nil
	}
	runes := []rune(line)
	for i, r := range runes {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == '#' && !inWord:
			command()
			return out
		case r == ' ' || r == '\t':
			end()
		case r == ';' || r == '|' && !(inWord && i+1 < len(runes) && runes[i+1] != ' ' && runes[i+1] != '|') || r == '&' && !(i > 0 && runes[i-1] == '>'):
			command()
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	command()
	return out
}

// docUnredirected leaves redirections out.
func docUnredirected(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		m := regexp.MustCompile(`^[0-9]?(>>?|<|>&)(.*)$`).FindStringSubmatch(words[i])
		switch {
		case m == nil:
			out = append(out, words[i])
		case m[2] == "":
			i++ // the file is a word of its own
		}
	}
	return out
}

// docTask is a section of a document that has commands and what they print.
type docTask struct {
	title, script string
	want          []string // lines of what it prints, in their order
}

func docTasks(t *testing.T, document string) []docTask {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", document))
	if err != nil {
		t.Fatal(err)
	}
	var out []docTask
	for _, section := range regexp.MustCompile(`(?m)^## `).Split(string(text), -1)[1:] {
		title, body, _ := strings.Cut(section, "\n")
		n := docTask{title: title}
		if !strings.Contains(body, "```sh\n") {
			continue // where to go from here
		}
		for _, f := range docFences(body) {
			switch f.language {
			case "sh":
				n.script += f.text
			case "text":
				n.want = append(n.want, strings.Split(strings.TrimSpace(f.text), "\n")...)
			}
		}
		if len(n.want) == 0 {
			t.Errorf("%s: %q has nothing that its commands print", document, title)
		}
		out = append(out, n)
	}
	return out
}

// TestNewcomer does the tasks of docs/tasks.md literally: in a copy of the samples, with a
// home of its own, one after another, where no network is.
func TestNewcomer(t *testing.T) {
	if !alone(t) {
		return // another process, without a network, did it
	}
	all := docTasks(t, "tasks.md")
	if len(all) != 20 {
		t.Errorf("%d tasks, not 20", len(all))
	}
	done := docDo(t, all)
	t.Logf("%d of %d tasks", done, len(all))
}

// TestDocumentedTour does docs/tour.md in the same way.
func TestDocumentedTour(t *testing.T) {
	if !alone(t) {
		return
	}
	docDo(t, docTasks(t, "tour.md"))
}

// TestDocumentedVEX does docs/vex.md in the same way.
func TestDocumentedVEX(t *testing.T) {
	if !alone(t) {
		return
	}
	docDo(t, docTasks(t, "vex.md"))
}

// docDo does tasks one after another in one folder and returns how many came out as they say.
func docDo(t *testing.T, all []docTask) (done int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(samplesFolder)); err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		t.Run(n.title, func(t *testing.T) {
			if strings.Contains(n.script, "127.0.0.1:5000") {
				docRegistry(t, filepath.Join(dir, "shop.tar"))
			}
			if printed := n.run(t, dir); !t.Failed() {
				n.compare(t, printed)
			}
			if !t.Failed() {
				done++
			}
		})
	}
	return done
}

// run has a shell do the task, and does what a login asks of a person.
func (n *docTask) run(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-u", "-c", n.script)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "NO_COLOR=1", "TMPDIR=" + t.TempDir()}
	var out, complaints docOutput
	complaints.heard = func(text string) {
		if m := docDevicePage.FindStringSubmatch(text); m != nil {
			go docPerson(t, m[1], m[2], filepath.Join(dir, "stella-data", "initial-password"))
		}
	}
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s\n%s\n%s", err, n.script, out.String(), complaints.String())
	}
	return out.String()
}

// compare demands the wanted lines in their order. White space counts as one space, "…" as
// anything, and a line may go on.
func (n *docTask) compare(t *testing.T, printed string) {
	t.Helper()
	lines := strings.Split(printed, "\n")
	for _, want := range n.want {
		var parts []string
		for part := range strings.SplitSeq(want, "…") {
			parts = append(parts, regexp.QuoteMeta(strings.Join(strings.Fields(part), " ")))
		}
		match := regexp.MustCompile(strings.Join(parts, ".*"))
		i := slices.IndexFunc(lines, func(line string) bool { return match.MatchString(strings.Join(strings.Fields(line), " ")) })
		if i < 0 {
			t.Errorf("no line like %q, after those before it, in\n%s", want, printed)
			return
		}
		lines = lines[i+1:]
	}
}

// docOutput is what a process wrote. heard is told of each text at once.
type docOutput struct {
	mu    sync.Mutex
	text  strings.Builder
	heard func(string)
}

func (s *docOutput) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard != nil {
		s.heard(string(b))
	}
	return s.text.Write(b)
}

func (s *docOutput) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var docDevicePage = regexp.MustCompile(`open (http://\S+/device) and enter the code ([A-Z]{4}-[A-Z]{4})`)
var docPageToken = regexp.MustCompile(`name="page" value="([^"]+)"`)

// docPerson opens the page that a login names, logs in, and allows it.
func docPerson(t *testing.T, page, code, passwordFile string) {
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		t.Error(err)
		return
	}
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	text, err := docRead(browser.Get(page))
	forms := []url.Values{
		{"action": {"login"}, "user_code": {code}, "tenant": {"default"}, "login": {"admin"}, "password": {strings.TrimSpace(string(password))}},
		{"action": {"allow"}},
	}
	for _, form := range forms {
		m := docPageToken.FindStringSubmatch(text)
		if err != nil || m == nil {
			t.Errorf("%s: %v: %s", page, err, text)
			return
		}
		form.Set("page", m[1])
		r, _ := http.NewRequest("POST", page, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", strings.TrimSuffix(page, "/device"))
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		text, err = docRead(browser.Do(r))
	}
	if err != nil {
		t.Error(err)
	}
}

func docRead(resp *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s: %s", resp.Status, text))
	}
	return string(text), err
}

// docRegistry is a registry at 127.0.0.1:5000 that has the sample image.
func docRegistry(t *testing.T, archive string) {
	t.Helper()
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference("127.0.0.1:5000/shop:1")
	if err == nil {
		err = remote.Write(ref, img, remote.WithContext(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}
