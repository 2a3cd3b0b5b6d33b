package cyclonedx

import (
	_ "embed"
	"sync"
)

//go:embed members.txt
var membersText string

// shapes returns the table of members.txt, read once.
var shapes = sync.OnceValue(func() *table { return parseTable(membersText) })

// A table says for every kind of CycloneDX object which members it has, since
// when, and how the XML form writes them.
type table struct {
	shapes map[string]*shape
	enums  map[string]*enum
}

type shape struct {
	name    string
	members []member
	json    map[string]int // members by JSON name
	element map[string]int // members by the name of their XML element
	attr    map[string]int // members by the name of their XML attribute
	text    int            // the member that is the element's own text, or -1
}

type form uint8

const (
	formElement   form = iota
	formAttribute      // an attribute of the object's own element
	formText           // the text of the object's own element
	formList           // an element that holds one element per item
	formRepeat         // one element per item, without a holder
	formChildAttr      // an attribute of another member's element
)

type member struct {
	json, xml string
	form      form
	child     string // formChildAttr: the attribute of element xml
	single    bool   // formRepeat: one item may stand without an array
	choice    bool   // the element holds exactly one element that says the type
	kinds     []kind // more than one where the element's name tells
	other     *kind  // what a value is when it is no array (formList) or no object
	since     [2]int // by format, the N of 1.N; 0 for "in 1.4 or before"
}

// never is the version of a member that a format does not have.
const never = 99

// A kind is what a value may be: an object of a shape, or a scalar.
type kind struct {
	element string   // the XML element, where the member does not say it
	scalar  byte     // s, b, i, n, r, j; 0 for objects and enumerations
	shape   string   // of objects
	enum    string   // of enumerated strings
	wrap    string   // the JSON member that holds the object
	when    []string // taken if one of these JSON members is present
}

type enum struct {
	fallback string // stands for a value that the version lacks; "-" for none
	since    map[string]int
}
