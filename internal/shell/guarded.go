package shell

import "mvdan.cc/sh/v3/syntax"

// guarded notes assignments that are made only where the variable is empty, as in
// "[ -z "$X" ] && X=a".
func (c *collector) guarded(cond *syntax.Stmt, then ...*syntax.Stmt) {
	name := emptyTest(cond)
	if name == "" {
		return
	}
	note := func(list []*syntax.Assign) {
		for _, a := range list {
			if a.Name != nil && a.Name.Value == name && !a.Append {
				if c.defaults == nil {
					c.defaults = map[*syntax.Assign]bool{}
				}
				c.defaults[a] = true
			}
		}
	}
	for _, s := range then {
		switch cmd := s.Cmd.(type) {
		case *syntax.CallExpr:
			if len(cmd.Args) == 0 {
				note(cmd.Assigns)
			}
		case *syntax.DeclClause:
			note(cmd.Args)
		}
	}
}

// emptyTest is the variable whose emptiness a statement tests with -z, or "".
func emptyTest(s *syntax.Stmt) string {
	if s.Negated {
		return ""
	}
	var of *syntax.Word
	switch cmd := s.Cmd.(type) {
	case *syntax.CallExpr:
		if len(cmd.Args) < 3 || cmd.Args[0].Lit() != "[" && cmd.Args[0].Lit() != "test" || cmd.Args[1].Lit() != "-z" || len(cmd.Args) > 4 {
			return ""
		}
		of = cmd.Args[2]
	case *syntax.TestClause:
		t, ok := cmd.X.(*syntax.UnaryTest)
		if !ok || t.Op != syntax.TsEmpStr {
			return ""
		}
		of, _ = t.X.(*syntax.Word)
	}
	if of == nil {
		return ""
	}
	parts := Split(word(of))
	if len(parts) != 1 || parts[0].Kind != Param && (parts[0].Kind != Default || parts[0].Word != "") {
		return ""
	}
	return parts[0].Text
}

// substitution notes a change of the folder that a substitution makes for itself, where
// what it prints is known.
func (c *collector) substitution(n *syntax.CmdSubst) {
	e := encoder{}
	if e.printed(n) == unknown {
		return
	}
	for _, s := range n.Stmts {
		if b, ok := s.Cmd.(*syntax.BinaryCmd); ok {
			s = b.X
		}
		if call, ok := s.Cmd.(*syntax.CallExpr); ok && command(call) == "cd" {
			if c.skipped == nil {
				c.skipped = map[*syntax.CallExpr]bool{}
			}
			c.skipped[call] = true
		}
	}
}
