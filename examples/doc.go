// Package examples holds integration templates: runnable examples that put
// several packages of the SDK together. Copy one and start from there.
package examples
