// Package proof goes from a completed scan to its exports and their proofs, and has what
// can go wrong there go wrong. It has no code that is imported.
package proof
