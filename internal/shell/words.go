package shell

import (
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// maxNested bounds markers within markers.
const maxNested = 4

// The markers without a name.
const (
	all     = "$@"
	pattern = "$[]"
	unknown = "${}"
)

// word encodes a word as the package comment says.
func word(w *syntax.Word) string { return encode(w, 0) }

func encode(w *syntax.Word, depth int) string {
	if w == nil {
		return ""
	}
	e := encoder{depth: depth}
	for i, p := range w.Parts {
		if lit, ok := p.(*syntax.Lit); ok && i == 0 && strings.HasPrefix(lit.Value, "~") {
			e.tilde(lit.Value, len(w.Parts) == 1)
			continue
		}
		e.part(p, false)
	}
	return e.b.String()
}

type encoder struct {
	b     strings.Builder
	depth int
}

// text writes what stands for itself. What is not UTF-8 could not be kept.
func (e *encoder) text(s string) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError:
			e.b.WriteString(unknown)
		case r == '$':
			e.b.WriteString("$$")
		default:
			e.b.WriteString(s[:n])
		}
		s = s[n:]
	}
}

// tilde writes "~" and "~/…"; whose home "~name" is, is not known.
func (e *encoder) tilde(s string, alone bool) {
	rest := s[1:]
	if rest != "" && rest[0] != '/' || rest == "" && !alone {
		e.b.WriteString(unknown)
		return
	}
	e.b.WriteString("${HOME}")
	e.unquoted(rest)
}

func (e *encoder) part(p syntax.WordPart, quoted bool) {
	switch p := p.(type) {
	case *syntax.Lit:
		if quoted {
			e.quoted(p.Value)
		} else {
			e.unquoted(p.Value)
		}
	case *syntax.SglQuoted:
		if p.Dollar && strings.Contains(p.Value, `\`) {
			e.b.WriteString(unknown)
		} else {
			e.text(p.Value)
		}
	case *syntax.DblQuoted:
		for _, q := range p.Parts {
			e.part(q, true)
		}
	case *syntax.ParamExp:
		e.b.WriteString(e.param(p))
	case *syntax.CmdSubst:
		e.b.WriteString(e.printed(p))
	case *syntax.ExtGlob:
		e.b.WriteString(pattern)
	default:
		e.b.WriteString(unknown)
	}
}

// quoted writes text in double quotes.
func (e *encoder) quoted(s string) {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			e.text(s)
			return
		}
		e.text(s[:i])
		switch c := s[i+1]; c {
		case '\n':
		case '$', '`', '"', '\\':
			e.text(string(c))
		default:
			e.text(s[i : i+2])
		}
		s = s[i+2:]
	}
}

// unquoted writes text without quotes: backslashes quote, patterns match names of files,
// and braces are several words, of which none is told.
func (e *encoder) unquoted(s string) {
	if i := strings.IndexByte(s, '{'); i >= 0 && strings.ContainsAny(s[i:], ",.") && strings.IndexByte(s[i:], '}') > 0 {
		e.text(s[:i])
		e.b.WriteString(unknown)
		return
	}
	from := 0
	for i := 0; i < len(s); i++ {
		skip := 0
		switch s[i] {
		case '\\':
			e.text(s[from:i])
			if i+1 < len(s) && s[i+1] != '\n' {
				_, n := utf8.DecodeRuneInString(s[i+1:])
				e.text(s[i+1 : i+1+n])
				skip = n
			} else {
				skip = 1
			}
			i += skip
			from = i + 1
			continue
		case '*', '?':
			skip = 1
		case '[':
			skip = strings.IndexByte(s[i:], ']') + 1
			if skip <= 2 { // "[" is a command
				continue
			}
		default:
			continue
		}
		e.text(s[from:i])
		e.b.WriteString(pattern)
		from = i + skip
		i = from - 1
	}
	if from < len(s) {
		e.text(s[from:])
	}
}

