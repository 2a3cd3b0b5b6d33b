package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/vex"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/trust"
)

// roleKeys are the keys of the four roles, as --key names them.
type roleKeys struct {
	one  []string
	each map[role.Role]*[]string
}

func (k *roleKeys) register(fs *pflag.FlagSet, list ...role.Role) {
	k.each = map[role.Role]*[]string{}
	fs.StringArrayVar(&k.one, "key", nil, "one key for all roles, for a small site: whoever gets hold of it can publish anything")
	for _, r := range list {
		k.each[r] = new([]string)
		fs.StringArrayVar(k.each[r], string(r)+"-key", nil, "a key of the role "+string(r)+"; may be repeated")
	}
}

// of returns the references of a role's keys.
func (k *roleKeys) of(r role.Role) []string {
	if named := k.each[r]; named != nil && len(*named) > 0 {
		return *named
	}
	return k.one
}

const bundleRootHelp = `Make the root of a feed of kits: the file that says who holds its four roles. Sites
need it once, on a way that is trusted. Keep the keys of the role root away from the
machine that publishes.

Holders other than root may be named by their public keys (PEM). With --previous it is
the next root of the same feed, signed by the keys of the old root (--old-key) and of the
new one: sites follow by themselves.`

// rootFlags say what a root is.
type rootFlags struct {
	keys     roleKeys
	feed     string
	previous string
	oldKeys  []string
	valid    time.Duration
}

func (p *program) bundleRoot() *cobra.Command {
	var f rootFlags
	cmd := &cobra.Command{
		Use:     "root FILE",
		Short:   "Make the root of a feed of kits",
		Long:    bundleRootHelp,
		Example: "  stella bundle root root.json --feed kits.example --root-key root.key --targets-key release.pub --snapshot-key online.pub --timestamp-key online.pub",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, root, err := p.makeFeedRoot(cmd.Context(), &f)
			if err != nil {
				return kitRefusal(err)
			}
			if err := create(args[0], text, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: root %d of %s, good until %s\n", clean(args[0]), root.Version, clean(root.Feed), root.Expires.Format(time.RFC3339))
			return nil
		},
	}
	fs := cmd.Flags()
	f.keys.register(fs, roles...)
	fs.StringVar(&f.feed, "feed", "", "the feed's name, which never changes, such as kits.example")
	fs.StringVar(&f.previous, "previous", "", "the root before this one")
	fs.StringArrayVar(&f.oldKeys, "old-key", nil, "with --previous, a key of its role root")
	fs.DurationVar(&f.valid, "valid-for", 365*24*time.Hour, "how long it is good")
	return cmd
}

func (p *program) makeFeedRoot(ctx context.Context, f *rootFlags) ([]byte, *role.Root, error) {
	root := &role.Root{Feed: f.feed, Version: 1, Roles: map[role.Role]role.Holders{}, Expires: time.Now().Add(f.valid).UTC().Truncate(time.Second)}
	var before role.State
	if f.previous != "" {
		text, err := os.ReadFile(f.previous)
		if err != nil {
			return nil, nil, err
		}
		if before, err = role.Trust(text); err != nil {
			return nil, nil, err
		}
		old, err := role.DecodeRoot(text)
		if err != nil {
			return nil, nil, err
		}
		root.Feed, root.Version = old.Feed, old.Version+1
	}
	var signers []dsse.Signer
	for _, r := range roles {
		var public []*dsse.PublicKey
		for _, ref := range f.keys.of(r) {
			if k, err := p.readPublicKey(ref); err == nil && r != role.RoleRoot {
				public = append(public, k)
				continue
			}
			k, err := p.openKey(ctx, ref, false)
			if err != nil {
				return nil, nil, fmt.Errorf("key of the role %s: %w", r, err)
			}
			if public = append(public, k.Public()); r == role.RoleRoot {
				signers = append(signers, k)
			}
		}
		if len(public) == 0 {
			return nil, nil, usageError("the role %s needs a key: --%s-key, or --key for all", r, r)
		}
		root.Roles[r] = role.Keys(1, public...)
	}
	for _, ref := range f.oldKeys {
		k, err := p.openKey(ctx, ref, false)
		if err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(signers, func(s dsse.Signer) bool { return s.KeyID() == k.KeyID() }) {
			signers = append(signers, k)
		}
	}
	text, err := root.Sign(ctx, signers...)
	if err != nil {
		return nil, nil, err
	}
	if f.previous != "" {
		_, err = before.Rotate(text)
	} else {
		_, err = role.Trust(text)
	}
	return text, root, err
}

