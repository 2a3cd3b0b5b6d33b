package java

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFileName(t *testing.T) {
	for name, want := range map[string]fileName{
		"guava-31.1-jre.jar":            {artifact: "guava", version: "31.1-jre"},
		"log4j-1.2-api-2.20.0.jar":      {artifact: "log4j-1.2-api", version: "2.20.0"},
		"log4j-1.2-api.jar":             {artifact: "log4j", version: "1.2-api", doubtful: true},
		"jsr305-3.0.2.jar":              {artifact: "jsr305", version: "3.0.2"},
		"foo-1.0-20240101.123456-1.jar": {artifact: "foo", version: "1.0-20240101.123456-1"},
		"foo-1.0.0-beta-2.jar":          {artifact: "foo", version: "1.0.0-beta-2"},
		"netty-transport-native-epoll-4.1.1.Final-linux-x86_64.jar": {artifact: "netty-transport-native-epoll", version: "4.1.1.Final", classifier: "linux-x86_64"},
		"cassandra-driver-core-3.11.0-shaded.jar":                   {artifact: "cassandra-driver-core", version: "3.11.0", classifier: "shaded"},
		"kafka_2.13-3.4.0.jar":                                      {artifact: "kafka_2.13", version: "3.4.0"},
		"spring3-aop-3.x.jar":                                       {artifact: "spring3-aop-3.x"},
		"app.jar":                                                   {artifact: "app"},
		".jar":                                                      {artifact: ".jar"},
		"app-.jar":                                                  {artifact: "app-"},
		"-1.0.jar":                                                  {artifact: "-1.0"},
		"a/b.war!/WEB-INF/lib/c-1.jar":                              {artifact: "c", version: "1"},
		"app-1.0;x.jar":                                             {artifact: "app-1.0;x"},
		strings.Repeat("a-", 100) + "1.0.jar":                       {artifact: strings.Repeat("a-", 100) + "1.0"},
	} {
		got := parseFileName(name)
		got.stem, got.extension = "", ""
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(fileName{})); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", name, diff)
		}
	}
}

// contents of an archive that a test only names.
type listing []string

func (l listing) has(dir string) bool {
	for _, name := range l {
		if strings.HasPrefix(name, dir) && name != dir {
			return true
		}
	}
	return false
}

func (l listing) hasClasses() bool { return len(l) > 0 }

