// Package render is how every command of the command line says what it has to say: as a
// table for people, as JSON, as JSON Lines, or by a template of the caller's own, to
// standard output and to files.
//
// A command makes one [Answer]: a value and a function that writes it as a table. Everything
// else follows from the JSON of the value, so the names that templates and programs use are
// those that -o json shows.
package render
