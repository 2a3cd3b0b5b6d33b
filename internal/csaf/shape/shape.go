// Package shape checks that a JSON text has the structure that a schema asks
// for: which members an object must have and may have, which values they take.
//
// A [Rule] says it for one value. [Check] walks a text once, without building
// a tree, and reports what is wrong with a JSON pointer each. What it checks
// are the keywords of JSON Schema (draft 2020-12, validation vocabulary) that
// the schemas of CSAF use: type, required, properties, minProperties,
// maxProperties, items, minItems, uniqueItems, minLength, enum, pattern,
// format, minimum and maximum, and oneOf where a version tells which one.
package shape

// Kind is the JSON type of a value.
type Kind uint8

const (
	// Any is whatever JSON allows.
	Any Kind = iota
	// Object is an object.
	Object
	// Array is an array.
	Array
	// String is a string.
	String
	// Number is a number.
	Number
	// Bool is true or false.
	Bool
)

var kindNames = [...]string{"a value", "an object", "an array", "a string", "a number", "a boolean"}

// String names the kind with its article.
func (k Kind) String() string { return kindNames[k] }

// A Format is a named condition on the text of a string or number. The text of
// a number is as it stands in the JSON.
type Format struct {
	Name string // such as "a date and time (RFC 3339)"
	OK   func(text string) bool
}

// A Rule says what a value must be. The zero Rule accepts everything. Rules may
// refer to each other in circles; they must not change once they are in use.
type Rule struct {
	Kind    Kind
	Min     int      // least number of characters, items or members
	Max     int      // most members of an object; 0 for any number
	Formats []Format // of a string or number, all must hold
	Enum    []string // the strings it may be; nil for any

	Items  *Rule // of an array
	Unique bool  // no two items may be equal

	Members  map[string]*Rule // of an object; others are allowed and listed in the report
	Required []string         // the members that must be there, in order

	// Foreign marks a member that the schema does not know though the reader's
	// types do, from another version. It is listed as unknown, its value may be
	// anything, and [Report.Foreign] says where that is.
	Foreign bool

	By           string           // the member whose string chooses an alternative
	Alternatives map[string]*Rule // by that string; exactly one holds
}

// Text is a string of at least one character.
func Text() *Rule { return &Rule{Kind: String, Min: 1} }

// Formatted is a string in the given formats.
func Formatted(least int, formats ...Format) *Rule {
	return &Rule{Kind: String, Min: least, Formats: formats}
}

// OneOf is one of the given strings.
func OneOf(values ...string) *Rule { return &Rule{Kind: String, Enum: values} }

// List is an array of at least one item.
func List(items *Rule) *Rule { return &Rule{Kind: Array, Min: 1, Items: items} }

// Set is an array of some items at least, all different.
func Set(least int, items *Rule) *Rule {
	return &Rule{Kind: Array, Min: least, Items: items, Unique: true}
}

// Struct is an object with the given members, of which some are required.
func Struct(members map[string]*Rule, required ...string) *Rule {
	return &Rule{Kind: Object, Members: members, Required: required}
}
