package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/sources"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
)

const completionHelp = `Write a script that has a shell complete commands, flags, and what they take: formats,
policies, sources, ecosystems, severities, verdicts that were kept, vulnerabilities of a
verdict, and the scans of a server (--server or STELLA_SERVER, where a login is kept; a
server that does not answer within a second is not waited for).

For this session:

  bash        source <(stella completion bash)
  zsh         source <(stella completion zsh)
  fish        stella completion fish | source
  powershell  stella completion powershell | Out-String | Invoke-Expression

For every session:

  bash        stella completion bash > ~/.local/share/bash-completion/completions/stella
              (the package bash-completion must be there)
  zsh         stella completion zsh > "${fpath[1]}/_stella"
              (with "autoload -U compinit; compinit" in ~/.zshrc)
  fish        stella completion fish > ~/.config/fish/completions/stella.fish
  powershell  stella completion powershell >> $PROFILE

Exit codes: 0 written, 64 wrong arguments.`

func (p *program) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Write the script that has a shell complete what is typed",
		Long:      completionHelp,
		Example:   "  source <(stella completion bash)",
		Args:      usage(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(p.stdout)
		},
	}
}

// completer says what may stand for a word that is being typed.
type completer = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

const (
	noFiles = cobra.ShellCompDirectiveNoFileComp
	noSpace = cobra.ShellCompDirectiveNoSpace
	files   = cobra.ShellCompDirectiveDefault
	folders = cobra.ShellCompDirectiveFilterDirs
)

// complete has all commands below root complete what they take. A flag or a command that
// has a completion of its own keeps it.
func (p *program) complete(root *cobra.Command) *cobra.Command {
	root.CompletionOptions.DisableDefaultCmd = true
	flags, args := p.flagCompleters(), p.argCompleters()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			c := flags[f.Name]
			if own := flags[cmd.CommandPath()+" --"+f.Name]; own != nil {
				c = own
			}
			if c == nil && f.Name == "output" && strings.HasPrefix(f.Usage, "FORMAT") {
				c = outputCompleter(f)
			}
			if c != nil {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, c) // an error says that it has one
			}
		})
		if c := args[cmd.CommandPath()]; c != nil && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = c
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return root
}

// oneOf completes one of a few words.
func oneOf[T ~string](list ...T) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = string(s)
		}
		return out, noFiles
	}
}

// listOf completes the last of words that are separated by commas, with those that do
// not stand there yet.
func listOf[T ~string](list ...T) completer {
	return func(_ *cobra.Command, _ []string, toComplete string) (out []string, _ cobra.ShellCompDirective) {
		before := toComplete[:strings.LastIndex(toComplete, ",")+1]
		there := strings.Split(before, ",")
		for _, s := range list {
			if !slices.Contains(there, string(s)) {
				out = append(out, before+string(s))
			}
		}
		return out, noFiles | noSpace
	}
}

// wordsOrFile completes words, and files.
func wordsOrFile(list ...string) completer {
	return func(_ *cobra.Command, _ []string, toComplete string) (out []string, _ cobra.ShellCompDirective) {
		for _, s := range list {
			if strings.HasPrefix(s, toComplete) {
				out = append(out, s)
			}
		}
		names, _ := filesAt(toComplete)
		return append(out, names...), noSpace
	}
}

func onlyFolders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, folders
}

// outputCompleter completes the formats that the usage of -o lists, and then a file.
func outputCompleter(f *pflag.Flag) completer {
	_, list, _ := strings.Cut(f.Usage, ": ")
	list, _, _ = strings.Cut(list, ";")
	var formats []string
	for name := range strings.SplitSeq(list, ", ") {
		name, _, _ = strings.Cut(name, " ")
		if before, _, ok := strings.Cut(name, "="); ok {
			name = before + "="
		}
		if name != "" && !slices.Contains(formats, name) {
			formats = append(formats, name)
		}
	}
	return func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if name, file, ok := strings.Cut(toComplete, "="); ok {
			if at, isFile := strings.CutPrefix(file, "@"); name == "template" && !isFile {
				return nil, noFiles | noSpace
			} else if isFile {
				return prefixedFiles("template=@", at), noSpace
			}
			return prefixedFiles(name+"=", file), noSpace
		}
		return formats, noFiles | noSpace
	}
}

