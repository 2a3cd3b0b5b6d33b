// Package format tells documents apart by what is in them, and reads them: OpenVEX,
// CSAF and CycloneDX, and attestations that hold one of them.
//
// What an attestation says is about its subjects: whatever its predicate names is
// meant within them, and never elsewhere.
package format
