package syftjson_test

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/syftjson"
)

func ExampleDecode() {
	document := `{
	 "artifacts": [
	  {"id":"1","name":"glibc","version":"2.36-9","type":"deb","purl":"pkg:deb/debian/glibc@2.36-9"},
	  {"id":"2","name":"bash","version":"5.2-2","type":"deb","purl":"pkg:deb/debian/bash@5.2-2"}],
	 "artifactRelationships": [{"parent":"1","child":"2","type":"dependency-of"}],
	 "source": {"id":"s","name":"/srv","type":"directory"},
	 "distro": {"id":"debian","prettyName":"Debian GNU/Linux 12"},
	 "schema": {"version":"16.1.13"}}`
	d, err := syftjson.Decode(strings.NewReader(document), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(d.Packages), "packages in", d.Subject.Name, "on", d.Subject.OS.PrettyName)
	fmt.Println(d.PackageByID("2").Name, d.Relationships[0].Kind, d.PackageByID("1").Name)
	// Output:
	// 2 packages in /srv on Debian GNU/Linux 12
	// bash depends-on glibc
}
