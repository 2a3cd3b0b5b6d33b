package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom"
)

const sbomDiffHelp = `Say what two documents differ in, each with its cause: packages and files that are
added, removed, or have another version, licence, layer, content or place in the usage
view, and secrets. The cause is the layer that is new, gone or replaced, the file that
tells of the package, or that other tools looked.`

func (p *program) sbomDiff() *cobra.Command {
	var asJSON bool
	var form string
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say what two documents differ in: packages, versions, licences, layers, secrets, and why",
		Long:  sbomDiffHelp,
		Args:  usage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			print := map[string]func([]sbom.Change) error{"text": p.printChanges, "json": p.printChangesJSON, "markdown": p.printChangesMarkdown}[form]
			if asJSON {
				print = p.printChangesJSON
			}
			if print == nil {
				return usageError("format %q: want text, json, markdown", form)
			}
			before, _, err := p.readSBOM(args[0])
			if err != nil {
				return err
			}
			after, _, err := p.readSBOM(args[1])
			if err != nil {
				return err
			}
			return print(sbom.Diff(before, after))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, as --format json does")
	cmd.Flags().StringVar(&form, "format", "text", "text, json or markdown")
	return cmd
}

func (p *program) printChangesJSON(changes []sbom.Change) error {
	if changes == nil {
		changes = []sbom.Change{}
	}
	return p.printJSON(changes)
}

func (p *program) printChanges(changes []sbom.Change) error {
	for i := range changes {
		c := &changes[i]
		why := ""
		if text := causeText(&c.Cause); text != "" {
			why = " (" + text + ")"
		}
		fmt.Fprintf(p.stdout, "%s%s\n", clean(changeText(c)), clean(why))
	}
	if len(changes) == 0 {
		fmt.Fprintln(p.stdout, "no difference in packages")
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

func (p *program) printChangesMarkdown(changes []sbom.Change) error {
	if len(changes) == 0 {
		fmt.Fprintln(p.stdout, "No difference in packages.")
		return nil
	}
	fmt.Fprint(p.stdout, "| Change | What | Before | After | Cause |\n|---|---|---|---|---|\n")
	for i := range changes {
		c := &changes[i]
		name := c.Name
		if c.Secret != nil {
			name = c.Secret.Rule + " in " + c.Name
		} else if c.After != nil && c.Kind != sbom.Added && c.Kind != sbom.VersionChanged {
			name += " " + c.After.Version
		}
		fmt.Fprintf(p.stdout, "| %s | %s | %s | %s | %s |\n", c.Kind, markdownCell(name), markdownCell(c.From), markdownCell(c.To), markdownCell(causeText(&c.Cause)))
	}
	return nil
}

// markdownCell makes text from a document a cell of a table and nothing else.
func markdownCell(s string) string { return markdownEscapes.Replace(clean(s)) }

var markdownEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "!", `\!`, "#", `\#`, "~", `\~`, "@", "&#64;", "://", "&#58;//")
