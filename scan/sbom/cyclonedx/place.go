package cyclonedx

import (
	"strconv"
)

// A place is where in a document something is, written out only where it must
// be told. nil is the document or the element at hand.
type place struct {
	up    *place
	name  string
	index int // of an item of a list, where name is empty
}

func (p *place) member(name string) place { return place{up: p, name: name} }

func (p *place) item(i int) place { return place{up: p, index: i} }

// String returns a JSON pointer.
func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.name == "" {
		return p.up.String() + "/" + strconv.Itoa(p.index)
	}
	return p.up.String() + "/" + p.name
}
