package oval

import (
	"strings"

	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

// root is the root of a document.
const root = "oval_definitions"

// test is what a document says of a test.
type test struct {
	kind   string // "rpminfo_test"
	object string
	states []string
	none   bool // it holds if there is no such object
	unless bool // it holds if no such object is in a state
}

// state is the bounds that a state sets.
type state struct {
	op, evr string // of the version with release and epoch
	known   bool   // it is a bound of versions
}

// tables are the tests, objects and states of a document.
type tables struct {
	tests   map[string]test
	objects map[string]string // names of packages
	states  map[string]state
	n       int
}

// readTables reads what definitions refer to.
func readTables(name string, content []byte) (*tables, error) {
	t := &tables{tests: map[string]test{}, objects: map[string]string{}, states: map[string]state{}}
	err := feedtext.Walk(name, content, maxDocument, root, 2, func(e *feedtext.Element) error {
		if t.n++; t.n > maxItems {
			return &fault.LimitError{What: "tests, objects and states", Where: name, Max: maxItems}
		}
		switch e.List {
		case "tests":
			return t.test(e)
		case "objects":
			return t.object(e)
		case "states":
			return t.state(e)
		}
		return e.Skip()
	})
	return t, err
}

func (t *tables) test(e *feedtext.Element) error {
	var v struct {
		Object struct {
			Ref string `xml:"object_ref,attr"`
		} `xml:"object"`
		States []struct {
			Ref string `xml:"state_ref,attr"`
		} `xml:"state"`
	}
	if err := e.Decode(&v); err != nil {
		return err
	}
	if len(v.States) > maxStates {
		return &fault.LimitError{What: "states", Where: e.Attribute("id"), Max: maxStates, Seen: int64(len(v.States))}
	}
	out := test{kind: e.Name.Local, object: v.Object.Ref, none: e.Attribute("check_existence") == "none_exist", unless: e.Attribute("check") == "none satisfy"}
	for _, s := range v.States {
		out.states = append(out.states, s.Ref)
	}
	t.tests[e.Attribute("id")] = out
	return nil
}

func (t *tables) object(e *feedtext.Element) error {
	var v struct {
		Name string `xml:"name"`
	}
	if err := e.Decode(&v); err != nil {
		return err
	}
	t.objects[e.Attribute("id")] = strings.TrimSpace(v.Name)
	return nil
}

func (t *tables) state(e *feedtext.Element) error {
	var v struct {
		EVR *struct {
			Op   string `xml:"operation,attr"`
			Text string `xml:",chardata"`
		} `xml:"evr"`
	}
	if err := e.Decode(&v); err != nil {
		return err
	}
	var s state
	if v.EVR != nil {
		s = state{op: v.EVR.Op, evr: strings.TrimSpace(v.EVR.Text), known: true}
		if s.op == "" {
			s.op = "equals"
		}
	}
	t.states[e.Attribute("id")] = s
	return nil
}
