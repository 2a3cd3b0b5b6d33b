package cyclonedx_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/cyclonedx"
)

func ExampleEncode() {
	d := &sbom.Document{
		Namespace: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
		Packages: []sbom.Package{{
			ID: "zlib", Name: "zlib1g", Version: "1.3-1", Licenses: []sbom.License{{Expression: "Zlib"}},
			PURL: purl.PackageURL{Type: "deb", Namespace: "debian", Name: "zlib1g", Version: "1.3-1"},
		}},
	}
	d.Normalize()
	losses, err := cyclonedx.Encode(os.Stdout, d, &cyclonedx.EncodeOptions{Version: "1.6", Indent: true})
	fmt.Println(losses, err)
	// Output:
	// {
	//   "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
	//   "bomFormat": "CycloneDX",
	//   "specVersion": "1.6",
	//   "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
	//   "version": 1,
	//   "components": [
	//     {
	//       "type": "library",
	//       "bom-ref": "zlib",
	//       "name": "zlib1g",
	//       "version": "1.3-1",
	//       "licenses": [
	//         {
	//           "license": {
	//             "id": "Zlib"
	//           }
	//         }
	//       ],
	//       "purl": "pkg:deb/debian/zlib1g@1.3-1"
	//     }
	//   ]
	// }
	// [] <nil>
}

func ExampleDecode() {
	in := `<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1">
	  <components>
	    <component type="library" bom-ref="a"><name>left-pad</name><version>1.3.0</version><purl>pkg:npm/left-pad@1.3.0</purl></component>
	  </components>
	  <dependencies><dependency ref="a"><dependency ref="b"/></dependency></dependencies>
	</bom>`
	d, err := cyclonedx.Decode(strings.NewReader(in), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range d.Packages {
		fmt.Println(p.ID, p.Name, p.Version, p.PURL.Type)
	}
	for _, g := range d.Gaps {
		fmt.Println(g.Code, g.Where, g.What)
	}
	// Output:
	// a left-pad 1.3.0 npm
	// oddity cyclonedx:/dependencies/0 no element has the bom-ref "b"
}
