// Package airgap scans at a site that has no way out: what must be known is made into one
// signed file outside, carried over, and loaded wholly or not at all.
//
// Copy Make for the side that has a network, and Site for the one that has none. "stella
// bundle" does the same from the command line, with VEX, exceptions and the engine's own
// files, and reads kits that Make wrote.
//
// What is carried is believed for its signatures alone: the root came once, on a way that is
// trusted, and says whose keys count for what. A kit that was changed, is older than what
// the site has seen, or has expired is refused by name, and what was active stays so.
//
// What to change: where Make's records and policy come from (package advisory/mirror follows
// a signed feed), how long a kit lasts, and Keys: the owner's belongs into a safe, the
// release key to people, the online key to the machine that makes kits.
package airgap