// param encodes a parameter.
func (e *encoder) param(p *syntax.ParamExp) string {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.IsSet || p.Slice != nil || p.Repl != nil || p.Names != 0 || p.Flags != nil || len(p.Modifiers) > 0 {
		return unknown
	}
	name := p.Param.Value
	if p.Index != nil {
		index := ""
		if w, ok := p.Index.(*syntax.Word); ok {
			index = w.Lit()
		}
		switch {
		case p.Exp == nil && (index == "@" || index == "*"):
			return "${" + name + "[@]}"
		case index != "0":
			return unknown
		}
	}
	if !named(name) {
		if p.Exp == nil && (name == "@" || name == "*") {
			return all
		}
		return unknown
	}
	simple := "${" + name + "}"
	if len(name) == 1 && name[0] <= '9' {
		simple = "$" + name
	}
	if p.Exp == nil {
		return simple
	}
	switch p.Exp.Op {
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		return simple
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		return "${" + name + ":-" + e.nested(p.Exp.Word) + "}"
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		return "${" + name + ":+" + e.nested(p.Exp.Word) + "}"
	case syntax.RemSmallSuffix:
		if p.Exp.Word != nil && p.Exp.Word.Lit() == "/*" {
			return "${dir " + simple + "}"
		}
	}
	return unknown
}

// named reports whether a parameter is a variable, the script or one of its first nine
// arguments.
func named(s string) bool {
	if len(s) == 1 && s[0] >= '0' && s[0] <= '9' {
		return true
	}
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// nested encodes a word within a marker, whose end a brace would hide.
func (e *encoder) nested(w *syntax.Word) string {
	if e.depth >= maxNested {
		return unknown
	}
	s := encode(w, e.depth+1)
	for _, p := range Split(s) {
		if p.Kind == Text && strings.ContainsAny(p.Text, "{}") {
			return unknown
		}
	}
	return s
}

// printed encodes what a command prints, where its arguments say it.
func (e *encoder) printed(p *syntax.CmdSubst) string {
	if len(p.Stmts) == 0 || len(p.Stmts) > 2 || p.TempFile || p.ReplyVar {
		return unknown
	}
	s := p.Stmts[0]
	if len(p.Stmts) == 2 {
		return e.entered(s, p.Stmts[1])
	}
	if folders, ok := listing(s); ok && len(folders) == 1 {
		return strings.TrimSuffix(folders[0], "/") + "/" + unknown
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.AndStmt {
		return e.entered(b.X, b.Y)
	}
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) > 0 {
		return unknown
	}
	switch command(call) {
	case "dirname":
		if of := e.operand(call, 1); of != unknown {
			return "${dir " + of + "}"
		}
	case "readlink", "realpath", "which", "echo":
		return e.operand(call, 1)
	case "command":
		if len(call.Args) == 3 && call.Args[1].Lit() == "-v" {
			return e.operand(call, 2)
		}
	case "pwd":
		return "${PWD}"
	}
	return unknown
}

// entered encodes what "cd WORD" and then "pwd" print.
func (e *encoder) entered(x, y *syntax.Stmt) string {
	cd, ok := x.Cmd.(*syntax.CallExpr)
	pwd, also := y.Cmd.(*syntax.CallExpr)
	if !ok || !also || command(cd) != "cd" || command(pwd) != "pwd" {
		return unknown
	}
	return e.operand(cd, 1)
}

// command is the name of a command, or "".
func command(c *syntax.CallExpr) string {
	if len(c.Args) == 0 {
		return ""
	}
	return c.Args[0].Lit()
}

// operand encodes the only operand of a command after its options.
func (e *encoder) operand(c *syntax.CallExpr, from int) string {
	args := c.Args[min(from, len(c.Args)):]
	for len(args) > 1 && strings.HasPrefix(args[0].Lit(), "-") {
		args = args[1:]
	}
	if len(args) != 1 {
		return unknown
	}
	return e.nested(args[0])
}