const bundleCreateHelp = `Sign the next edition of a feed of kits and write it: the current advisory data, what
suppliers say, policies, trust documents and the engine's own files. --publisher is a
folder that remembers what was signed; the first time --root begins it.

With --base N what the edition of version N has already is left out: sites that have
loaded it, or a later one, need no more.

What may not be passed on is left out and named; --everything includes it.`

// createFlags say what a kit has.
type createFlags struct {
	db         dbFlags
	vex        vexFlags
	keys       roleKeys
	publisher  string
	root       string
	rootTrust  string
	policies   []string
	exceptions []string
	engines    []string
	base       int64
	everything bool
	outputs    []string
	expires    map[role.Role]*time.Duration
}

func (p *program) bundleCreate() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:     "create KIT",
		Short:   "Sign an edition and write it as one file",
		Long:    bundleCreateHelp,
		Example: "  stella bundle create kit.tar --publisher ./feed --root root.json --key feed.key --policy release.yaml --trust-root trust.json\n  stella bundle create delta.tar --publisher ./feed --key feed.key --base 1",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return kitRefusal(p.createKit(cmd.Context(), args[0], &f))
		},
	}
	fs := cmd.Flags()
	f.db.registerDir(fs)
	f.vex.register(fs)
	f.keys.register(fs, roles[1:]...)
	fs.StringVar(&f.publisher, "publisher", "", "folder that remembers what was signed")
	fs.StringVar(&f.root, "root", "", "the feed's root, needed the first time, and when it was replaced")
	fs.StringVar(&f.rootTrust, "trust-root", "", "a trust root for \"stella verify\" at the site")
	fs.StringArrayVar(&f.policies, "policy", nil, "a policy; may be repeated")
	fs.StringArrayVar(&f.exceptions, "exceptions", nil, "a file of exceptions; may be repeated")
	fs.StringArrayVar(&f.engines, "engine", nil, "NAME=FILE, a program of the engine such as linux/amd64=stella; may be repeated")
	fs.Int64Var(&f.base, "base", 0, "leave out what this version has")
	fs.BoolVar(&f.everything, "everything", false, "also carry what is not known to allow passing on")
	outputFlag(cmd, &f.outputs)
	f.expires = map[role.Role]*time.Duration{}
	for r, d := range map[role.Role]time.Duration{role.RoleTimestamp: 30 * 24 * time.Hour, role.RoleSnapshot: 60 * 24 * time.Hour, role.RoleTargets: 90 * 24 * time.Hour} {
		f.expires[r] = fs.Duration(string(r)+"-expires", d, "how long what the role "+string(r)+" signs is good")
	}
	return cmd
}

func (p *program) createKit(ctx context.Context, file string, f *createFlags) error {
	outs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	if f.publisher == "" {
		return usageError("--publisher is required: the folder that remembers what was signed")
	}
	state, earlier, err := f.state()
	if err != nil {
		return err
	}
	items, omitted, err := p.kitItems(ctx, f)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	draft := &kit.Draft{Previous: state, Roots: earlier, At: now, Items: items, Expires: map[role.Role]time.Time{}, Signers: map[role.Role][]dsse.Signer{}}
	for _, r := range roles[1:] {
		draft.Expires[r] = now.Add(*f.expires[r])
		for _, ref := range f.keys.of(r) {
			k, err := p.openKey(ctx, ref, false)
			if err != nil {
				return fmt.Errorf("key of the role %s: %w", r, err)
			}
			draft.Signers[r] = append(draft.Signers[r], k)
		}
	}
	edition, err := kit.Publish(ctx, draft)
	if err != nil {
		return err
	}
	text, err := edition.State.Encode()
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(f.publisher, "state.json"), text); err != nil { // before anybody has the file
		return err
	}
	written, err := writeKit(ctx, file, edition, f.base)
	if err != nil {
		return err
	}
	value := map[string]any{"feed": edition.Feed, "version": edition.Version, "expires": edition.Expires, "written": written, "omitted": omitted}
	err = p.say(outs, &render.Answer{Value: value, Table: func(w io.Writer) error {
		return printKit(w, edition.Feed, edition.Version, edition.Expires, written.Base, len(edition.Entries), written.Size)
	}})
	if err == nil && outs.Has(render.Table) {
		p.omitted(omitted)
	}
	return err
}

