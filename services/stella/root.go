package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "stella",
		Short:         "What is in a container image, what is known about it, and what was not assessed",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetIn(p.stdin)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codeError{exitUsage, err} })
	root.AddCommand(p.scanCommand(), p.matchCommand(), p.explainCommand(), p.tourCommand(), p.sbomCommand(), p.dbCommand(), p.vexCommand(), p.policyCommand(), p.replayCommand(), p.diffCommand(), p.attestCommand(), p.verifyCommand(), p.secretsCommand(), p.exportCommand(), p.bundleCommand(), p.notifyCommand(), p.timelineCommand(), p.loginCommand(), p.logoutCommand(), p.whoamiCommand(), p.scansCommand(), p.scheduleCommand(), p.demoCommand(), p.serveCommand(), p.readyCommand(), p.configCommand(), p.migrateCommand(), p.authorityCommand(), p.completionCommand(), p.manCommand(), p.versionCommand())
	sayExits(root)
	return p.complete(p.showWork(root))
}

// sayExits says the exit codes in the help of commands that have none of their own.
func sayExits(cmd *cobra.Command) {
	for _, inner := range cmd.Commands() {
		sayExits(inner)
	}
	if cmd.HasSubCommands() || strings.Contains(cmd.Long, "Exit codes:") {
		return
	}
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += "\n\nExit codes: 0 done, 1 error, 64 wrong arguments."
}

// usage turns cobra's argument checks into usage errors.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &codeError{exitUsage, fmt.Errorf("%w\n\nusage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

func usageError(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...)}
}

func (p *program) versionCommand() *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the Go version and the commit",
		Example: "  stella version\n  stella version -o template='{{.version}}'",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			v := buildVersion()
			return p.say(out, &render.Answer{Value: v, Table: v.table})
		},
	}
	outputFlag(cmd, &outputs)
	return cmd
}

// buildInfo is which program this is.
type buildInfo struct {
	Version   string `json:"version"` // "devel" for one that was not released
	GoVersion string `json:"go"`
	Commit    string `json:"commit,omitempty"`
}

func (v buildInfo) table(w io.Writer) error {
	text := fmt.Sprintf("stella %s\ngo     %s\n", v.Version, v.GoVersion)
	if v.Commit != "" {
		text += fmt.Sprintf("commit %s\n", v.Commit)
	}
	_, err := io.WriteString(w, text)
	return err
}

func buildVersion() buildInfo {
	out := buildInfo{Version: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out.GoVersion = info.GoVersion
	if v := info.Main.Version; v != "" && v != "(devel)" {
		out.Version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out.Commit = s.Value
		}
	}
	return out
}

// tool names this program in documents. The version is part of them, so a
// released version always writes the same bytes.
func tool() sbom.Tool {
	return sbom.Tool{Vendor: "stella-ops", Name: "stella", Version: buildVersion().Version}
}