// flagCompleters are those of flags, by the name, or by command and name where a name
// means several things.
func (p *program) flagCompleters() map[string]completer {
	severities := []string{"low", "medium", "high", "critical"}
	var names []string
	for _, s := range sources.All() {
		names = append(names, s.Describe().Name)
	}
	return map[string]completer{
		"policy":                         wordsOrFile("default"),
		"stella verify --policy":         wordsOrFile(),
		"sbom-format":                    oneOf(append([]string{"spdx", "cyclonedx"}, format.Writable()...)...),
		"fail-on":                        oneOf(severities...),
		"severity":                       listOf(append([]string{"unknown", "none"}, severities...)...),
		"stella db update --source":      listOf(names...),
		"platform":                       oneOf("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/ppc64le", "linux/riscv64", "linux/s390x", "windows/amd64"),
		"stella vex add --status":        oneOf(vex.Statuses...),
		"justification":                  oneOf(vex.Justifications...),
		"stella scans list --state":      oneOf(scan.States()...),
		"stella notify preview --sample": listOf(sampleNames()...),
		"outcome":                        listOf(policy.Pass, policy.Warn, policy.NotAssessed, policy.Block, policy.Error),
		"stella verify --type":           oneOf("spdxjson", "cyclonedx", "vulns", "openvex", "verdict", "evidence"),
		"stella attest --type":           oneOf("spdxjson", "cyclonedx", "vulns", "openvex", "verdict", "evidence"),
		"server":                         p.completeServers,
		"db":                             onlyFolders, "save": onlyFolders, "keep": onlyFolders, "cache-dir": onlyFolders,
		"replay":  p.completeKept,
		"package": p.completePackages,
	}
}

// argCompleters are those of arguments, by command.
func (p *program) argCompleters() map[string]completer {
	first := func(c completer) completer {
		return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, noFiles
			}
			return c(cmd, args, toComplete)
		}
	}
	return map[string]completer{
		"stella scan":           first(completeSources),
		"stella attest":         first(completeSources),
		"stella verify":         first(completeSources),
		"stella explain":        p.completeExplain,
		"stella policy explain": p.completeExplain,
		"stella replay":         first(p.completeKept),
		"stella diff":           p.completeKept,
		"stella scans show":     first(p.completeScans), "stella scans cancel": first(p.completeScans), "stella scans export": first(p.completeScans),
		"stella db approve": first(p.flagCompleters()["stella db update --source"]),
		"stella db search":  first(p.completeEcosystems),
		"stella man":        first(onlyFolders),
		"stella tour":       oneOf[string](), "stella demo": oneOf[string](), "stella version": oneOf[string](),
	}
}

// filesAt lists the files and folders that begin with a text, folders with a slash.
func filesAt(begin string) (names []string, err error) {
	dir, base := filepath.Split(begin)
	list, err := os.ReadDir(filepath.Clean("./" + dir))
	if filepath.IsAbs(dir) {
		list, err = os.ReadDir(dir)
	}
	for _, e := range list {
		name := e.Name()
		if !strings.HasPrefix(name, base) || strings.HasPrefix(name, ".") && !strings.HasPrefix(base, ".") {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		if name == clean(name) && !strings.ContainsAny(name, "\t\n") {
			names = append(names, dir+name)
		}
	}
	return names, err
}

func prefixedFiles(prefix, begin string) []string {
	names, _ := filesAt(begin)
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}

// completeSources completes sources of scans: schemes, and what follows those that name
// something here.
func completeSources(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if scheme, rest, ok := strings.Cut(toComplete, ":"); ok {
		if slices.Contains([]string{"dir", "oci", "oci-dir", "oci-archive", "docker-archive", "sbom"}, scheme) {
			return prefixedFiles(scheme+":", rest), noSpace
		}
		return nil, noFiles | noSpace
	}
	var out []string
	for _, s := range sourceSchemes() {
		if strings.HasPrefix(s, toComplete) {
			out = append(out, s)
		}
	}
	names, _ := filesAt(toComplete)
	return append(out, names...), noSpace
}

// completeKept completes folders with verdicts that were kept.
func (p *program) completeKept(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	names, _ := filesAt(toComplete)
	var kept, others []string
	for _, name := range names {
		dir, isDir := strings.CutSuffix(name, "/")
		if !isDir {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "verdict.json")); err == nil {
			kept = append(kept, dir+"\ta verdict that was kept")
		} else {
			others = append(others, name)
		}
	}
	if len(kept) > 0 {
		return kept, noFiles
	}
	return others, noFiles | noSpace
}

