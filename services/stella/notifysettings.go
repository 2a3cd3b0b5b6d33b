package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store"
)

func (p *program) notifySettings() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Keep settings in a file: apply it to a store, or write what stands there",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.settingsApply(), p.settingsExport())
	return cmd
}

const settingsApplyHelp = `Have the settings of a file stand in a store, or at a server. What is equal is left alone; --dry-run says
what would change, member by member. What the file does not have stays, unless --prune: of
the lists that are in the file, what is not there is deleted.

At a server preferences of others are made new and not changed: it lists those of who is
logged in.

A file that is wrong changes nothing. Each setting is changed only as it was read: where
somebody else changed it meanwhile, that change stays and the command fails; run it again.

Exit codes: 0 they stand, 1 they do not, or an error, 64 wrong arguments.`

// applyFlags are the flags of stella notify settings apply.
type applyFlags struct {
	placeFlags
	allow   []string
	prune   bool
	dryRun  bool
	by      string
	outputs []string
}

// changed is one change of a setting.
type changed struct {
	Kind    notify.SettingKind `json:"kind"`
	ID      string             `json:"id"`
	Action  string             `json:"action"` // create, change or delete
	Members []string           `json:"members,omitempty"`
	set     *notify.Setting
}

func (p *program) settingsApply() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:     "apply FILE",
		Short:   "Have the settings of a file stand in a store",
		Long:    settingsApplyHelp,
		Example: "  stella notify settings apply notify.yaml --store sqlite:stella.db --tenant acme --dry-run\n  stella notify settings apply notify.yaml --store sqlite:stella.db --tenant acme --prune\n  stella notify settings apply notify.yaml --server https://stella.example --dry-run",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, outputs, func(ctx context.Context, r *service) (*render.Answer, error) {
				return p.apply(ctx, remoteDesk{r.notify}, args[0], &f)
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				return p.sayOr(outputs)(p.apply(cmd.Context(), t.Notify(), args[0], &f))
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&f.prune, "prune", false, "delete what stands and is not in the file's lists")
	fs.BoolVar(&f.dryRun, "dry-run", false, "change nothing, say what would change")
	fs.StringVar(&f.by, "by", "", "who says so (default: USER)")
	allowFlag(cmd, &f.allow)
	outputFlag(cmd, &f.outputs)
	return cmd
}

func (p *program) apply(ctx context.Context, n notify.Desk, file string, f *applyFlags) (*render.Answer, error) {
	stand, err := standing(ctx, n)
	if err != nil {
		return nil, err
	}
	known := new(notify.Settings)
	for _, s := range stand {
		if err := known.Read(s.Kind, s.Body); err != nil {
			return nil, err
		}
	}
	settings, err := p.readSettings(file, checkOptions{allow: f.allow, known: known})
	if err != nil {
		return nil, err
	}
	if err := settings.err(); err != nil {
		return nil, err
	}
	changes, equal, err := settings.changes(stand, f.prune, cmp.Or(f.by, p.env("USER"), "stella"))
	if err != nil {
		return nil, err
	}
	if !f.dryRun {
		for i, c := range changes {
			if err := set(ctx, n, c.set); err != nil {
				return nil, fmt.Errorf("%s %s, after %d of %d changes: %w", c.Kind, c.ID, i, len(changes), err)
			}
		}
	}
	return &render.Answer{Value: changes, Table: func(w io.Writer) error {
		var b strings.Builder
		for _, c := range changes {
			fmt.Fprintf(&b, "%s %s %s\n", c.Action, c.Kind, clean(c.ID))
			for _, m := range c.Members {
				fmt.Fprintf(&b, "    %s\n", clean(m))
			}
		}
		done := "changed"
		if f.dryRun {
			done = "would change"
		}
		fmt.Fprintf(&b, "%d %s, %d stay as they are\n", len(changes), done, equal)
		_, err := io.WriteString(w, b.String())
		return err
	}}, nil
}

// standing are all settings of a store, in the order of settingLists and by id.
func standing(ctx context.Context, d notify.Desk) ([]notify.Setting, error) {
	var out []notify.Setting
	for i := range settingLists {
		after := ""
		for {
			page, err := d.ListSettings(ctx, settingLists[i].kind, "", after, 1000)
			if err != nil {
				return nil, err
			}
			out = append(out, page...)
			if len(page) < 1000 {
				break
			}
			after = page[len(page)-1].ID
		}
	}
	return out, nil
}

// changes says what a file changes: what others name is made first and deleted last.
func (f *settingsFile) changes(stand []notify.Setting, prune bool, by string) (list []changed, equal int, err error) {
	type name struct {
		kind notify.SettingKind
		id   string
	}
	old := map[name]*notify.Setting{}
	for i := range stand {
		old[name{stand[i].Kind, stand[i].ID}] = &stand[i]
	}
	list = []changed{}
	for _, e := range f.elements {
		s := old[name{e.kind, e.id}]
		delete(old, name{e.kind, e.id})
		switch {
		case s == nil:
			list = append(list, changed{Kind: e.kind, ID: e.id, Action: "create", set: e.setting(1, by)})
		case bytes.Equal(s.Body, e.body):
			equal++
		default:
			c := changed{Kind: e.kind, ID: e.id, Action: "change", set: e.setting(s.Number+1, by)}
			if c.Members, err = memberChanges(s.Body, e.body); err != nil {
				return nil, 0, err
			}
			list = append(list, c)
		}
	}
	for _, s := range slices.Backward(stand) {
		if old[name{s.Kind, s.ID}] == nil || !prune || !f.has[s.Kind] {
			continue
		}
		gone := s
		gone.Number, gone.Body, gone.By = s.Number+1, nil, by
		list = append(list, changed{Kind: s.Kind, ID: s.ID, Action: "delete", set: &gone})
	}
	return list, equal, nil
}

