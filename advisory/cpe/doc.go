// Package cpe reads names of products in the Common Platform Enumeration 2.3,
// as formatted strings ("cpe:2.3:a:openssl:openssl:3.0.1:*:*:*:*:*:*:*") and as
// the URIs of version 2.2 ("cpe:/a:openssl:openssl:3.0.1"), and matches them.
//
// [Parse] reads either form; [Name.String] and [Name.URI] write them. [Compare]
// and [Match] say how two names relate. [Name.Key] and [Name.Ecosystem] say
// where records about a product are found: under part, vendor and product, in
// the ecosystem "CPE", or "CPE:wordpress" where the name is of software for one
// target alone.
//
// Attributes are kept as formatted strings write them, without escapes that are
// not needed, so that equal attributes are equal texts.
//
// Source: NIST Interagency Reports 7695 (naming) and 7696 (matching), August
// 2011.
package cpe

import "github.com/stella-ops/stella/internal/fault"

// ErrInvalid is the kind of error that this package returns, for [errors.Is].
var ErrInvalid error = fault.Invalid
