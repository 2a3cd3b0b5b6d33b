package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const sbomDiffHelp = `Say what two documents differ in, each with its cause: packages and files that are
added, removed, or have another version, licence, layer, content or place in the usage
view, and secrets. The cause is the layer that is new, gone or replaced, the file that
tells of the package, or that other tools looked.`

func (p *program) sbomDiff() *cobra.Command {
	var outputs []string
	var server serverFlags
	cmd := &cobra.Command{
		Use:     "diff BEFORE AFTER",
		Short:   "Say what two documents differ in: packages, versions, licences, layers, secrets, and why",
		Long:    sbomDiffHelp + "\n\n" + storedHelp + "\n\nExit codes: 0 compared, whether they differ or not, 1 error, 64 wrong arguments.",
		Example: "  stella sbom diff monday.cdx.json tuesday.cdx.json -o markdown\n  stella sbom diff scan:scan-01JE4Z new.cdx.json --server https://stella.example -o ndjson",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table, "markdown")
			if err != nil {
				return err
			}
			before, err := p.readStored(cmd.Context(), &server, args[0])
			if err != nil {
				return err
			}
			after, err := p.readStored(cmd.Context(), &server, args[1])
			if err != nil {
				return err
			}
			changes := sbom.Diff(before, after)
			if changes == nil {
				changes = []sbom.Change{}
			}
			return p.say(out, &render.Answer{
				Value: changes,
				Table: func(w io.Writer) error { return printChanges(w, changes) },
				Other: func(w io.Writer, _ string) error { return printChangesMarkdown(w, changes) },
			})
		},
	}
	outputFlag(cmd, &outputs, "markdown")
	server.register(cmd.Flags())
	return cmd
}

func printChanges(w io.Writer, changes []sbom.Change) error {
	for i := range changes {
		c := &changes[i]
		why := ""
		if text := causeText(&c.Cause); text != "" {
			why = " (" + text + ")"
		}
		fmt.Fprintf(w, "%s%s\n", clean(changeText(c)), clean(why))
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, "no difference in packages")
	}
	return nil
}

func changeText(c *sbom.Change) string {
	switch c.Kind {
	case sbom.Added:
		return fmt.Sprintf("+ %s %s", c.Name, c.To)
	case sbom.Removed:
		return fmt.Sprintf("- %s %s", c.Name, c.From)
	case sbom.VersionChanged:
		return fmt.Sprintf("~ %s %s -> %s", c.Name, c.From, c.To)
	case sbom.SecretAdded:
		return fmt.Sprintf("+ secret %s in %s", c.Secret.Rule, c.Name)
	case sbom.SecretRemoved:
		return fmt.Sprintf("- secret %s in %s", c.Secret.Rule, c.Name)
	}
	return fmt.Sprintf("~ %s %s: %s %s -> %s", c.Name, c.After.Version, c.Kind, cmp.Or(c.From, "none"), cmp.Or(c.To, "none"))
}

// causeText says what made a difference, in a few words.
func causeText(c *sbom.Cause) string {
	layer, step := shortDigest(c.Layer), ""
	if c.CreatedBy != "" {
		step = ": " + c.CreatedBy
	}
	switch c.Kind {
	case sbom.CauseLayerAdded:
		return "layer " + layer + " is new" + step
	case sbom.CauseLayerRemoved:
		return "layer " + layer + " is gone" + step
	case sbom.CauseLayerReplaced:
		return "layer " + layer + " in place of " + shortDigest(c.Was) + step
	case sbom.CauseHidden:
		return strings.TrimSpace("deleted or replaced by a layer above "+layer) + step
	case sbom.CauseUncovered:
		return strings.TrimSpace("no longer deleted or replaced by a layer above "+layer) + step
	case sbom.CauseFileAdded:
		return "file " + c.Path + " is new"
	case sbom.CauseFileRemoved:
		return "file " + c.Path + " is gone"
	case sbom.CauseFileChanged:
		return "file " + c.Path + " says so"
	case sbom.CauseStart:
		return strings.TrimSpace("what the image starts is followed to another end " + c.Path)
	case sbom.CauseTool:
		return "other tools looked"
	}
	return "" // the documents say so
}

// shortDigest is the beginning of a digest, as in "sha256:0123456789ab".
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

func printChangesMarkdown(w io.Writer, changes []sbom.Change) error {
	if len(changes) == 0 {
		fmt.Fprintln(w, "No difference in packages.")
		return nil
	}
	fmt.Fprint(w, "| Change | What | Before | After | Cause |\n|---|---|---|---|---|\n")
	for i := range changes {
		c := &changes[i]
		name := c.Name
		if c.Secret != nil {
			name = c.Secret.Rule + " in " + c.Name
		} else if c.After != nil && c.Kind != sbom.Added && c.Kind != sbom.VersionChanged {
			name += " " + c.After.Version
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", c.Kind, markdownCell(name), markdownCell(c.From), markdownCell(c.To), markdownCell(causeText(&c.Cause)))
	}
	return nil
}

// markdownCell makes text from a document a cell of a table and nothing else.
func markdownCell(s string) string { return markdownEscapes.Replace(clean(s)) }

var markdownEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "!", `\!`, "#", `\#`, "~", `\~`, "@", "&#64;", "://", "&#58;//")