// memberChanges lists the members of two settings that differ.
func memberChanges(before, after []byte) ([]string, error) {
	var a, b map[string]jsontext.Value
	if err := json.Unmarshal(before, &a); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(after, &b); err != nil {
		return nil, err
	}
	var out []string
	names := append(sortedNames(a), sortedNames(b)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		switch {
		case bytes.Equal(a[name], b[name]):
		case a[name] == nil:
			out = append(out, fmt.Sprintf("+ %s: %.200s", name, b[name]))
		case b[name] == nil:
			out = append(out, fmt.Sprintf("- %s: %.200s", name, a[name]))
		default:
			out = append(out, fmt.Sprintf("%s: %.200s → %.200s", name, a[name], b[name]))
		}
	}
	return out, nil
}

// maxDeleted is how high the number of a setting may be that was deleted and is set anew.
const maxDeleted = 1000

// set keeps a setting. One that was there before and was deleted goes on counting, which a
// store does not tell: the next number is tried then.
func set(ctx context.Context, n notify.Desk, s *notify.Setting) error {
	err := n.Set(ctx, s)
	for s.Number <= maxDeleted && s.Body != nil && errors.Is(err, notify.ErrConflict) {
		if _, there := n.Setting(ctx, s.Kind, s.ID); !errors.Is(there, notify.ErrNotFound) {
			break
		}
		s.Number++
		err = n.Set(ctx, s)
	}
	return err
}

func (p *program) settingsExport() *cobra.Command {
	var f placeFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the settings that stand in a store as a file",
		Example: "  stella notify settings export --store sqlite:stella.db --tenant acme > notify.yaml\n  stella notify settings export --server https://stella.example -o json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				stand, err := standing(ctx, remoteDesk{r.notify})
				return settingsAnswer(stand), err
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				stand, err := standing(cmd.Context(), t.Notify())
				if err != nil {
					return err
				}
				return p.say(out, settingsAnswer(stand))
			})
		},
	}
	f.register(cmd)
	outputFlag(cmd, &outputs)
	return cmd
}

// settingsAnswer is the settings as a file that has the same: YAML for people, and JSON.
func settingsAnswer(stand []notify.Setting) *render.Answer {
	write := func(asJSON bool) func(io.Writer) error {
		return func(w io.Writer) error {
			text, err := settingsText(stand, asJSON)
			if err == nil {
				_, err = w.Write(text)
			}
			return err
		}
	}
	return &render.Answer{Encode: write(true), Table: write(false)}
}

// settingsText writes settings as a file that has the same.
func settingsText(stand []notify.Setting, asJSON bool) ([]byte, error) {
	lists := map[string][]any{}
	for i := range stand {
		var own notify.Settings
		if err := own.Read(stand[i].Kind, stand[i].Body); err != nil {
			return nil, err
		}
		for j := range settingLists {
			if l := &settingLists[j]; l.kind == stand[i].Kind {
				lists[l.member] = append(lists[l.member], ownValue(&own))
			}
		}
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	var b bytes.Buffer
	b.WriteString("{")
	for i := range settingLists {
		member := settingLists[i].member
		if lists[member] == nil {
			continue
		}
		text, err := json.Marshal(lists[member], json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", member, text)
		r := &jsonReader{text: string(text), dec: jsontext.NewDecoder(bytes.NewReader(text))}
		n, err := r.read(0)
		if err != nil {
			return nil, err
		}
		forYAML(n)
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: member}, n)
	}
	b.WriteString("}")
	if asJSON {
		v := jsontext.Value(b.Bytes())
		err := v.Indent(jsontext.WithIndent("  "))
		return append(v, '\n'), err
	}
	b.Reset()
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(root)
	return b.Bytes(), errors.Join(err, enc.Close())
}

// ownValue is the one setting that there is.
func ownValue(s *notify.Settings) any {
	switch {
	case len(s.Endpoints) > 0:
		return s.Endpoints[0]
	case len(s.Templates) > 0:
		return s.Templates[0]
	case len(s.Rules) > 0:
		return s.Rules[0]
	case len(s.Windows) > 0:
		return s.Windows[0]
	case len(s.Inhibitions) > 0:
		return s.Inhibitions[0]
	}
	return nil
}

// forYAML gives the nodes of JSON the style of YAML: texts of several lines are literal,
// and others in quotes where they have to be.
func forYAML(n *yaml.Node) {
	for _, x := range n.Content {
		forYAML(x)
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		n.Style = 0
		n.SetString(n.Value)
	}
}
