package template

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"maps"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/stella-ops/stella/notify"
)

// mainName is the text itself among the templates that it defines.
const mainName = " "

// program is a text that was checked, ready to be run.
type program struct {
	run interface {
		Execute(w io.Writer, data any) error
	}
	// listed says that it tells how many notices there are.
	listed bool
	lists  bool // it names the notices
}

// compile checks a text and makes it ready. Without a program there are problems.
func compile(p *Part, source string) (*program, []Problem) {
	c := &checker{
		problems: problems{part: p.Name, text: source},
		trees:    map[string]*parse.Tree{}, funcs: functions(), bodies: map[body]cost{}, used: map[string]bool{},
	}
	if len(source) > notify.MaxTemplate {
		return nil, []Problem{{Part: p.Name, Limit: true, What: fmt.Sprintf("%d bytes; at most %d", len(source), notify.MaxTemplate)}}
	}
	c.literals()
	tree := parse.New(mainName)
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(source, "{{", "}}", c.trees); err != nil {
		c.syntax(err)
		return nil, c.found
	}
	c.main(mainName)
	if len(c.found) > 0 {
		return nil, c.found
	}
	for _, name := range slices.Sorted(maps.Keys(c.trees)) {
		guard(c.trees[name].Root)
	}
	prog := &program{listed: c.listed, lists: c.lists}
	var err error
	if p.Escape == HTML {
		prog.run, err = markup(c.trees)
	} else {
		prog.run, err = plainly(c.trees)
	}
	if err != nil {
		c.runtime(err)
		return nil, c.found
	}
	return prog, nil
}

// showName is the function that each action ends in. Templates cannot name it.
const showName = "_show"

// guard has each action that writes end in the function that cleans what it writes, as
// html/template does: it makes no difference what the action is made of.
func guard(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			guard(child)
		}
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{
				NodeType: parse.NodeCommand, Pos: n.Pos,
				Args: []parse.Node{parse.NewIdentifier(showName).SetPos(n.Pos)},
			})
		}
	case *parse.IfNode:
		guard(n.List)
		guard(n.ElseList)
	case *parse.WithNode:
		guard(n.List)
		guard(n.ElseList)
	case *parse.RangeNode:
		guard(n.List)
		guard(n.ElseList)
	}
}

// calls are the functions of a program; before and after are put
// around what an action writes.
func calls(before, after string) map[string]any {
	out := map[string]any{showName: func(v any) (string, error) {
		s, err := shown(v)
		if err != nil {
			return "", err
		}
		s, _ = clean(s, MaxValue*MaxList)
		return before + s + after, nil
	}}
	for name, f := range functions() {
		out[name] = f.do
	}
	return out
}

func plainly(trees map[string]*parse.Tree) (*texttemplate.Template, error) {
	t := texttemplate.New(mainName).Funcs(calls(open, shut)).Option("missingkey=zero")
	for name, tree := range trees {
		if _, err := t.AddParseTree(name, tree); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// markup has html/template escape each action once more, for where it is in the page.
func markup(trees map[string]*parse.Tree) (*htmltemplate.Template, error) {
	t := htmltemplate.New(mainName).Funcs(calls("", "")).Option("missingkey=zero")
	for name, tree := range trees {
		if _, err := t.AddParseTree(name, tree); err != nil {
			return nil, err
		}
	}
	t = t.Lookup(mainName)
	return t, t.Execute(io.Discard, &notify.Message{})
}

// literals checks what the text says itself.
func (c *checker) literals() {
	for i, r := range c.text {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' {
			c.at(i, "control character %U", r)
		} else if r == '\ufffd' && !strings.HasPrefix(c.text[i:], "\ufffd") {
			c.at(i, "this is no UTF-8")
		}
	}
	for _, at := range secrets(c.text) {
		c.at(at, "this looks like a secret; a template holds none")
	}
}

// runtime notes an error of a template that was run or made ready.
func (c *checker) runtime(err error) {
	var page *htmltemplate.Error
	if errors.As(err, &page) {
		at := len(c.text)
		if page.Node != nil {
			at = int(page.Node.Position())
		} else if page.Line > 0 {
			at = lineStart(c.text, page.Line)
		}
		what, _, _ := strings.Cut(page.Description, ": {state")
		c.at(at, "%s", what)
		return
	}
	c.at(0, "%s", err)
}

// trial is what programs are tried with: messages of all sorts, and few notices.
func trial() []*notify.Message {
	var out []*notify.Message
	for _, m := range append(Samples(), &notify.Message{}) {
		m.Notices = m.Notices[:min(len(m.Notices), 3)]
		out = append(out, (&views{message: m}).view(len(m.Notices), MaxValue))
	}
	return out
}

// try runs a program for messages, in case the checks let something through.
func try(prog *program, p *Part, source string, of []*notify.Message) []Problem {
	c := &checker{problems: problems{part: p.Name, text: source}}
	for _, m := range of {
		err := prog.run.Execute(&bounded{left: maxRaw(p.Max)}, m)
		if err != nil && !errors.Is(err, errLong) {
			c.runtime(err)
			break
		}
	}
	return c.found
}

func lineStart(s string, line int) int {
	at := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			break
		}
		at += n + 1
	}
	return at
}

// prepare compiles the default of a part.
func prepare(p Part) (compiled, []Problem) {
	if p.Text == "" {
		p.Text = "{{.Title}}"
	}
	if p.Max <= 0 || p.Max > notify.MaxPayload {
		p.Max = notify.MaxPayload
	}
	switch p.Escape {
	case Line, Plain, Mrkdwn, Markdown, HTML:
	default:
		return compiled{Part: p}, []Problem{{Part: p.Name, What: fmt.Sprintf("there is no escape %q", p.Escape)}}
	}
	standard, wrong := compile(&p, p.Text)
	return compiled{Part: p, standard: standard}, wrong
}

// parseStandard compiles the defaults of parts.
func parseStandard(parts []Part) (*Set, []Problem) {
	s := &Set{}
	var wrong []Problem
	for _, p := range parts {
		if s.index(p.Name) >= 0 {
			wrong = append(wrong, Problem{Part: p.Name, What: "a second part of this name"})
			continue
		}
		part, more := prepare(p)
		s.parts = append(s.parts, part)
		wrong = append(wrong, more...)
	}
	return s, wrong
}

// parseOwn compiles texts that replace those of a set, in the name of a template, and
// tries them.
func parseOwn(id string, standard *Set, texts map[string]string, tried []*notify.Message) (*Set, []Problem) {
	s := &Set{slices.Clone(standard.parts)}
	var wrong []Problem
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		i := s.index(name)
		if i < 0 {
			names := make([]string, 0, len(s.parts))
			for _, p := range s.parts {
				names = append(names, p.Name)
			}
			wrong = append(wrong, Problem{Template: id, Part: name, What: "there is no such part" + meant(name, names)})
			continue
		}
		own, more := compile(&s.parts[i].Part, texts[name])
		if own != nil {
			more = try(own, &s.parts[i].Part, texts[name], tried)
		}
		s.parts[i].own = own
		for _, p := range more {
			p.Template = id
			wrong = append(wrong, p)
		}
	}
	return s, wrong
}

func (s *Set) index(name string) int {
	return slices.IndexFunc(s.parts, func(p compiled) bool { return p.Name == name })
}
