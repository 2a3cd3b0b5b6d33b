// Command ci-scan is the step of a build that says whether an image may go on.
//
// Copy it if your CI system runs Go programs and you want the step to be yours: other
// formats, other exit codes, your own place for reports. If the stella command is enough,
// copy github-actions.yml or gitlab-ci.yml beside it instead.
//
//	go run ./examples/ci-scan -policy policy.yaml -db ./advisories -out ./reports SOURCE
//
// SOURCE is an image or a folder, as image.Open takes it: registry.example/app:1,
// docker-archive:app.tar, oci:./layout, dir:./rootfs. The advisory data is a folder that
// "stella db update --db ./advisories" filled.
//
// Written are sbom.cdx.json, sbom.spdx.json, scan.sarif, and verdict.json with trace.json,
// from which anybody can compute the verdict again.
//
// It exits with 0 where the image may be used, 1 where something broke, 2 where the policy
// blocks, 3 where what matters could not be assessed, and 64 for wrong arguments.
//
// What to change: policy.yaml, first of all; the formats in reports; Inputs in decide, for
// suppliers' statements (package vex) and exceptions (policyfile.ParseExceptions).
package main
