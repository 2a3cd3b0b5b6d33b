// Package pictures shows the default messages of channels as their receivers show them,
// for docs/notify. It is a test: it compares the pages that are there with what the
// channels render now, and makes them anew with -update; with a Chromium on this machine
// also their images.
//
// The pages imitate the clients by a style sheet of their own. They are read from the
// payload, as a client reads it.
package pictures
