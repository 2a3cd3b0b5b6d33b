// Package console tests the console in a real browser: Chromium, driven by its own protocol,
// beside an installation in a process of its own.
//
// The browser is STELLA_TEST_CHROMIUM, else chromium, chromium-browser or google-chrome on
// PATH. Without one the tests are skipped with a line that says so, and fail where
// STELLA_REQUIRE_CHROMIUM is set.
package console
