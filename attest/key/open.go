package key

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// DefaultTimeout ends one call of an agent or a plugin that takes longer. A person
// may have to touch a device meanwhile.
const DefaultTimeout = time.Minute

// Options say what Open may use. The zero value, and nil, use the process's own
// environment and cannot open encrypted keys.
type Options struct {
	// Password is asked for the password of an encrypted key, which is named.
	Password func(ctx context.Context, name string) ([]byte, error)
	// LookupEnv reads an environment variable; nil is os.LookupEnv. Where to find
	// agent and plugins is read from SSH_AUTH_SOCK and PATH.
	LookupEnv func(name string) (string, bool)
	// DialAgent connects to an SSH agent; nil is the socket that SSH_AUTH_SOCK
	// names. Each signature takes a new connection.
	DialAgent func(ctx context.Context) (net.Conn, error)
	// PluginEnv are the variables that plugins are given beside those that every
	// program needs (see [PluginEnv]): names, or beginnings of names of the process's
	// own environment that end in "*", such as "AWS_*".
	PluginEnv []string
	// PluginLog gets what plugins say on standard error, up to MaxPluginText for each
	// call; nil drops it. Calls may write at the same time.
	PluginLog io.Writer
	// Timeout ends one call of an agent or a plugin; 0 is DefaultTimeout.
	Timeout time.Duration
}

func (o *Options) lookup(name string) (string, bool) {
	if o.LookupEnv != nil {
		return o.LookupEnv(name)
	}
	return os.LookupEnv(name)
}

func (o *Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

// scheme is what may stand before the colon of a reference. One letter is a
// drive.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)

// Open opens the key that ref names: a file's path, "env:NAME", "agent:" and a
// fingerprint or comment, or "NAME://…" for a plugin (see the package). A path
// that looks like one of the others is written "./…". An error wraps ErrNotFound
// where there is no such key, ErrUnsupported with what is known for an unknown
// scheme, ErrUnauthenticated for passwords, ErrUnavailable where an agent or a
// plugin does not answer, and others as [Parse].
func Open(ctx context.Context, ref string, o *Options) (*Key, error) {
	if o == nil {
		o = &Options{}
	}
	m := scheme.FindStringSubmatch(ref)
	switch {
	case ref == "":
		return nil, fmt.Errorf("open a key: the reference is empty: %w", fault.Invalid)
	case m == nil:
		return openFile(ctx, ref, o)
	case m[1] == "env":
		return openEnv(ctx, ref[len("env:"):], o)
	case m[1] == "agent":
		return openAgent(ctx, ref[len("agent:"):], o)
	case strings.HasPrefix(ref[len(m[0]):], "//"):
		return openPlugin(ctx, m[1], ref[len(m[0])+len("//"):], o)
	}
	known := append([]string{"agent", "env"}, o.plugins()...)
	return nil, fmt.Errorf("open key %q: unknown scheme %q%s: want %s: %w", redact(ref), m[1], suggest.Phrase(m[1], known), o.forms(), fault.Unsupported)
}

// forms lists what a reference may be.
func (o *Options) forms() string {
	forms := "a file's path (./… if it has a colon), env:NAME, agent:SHA256:…, agent:COMMENT, or NAME://… for a program sigstore-kms-NAME on PATH"
	if p := o.plugins(); len(p) > 0 {
		return forms + " (there are " + strings.Join(p, ", ") + ")"
	}
	return forms + " (there is none)"
}

// redact cuts what might be more than a name off a reference, such as a password
// in a URL, or a key that was pasted.
func redact(ref string) string {
	const most = 80
	if at := strings.LastIndexByte(ref, '@'); at >= 0 {
		if i := strings.Index(ref, "//"); i >= 0 && i < at {
			ref = ref[:i+2] + "…" + ref[at:]
		}
	}
	if strings.Contains(ref, "-----BEGIN") || strings.ContainsAny(ref, "\r\n") {
		return "…"
	}
	if len(ref) > most {
		return ref[:most] + "…"
	}
	return ref
}

func openEnv(ctx context.Context, name string, o *Options) (*Key, error) {
	text, ok := o.lookup(name)
	if !ok || text == "" {
		return nil, fmt.Errorf("open key env:%s: the variable is not set: %w", name, fault.NotFound)
	}
	return o.parse(ctx, []byte(text), "key env:"+name)
}

func (o *Options) parse(ctx context.Context, text []byte, name string) (*Key, error) {
	var password func() ([]byte, error)
	if o.Password != nil {
		password = func() ([]byte, error) { return o.Password(ctx, name) }
	}
	return Parse(text, name, password)
}