func TestIdentify(t *testing.T) {
	gav := func(s string) coordinates {
		p := strings.Split(s, ":")
		return coordinates{group: p[0], artifact: p[1], version: p[2]}
	}
	for name, tt := range map[string]struct {
		file     string
		manifest string
		poms     []string
		inside   listing
		want     string // group:artifact:version, classifier behind '/'
		by       string
	}{
		"descriptor alone": {
			file: "app.jar", poms: []string{"com.example:service:1.0"}, inside: listing{"com/example/Main.class"},
			want: "com.example:service:1.0", by: byDescriptor,
		},
		"descriptor of an application": {
			file: "app.jar", poms: []string{"com.example:service:1.0"}, inside: listing{"BOOT-INF/classes/com/example/Main.class"},
			want: "com.example:service:1.0", by: byDescriptor,
		},
		"descriptor of a part that was moved": {
			file: "app.jar", poms: []string{"com.univocity:parsers:2.9"}, inside: listing{"com/example/shaded/com/univocity/P.class"},
			want: ":app:", by: byFileName,
		},
		"descriptor by file name": {
			file: "b-2.0.jar", poms: []string{"org.x:a:1.0", "org.x:b:2.0", "org.x:c:3.0"},
			want: "org.x:b:2.0", by: byDescriptor,
		},
		"descriptor by manifest, renamed": {
			file: "app.jar", poms: []string{"org.x:a:1.0", "org.x:b:2.0"}, manifest: "Implementation-Title: b\nImplementation-Version: 2.0",
			want: "org.x:b:2.0", by: byDescriptor,
		},
		"descriptor by symbolic name": {
			file: "app.jar", poms: []string{"org.x:x-core:1.0", "org.y:y:2.0"}, manifest: "Bundle-SymbolicName: org.x.core;singleton:=true",
			want: "org.x:x-core:1.0", by: byDescriptor,
		},
		"descriptors that are equally likely": {
			file: "app.jar", poms: []string{"org.x:a:1.0", "org.x:b:1.0"}, manifest: "Implementation-Version: 1.0",
			want: ":app:1.0", by: byManifest,
		},
		"descriptor of something else": {
			file: "tool-all-3.0.jar", poms: []string{"org.x:a:1.0"}, inside: listing{"org/x/A.class"},
			want: ":tool-all:3.0", by: byFileName,
		},
		"descriptor of the same version": {
			file: "tool-all-3.0.jar", poms: []string{"org.x:a:3.0"}, manifest: "Implementation-Version: 3.0", inside: listing{"org/x/A.class"},
			want: ":tool-all:3.0", by: byFileName,
		},
		"descriptor of the same version, renamed": {
			file: "app.jar", poms: []string{"org.x:a:3.0", "org.y:b:1.0"}, manifest: "Implementation-Version: 3.0\nImplementation-Title: For People",
			want: "org.x:a:3.0", by: byDescriptor,
		},
		"descriptor of the same version, other title": {
			file: "app.jar", poms: []string{"org.x:a:3.0", "org.y:b:1.0"}, manifest: "Implementation-Version: 3.0\nImplementation-Title: service",
			want: ":service:3.0", by: byManifest,
		},
		"descriptor with classifier": {
			file: "a-1.0-nolog.jar", poms: []string{"org.x:a:1.0"},
			want: "org.x:a:1.0/nolog", by: byDescriptor,
		},
		"descriptor, file named by group": {
			file: "io.quarkus.gizmo.gizmo-1.1.jar", poms: []string{"org.jboss:jandex:2.0", "io.quarkus.gizmo:gizmo:1.1"},
			want: "io.quarkus.gizmo:gizmo:1.1", by: byDescriptor,
		},
		"Jenkins plugin": {
			file: "git.hpi", manifest: "Group-Id: org.jenkins-ci.plugins\nShort-Name: git\nPlugin-Version: 5.2.1",
			want: "org.jenkins-ci.plugins:git:5.2.1", by: byManifest,
		},
		"title with group": {
			file: "batik-all.jar", manifest: "Implementation-Title: org.apache.xmlgraphics:batik-all\nImplementation-Version: 1.16",
			want: "org.apache.xmlgraphics:batik-all:1.16", by: byManifest,
		},
		"Tomcat": {
			file: "catalina.jar", manifest: "Bundle-SymbolicName: org.apache.tomcat-catalina\nBundle-Version: 10.1.55",
			want: "org.apache.tomcat:tomcat-catalina:10.1.55", by: byManifest,
		},
		"Tomcat, embedded": {
			file: "tomcat-embed-core-10.1.55.jar", manifest: "Bundle-SymbolicName: org.apache.tomcat-embed-core\nBundle-Version: 10.1.55",
			want: "org.apache.tomcat.embed:tomcat-embed-core:10.1.55", by: byManifest,
		},
		"symbolic name": {
			file: "reactor-core-3.6.0.jar", manifest: "Bundle-SymbolicName: io.projectreactor.reactor-core",
			want: "io.projectreactor:reactor-core:3.6.0", by: byManifest,
		},
		"symbolic name, one word": {
			file: "gson-2.10.jar", manifest: "Bundle-SymbolicName: com.google.gson",
			want: ":gson:2.10", by: byFileName,
		},
		"symbolic name, file without version": {
			file: "jsp-api.jar", manifest: "Bundle-SymbolicName: javax.servlet.jsp-api\nBundle-Version: 2.3.3",
			want: ":jsp-api:2.3.3", by: byManifest,
		},
		"title of Gradle plugins": {
			file: "elasticsearch-8.14.3.jar", manifest: "Implementation-Title: org.elasticsearch#server;8.14.3",
			want: "org.elasticsearch:elasticsearch:8.14.3", by: byManifest,
		},
		"vendor id": {
			file: "ST4-4.0.8.jar", manifest: "Implementation-Vendor-Id: org.antlr", inside: listing{"org/antlr/x/A.class"},
			want: "org.antlr:ST4:4.0.8", by: byManifest,
		},
		"vendor id without its folder": {
			file: "ST4-4.0.8.jar", manifest: "Implementation-Vendor-Id: org.antlr", inside: listing{"org/stringtemplate/A.class"},
			want: ":ST4:4.0.8", by: byFileName,
		},
		"vendor at large": {
			file: "thing-1.0.jar", manifest: "Implementation-Vendor-Id: org.apache", inside: listing{"org/apache/thing/A.class"},
			want: ":thing:1.0", by: byFileName,
		},
		"well known": {
			file: "spring-core-5.3.18.jar", inside: listing{"org/springframework/core/A.class"},
			want: "org.springframework:spring-core:5.3.18", by: byFileName,
		},
		"well known, title in a renamed file": {
			file: "spring3-aop-3.x.jar", manifest: "Implementation-Title: spring-aop\nImplementation-Version: 4.3.30.RELEASE", inside: listing{"org/springframework/aop/A.class"},
			want: "org.springframework:spring-aop:4.3.30.RELEASE", by: byManifest,
		},
		"well known name, other content": {
			file: "spring-core-5.3.18.jar", inside: listing{"com/evil/A.class"},
			want: ":spring-core:5.3.18", by: byFileName,
		},
		"well known, by version": {
			file: "okhttp-2.7.5.jar", inside: listing{"com/squareup/okhttp/A.class"},
			want: "com.squareup.okhttp:okhttp:2.7.5", by: byFileName,
		},
		"number in the name": {
			file: "log4j-1.2-api.jar", manifest: "Implementation-Version: 2.19.0", inside: listing{"org/apache/log4j/A.class"},
			want: "org.apache.logging.log4j:log4j-1.2-api:2.19.0", by: byManifest,
		},
		"Eclipse bundle": {
			file: "org.eclipse.osgi_3.15.0.v2020.jar", manifest: "Bundle-SymbolicName: org.eclipse.osgi",
			want: ":org.eclipse.osgi:3.15.0.v2020", by: byFileName,
		},
		"version for people": {
			file: "axis.jar", manifest: "Implementation-Version: 1.4 1855 April 22 2006",
			want: ":axis:1.4", by: byManifest,
		},
		"version of a specification": {
			file: "api.jar", manifest: "Specification-Version: 3.1",
			want: ":api:", by: byFileName,
		},
		"placeholders": {
			file: "a.jar", manifest: "Implementation-Version: ${project.version}\nImplementation-Title: @name@\nBundle-SymbolicName: %pluginName",
			want: ":a:", by: byFileName,
		},
		"descriptor without names": {file: "a.war", poms: []string{"::"}, want: ":a:", by: byFileName},
		"nothing":                  {file: "a.jar", want: ":a:", by: byFileName},
	} {
		e := evidence{file: parseFileName(tt.file), manifest: parseManifest([]byte(tt.manifest + "\n")), inside: tt.inside}
		for _, p := range tt.poms {
			e.poms = append(e.poms, gav(p))
		}
		id := e.identify()
		got := id.group + ":" + id.artifact + ":" + id.version
		if id.classifier != "" {
			got += "/" + id.classifier
		}
		if got != tt.want || id.by != tt.by {
			t.Errorf("%s: %s by %s, want %s by %s", name, got, id.by, tt.want, tt.by)
		}
	}
}

