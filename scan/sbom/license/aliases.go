package license

// aliases are the folded spellings (see fold) that stand for one licence alone,
// as found in Debian copyright files, RPM, Maven POMs, npm and PyPI metadata.
// Names that several licences go by are left out on purpose.
var aliases = map[string]string{
	"apache 2.0": "Apache-2.0", "apache 2": "Apache-2.0", "apache-2": "Apache-2.0", "apache2": "Apache-2.0", "apache2.0": "Apache-2.0",
	"apache software 2.0": "Apache-2.0", "apache software 2": "Apache-2.0", "asl 2.0": "Apache-2.0", "asl 2": "Apache-2.0",
	"asl-2.0": "Apache-2.0", "al 2.0": "Apache-2.0", "al-2.0": "Apache-2.0", "apache public 2.0": "Apache-2.0",
	"apache 2.0 january 2004": "Apache-2.0", "apachev2": "Apache-2.0", "asl2": "Apache-2.0", "asl 2.0 apache": "Apache-2.0",
	"http //www.apache.org/licenses/license-2.0": "Apache-2.0", "https //www.apache.org/licenses/license-2.0": "Apache-2.0",
	"http //www.apache.org/licenses/license-2.0.txt": "Apache-2.0", "https //www.apache.org/licenses/license-2.0.txt": "Apache-2.0",
	"asl 1.1": "Apache-1.1", "apache 1.1": "Apache-1.1", "apache software 1.1": "Apache-1.1", "asl 1.0": "Apache-1.0", "apache 1.0": "Apache-1.0",

	"expat": "MIT", "mit": "MIT", "mit mit": "MIT", "mit/expat": "MIT", "expat/mit": "MIT", "mit expat": "MIT", "mit-license": "MIT",
	"mit/x11": "MIT", "mit x11": "MIT", "http //opensource.org/licenses/mit": "MIT",
	"https //opensource.org/licenses/mit": "MIT", "http //www.opensource.org/licenses/mit-license.php": "MIT", "mit0": "MIT-0", "mit no attribution": "MIT-0",
	"mit no attribution mit-0": "MIT-0",

	"bsd-3": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause", "bsd 3 clause": "BSD-3-Clause", "3-clause bsd": "BSD-3-Clause", "3 clause bsd": "BSD-3-Clause",
	"bsd-3clause": "BSD-3-Clause", "bsd3": "BSD-3-Clause", "new bsd": "BSD-3-Clause", "revised bsd": "BSD-3-Clause", "modified bsd": "BSD-3-Clause",
	"bsd 3-clause new": "BSD-3-Clause", "bsd 3-clause new or revised": "BSD-3-Clause", "bsd new": "BSD-3-Clause", "bsd-new": "BSD-3-Clause",
	"bsd with 3 clauses": "BSD-3-Clause", "three-clause bsd": "BSD-3-Clause", "bsd three-clause": "BSD-3-Clause",
	"bsd-2": "BSD-2-Clause", "bsd 2-clause": "BSD-2-Clause", "bsd 2 clause": "BSD-2-Clause", "2-clause bsd": "BSD-2-Clause", "2 clause bsd": "BSD-2-Clause",
	"bsd-2clause": "BSD-2-Clause", "bsd2": "BSD-2-Clause", "simplified bsd": "BSD-2-Clause", "bsd 2-clause simplified": "BSD-2-Clause",
	"bsd-4": "BSD-4-Clause", "bsd 4-clause": "BSD-4-Clause", "original bsd": "BSD-4-Clause", "bsd with advertising": "BSD-4-Clause",
	"4-clause bsd": "BSD-4-Clause", "0bsd": "0BSD", "bsd 0-clause": "0BSD", "bsd zero clause": "0BSD", "zero-clause bsd": "0BSD",

	"isc": "ISC", "isc iscl": "ISC", "iscl": "ISC", "zlib": "Zlib", "zlib/libpng": "Zlib",
	"boost": "BSL-1.0", "boost software 1.0": "BSL-1.0", "boost software 1.0 bsl-1.0": "BSL-1.0", "bsl 1.0": "BSL-1.0", "boost-1.0": "BSL-1.0",
	"unlicense unlicense": "Unlicense", "unlicense": "Unlicense", "wtfpl 2": "WTFPL", "wtfpl-2": "WTFPL", "wtfpl 2.0": "WTFPL",
	"cc0": "CC0-1.0", "cc0 1.0": "CC0-1.0", "cc0 1.0 universal": "CC0-1.0", "cc0 1.0 universal cc0 1.0 public domain dedication": "CC0-1.0",
	"creative commons zero 1.0 universal": "CC0-1.0", "public domain per creative commons cc0": "CC0-1.0",
	"cc by 4.0": "CC-BY-4.0", "cc-by 4.0": "CC-BY-4.0", "cc by 3.0": "CC-BY-3.0", "cc-by 3.0": "CC-BY-3.0", "cc by-sa 4.0": "CC-BY-SA-4.0",
	"cc-by-sa 4.0": "CC-BY-SA-4.0", "cc by-sa 3.0": "CC-BY-SA-3.0", "cc-by-sa 3.0": "CC-BY-SA-3.0", "creative commons attribution 4.0": "CC-BY-4.0",

	"mpl 2.0": "MPL-2.0", "mpl-2": "MPL-2.0", "mpl2": "MPL-2.0", "mpl2.0": "MPL-2.0", "mplv2.0": "MPL-2.0", "mplv2": "MPL-2.0", "mpl 2": "MPL-2.0",
	"mozilla public 2.0": "MPL-2.0", "mozilla public 2": "MPL-2.0", "mpl 1.1": "MPL-1.1", "mplv1.1": "MPL-1.1", "mozilla public 1.1": "MPL-1.1",
	"mpl 1.0": "MPL-1.0", "mozilla public 1.0": "MPL-1.0",
	"epl 1.0": "EPL-1.0", "epl-1": "EPL-1.0", "eclipse public 1.0": "EPL-1.0", "eclipse 1.0": "EPL-1.0",
	"epl 2.0": "EPL-2.0", "epl-2": "EPL-2.0", "eclipse public 2.0": "EPL-2.0", "eclipse 2.0": "EPL-2.0", "epl2": "EPL-2.0",
	"edl 1.0": "BSD-3-Clause", "eclipse distribution 1.0": "BSD-3-Clause",
	"cddl 1.0": "CDDL-1.0", "cddl-1": "CDDL-1.0", "common development and distribution 1.0": "CDDL-1.0",
	"cddl 1.1": "CDDL-1.1", "common development and distribution 1.1": "CDDL-1.1",
	"cpl 1.0": "CPL-1.0", "common public 1.0": "CPL-1.0", "ibm public 1.0": "IPL-1.0",
	"eupl 1.1": "EUPL-1.1", "eupl 1.2": "EUPL-1.2", "european union public 1.1 eupl 1.1": "EUPL-1.1", "european union public 1.2 eupl 1.2": "EUPL-1.2",

	"psf-2": "PSF-2.0", "python software foundation": "PSF-2.0", "psf 2": "PSF-2.0",
	"python 2.0": "Python-2.0", "zpl 2.1": "ZPL-2.1", "zope public 2.1": "ZPL-2.1", "zpl 2.0": "ZPL-2.0", "zope public 2.0": "ZPL-2.0",
	"artistic 2.0": "Artistic-2.0", "artistic-2": "Artistic-2.0", "artistic 2": "Artistic-2.0",
	"php 3.01": "PHP-3.01", "ofl 1.1": "OFL-1.1", "sil open font 1.1": "OFL-1.1", "sil ofl 1.1": "OFL-1.1", "ofl-1": "OFL-1.1",
	"sil open font 1.1 ofl-1.1": "OFL-1.1", "vim": "Vim", "ijg": "IJG", "openssl": "OpenSSL", "postgresql": "PostgreSQL", "curl": "curl",
	"libpng": "Libpng", "ncsa": "NCSA", "university of illinois/ncsa open source": "NCSA", "w3c": "W3C",
	"json": "JSON", "beerware": "Beerware", "beer-ware": "Beerware", "universal permissive 1.0": "UPL-1.0", "upl": "UPL-1.0", "upl 1.0": "UPL-1.0",
	"blueoak 1.0.0": "BlueOak-1.0.0", "blue oak model 1.0.0": "BlueOak-1.0.0", "sspl": "SSPL-1.0", "server side public 1": "SSPL-1.0",
	"business source 1.1": "BUSL-1.1", "hpnd": "HPND", "historical permission notice and disclaimer hpnd": "HPND", "mulan psl 2": "MulanPSL-2.0",
	"academic free 3.0": "AFL-3.0", "academic free 2.1": "AFL-2.1",

	// The ASF's own short name; OpenLDAP's licence by its own name and version; short names of Debian and Fedora
	// (fedora-license-data, legacy-abbreviation).
	"alv2": "Apache-2.0", "openldap-2.8": "OLDAP-2.8", "openldap 2.8": "OLDAP-2.8", "openldap public 2.8": "OLDAP-2.8", "edl-1": "BSD-3-Clause",
	"gpl+": "GPL-1.0-or-later", "zlib with acknowledgement": "zlib-acknowledgement", "bitstream vera": "Bitstream-Vera", "gfdl-1.3+-no-invariant": "GFDL-1.3-no-invariants-or-later",
	"common development and distribution cddl 1.0": "CDDL-1.0", "common development and distribution cddl 1.1": "CDDL-1.1", "lgpl 2 1": "LGPL-2.1-only",
}
