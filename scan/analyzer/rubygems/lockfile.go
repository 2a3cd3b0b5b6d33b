package rubygems

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// lockfile is what a Gemfile.lock says
// (https://github.com/rubygems/rubygems/blob/master/bundler/lib/bundler/lockfile_parser.rb):
// sections with a heading at the start of a line; sources of gems have options indented by
// two blanks, gems by four, and what these depend on by six.
type lockfile struct {
	locked.File
	line    int
	section string
	from    *source // of the section
	known   map[string]*source
	last    *gem
	gems    []*gem
	at      map[identity]*gem
	sums    map[string][]sbom.Hash // by name, version and platform
}

// The limits beside those on packages of a lockfile.
const (
	maxSections = 10_000
	maxDigests  = 500_000
	maxRemotes  = 16   // of one section
	maxAddress  = 2048 // bytes; all gems of a section have it
)

// source is where the gems of a section come from.
type source struct {
	kind     string // the heading
	remotes  []string
	revision string
	plugin   string // type of a source that a plugin of Bundler knows

	number int           // 0 for rubygems.org; set with the rest by settle
	like   *sbom.Package // what its gems have in common; a package URL has only qualifiers
}

// identity tells gems apart.
type identity struct {
	name, version string
	from          int
}

// gem is one gem, for all platforms for which it is locked.
type gem struct {
	name, version string
	platforms     []string
	from          *source
	wants         []string
}

// The headings of sections with gems, with digests, and with what is left out.
var (
	sources = []string{"GEM", "GIT", "PATH", "PLUGIN SOURCE"}
	notes   = []string{"DEPENDENCIES", "PLATFORMS", "RUBY VERSION", "BUNDLED WITH"}
)

const checksums = "CHECKSUMS"

func readLock(data []byte) ([]analyzer.Fact, error) {
	l := lockfile{known: map[string]*source{}, at: map[identity]*gem{}, sums: map[string][]sbom.Hash{}}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "\uFFFD")) {
		l.line++
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			l.read(line)
		}
	}
	for _, g := range l.gems {
		l.Put(l.entry(g))
	}
	return l.Facts(nil)
}

// read reads one line that is not empty.
func (l *lockfile) read(line string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	text := line[indent:]
	switch {
	case isConflict(line):
		l.wrong("a mark of a merge conflict", line)
	case indent == 0:
		l.open(line)
	case l.section == "":
		l.wrong("text before the first section", text)
	case l.section == checksums:
		l.checksum(text)
	case l.from == nil:
	case text == "specs:":
		l.settle()
	case indent == 2:
		l.option(text)
	case indent == 4:
		l.gem(text)
	case indent == 6:
		if name, _, _ := split(text); l.last != nil {
			l.last.wants = append(l.last.wants, name)
		}
	default:
		l.wrong("not indented like a gem", text)
	}
}

func (l *lockfile) wrong(what, text string) {
	l.Odd(fmt.Errorf("line %d: %s: %.60q: %w", l.line, what, text, fault.Invalid))
}

// over notes that a limit leaves no room for one more.
func (l *lockfile) over(what string, have, most int) bool {
	if have < most {
		return false
	}
	l.Odd(&fault.LimitError{What: what, Where: fmt.Sprintf("line %d", l.line), Max: int64(most), Seen: int64(have + 1)})
	return true
}

// isConflict reports whether git has left a mark in the file, as Bundler looks for it.
func isConflict(line string) bool {
	for _, mark := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	return false
}

// open begins a section.
func (l *lockfile) open(heading string) {
	l.section, l.from, l.last = heading, nil, nil
	switch {
	case slices.Contains(sources, heading):
		l.from = &source{kind: heading}
	case heading != checksums && !slices.Contains(notes, heading):
		l.Odd(fmt.Errorf("line %d: section %.60q: %w", l.line, heading, fault.Unsupported))
	}
}

func (l *lockfile) option(text string) {
	key, value, _ := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	if l.over("bytes of an address", len(value)-1, maxAddress) {
		value = strings.ToValidUTF8(value[:maxAddress], "")
	}
	switch key {
	case "remote":
		if !l.over("servers of a section", len(l.from.remotes), maxRemotes) {
			l.from.remotes = append(l.from.remotes, locked.Anonymous(value))
		}
	case "revision":
		l.from.revision = value
	case "type":
		l.from.plugin = value
	}
}

// settle ends the options of a section: sections with the same ones are one source.
func (l *lockfile) settle() {
	s := l.from
	text := ""
	if s.kind != "GEM" || len(s.remotes) > 0 && !slices.ContainsFunc(s.remotes, isDefault) {
		text = s.kind + " " + strings.Join(s.remotes, " ") + " " + s.revision
	}
	if same := l.known[text]; same != nil {
		l.from = same
		return
	}
	if l.over("sections of a lockfile", len(l.known), maxSections) {
		l.from = nil
		return
	}
	if text != "" {
		s.number = len(l.known) + 1
	}
	s.like = s.common()
	l.known[text] = s
}

