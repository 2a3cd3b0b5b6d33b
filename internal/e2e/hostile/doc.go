// Package hostile scans images that were made to break a scanner, from every
// kind of source. Each case names its result: an error of a kind that says what
// and where, or a document with exactly these gaps and packages. Nothing may
// crash, nothing outside the temporary folder may change, nothing but loopback
// is connected to, and memory stays bounded.
package hostile
