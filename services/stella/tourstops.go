package main

import "slices"

// tourStops are the steps of the tour, in their order. Each goes on with what the ones
// before it have left in the folder.
func tourStops() []stop { return slices.Concat(stopsOfScans(), stopsOfChange()) }

// stopsOfScans are about what is in an image, what is known of it, and what is decided.
func stopsOfScans() []stop {
	return []stop{
		{
			title:  "Scan an image",
			before: "\"shop\" is an image in a folder, an OCI layout. A registry's would be docker://REF, one of the Docker engine docker-daemon:REF, and this machine dir:/.",
			commands: []typed{
				{args: "scan oci:shop -q", code: exitPass},
			},
			after: "Each package is listed with the layer that brought it, the build step that made the layer, and the file that names it. Every layer was read once, and its digests were compared. There is no advisory data yet, and so the scan does not say that nothing was found: it says that nothing was assessed.",
		},
		{
			title:  "Write an SBOM",
			before: "-o FORMAT=FILE may be repeated: one scan, several documents.",
			commands: []typed{
				{args: "scan oci:shop -q -o cyclonedx-json=shop.cdx.json -o spdx-json=shop.spdx.json", code: exitPass},
				{args: "sbom validate shop.cdx.json shop.spdx.json", code: exitPass},
				{args: "sbom quality shop.cdx.json", code: exitPass, most: 10},
			},
			after: "The same image gives the same bytes, on any machine: a document can be compared, signed, and found again by its digest. \"sbom quality\" says what it lacks of what authorities ask for.",
		},
		{
			title:  "Get advisory data, and match",
			before: "Real data comes by \"stella db update\", from publishers or from a signed mirror. Here it is a folder of three records that are made up, in the form of OSV.",
			commands: []typed{
				{args: "db import records", code: exitPass},
				{args: "match shop.cdx.json -q", code: exitPass},
			},
			after: "The SBOM is enough to match: the image is not needed any more. Versions are compared as each ecosystem orders them, 1.3.1-r1 as Alpine does and 2.31.0 as Python does.",
		},
		{
			title:  "Ask why, and why not",
			before: "\"explain\" tells of a package, of an image or SBOM, of a verdict that was kept, or of a scan of a server. First a package that the third record is about, and no finding names:",
			commands: []typed{
				{args: "explain 'pkg:apk/alpine/musl@1.2.5-r0?distro=alpine-3.20.1' CVE-2099-1003", code: exitPass},
			},
			after: "\"Not affected\" always has a reason. Where the data cannot say, the answer is \"not assessed\", with exit code 3.",
		},
		{
			title:  "Decide by a policy",
			before: "policy.yaml has one rule and a threshold; \"stella policy default\" prints the one that is built in. --save keeps the verdict, with everything that it follows from.",
			commands: []typed{
				{args: "policy lint policy.yaml", code: exitPass},
				{args: "scan oci:shop -q --policy policy.yaml --save monday", code: exitBlocked},
				{args: "explain monday CVE-2099-1001", code: exitPass},
			},
			after: "Exit code 2 stops a pipeline. 3 would say that something that matters was not assessed: a policy never takes that for a pass. The story names the record, the comparison, each rule with the condition that decided, and the digests that it all rests on.",
		},
	}
}

// stopsOfChange are about what changes, and how others can check it.
func stopsOfChange() []stop {
	return []stop{
		{
			title:  "Let a supplier's word change it",
			before: "Somebody looked, and found that the vulnerable code is not in this zlib. That is a VEX statement:",
			commands: []typed{
				{args: "vex add maker.json --author Maker --vulnerability CVE-2099-1001 --product pkg:apk/alpine/zlib --status not_affected --justification vulnerable_code_not_present", code: exitPass},
				{args: "scan oci:shop -q --policy policy.yaml --vex maker.json --save tuesday", code: exitPass},
				{args: "explain tuesday CVE-2099-1001 --package zlib -o 'template={{range .stories}}{{.because}}{{end}}'", code: exitPass},
			},
			after: "A file that is named on the command line is believed. In earnest --trust says whom to believe about which products, and whose signature it takes; what others say is heard, listed, and changes nothing. The finding is not gone: --show-suppressed lists it.",
		},
		{
			title:  "Say what changed, and decide again",
			before: "Two verdicts that were kept, and the cause of each difference:",
			commands: []typed{
				{args: "diff monday tuesday", code: exitPass},
				{args: "replay tuesday", code: exitPass},
			},
			after: "\"diff\" tries every combination of what differs - image, advisories, VEX, policy, exceptions, time - and names the fewest that explain the change. \"replay\" decides once more from the kept inputs, and finds the same bytes.",
		},
		{
			title:  "Sign it",
			before: "A key of one's own, without a password here. --key also takes a key of a device or of a cloud's key service, and signing without any key is possible in CI.",
			commands: []typed{
				{args: "attest keygen --no-password release", code: exitPass},
				{args: "attest oci:shop -q --key release.key --policy policy.yaml --vex maker.json --save signed -o bundle=shop.bundle -o table", code: exitPass},
			},
			after: "One bundle: the SBOMs, the verdict, and evidence that lists them all by digest.",
		},
		{
			title:  "Verify it",
			before: "Somebody else, who has the bundle and the public key, and trusts nothing else:",
			commands: []typed{
				{args: "verify ./shop.bundle --key release.pub --type verdict --outcome pass,warn --replay signed", code: exitPass},
				{args: "attest keygen --no-password stranger", code: exitPass},
				{args: "verify ./shop.bundle --key stranger.pub", code: exitVerification},
			},
			after: "Exit code 4: it is not signed by whom it must be. Nothing was connected to. --replay decided once more, so that what was signed is not only genuine but right.",
		},
		{
			title:  "See who would be told",
			before: "notify.yaml has one rule: what is blocked goes to a channel. A preview sends nothing and reads no secret:",
			commands: []typed{
				{args: "notify check notify.yaml", code: exitPass},
				{args: "notify preview --settings notify.yaml --event monday/verdict.json --image shop:1.0 --at 2024-06-01T08:00:00Z", code: exitPass},
				{args: "notify preview --settings notify.yaml --event tuesday/verdict.json --image shop:1.0 --at 2024-06-01T08:00:00Z", code: exitPass},
			},
			after: "Monday's verdict would be told, Tuesday's not, and the reason stands there. --rendered prints the message itself.",
		},
		{
			title:  "Where to go next",
			before: "Your own: \"stella db update --source kev,epss,debian,alpine\", then \"stella scan dir:/\" or an image of yours. In CI: --fail-on high, or --policy with --save; docs/tasks.md has what is asked for most. One server with an API, a console and a queue in this machine: \"stella serve\", which prints where it listens. Concepts, policies, VEX, operating and security are in docs/. Every command has --help, \"stella completion --help\" says how the shell completes, and \"stella man DIR\" writes manual pages.",
			commands: []typed{
				{args: "version", code: exitPass},
			},
		},
	}
}
