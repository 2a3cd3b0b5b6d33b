package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// maxPipeline bounds the commands of a pipeline that is understood.
const maxPipeline = 16

// filters pass lines on as they are.
var filters = []string{"sort", "grep", "egrep", "head", "tail", "uniq", "cat", "tac"}

// piped finds, in "find DIR | sort | while read x", what is read.
func piped(n *syntax.BinaryCmd, reads map[*syntax.CallExpr][]string) {
	folders, ok := listing(n.X)
	y := n.Y
	for range maxPipeline {
		if !ok || y == nil {
			return
		}
		switch cmd := y.Cmd.(type) {
		case *syntax.BinaryCmd:
			if cmd.Op != syntax.Pipe || !filter(cmd.X) {
				return
			}
			y = cmd.Y
		case *syntax.WhileClause:
			for _, s := range cmd.Cond {
				if call, ok := s.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 1 && call.Args[0].Lit() == "read" {
					reads[call] = folders
				}
			}
			return
		default:
			return
		}
	}
}

func filter(s *syntax.Stmt) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	return ok && len(call.Args) > 0 && slices.Contains(filters, call.Args[0].Lit())
}

// listing returns the folders below which a statement lists files, and whether that is
// all it does. A pipeline of filters does so, too.
func listing(s *syntax.Stmt) ([]string, bool) {
	for range maxPipeline {
		b, ok := s.Cmd.(*syntax.BinaryCmd)
		if !ok {
			break
		}
		if b.Op != syntax.Pipe || !filter(b.Y) {
			return nil, false
		}
		s = b.X
	}
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 {
		return nil, false
	}
	return places(call)
}

// places are where find looks, if that is known: absolute paths, since what it prints
// begins with them.
func places(call *syntax.CallExpr) (folders []string, ok bool) {
	switch call.Args[0].Lit() {
	case "find", "/usr/bin/find", "/bin/find":
	default:
		return nil, false
	}
	for _, w := range call.Args[1:] {
		text := word(w)
		switch {
		case strings.HasPrefix(text, "-printf"), strings.HasPrefix(text, "-exec"):
			return nil, false // prints something else
		case len(folders) == 0 && (text == "-H" || text == "-L" || text == "-P"):
		case strings.HasPrefix(text, "-"), text == "(", text == "!":
			ok = true // the conditions begin
		case !ok && strings.HasPrefix(text, "/"):
			folders = append(folders, text)
		case !ok:
			return nil, false
		}
	}
	return folders, len(folders) > 0
}
