// Package vextest proves what others make for package vex: sources of documents, and
// views of statements.
package vextest