// gem reads "name (version)" or "name (version-platform)".
func (l *lockfile) gem(text string) {
	name, inner, _ := split(text)
	version, platform, _ := strings.Cut(inner, "-")
	if version == "" || strings.ContainsAny(version, " ,") {
		l.wrong("a gem without a version", text)
		version = ""
	}
	if l.from.like == nil {
		l.settle()
	}
	if l.last = nil; l.from == nil {
		return
	}
	key := identity{name, version, l.from.number}
	g := l.at[key]
	if g == nil {
		if l.over("packages of a lockfile", len(l.gems), locked.MaxEntries) {
			return
		}
		g = &gem{name: name, version: version, from: l.from}
		l.at[key] = g
		l.gems = append(l.gems, g)
	}
	if platform == "" {
		platform = "ruby"
	}
	g.platforms = append(g.platforms, platform)
	l.last = g
}

// checksum reads "name (version-platform) sha256=digest", or nothing behind the brackets.
func (l *lockfile) checksum(text string) {
	name, inner, rest := split(text)
	version, platform, some := strings.Cut(inner, "-")
	if !some {
		platform = "ruby"
	}
	key := sumKey(name, version, platform)
	for digest := range strings.SplitSeq(rest, ",") {
		algorithm, value, _ := strings.Cut(strings.TrimSpace(digest), "=")
		if sum := locked.Hex(algorithm, value); len(sum) > 0 && !l.over("digests of a lockfile", len(l.sums), maxDigests) {
			l.sums[key] = append(l.sums[key], sum...)
		}
	}
}

func sumKey(name, version, platform string) string { return name + " " + version + " " + platform }

// split takes apart "name (inner) rest"; a gem that has to come from the section's source
// is marked with "!".
func split(text string) (name, inner, rest string) {
	name, rest, _ = strings.Cut(text, " (")
	inner, rest, _ = strings.Cut(rest, ")")
	return strings.TrimSuffix(strings.TrimSpace(name), "!"), strings.TrimSpace(inner), rest
}

// isDefault reports whether an address is rubygems.org, by any of its names.
func isDefault(address string) bool {
	_, host, _ := strings.Cut(address, "://")
	host, _, _ = strings.Cut(host, "/")
	return host == "rubygems.org" || strings.HasSuffix(host, ".rubygems.org")
}

func (l *lockfile) entry(g *gem) locked.Entry {
	slices.Sort(g.platforms)
	g.platforms = slices.Compact(g.platforms)
	like := g.from.like
	p := sbom.Package{Name: g.name, Version: g.version, Type: like.Type, Download: like.Download, Properties: slices.Clone(like.Properties)}
	only := ""
	if len(g.platforms) == 1 {
		only = g.platforms[0]
	} else {
		p.Properties = append(p.Properties, sbom.Property{Name: platformsProperty, Value: strings.Join(g.platforms, ", ")})
	}
	for _, platform := range g.platforms {
		p.Hashes = append(p.Hashes, l.sums[sumKey(g.name, g.version, platform)]...)
	}
	if !g.from.isFolder() {
		p.PURL = packageURL(g.name, g.version, only)
		for _, q := range like.PURL.Qualifiers {
			p.PURL = with(p.PURL, q.Key, q.Value)
		}
	}
	key := ""
	if g.from.number > 0 {
		key = fmt.Sprintf("%s@%s@%d", g.name, g.version, g.from.number)
	}
	return locked.Entry{Key: key, Package: p, Wants: g.wants}
}

// isFolder reports whether no server has the gems: they are in a folder, or in a repository
// that is one.
func (s *source) isFolder() bool {
	return s.kind == "PATH" || s.kind == "GIT" && s.vcs() == ""
}

func (s *source) remote() string { return strings.Join(s.remotes, ", ") }
func (s *source) vcs() string    { return locked.VCS("git", s.remote(), s.revision) }

// common returns what the gems of a source have in common.
func (s *source) common() *sbom.Package {
	p, remote := new(sbom.Package), s.remote()
	switch {
	case s.kind == "PATH" && remote == ".":
		p.Type = "application"
	case s.isFolder():
		p.Properties = append(p.Properties, sbom.Property{Name: sourceProperty, Value: remote})
	case s.kind == "GIT":
		p.Download = s.vcs()
		p.PURL = p.PURL.With("vcs_url", p.Download)
	case len(s.remotes) > 1:
		p.Properties = append(p.Properties, sbom.Property{Name: remotesProperty, Value: remote})
	case remote != "" && !isDefault(remote):
		p.PURL = p.PURL.With("repository_url", strings.TrimSuffix(remote, "/"))
	}
	if s.plugin != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: pluginProperty, Value: s.plugin})
	}
	return p
}
