// Package e2e holds the tests of the whole: they need servers, other people's
// readers or the kernel as a judge, which no package of the SDK should depend
// on. It is a module of its own and has no code that is imported.
//
// hostile scans a generated corpus of hostile images through the public API;
// oracle holds results against independent programs.
package e2e
