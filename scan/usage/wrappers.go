package usage

import (
	"strings"

	"github.com/stella-ops/stella/internal/shell"
)

// started is a command that a program starts, and what that adds to the environment.
type started struct {
	words []string
	env   []string // "NAME=WORD"
}

// wrapper says what a program starts, by its arguments.
type wrapper func(args []string) []started

// wrappers are programs that start another one, by name.
var wrappers = map[string]wrapper{
	"tini": before("-s -p: -v -w -g -e: -l", 0), "tini-static": before("-s -p: -v -w -g -e: -l", 0), "docker-init": before("-s -p: -v -w -g -e: -l", 0),
	"dumb-init": before("-r: --rewrite: -c -v", 0), "catatonit": before("-P -L", 0),
	"gosu": before("", 1), "su-exec": before("", 1), "s6-setuidgid": before("", 1), "setuidgid": before("", 1),
	"setpriv": before("--reuid: --regid: --ruid: --euid: --rgid: --egid: --groups: --inh-caps: --ambient-caps: --bounding-set: --securebits: --pdeathsig: --selinux-label: --apparmor-profile: --landlock-access: --landlock-rule:", 0),
	"chpst":   before("-u: -U: -b: -e: -/: -n: -l: -L: -m: -d: -o: -p: -f: -c: -r: -t: -C:", 0),
	"env":     env, "nice": before("-n: --adjustment:", 0), "ionice": before("-c: -n: -p: -P: -u: --class: --classdata:", 0), "nohup": before("", 0), "setsid": before("", 0),
	"timeout": before("-s: -k: --signal: --kill-after:", 1), "stdbuf": before("-i: -o: -e: --input: --output: --error:", 0), "time": before("-f: -o: --format: --output:", 0),
	"sudo": before("-u: -g: -h: -p: -C: -D: -R: -T: -r: -t: --user: --group: --chdir:", 0), "doas": before("-u: -C: -a:", 0), "su": su, "runuser": su,
	"numactl": before("-C: -N: -m: -i: -l --interleave: --membind: --cpunodebind: --physcpubind: --preferred:", 0), "taskset": before("-c -p", 1), "chrt": before("-T: -P: -D:", 1),
	"flock": before("-w: -E: --timeout: --conflict-exit-code:", 1), "xargs": xargs,
	"setarch": before("", 1), "linux32": before("", 0), "linux64": before("", 0), "unshare": before("-S: -G: -R: -w: --root: --wd: --setuid: --setgid:", 0), "nsenter": before("-t: -S: -G: --target:", 0),
	"dbus-run-session": before("--config-file: --dbus-daemon:", 0), "xvfb-run": before("-e: -f: -n: -p: -s: -w: --server-args: --server-num:", 0), "ssh-agent": before("-a: -t: -E: -P:", 0),
	"prlimit": before("", 0), "softlimit": before("-a: -c: -d: -f: -l: -m: -o: -p: -r: -s: -t:", 0), "fakeroot": before("-l: -s: -i: -b:", 0), "unbuffer": before("", 0), "catchsegv": before("", 0),
	"find": find, "start-stop-daemon": daemon, "bundle": after("exec"), "poetry": after("run"), "pipenv": after("run"), "uv": after("run"), "pdm": after("run"),
	"dockerize": before("-wait: -timeout: -template: -stdout: -stderr: -wait-http-header: -wait-retry-interval: -delims:", 0), "strace": before("-e: -o: -p: -s: -u: -E:", 0),
}

// supervisors start what a configuration says.
var supervisors = map[string]string{
	"supervisord": "supervisord", "s6-svscan": "s6", "s6-rc-init": "s6", "s6-linux-init": "s6", "s6-overlay-suexec": "s6", "runsvdir": "runit", "runit": "runit", "runit-init": "runit", "systemd": "systemd",
	"openrc-init": "OpenRC", "openrc": "OpenRC", "rc": "OpenRC", "cron": "cron", "crond": "cron", "supercronic": "cron", "monit": "Monit", "circusd": "Circus", "pm2": "PM2", "pm2-runtime": "PM2", "foreman": "Foreman",
	"overmind": "Overmind", "npm": "npm", "npx": "npm", "yarn": "Yarn", "yarnpkg": "Yarn", "pnpm": "pnpm", "corepack": "Corepack", "make": "make", "gmake": "make", "parallel": "GNU parallel", "service": "service", "invoke-rc.d": "service",
	"systemctl": "systemd", "run-parts": "run-parts", "inetd": "inetd", "xinetd": "xinetd", "nodemon": "nodemon", "honcho": "Honcho", "chroot": "chroot", "mvn": "Maven", "gradle": "Gradle", "ant": "Ant", "capsh": "capsh", "fd": "fd",
}

// supervises says why what the program at p starts cannot be followed, or "".
func (r *resolver) supervises(name, p string) string {
	if who := supervisors[name]; who != "" {
		return who + " starts what its configuration says, which is not followed"
	}
	if name == "init" {
		if r.exists("etc/s6-overlay") || r.exists("package/admin/s6-overlay") || len(r.below("package/admin/s6")) > 0 {
			return "s6 starts what its configuration says, which is not followed"
		}
		if prog := r.Programs[p]; isELF(prog) && base(p) != "docker-init" && base(p) != "tini" {
			return "an init starts what its configuration says, which is not followed"
		}
	}
	return ""
}

