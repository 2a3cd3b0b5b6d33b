package csaf

import (
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/csaf"
)

func TestNamed(t *testing.T) {
	for text, want := range map[string]place{
		"telnet-1:0.17-65.el7_6.src":              {name: "telnet", version: "1:0.17-65.el7_6"},
		"libopenssl1_1-1.1.1l-150500.17.3.1":      {name: "libopenssl1_1", version: "1.1.1l-150500.17.3.1"},
		"kernel-default-5.14.21-150400.24.1.s390": {name: "kernel-default", version: "5.14.21-150400.24.1"},
		"nodejs:18/nodejs":                        {name: "nodejs", stream: "nodejs:18"},
		"openssl-1_1":                             {name: "openssl-1_1"},
		"python3-foo-bar":                         {name: "python3-foo-bar"},
		"samba.src":                               {name: "samba"},
		"gtk-2":                                   {name: "gtk-2"},
		"java-1_8_0-openjdk":                      {name: "java-1_8_0-openjdk"},
		"-1-2":                                    {name: "-1-2"},
		"":                                        {},
		"-":                                       {name: "-"},
	} {
		if got := named(text); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

func TestPlatforms(t *testing.T) {
	for cpe, want := range map[string]string{
		"cpe:/a:redhat:enterprise_linux:9::appstream":                  "Red Hat:enterprise_linux:9::appstream",
		"cpe:/o:redhat:enterprise_linux:7":                             "Red Hat:enterprise_linux:7",
		"cpe:/o:redhat:enterprise_linux:7::":                           "Red Hat:enterprise_linux:7",
		"cpe:2.3:o:redhat:enterprise_linux:7:*:*:*:*:*:*:*":            "",
		"cpe:/a:example:redhat:1":                                      "",
		"cpe:/a:redhat:":                                               "",
		"cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el7": "Red Hat:jboss_enterprise_application_platform:7.4::el7",
		"": "",
	} {
		if got := redHatPlatform("", cpe); got != want {
			t.Errorf("%q: got %q, want %q", cpe, got, want)
		}
	}
	for name, want := range map[string]string{
		"SUSE Linux Enterprise Server 15 SP6": "SUSE:Linux Enterprise Server 15 SP6", "openSUSE Leap 15.6": "openSUSE:Leap 15.6", "SUSE ": "", "Image SLES15": "",
	} {
		if got := susePlatform(name, ""); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestRelease(t *testing.T) {
	for ecosystem, want := range map[string]string{
		"SUSE:Linux Enterprise Server 12 SP4-LTSS": "SUSE:Linux Enterprise Server 12 SP4", "SUSE:Linux Enterprise Server 12 SP4": "SUSE:Linux Enterprise Server 12 SP4",
		"SUSE:Linux Enterprise Server 15-ESPOS": "SUSE:Linux Enterprise Server 15", "SUSE:Linux Enterprise Real-time": "SUSE:Linux Enterprise Real-time", "": "",
	} {
		if got := release(ecosystem); got != want {
			t.Errorf("%q: got %q, want %q", ecosystem, got, want)
		}
	}
}

func TestModules(t *testing.T) {
	for text, want := range map[string]string{
		"pkg:rpmmod/redhat/python39@3.9:8060020240801142753:6a631399":         "python39:3.9",
		"pkg:rpmmod/redhat/python39@3.9%3A8060020240801142753%3A6a631399?x=y": "python39:3.9",
		"pkg:rpmmod/redhat/nodejs:18":                                         "nodejs:18",
		"pkg:rpmmod/redhat/nodejs":                                            "",
		"pkg:rpm/redhat/nodejs@18":                                            "",
	} {
		if got := moduleURL(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestDecisions(t *testing.T) {
	for _, tt := range []struct {
		category, details string
		want              advisory.Status
	}{
		{"no_fix_planned", "Out of support scope", advisory.EndOfLife},
		{"no_fix_planned", "Will not fix", advisory.WillNotFix},
		{"no_fix_planned", "We do not.", advisory.WillNotFix},
		{"none_available", "Fix deferred", advisory.FixDeferred},
		{"none_available", "Affected", ""},
		{"fix_planned", "", advisory.FixDeferred},
		{"vendor_fix", "Will not fix", ""},
		{"workaround", "Out of support scope", ""},
	} {
		if got := decision(&csaf.Remediation{Category: tt.category, Details: tt.details}); got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.category, tt.details, got, tt.want)
		}
	}
}

// TestWorse: a package that is affected in any way is not said not to be,
// whatever the order.
func TestWorse(t *testing.T) {
	all := []advisory.Status{"", advisory.NotAffected, advisory.UnderInvestigation, advisory.WillNotFix, advisory.FixDeferred, advisory.EndOfLife}
	for _, a := range all {
		for _, b := range all {
			got := worse(a, b, a != advisory.NotAffected)
			if (got == advisory.NotAffected) != (a == advisory.NotAffected && b == advisory.NotAffected) {
				t.Errorf("%q and %q give %q", a, b, got)
			}
		}
	}
}
