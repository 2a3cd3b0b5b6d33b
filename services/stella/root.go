package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom"
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
	root.AddCommand(p.scanCommand(), p.matchCommand(), p.explainCommand(), p.sbomCommand(), p.dbCommand(), p.vexCommand(), p.policyCommand(), p.replayCommand(), p.diffCommand(), p.attestCommand(), p.verifyCommand(), p.secretsCommand(), p.exportCommand(), p.bundleCommand(), p.notifyCommand(), p.timelineCommand(), p.loginCommand(), p.logoutCommand(), p.whoamiCommand(), p.scansCommand(), p.demoCommand(), p.serveCommand(), p.readyCommand(), p.configCommand(), p.migrateCommand(), p.authorityCommand(), p.versionCommand())
	return root
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
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the Go version and the commit",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			fmt.Fprintf(p.stdout, "stella %s\n", v.version)
			fmt.Fprintf(p.stdout, "go     %s\n", v.goVersion)
			if v.commit != "" {
				fmt.Fprintf(p.stdout, "commit %s\n", v.commit)
			}
			return nil
		},
	}
}

type buildInfo struct{ version, goVersion, commit string }

func buildVersion() buildInfo {
	out := buildInfo{version: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out.goVersion = info.GoVersion
	if v := info.Main.Version; v != "" && v != "(devel)" {
		out.version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out.commit = s.Value
		}
	}
	return out
}

// tool names this program in documents. The version is part of them, so a
// released version always writes the same bytes.
func tool() sbom.Tool {
	return sbom.Tool{Vendor: "stella-ops", Name: "stella", Version: buildVersion().version}
}
