// Package e2e holds the tests of the whole: they need servers, other people's
// readers or the kernel as a judge, which no package of the SDK should depend
// on. It is a module of its own and has no code that is imported.
//
// This package proves stores, queues, buckets and caches against their servers; loops has
// several processes work on them while everything changes, proof goes from a scan to its
// exports and what can go wrong there, flows drives the whole program from outside, and
// crash kills processes. hostile scans a generated corpus of hostile images through the
// public API; oracle holds results against independent programs. servers and world are
// what they share.
package e2e
