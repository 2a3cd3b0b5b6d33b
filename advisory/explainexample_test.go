package advisory_test

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
)

func ExampleMatcher_Explain() {
	list := records(
		record("DEBIAN-CVE-2023-5363", in("Debian:12", "openssl", v("0", "3.0.11-1~deb12u2")), upstream("CVE-2023-5363")),
		record("GHSA-xw78-pcr6-wrg8", in("crates.io", "openssl-src", v("300.0.0", "300.1.6")), aliases("CVE-2023-5363")),
	)
	var file bytes.Buffer
	if _, err := snapshot.Build(&file, list); err != nil {
		fmt.Println(err)
		return
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	doc, err := advisory.PackageDocument("pkg:deb/debian/libssl3@3.0.11-1~deb12u2?distro=debian-12&upstream=openssl")
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := advisory.Matcher{View: view}.Explain(context.Background(), doc, doc.Packages[0].ID, "CVE-2023-5363")
	if err != nil {
		fmt.Println(err)
		return
	}
	x.Snapshot = "" // shown elsewhere
	if err := x.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// pkg:deb/debian/libssl3@3.0.11-1~deb12u2?distro=debian-12&upstream=openssl: not affected
	// because     DEBIAN-CVE-2023-5363: 3.0.11-1~deb12u2 >= 3.0.11-1~deb12u2, which fixes it [fixed]
	// asked       CVE-2023-5363
	// looked up   in Debian:12, by the order of deb versions
	//   openssl 3.0.11-1~deb12u2: its source package
	//   Debian:12, newest record of 2024-05-20T16:03:47Z
	// DEBIAN-CVE-2023-5363 does not apply: 3.0.11-1~deb12u2 >= 3.0.11-1~deb12u2, which fixes it [fixed]
	//   sha256:729908dda3424ceac7a3f2d07d0ec4c87aa1dc23e7dcd20e03f0982fb52f9639
	//   Debian:12 openssl: 3.0.11-1~deb12u2 >= 3.0.11-1~deb12u2, which fixes it [fixed]
	//     ECOSYSTEM >= 0, < 3.0.11-1~deb12u2: no; 3.0.11-1~deb12u2 >= 3.0.11-1~deb12u2 (fixed)
	// GHSA-xw78-pcr6-wrg8 does not apply: it says nothing about Debian:12 [other_ecosystem]
	//   sha256:6adc760bd6107f1b0b7f2f384bdfca6fe97d60987ba9e6a2be3e769fb62e9b9c
	//   about crates.io/openssl-src
	// backport    GHSA-xw78-pcr6-wrg8 says that openssl-src is fixed in 300.1.6; Debian:12 fixed it in 3.0.11-1~deb12u2, and only that decides about its packages
	//   others: crates.io openssl-src in 300.1.6 (GHSA-xw78-pcr6-wrg8)
	//   here: Debian:12 openssl in 3.0.11-1~deb12u2 (DEBIAN-CVE-2023-5363)
}
