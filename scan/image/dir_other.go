//go:build !unix

package image

// openFlags: links and special files are recognised before a file is opened.
const openFlags = 0
