package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	_ "time/tzdata" // rules name time zones, and machines may know none

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Say who is told of what, tell them, and look after what was told",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.notifyCheck(), p.notifyPreview(), p.notifySend(), p.notifyTest(), p.notifyDeliveries(), p.notifyShow(), p.notifyReplay(), p.notifyAck(), p.notifyEndpoints(), p.notifySettings(), p.notifyTemplate(), p.notifyVerify())
	return cmd
}

const notifyCheckHelp = `Say everything that is wrong with settings of notifications, each with its place: what
no rule and no channel takes, addresses that are not reached, templates that do not
parse, rules that name an endpoint or a template which is not there.

A file is YAML or JSON, with the lists endpoints, rules, preferences, templates,
maintenance and inhibitions. Secrets are named in it and never written: env:NAME or
file:PATH. Nothing is looked up, and no secret is read.

Addresses in networks that are not public are refused, unless --allow names them.

Exit codes: 0 nothing is wrong, 1 something is, 64 wrong arguments.`

// checkedFile is what "stella notify check" has to say about a file.
type checkedFile struct {
	File     string         `json:"file"`
	Settings map[string]int `json:"settings"`
	Problems []problem      `json:"problems"`
}

// problem is one thing that is wrong.
type problem struct {
	Warning bool   `json:"warning,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func (p *program) notifyCheck() *cobra.Command {
	var allow, outputs []string
	cmd := &cobra.Command{
		Use:     "check FILE...",
		Short:   "Say what is wrong with settings: endpoints, rules, templates",
		Long:    notifyCheckHelp,
		Example: "  stella notify check notify.yaml\n  stella notify check notify.yaml --allow mail.corp.example:25 -o json",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			wrong := false
			files := make([]*settingsFile, len(args))
			for i, name := range args {
				if files[i], err = p.readSettings(name, checkOptions{allow: allow}); err != nil {
					return err
				}
				wrong = wrong || files[i].wrong()
			}
			list := make([]checkedFile, len(files))
			for i, f := range files {
				list[i] = f.checked()
			}
			err = p.say(out, &render.Answer{Value: list, Table: func(w io.Writer) error {
				for _, f := range files {
					f.print(w)
				}
				return nil
			}})
			if err == nil && wrong {
				err = &codeError{code: exitError}
			}
			return err
		},
	}
	allowFlag(cmd, &allow)
	outputFlag(cmd, &outputs)
	return cmd
}

func allowFlag(cmd *cobra.Command, allow *[]string) {
	cmd.Flags().StringArrayVar(allow, "allow", nil, "a host that may be reached wherever it is: NAME, *.NAME, an address or a prefix, with or without a port; may be repeated")
}

// sorted are the problems of a file by their place.
func (d *document) sorted() []policyfile.Diagnostic {
	out := slices.Clone(d.found)
	slices.SortStableFunc(out, func(a, b policyfile.Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if d.more {
		out = append(out, policyfile.Diagnostic{File: d.name, Message: "there is more"})
	}
	return out
}

// counts says how many settings of each list there are, in the order of the lists.
func (f *settingsFile) counts() (map[string]int, string) {
	out, words := map[string]int{}, []string{}
	for i := range settingLists {
		n := 0
		for _, e := range f.elements {
			if e.kind == settingLists[i].kind {
				n++
			}
		}
		if out[settingLists[i].member] = n; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, settingLists[i].member))
		}
	}
	if len(words) == 0 {
		return out, "nothing"
	}
	return out, strings.Join(words, ", ")
}

func (f *settingsFile) checked() checkedFile {
	out := checkedFile{File: f.name, Problems: []problem{}}
	out.Settings, _ = f.counts()
	for _, d := range f.sorted() {
		out.Problems = append(out.Problems, problem{d.Warning, d.Line, d.Column, d.Path, d.Message})
	}
	return out
}

func (f *settingsFile) print(w io.Writer) {
	list := f.sorted()
	for _, d := range list {
		kind := "error"
		if d.Warning {
			kind, d.Warning = "warning", false
		}
		for line := range strings.Lines(kind + ": " + d.String()) {
			fmt.Fprintln(w, clean(strings.TrimRight(line, "\n")))
		}
	}
	if !f.wrong() {
		_, words := f.counts()
		fmt.Fprintf(w, "%s: %s, all is well\n", clean(f.name), words)
	}
}

// err is what is wrong with a file, for commands that use it; nil for nothing.
func (f *settingsFile) err() error {
	if !f.wrong() {
		return nil
	}
	var lines []string
	for _, d := range f.sorted() {
		if !d.Warning {
			lines = append(lines, d.String())
		}
	}
	return fmt.Errorf("the settings are wrong\n%s", strings.Join(lines, "\n"))
}