// before is a program with options and a number of operands before the command. Options
// that take the next word are listed with a colon.
func before(options string, operands int) wrapper {
	return func(args []string) []started {
		rest := operand(options, args)
		out := started{words: rest[min(operands, len(rest)):]}
		for len(out.words) > 0 && assignment(out.words[0]) != "" { // as sudo takes them
			out.env, out.words = append(out.env, out.words[0]), out.words[1:]
		}
		return []started{out}
	}
}

// xargs follows xargs(1), which adds words to the command that nobody knows.
func xargs(args []string) []started {
	words := operand("-I: -n: -P: -L: -d: -a: -E: -s: --max-args: --max-procs: --replace: --delimiter:", args)
	if len(words) == 0 {
		return nil
	}
	return []started{{words: append(words[:len(words):len(words)], anything)}}
}

// operand skips options.
func operand(options string, args []string) []string {
	for len(args) > 0 {
		w := args[0]
		switch {
		case w == "--":
			return args[1:]
		case len(w) < 2 || w[0] != '-' && w[0] != '+':
			return args
		case has(options, w+":"):
			args = args[min(2, len(args)):]
		default:
			args = args[1:]
		}
	}
	return args
}

// env follows env(1): assignments before the command, and -S, whose value is several words.
func env(args []string) []started {
	var out started
	for len(args) > 0 {
		w := args[0]
		split, attached := strings.CutPrefix(w, "--split-string=")
		for _, option := range []string{"-S", "-vS", "-iS"} {
			if attached || !strings.HasPrefix(w, option) {
				continue
			}
			split, attached = w[len(option):], true
			if split == "" {
				if args = args[1:]; len(args) == 0 {
					return nil
				}
				split = args[0]
			}
		}
		switch {
		case attached:
			args = append(strings.Fields(split), args[1:]...)
		case w == "-u" || w == "-C" || w == "--unset" || w == "--chdir":
			args = args[min(2, len(args)):]
		case strings.HasPrefix(w, "-"):
			args = args[1:]
		case assignment(w) != "":
			out.env = append(out.env, w)
			args = args[1:]
		default:
			out.words = args
			return []started{out}
		}
	}
	return nil
}

// assignment is the name that a word assigns to, or "".
func assignment(w string) string {
	name, _, ok := strings.Cut(w, "=")
	name = strings.TrimSuffix(name, "+")
	if !ok || name == "" {
		return ""
	}
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return ""
		}
	}
	return name
}

// su follows su(1) and runuser(1): a user's shell, which is a login shell after "-", or
// with "-u" a command.
func su(args []string) []started {
	var shellArgs []string
	sh, user := "sh", false
	for len(args) > 0 {
		w := args[0]
		args = args[1:]
		value := ""
		if len(args) > 0 {
			value = args[0]
		}
		switch {
		case w == "-u" || w == "--user":
			return []started{{words: operand("-u: -g: -G: --user: --group:", args[min(1, len(args)):])}}
		case w == "-c" || w == "--command":
			shellArgs = append(shellArgs, "-c", value)
			args = args[min(1, len(args)):]
		case w == "-s" || w == "--shell":
			sh = value
			args = args[min(1, len(args)):]
		case w == "-g" || w == "-G" || w == "-w":
			args = args[min(1, len(args)):]
		case w == "--":
		case w == "-" || w == "-l" || w == "--login":
			shellArgs = append([]string{"-l"}, shellArgs...)
		case strings.HasPrefix(w, "--command="):
			shellArgs = append(shellArgs, "-c", w[len("--command="):])
		case strings.HasPrefix(w, "--shell="):
			sh = w[len("--shell="):]
		case strings.HasPrefix(w, "-"):
		case !user:
			user = true
		default:
			shellArgs = append(shellArgs, w)
		}
	}
	return []started{{words: append([]string{sh}, shellArgs...)}}
}

// find follows find(1), which starts what follows -exec.
func find(args []string) []started {
	var out []started
	for i, w := range args {
		switch w {
		case "-exec", "-execdir", "-ok", "-okdir":
			var words []string
			for _, w := range args[i+1:] {
				if w == ";" || w == "+" {
					break
				}
				if w == "{}" {
					w = anything
				}
				words = append(words, w)
			}
			out = append(out, started{words: words})
		}
	}
	return out
}

// daemon follows start-stop-daemon(8).
func daemon(args []string) []started {
	var out []started
	for i, w := range args {
		value, attached := strings.CutPrefix(w, "--exec=")
		if !attached && i+1 < len(args) && (w == "--exec" || w == "-x" || w == "--startas" || w == "-a") {
			value, attached = args[i+1], true
		}
		if attached {
			words := []string{value}
			for j, w := range args {
				if w == "--" {
					words = append(words, args[j+1:]...)
					break
				}
			}
			out = append(out, started{words: words})
		}
	}
	return out
}

// after is a program that starts what follows a word.
func after(word string) wrapper {
	return func(args []string) []started {
		for i, w := range args {
			if s, ok := shell.Static(w); ok && s == word {
				return []started{{words: operand("", args[i+1:])}}
			}
		}
		return nil
	}
}
