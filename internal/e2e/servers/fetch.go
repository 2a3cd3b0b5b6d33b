package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// program is a server's program on this machine.
type program struct {
	path string
	how  string   // where it came from
	env  []string // what it needs beside the environment
}

// cacheDir is the folder that fetched programs are kept in.
func cacheDir() (string, error) {
	if dir := os.Getenv("STELLA_SERVERS_CACHE"); dir != "" {
		return dir, nil
	}
	if os.Getuid() == 0 {
		return "/var/cache/stella/servers", nil // an unprivileged user must reach it
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "stella", "servers"), nil
}

// lookUp finds a program on PATH or by one of the patterns, the last in order
// first.
func lookUp(name string, patterns ...string) string {
	if os.Getenv("STELLA_SERVERS_FETCH") == "1" {
		return ""
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)
		sort.Strings(found)
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// fetch returns the folder that get filled. It fills it once for all test
// binaries: it is taken under a lock, and named when it is whole.
func fetch(name string, get func(dir string) error) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(cache, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	fmt.Fprintf(os.Stderr, "servers: fetching %s into %s, once\n", name, cache)
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	if err := get(part); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	return dir, os.Rename(part, dir)
}

// run runs a command in dir, with what it printed in its error.
func run(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		if len(out) > 2000 {
			out = out[len(out)-2000:]
		}
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// fetchDebian unpacks packages of the release that runs here, or of its
// backports, aside: nothing is installed and no root is needed.
func fetchDebian(dir string, packages ...string) error {
	apt := filepath.Join(dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, d), 0o755); err != nil {
			return err
		}
	}
	sources, err := debianSources()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(apt, "sources.list"), []byte(sources), 0o644); err != nil {
		return err
	}
	options := []string{
		"-q", "-o", "Dir::Etc::SourceList=" + apt + "/sources.list", "-o", "Dir::Etc::SourceParts=-",
		"-o", "Dir::State::Lists=" + apt + "/lists", "-o", "Dir::Cache=" + apt + "/cache", "-o", "APT::Sandbox::User=",
	}
	if err := run(dir, nil, "apt-get", append(options, "update")...); err != nil {
		return err
	}
	if err := run(dir, nil, "apt-get", append(append(options, "download"), packages...)...); err != nil {
		return err
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
	for _, f := range files {
		if err := run(dir, nil, "dpkg-deb", "-x", f, dir); err != nil {
			return err
		}
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return os.RemoveAll(apt)
}

// debianSources lists this machine's own archive, main and backports.
func debianSources() (string, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	codename := ""
	for line := range strings.Lines(string(release)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			codename = v
		}
	}
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	var out strings.Builder
	for _, f := range append(files, "/etc/apt/sources.list") {
		text, _ := os.ReadFile(f)
		for _, s := range archives(string(text), codename) {
			fmt.Fprintf(&out, "deb %s %s main\ndeb %s %s-backports main\n", s, codename, s, codename)
		}
	}
	if codename == "" || out.Len() == 0 {
		return "", fmt.Errorf("this machine's apt has no archive of its release")
	}
	return out.String(), nil
}

// archives returns the archives that serve a suite, each with its key, from a
// file of either of apt's formats.
func archives(text, suite string) (out []string) {
	for stanza := range strings.SplitSeq(text, "\n\n") {
		field := map[string]string{}
		for line := range strings.Lines(stanza) {
			if words := strings.Fields(line); len(words) > 2 && words[0] == "deb" {
				rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "deb"))
				if options, after, ok := strings.Cut(rest, "] "); ok && strings.HasPrefix(rest, "[") {
					if w := strings.Fields(after); len(w) > 1 && w[1] == suite {
						out = append(out, options+"] "+w[0])
					}
				} else if words[2] == suite {
					out = append(out, words[1])
				}
			} else if k, v, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
				field[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
		for _, s := range strings.Fields(field["suites"]) {
			if uri := strings.Fields(field["uris"]); s == suite && len(uri) > 0 {
				key := ""
				if k := field["signed-by"]; strings.HasPrefix(k, "/") {
					key = "[signed-by=" + k + "] "
				}
				out = append(out, key+uri[0])
			}
		}
	}
	return out
}