// writeKit writes an edition; the file appears whole.
func writeKit(ctx context.Context, file string, e *kit.Edition, base int64) (*kit.Written, error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // after the renaming there is no such file
	out, err := e.Write(ctx, f, base)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	return out, os.Rename(f.Name(), file)
}

// state is what the publisher knows, with the roots before the one that stands, in the
// order of their versions.
func (f *createFlags) state() (role.State, [][]byte, error) {
	var state role.State
	text, err := os.ReadFile(filepath.Join(f.publisher, "state.json"))
	switch {
	case err == nil:
		if state, err = role.DecodeState(text); err != nil {
			return state, nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return state, nil, err
	case f.root == "":
		return state, nil, usageError("%s is new: --root names the feed's root (\"stella bundle root\" makes one)", f.publisher)
	}
	if err := os.MkdirAll(f.publisher, 0o700); err != nil {
		return state, nil, err
	}
	if f.root != "" {
		if state, err = f.follow(state); err != nil {
			return state, nil, err
		}
	}
	root, err := role.DecodeRoot(state.Root)
	if err != nil {
		return state, nil, err
	}
	if err := replaceFile(filepath.Join(f.publisher, role.File(role.RoleRoot, root.Version)), state.Root); err != nil {
		return state, nil, err
	}
	var earlier [][]byte
	for v := int64(1); v < root.Version; v++ {
		text, err := os.ReadFile(filepath.Join(f.publisher, role.File(role.RoleRoot, v)))
		if errors.Is(err, fs.ErrNotExist) {
			earlier = nil // sites that know no newer root cannot follow
			continue
		}
		if err != nil {
			return state, nil, err
		}
		earlier = append(earlier, text)
	}
	return state, earlier, nil
}

// follow takes the root that is named, where it is another than the one that stands.
func (f *createFlags) follow(state role.State) (role.State, error) {
	text, err := os.ReadFile(f.root)
	if err != nil {
		return state, err
	}
	switch {
	case state.Root == nil:
		return role.Trust(text)
	case bytes.Equal(text, state.Root):
		return state, nil
	}
	return state.Rotate(text)
}

// kitItems are what a kit has.
func (p *program) kitItems(ctx context.Context, f *createFlags) ([]kit.Item, []string, error) {
	items, omitted, err := p.advisoryItems(f)
	if err != nil {
		return nil, nil, err
	}
	more, err := p.statementItems(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	items = append(items, more...)
	if f.rootTrust != "" {
		text, err := p.readFile(f.rootTrust, attest.MaxRoot)
		if err != nil {
			return nil, nil, err
		}
		if _, err := attest.DecodeRoot(text); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", f.rootTrust, err)
		}
		items = append(items, bytesItem(kit.KindTrust, kitRoot, text))
	}
	for _, file := range f.policies {
		text, err := p.readFile(file, policyfile.MaxDocument)
		if err != nil {
			return nil, nil, err
		}
		if _, _, err := policyfile.Parse(file, text); err != nil {
			return nil, nil, &codeError{exitUsage, err}
		}
		items = append(items, bytesItem(kit.KindPolicy, filepath.Base(file), text))
	}
	for _, file := range f.exceptions {
		text, err := p.readFile(file, policyfile.MaxDocument)
		if err != nil {
			return nil, nil, err
		}
		if _, err := policyfile.ParseExceptions(file, text); err != nil {
			return nil, nil, &codeError{exitUsage, err}
		}
		items = append(items, bytesItem(kit.KindException, filepath.Base(file), text))
	}
	for _, spec := range f.engines {
		name, file, ok := strings.Cut(spec, "=")
		if !ok {
			return nil, nil, usageError("--engine %q: want NAME=FILE, such as linux/amd64=stella", spec)
		}
		items = append(items, kit.Item{Kind: kit.KindEngine, Name: name, Open: func() (io.ReadCloser, error) { return os.Open(file) }})
	}
	if len(items) == 0 {
		return nil, nil, &codeError{exitNotAssessed, errors.New("there is nothing to carry: no advisory data, and nothing is named")}
	}
	return items, omitted, nil
}

func bytesItem(kind, name string, text []byte) kit.Item {
	return kit.Item{Kind: kind, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// advisoryItems are the manifest and the objects of the current data; none is no error.
func (p *program) advisoryItems(f *createFlags) (items []kit.Item, omitted []string, err error) {
	snap, err := f.db.open(p.env)
	if errors.Is(err, snapshot.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer snap.Close()
	m := *snap.Manifest()
	may := map[string]bool{}
	for _, o := range m.Sources {
		may[o.Name] = o.Redistribute
	}
	leaveOut := func(source string) bool {
		if !f.everything && !may[source] && !slices.Contains(omitted, source) {
			omitted = append(omitted, source)
		}
		return !f.everything && !may[source]
	}
	m.Segments = slices.DeleteFunc(slices.Clone(m.Segments), func(s snapshot.Segment) bool { return leaveOut(s.Source) })
	m.Overlays = slices.DeleteFunc(slices.Clone(m.Overlays), func(o snapshot.Overlay) bool { return leaveOut(o.Source) })
	m.Sources = slices.DeleteFunc(slices.Clone(m.Sources), func(o snapshot.Origin) bool { return leaveOut(o.Name) })
	slices.Sort(omitted)
	if len(m.Segments)+len(m.Overlays) == 0 {
		return nil, omitted, nil
	}
	text, _, err := m.Encode()
	if err != nil {
		return nil, nil, err
	}
	items = append(items, bytesItem(kit.KindAdvisory, kitManifest, text))
	var digests []string
	for _, s := range m.Segments {
		digests = append(digests, s.Digest)
	}
	for _, o := range m.Overlays {
		digests = append(digests, o.Digest)
	}
	slices.Sort(digests)
	for _, d := range slices.Compact(digests) {
		object := func() (io.ReadCloser, error) { // the data is opened again: it may be large, and is used twice
			again, err := f.db.open(p.env)
			if err != nil {
				return nil, err
			}
			content, err := again.Object(d)
			content = bytes.Clone(content)
			return io.NopCloser(bytes.NewReader(content)), errors.Join(err, again.Close())
		}
		items = append(items, kit.Item{Kind: kit.KindAdvisory, Name: kitObjects + strings.TrimPrefix(d, "sha256:"), Open: object})
	}
	return items, omitted, nil
}

// statementItems are what suppliers say, as one set, and whom the publisher believes.
func (p *program) statementItems(ctx context.Context, f *createFlags) ([]kit.Item, error) {
	said, err := p.openVEX(ctx, &f.vex, &f.db, time.Now())
	if err != nil {
		return nil, err
	}
	defer said.close()
	list, err := statementsOf(ctx, said.views, nil)
	if err != nil {
		return nil, err
	}
	var items []kit.Item
	if len(list) > 0 {
		var b bytes.Buffer
		if _, err := vexsnapshot.Build(ctx, &b, func(yield func(*vex.Statement, error) bool) {
			for _, s := range list {
				if !yield(s, nil) {
					return
				}
			}
		}); err != nil {
			return nil, err
		}
		items = append(items, bytesItem(kit.KindVEX, kitStatement, b.Bytes()))
	}
	name := f.vex.trust
	if name == "" {
		dir, err := vexDir(&f.db, p.env)
		if err != nil {
			return nil, err
		}
		name = filepath.Join(dir, "trust.yaml")
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return items, nil
		}
	}
	text, err := p.readFile(name, trust.MaxDocument)
	if err != nil {
		return nil, err
	}
	return append(items, bytesItem(kit.KindTrust, kitIssuers, text)), nil
}