func TestSameVersion(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"1.26", "1.26.0", true},
		{"31.1-jre", "31.1.0.jre", true},
		{"2.0-alpha-1", "2.0.0.alpha-1", true},
		{"4.1.58.Final", "4.1.58.Final", true},
		{"1.2.3", "1.2.3.4", false},
		{"1.2", "1.2.1", false},
		{"1.2-rc1", "1.2", false},
		{"", "", true},
		{"", "0.0.0", false},
	} {
		if got := sameVersion(tt.a, tt.b); got != tt.same {
			t.Errorf("sameVersion(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

// TestKnownGroups keeps the table sound: every rule can be reached and names
// coordinates.
func TestKnownGroups(t *testing.T) {
	for i, k := range knownGroups {
		name := strings.TrimSuffix(k.artifact, "*")
		if !isID(strings.TrimRight(name, "-_")) || !isID(k.group) || k.to != 0 && k.to < k.from || k.folder != "" && !strings.HasSuffix(k.folder, "/") {
			t.Errorf("rule %d is not sound: %+v", i, k)
		}
		for _, before := range knownGroups[:i] {
			prefix, wild := strings.CutSuffix(before.artifact, "*")
			if (before.artifact == k.artifact || wild && strings.HasPrefix(name, prefix)) && before.from == 0 && before.to == 0 &&
				(before.folder == k.folder && before.group == k.group || before.folder == "" && k.folder == "" && strings.HasPrefix(k.group+".", before.group+".")) {
				t.Errorf("rule %+v hides %+v", before, k)
			}
		}
	}
}
