// Package loops has several processes' worth of workers on one store and one queue while
// scans, advisories, statements and policies change, and holds what comes of it against
// what should. It has no code that is imported.
package loops
