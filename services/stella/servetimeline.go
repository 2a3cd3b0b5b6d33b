package main

import (
	"bytes"
	"io"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/notify/timeline"
)

func (p *program) timelineCheckpoints() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "checkpoints [FILE]",
		Short: "Download the checkpoints of a server's timeline",
		Long: `Download the checkpoints that a server signed of the tenant's timeline, one a line, as
"stella timeline verify --checkpoints" reads them. FILE appears whole or not at all; without
one it is standard output. Nothing is believed: verifying says whose they are. It means
something at a server alone: here "stella timeline checkpoint" signs them.

Exit codes: 0 all are there, 1 error, 64 wrong arguments.`,
		Example: "  stella timeline checkpoints checkpoints.jsonl --server https://stella.example",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := p.connect(cmd.Context(), &f)
			if err != nil {
				return err
			}
			list, err := pages(func(after int64) ([]timeline.Kept, int64, error) {
				return r.notify.Timeline().Checkpoints(cmd.Context(), after)
			})
			if err != nil {
				return r.explain(err)
			}
			write := func(w io.Writer) error {
				for i := range list {
					if err := writeLine(w, bytes.TrimRight(list[i].Envelope, "\n")); err != nil {
						return err
					}
				}
				return nil
			}
			if len(args) == 0 || args[0] == "-" {
				return write(p.stdout)
			}
			return streamFile(args[0], write)
		},
	}
	f.register(cmd.Flags())
	return cmd
}
