// Package oracle holds the SDK against independent programs that do the same, or take
// what it sends: another reader of rpm databases, dpkg-query, an unpacker that writes
// files, the kernel's overlayfs, a mail server.
package oracle
