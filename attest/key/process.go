package key

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// extensions are those of programs.
var extensions = func() []string {
	if runtime.GOOS == "windows" {
		return []string{".exe"}
	}
	return []string{""}
}()

// runnable reports whether a file of a mode is a program.
func runnable(mode fs.FileMode) bool { return runtime.GOOS == "windows" || mode&0o111 != 0 }

// PluginEnv returns the names of the environment variables that plugins are
// given in any case, if they are set: those by which programs find their home,
// other programs, the language and the network. Credentials are not among them:
// see [Options.PluginEnv].
func PluginEnv() []string {
	return []string{
		"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY", "SYSTEMROOT", "TEMP", "USERPROFILE",
	}
}

func (o *Options) pluginEnv() []string {
	env := []string{}
	var patterns []string
	for _, name := range slices.Concat(PluginEnv(), o.PluginEnv) {
		if beginning, ok := strings.CutSuffix(name, "*"); ok {
			patterns = append(patterns, beginning)
			continue
		}
		if value, ok := o.lookup(name); ok {
			env = append(env, name+"="+value)
		}
	}
	if len(patterns) > 0 {
		for _, pair := range os.Environ() {
			name, _, _ := strings.Cut(pair, "=")
			if !slices.ContainsFunc(patterns, func(p string) bool { return strings.HasPrefix(name, p) }) {
				continue
			}
			if value, ok := o.lookup(name); ok {
				env = append(env, name+"="+value)
			}
		}
	}
	return env
}

// bounded keeps what is written, up to a limit, and ends the program beyond it.
type bounded struct {
	buf  bytes.Buffer // not embedded: its ReadFrom knows no limit
	over bool
	end  func()
}

// Write fails where the limit would be passed.
func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > MaxPluginText {
		b.over = true
		b.end()
		return 0, fs.ErrInvalid
	}
	return b.buf.Write(p)
}

// limited passes on the first bytes that are written, and drops the rest.
type limited struct {
	w    io.Writer
	left int
}

// Write never ends the program.
func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	if n > 0 {
		l.w.Write(p[:n])
	}
	return len(p), nil
}

// run runs the program without a shell, and returns what it wrote.
func (p *plugin) run(ctx context.Context, args string, input []byte) ([]byte, error) {
	running, end := context.WithCancel(ctx)
	defer end()
	cmd := exec.CommandContext(running, p.program, pluginProtocol, args)
	cmd.Env = p.env
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second // for what it left running with its pipes
	cmd.Stderr = io.Discard
	if p.options.PluginLog != nil {
		cmd.Stderr = &limited{w: p.options.PluginLog, left: MaxPluginText}
	}
	out := bounded{end: end}
	cmd.Stdout = &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case out.over:
		return nil, &fault.LimitError{What: "bytes of a plugin's answer", Where: p.name, Max: MaxPluginText}
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the plugin did not answer in time: %w: %w", context.Cause(ctx), fault.Unavailable)
	case err == nil, errors.As(err, &exit) && exit.ExitCode() > 0:
		return out.buf.Bytes(), nil
	case errors.Is(err, exec.ErrWaitDelay):
		return out.buf.Bytes(), nil // it has answered; what it started has not ended
	case exit != nil:
		return nil, fmt.Errorf("the plugin was ended: %v: %w", exit.ProcessState, fault.Unavailable)
	}
	return nil, fmt.Errorf("run the plugin: %w: %w", cause(err), fault.Unavailable)
}
