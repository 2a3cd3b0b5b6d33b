package main

import (
	"github.com/spf13/cobra"
)

func (p *program) timelineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "timeline",
		Short: "What happened when, and proof that nobody rewrote it",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.timelineList(), p.timelineShow(), p.timelineExport(), p.timelineCheckpoint(), p.timelineCheckpoints(), p.timelineVerify(), p.timelinePrune(), p.timelineGaps())
	return cmd
}
