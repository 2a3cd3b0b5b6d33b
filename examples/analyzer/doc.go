// Package analyzer reads a lockfile that only you have, as an analyzer of the SDK.
//
// Copy it if your packages come by a tool of your own: a build system, a vendor's package
// manager, a manifest that your images carry. What an analyzer finds is in every SBOM and
// is matched like all the rest.
//
// The format is invented. A brick.lock says, line by line, what a wall is built of:
//
//	brick-lock 1
//	brick wall 2.1.0 sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
//	  needs mortar
//	brick mortar 1.0.3
//	scaffold level 0.3.0
//
// A scaffold is there while the wall is built and not afterwards.
//
// What to change: Info (your name, and the version whenever the same file gives other
// facts), Paths, read, and the type of the package URL. Keep the tests: package analyzertest
// proves what any analyzer must hold, with your golden cases in testdata.
package analyzer
