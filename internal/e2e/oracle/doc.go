// Package oracle holds the SDK against independent programs that do the same:
// another reader of rpm databases, dpkg-query, an unpacker that writes files, and
// the kernel's overlayfs.
package oracle
