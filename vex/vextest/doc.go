// Package vextest proves what others make for package vex: sources of documents, and
// views of statements.
//
// A source of one's own calls [TestSource] with a [Feed], what its publisher serves by
// host and path. The suite answers from that: it breaks answers off, changes them between
// two fetches, takes documents away and cancels, and demands that a source takes nothing
// for complete that is not, passes on each document once with its bytes as they were, and
// asks only hosts that it names. [TestDescription] and [TestParse] check the rest of the
// contract; parsing must be a function of name and content, and damaged documents must
// give errors.
//
// A view calls [TestView]: it must answer for every spelling of a vulnerability's id, and
// exactly with the statements that it was opened with. [Statements] are some that try it.
//
// [Door] is a door that serves files, for tests and examples without a network.
package vextest