// completeExplain completes what can be explained, and then the vulnerabilities of a
// verdict that was kept.
func (p *program) completeExplain(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 1:
		return p.keptIDs(args[0]), noFiles
	case len(args) > 1:
		return nil, noFiles
	case strings.HasPrefix(toComplete, "scan-"):
		return p.completeScans(cmd, args, toComplete)
	}
	kept, _ := p.completeKept(cmd, args, toComplete)
	out, how := completeSources(cmd, args, toComplete)
	for _, s := range []string{"pkg:", "scan-"} {
		if strings.HasPrefix(s, toComplete) {
			out = append(out, s)
		}
	}
	return append(slices.DeleteFunc(kept, func(s string) bool { return !strings.Contains(s, "\t") }), out...), how
}

// decisionsOf are those of a verdict that was kept, nil where there is none.
func (p *program) decisionsOf(dir string) []policy.Decided {
	text, err := p.readFile(filepath.Join(dir, "trace.json"), maxTrace)
	if err != nil {
		return nil
	}
	t, err := policy.DecodeTrace(text)
	if err != nil {
		return nil
	}
	return t.Decisions
}

// keptIDs are the vulnerabilities of a verdict that was kept, each with its package.
func (p *program) keptIDs(dir string) (out []string) {
	seen := map[string]bool{}
	for _, d := range p.decisionsOf(dir) {
		if !seen[d.Vulnerability] {
			seen[d.Vulnerability] = true
			out = append(out, clean(d.Vulnerability)+"\t"+clean(d.Name+": "+string(d.Outcome)))
		}
	}
	return out
}

// completePackages completes the packages of a verdict that is explained.
func (p *program) completePackages(_ *cobra.Command, args []string, _ string) (out []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		for _, d := range p.decisionsOf(args[0]) {
			out = append(out, clean(d.Name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), noFiles
}

// completeEcosystems completes those that the advisory data is about.
func (p *program) completeEcosystems(cmd *cobra.Command, _ []string, _ string) (out []string, _ cobra.ShellCompDirective) {
	var f dbFlags
	if dir := cmd.Flags().Lookup("db"); dir != nil {
		f.dir = dir.Value.String()
	}
	snap, err := f.open(p.env)
	if err != nil {
		return nil, noFiles
	}
	defer snap.Close()
	for _, e := range snap.Ecosystems() {
		out = append(out, fmt.Sprintf("%s\t%d records", clean(e.Name), e.Records))
	}
	return out, noFiles
}

// completeServers completes servers that there is a login to.
func (p *program) completeServers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	kept, err := p.sessions()
	if err != nil {
		return nil, noFiles
	}
	list, err := kept.Servers()
	if err != nil {
		return nil, noFiles
	}
	return list, noFiles
}

// completeTimeout is how long a server is waited for while somebody types.
const completeTimeout = time.Second

// completeScans completes the newest scans of the server. Nothing is said where it
// cannot be asked: nobody wants an error in the middle of a line.
func (p *program) completeScans(cmd *cobra.Command, _ []string, _ string) (out []string, _ cobra.ShellCompDirective) {
	quiet := &program{stdin: strings.NewReader(""), stdout: discard{}, stderr: discard{}, env: p.env}
	var f serverFlags
	if flag := cmd.Flags().Lookup("server"); flag != nil {
		f.url = flag.Value.String()
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := context.WithTimeout(ctx, completeTimeout)
	defer stop()
	r, err := quiet.connect(ctx, &f)
	if err != nil {
		return nil, noFiles
	}
	page, err := r.scans.List(ctx, scan.Query{Limit: 50})
	if err != nil {
		return nil, noFiles
	}
	for i := range page.Jobs {
		j := &page.Jobs[i]
		out = append(out, clean(j.ID)+"\t"+clean(j.Image)+" "+string(j.State))
	}
	return out, noFiles
}

// discard takes what nobody is to see.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
