package advisory

// supportEnds returns the day on which the security support that everybody gets
// ends, "2026-06-10", or "" where it is not known. Where long-term support is
// published for all (Debian LTS), or its advisories are part of the data
// (Ubuntu's extended support), it is the end of that.
//
// Source: the distributions' own pages about the life of their releases, as of
// 2026-11.
func (s system) supportEnds() string {
	release := s.version
	switch s.id {
	case "debian":
		release = s.debianRelease()
	case "alpine":
		release = s.alpineRelease()
	case "rhel", "redhat", "centos", "rocky", "almalinux", "ol", "oracle", "fedora", "azurelinux", "mariner":
		release = s.parts(1)
	case "photon":
		release = s.parts(2)
	case "sles", "sled", "sle_hpc", "opensuse-leap", "ubuntu", "amzn":
	default:
		return ""
	}
	return supportEnds[s.id+" "+release]
}

// supportEnds has the days by os-release id and release.
var supportEnds = map[string]string{
	"debian 7": "2018-05-31", "debian 8": "2020-06-30", "debian 9": "2022-06-30", "debian 10": "2024-06-30", "debian 11": "2026-08-31", "debian 12": "2028-06-30", "debian 13": "2030-06-30",

	"ubuntu 14.04": "2026-04-30", "ubuntu 16.04": "2028-04-30", "ubuntu 18.04": "2030-04-30", "ubuntu 20.04": "2032-04-30", "ubuntu 22.04": "2034-04-30", "ubuntu 24.04": "2036-04-30",
	"ubuntu 22.10": "2023-07-20", "ubuntu 23.04": "2024-01-25", "ubuntu 23.10": "2024-07-11", "ubuntu 24.10": "2025-07-10", "ubuntu 25.04": "2026-01-15",

	"alpine v3.8": "2020-05-01", "alpine v3.9": "2020-11-01", "alpine v3.10": "2021-05-01", "alpine v3.11": "2021-11-01", "alpine v3.12": "2022-05-01", "alpine v3.13": "2022-11-01",
	"alpine v3.14": "2023-05-01", "alpine v3.15": "2023-11-01", "alpine v3.16": "2024-05-23", "alpine v3.17": "2024-11-22", "alpine v3.18": "2025-05-09", "alpine v3.19": "2025-11-01",
	"alpine v3.20": "2026-04-01", "alpine v3.21": "2026-11-01", "alpine v3.22": "2027-05-01",

	"rhel 5": "2017-03-31", "rhel 6": "2020-11-30", "rhel 7": "2024-06-30", "rhel 8": "2029-05-31", "rhel 9": "2032-05-31",
	"centos 6": "2020-11-30", "centos 7": "2024-06-30", "centos 8": "2021-12-31",
	"rocky 8": "2029-05-31", "rocky 9": "2032-05-31", "almalinux 8": "2029-03-01", "almalinux 9": "2032-05-31",
	"ol 6": "2021-03-01", "ol 7": "2024-12-31", "ol 8": "2029-07-31", "ol 9": "2032-06-30",
	"amzn 1": "2023-12-31", "amzn 2": "2026-06-30", "amzn 2023": "2029-06-30",
	"fedora 36": "2023-05-16", "fedora 37": "2023-12-05", "fedora 38": "2024-05-21", "fedora 39": "2024-11-26", "fedora 40": "2025-05-13", "fedora 41": "2025-12-15",
	"mariner 1": "2023-07-31", "mariner 2": "2025-07-31", "photon 3.0": "2024-03-01",
	"sles 12.5": "2024-10-31", "sles 15.3": "2022-12-31", "sles 15.4": "2023-12-31", "sles 15.5": "2024-12-31", "sles 15.6": "2025-12-31",
	"opensuse-leap 15.4": "2023-12-07", "opensuse-leap 15.5": "2024-12-31", "opensuse-leap 15.6": "2026-04-30",
}
