package osv

import "github.com/stella-ops/stella/advisory"

// AlmaLinux returns the source "almalinux": errata of AlmaLinux.
func AlmaLinux() *Source {
	return repository(advisory.Description{
		Name: "almalinux", Title: "AlmaLinux errata", License: "MIT",
		Attribution: "Data of the AlmaLinux OS Foundation",
	}, "AlmaLinux/osv-database", "", "advisories", ".json")
}

// Ubuntu returns the source "ubuntu-osv": CVEs and notices of Ubuntu.
func Ubuntu() *Source {
	return repository(advisory.Description{
		Name: "ubuntu-osv", Title: "Ubuntu security data", Home: "https://ubuntu.com/security", License: "CC-BY-SA-4.0",
		Attribution: "Data of Canonical Ltd., CC BY-SA 4.0",
	}, "canonical/ubuntu-security-notices", "", "osv", ".json")
}

// BellSoft returns the source "bellsoft": CVEs of Alpaquita Linux and hardened
// containers.
func BellSoft() *Source {
	return repository(advisory.Description{
		Name: "bellsoft", Title: "BellSoft security advisories", License: "MIT",
		Attribution: "Data of BellSoft",
	}, "bell-sw/osv-database", "", "BELL-CVE", ".json")
}

// Bitnami returns the source "bitnami": CVEs of what Bitnami packages.
func Bitnami() *Source {
	return repository(advisory.Description{
		Name: "bitnami", Title: "Bitnami vulnerability database", License: "Apache-2.0",
		Attribution: "Data of Bitnami",
	}, "bitnami/vulndb", "", "data", ".json")
}

// DHI returns the source "dhi": CVEs of what Docker packages for its hardened
// images. Its ecosystem has no order of versions that is published.
func DHI() *Source {
	return repository(advisory.Description{
		Name: "dhi", Title: "Docker Hardened Images advisories", License: "Apache-2.0",
		Attribution: "Data of Docker, Inc.",
	}, "docker-hardened-images/advisories", "", "osv", ".json")
}
