# The rules of policy/testdata/bench.yaml, in the same order.
package release

import rego.v1

outcomes := [o | some f in input.findings; o := outcome(f)]

decide := outcome(input.finding)

outcome(f) := "block" if f.kev
else := with_warnings(f, "pass") if ended(f) == "pass"
else := "block" if ended(f) == "block"
else := "block" if f.severity >= 5
else := "warn" if warned(f)
else := "warn" if f.severity >= 3
else := "pass"

with_warnings(f, _) := "warn" if early_warned(f)
else := "pass"

# What ends a finding, in the order of the rules.
ended(f) := "pass" if { f.scope == "dev"; f.severity < 5 }
else := "pass" if f.name == "linux-libc-dev"
else := "block" if { f.epss >= 500000; f.severity >= 3 }
else := "block" if { f.label.exposure == "internet"; f.severity >= 4; f.fix == "available" }
else := "block" if { f.severity == 4; f.age > 90; f.fix == "available" }
else := "pass" if { f.in_base; f.severity < 4 }
else := "pass" if { some p in f.path; startswith(p, "usr/share/doc/") }
else := "block" if { crypto(f.name); f.severity >= 3; not f.vex_assured }
else := "block" if { f.cvss >= 90; contains(f.cvss_vector, "AV:N") }
else := "pass" if f.environment == "staging"
else := "block" if { some l in f.license; startswith(l, "AGPL-3.0"); f.severity >= 4 }
else := "block" if { f.cvss >= 70; f.epss >= 100000 }
else := "block" if { "nvd=critical" in f.severities; f.fix == "available" }

crypto(name) if { some prefix in ["openssl", "libssl", "libgcrypt", "gnutls"]; startswith(name, prefix) }

early_warned(f) if startswith(f.purl, "pkg:npm/%40acme/")
early_warned(f) if f.fix == "end_of_life"

warned(f) if early_warned(f)
warned(f) if f.vex_disputed
warned(f) if { f.fix in {"none", "will_not_fix", "fix_deferred"}; f.severity < 5 }
warned(f) if count(f.vulnerability) > 8
warned(f) if { f.age < 7; f.severity >= 4 }
