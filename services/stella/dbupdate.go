package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const updateHelp = `Bring the advisory data up to date.

With --from it follows a signed mirror: an address, a folder, or a .zip that was
carried here ("stella db export" makes them). It reads only what changed, and
refuses what is unsigned, expired, older than what it has, or put together of
different releases. The first time, --root names the file that says whose
signatures count; later the folder of the data remembers it.`

func (p *program) dbUpdate() *cobra.Command {
	var f dbFlags
	var from, root string
	var offline, asJSON bool
	cmd := &cobra.Command{
		Use:     "update",
		Short:   "Bring the advisory data up to date",
		Long:    updateHelp,
		Example: "  stella db update --from https://advisories.example --root root.json\n  stella db update --from kit.zip",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usageError("--from is required: the address, folder or .zip of a mirror")
			}
			out, err := p.follow(cmd.Context(), &f, from, root, offline)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(out)
			}
			fmt.Fprintf(p.stdout, "%s of the feed %s, version %d: %s, %d bytes read\n", out.Digest, clean(out.Feed), out.Version, out.How, out.Bytes)
			return nil
		},
	}
	f.registerDir(cmd.Flags())
	cmd.Flags().StringVar(&from, "from", "", "address, folder or .zip of a mirror")
	cmd.Flags().StringVar(&root, "root", "", "file of the mirror's root, needed the first time")
	cmd.Flags().BoolVar(&offline, "offline", false, "never ask the network")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}
