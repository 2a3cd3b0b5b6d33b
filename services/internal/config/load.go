package config

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/suggest"
)

// Input is where a configuration comes from. The zero value gives the defaults.
type Input struct {
	// Systems run in this process: what they need is checked. Nil: whatever they all may
	// have is checked, and nothing is missing.
	Systems []string
	// File is what --config names; "" is STELLA_CONFIG, and without that there is none.
	File string
	// Environ has NAME=VALUE, as os.Environ returns it.
	Environ []string
	// Flags have the values of keys that were given as flags. A flag wins.
	Flags map[string]string
	// Defaults replace defaults of the model, by key, such as another listen.
	Defaults map[string]string
}

// Load puts a configuration together and checks it. It reads the files that it names, and
// makes nothing. An error is of type [Problems]: all mistakes, and no secret.
func Load(in Input) (*Config, error) {
	l := &loader{in: in, out: new(Config), origins: map[string]string{}, files: map[string]reference{}}
	l.defaults()
	env := environment(in.Environ)
	if name, origin := in.File, "flag --config"; name != "" {
		l.file(name, origin)
	} else if name := env["STELLA_CONFIG"]; name != "" {
		l.file(name, "STELLA_CONFIG")
	}
	l.environment(env)
	l.flags()
	l.secretFiles()
	l.derive()
	l.check()
	if len(l.problems) > 0 {
		for i, p := range l.problems { // a message of another package may repeat what it read
			l.problems[i].Why = l.out.Redact(p.Why)
			l.problems[i].Value = l.out.Redact(p.Value)
		}
		l.problems.sort()
		return nil, slices.Compact(l.problems)
	}
	l.out.origins = l.origins
	return l.out, nil
}

// environment returns our variables by name.
func environment(list []string) map[string]string {
	out := map[string]string{}
	for _, s := range list {
		if name, value, ok := strings.Cut(s, "="); ok && strings.HasPrefix(name, "STELLA_") {
			out[name] = value
		}
	}
	return out
}

func (l *loader) defaults() {
	for _, f := range fields() {
		text, ok := l.in.Defaults[f.key]
		if !ok {
			text = f.tag.Get("default")
		}
		if text != "" {
			l.whole(f, "default", text)
		}
	}
}

// foreign are variables of ours that are not configuration: the command line's and those
// of tests.
var foreign = []string{"STELLA_CONFIG", "STELLA_DB", "STELLA_PASSWORD", "STELLA_SERVER", "STELLA_TOKEN", "STELLA_LONG", "STELLA_SEED", "STELLA_REQUIRE_SERVERS"}

// set reports whether a variable is there because a cluster made it of the name of a
// service, or because it belongs to tests.
func set(name string) bool {
	for _, prefix := range []string{"STELLA_TEST_", "STELLA_CRASH", "STELLA_SERVERS_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") || strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP")
}

// environment reads variables over what is there. An empty one is none.
func (l *loader) environment(env map[string]string) {
	known := slices.Clone(foreign)
	for _, f := range fields() {
		name := variable(f.key)
		if records(f.typ) {
			if env[name] != "" {
				l.bad(f.key, name, "", "a list of mappings is given in a file alone")
			}
			known = append(known, name)
			continue
		}
		value, file := env[name], ""
		known = append(known, name)
		if private(f.typ) {
			file = env[name+"_FILE"]
			known = append(known, name+"_FILE")
		}
		switch {
		case value != "" && file != "":
			l.bad(f.key, name, "", "give either the value or the file (%s_FILE), not both", name)
		case file != "":
			l.refer(l.out.at(f.index), f.key, name+"_FILE", file)
		case value != "":
			l.whole(f, name, value)
		}
	}
	for name := range env {
		if !slices.Contains(known, name) && !set(name) {
			l.bad("", name, "", "unknown variable%s", suggest.Phrase(name, known))
		}
	}
}

// flags reads flags over what is there.
func (l *loader) flags() {
	all := fields()
	var names []string
	for _, f := range all {
		names = append(names, f.flags()...)
	}
	for name, text := range l.in.Flags {
		i := slices.IndexFunc(all, func(f field) bool { return slices.Contains(f.flags(), name) })
		switch {
		case i < 0:
			l.bad("", "flag --"+name, "", "unknown flag%s", suggest.Phrase(name, names))
		case name != all[i].key:
			if _, both := l.in.Flags[all[i].key]; both {
				l.bad(all[i].key, "flag --"+name, "", "give either the value or the file, not both")
			}
			l.refer(l.out.at(all[i].index), all[i].key, "flag --"+name, text)
		case all[i].typ == urlType && len(NewURL(text).password()) > 0:
			l.out.secrets = append(l.out.secrets, NewURL(text).password()...)
			l.bad(name, "flag --"+name, shownURL(text), "everybody on this machine can see a flag, and this one has a password: use %s or --%s%s", variable(name), name, fileSuffix)
		default:
			l.whole(all[i], "flag --"+name, text)
		}
	}
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// secretFiles reads what lies in files. A line break at the end is not part of it.
func (l *loader) secretFiles() {
	for path, r := range l.files {
		text, err := readSecret(r.name)
		if err != nil {
			l.bad(path+fileSuffix, r.origin, r.name, "%v", err)
			continue
		}
		l.origins[path] = fmt.Sprintf("file %s by %s", r.name, r.origin)
		l.text(r.value, "", path, r.origin, text)
	}
}

func readSecret(name string) (string, error) {
	if err := closed(name); err != nil {
		return "", err
	}
	text, err := readBounded(name, maxSecret)
	if err != nil {
		return "", err
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if s == "" {
		return "", fmt.Errorf("it is empty")
	}
	return s, nil
}

// derive fills in what follows from other keys.
func (l *loader) derive() {
	c := l.out
	fill := func(key string, to *string, text, origin string) {
		if *to == "" && text != "" {
			*to, l.origins[key] = text, origin
		}
	}
	host, _ := os.Hostname()
	fill("instance", &c.Instance, plainName(host)+"-"+strconv.Itoa(os.Getpid()), "host and process id")
	if c.Profile != Distributed {
		fill("store", &c.Store.value, fileURL("sqlite", filepath.Join(c.Data, "stella.db")), "default: in data")
		fill("bucket", &c.Bucket.value, fileURL("file", filepath.Join(c.Data, "artifacts")), "default: in data")
	}
	fill("authority.issuer", &c.Authority.Issuer, c.URL, "url")
	fill("notifier.base_url", &c.Notifier.BaseURL, c.URL, "url")
}

// fileURL returns the URL of a file or folder, relative or not.
func fileURL(scheme, path string) string {
	path = filepath.ToSlash(path)
	u := &url.URL{Path: path}
	if strings.HasPrefix(path, "/") {
		return scheme + ":" + u.EscapedPath()
	}
	return scheme + ":" + strings.TrimPrefix(u.String(), "./")
}

// plainName makes a name of letters, digits, '-', '_' and '.' of a text.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, s)
	return cmp.Or(s[:min(len(s), 50)], "stella")
}
