//go:build unix

package image

import "syscall"

// openFlags keep an open from following a link, from waiting for a pipe's other
// end, and from making a terminal ours.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY
