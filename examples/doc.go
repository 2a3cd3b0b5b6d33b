// Package examples holds integration templates: programs and packages that put several
// packages of the SDK together, each in a folder of its own with a test that runs it. Copy
// one and start from there; README.md lists them.
//
// They import public packages alone, so that a copy compiles wherever it goes. A test here
// holds that.
package examples
