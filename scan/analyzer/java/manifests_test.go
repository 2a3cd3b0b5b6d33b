package java

import (
	"path"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
)

// realManifests are the coordinates under which the archives of the shared
// data are published. A '+' in front says that the manifest alone tells the
// group; where it does not, there must be none.
var realManifests = map[string]string{
	"ST4-4.0.8.jar":                                    "org.antlr:ST4:4.0.8",
	"antlr-runtime-3.5.2.jar":                          "org.antlr:antlr-runtime:3.5.2",
	"apache-cassandra-4.0.0.jar":                       "org.apache.cassandra:apache-cassandra:4.0.0",
	"asm-7.1.jar":                                      "org.ow2.asm:asm:7.1",
	"caffeine-2.3.5.jar":                               "com.github.ben-manes.caffeine:caffeine:2.3.5",
	"cassandra-driver-core-3.11.0-shaded.jar":          "com.datastax.cassandra:cassandra-driver-core:3.11.0",
	"chronicle-bytes-2.20.111.jar":                     "+net.openhft:chronicle-bytes:2.20.111",
	"chronicle-core-2.20.126.jar":                      "+net.openhft:chronicle-core:2.20.126",
	"chronicle-queue-5.20.123.jar":                     "+net.openhft:chronicle-queue:5.20.123",
	"chronicle-threads-2.20.111.jar":                   "+net.openhft:chronicle-threads:2.20.111",
	"chronicle-wire-2.20.117.jar":                      "+net.openhft:chronicle-wire:2.20.117",
	"commons-cli-1.1.jar":                              "commons-cli:commons-cli:1.1",
	"commons-codec-1.9.jar":                            "commons-codec:commons-codec:1.9",
	"commons-lang3-3.11.jar":                           "org.apache.commons:commons-lang3:3.11",
	"commons-math3-3.2.jar":                            "org.apache.commons:commons-math3:3.2",
	"concurrent-trees-2.4.0.jar":                       "com.googlecode.concurrent-trees:concurrent-trees:2.4.0",
	"ecj-4.6.1.jar":                                    "org.eclipse.jdt.core.compiler:ecj:4.6.1",
	"guava-27.0-jre.jar":                               "com.google.guava:guava:27.0-jre",
	"high-scale-lib-1.0.6.jar":                         "com.boundary:high-scale-lib:1.0.6",
	"hppc-0.8.1.jar":                                   "com.carrotsearch:hppc:0.8.1",
	"j2objc-annotations-1.3.jar":                       "com.google.j2objc:j2objc-annotations:1.3",
	"jackson-annotations-2.9.10.jar":                   "+com.fasterxml.jackson.core:jackson-annotations:2.9.10",
	"jackson-core-2.9.10.jar":                          "+com.fasterxml.jackson.core:jackson-core:2.9.10",
	"jackson-databind-2.9.10.8.jar":                    "+com.fasterxml.jackson.core:jackson-databind:2.9.10.8",
	"jamm-0.3.2.jar":                                   "com.github.jbellis:jamm:0.3.2",
	"java-cup-runtime-11b-20160615.jar":                "com.github.vbmacher:java-cup-runtime:11b-20160615",
	"jbcrypt-0.3m.jar":                                 "org.mindrot:jbcrypt:0.3m",
	"jcl-over-slf4j-1.7.25.jar":                        "org.slf4j:jcl-over-slf4j:1.7.25",
	"jflex-1.8.2.jar":                                  "de.jflex:jflex:1.8.2",
	"jvm-attach-api-1.5.jar":                           "org.gridkit.lab:jvm-attach-api:1.5",
	"log4j-over-slf4j-1.7.25.jar":                      "org.slf4j:log4j-over-slf4j:1.7.25",
	"logback-core-1.2.3.jar":                           "ch.qos.logback:logback-core:1.2.3",
	"lz4-java-1.7.1.jar":                               "org.lz4:lz4-java:1.7.1",
	"metrics-core-3.1.5.jar":                           "+io.dropwizard.metrics:metrics-core:3.1.5",
	"metrics-jvm-3.1.5.jar":                            "+io.dropwizard.metrics:metrics-jvm:3.1.5",
	"metrics-logback-3.1.5.jar":                        "+io.dropwizard.metrics:metrics-logback:3.1.5",
	"mxdump-0.14.jar":                                  "org.gridkit.jvmtool:mxdump:0.14",
	"netty-all-4.1.58.Final.jar":                       "io.netty:netty-all:4.1.58.Final",
	"netty-tcnative-boringssl-static-2.0.36.Final.jar": "io.netty:netty-tcnative-boringssl-static:2.0.36.Final",
	"ohc-core-0.5.1.jar":                               "org.caffinitas.ohc:ohc-core:0.5.1",
	"ohc-core-j8-0.5.1.jar":                            "org.caffinitas.ohc:ohc-core-j8:0.5.1",
	"psjava-0.1.19.jar":                                "org.psjava:psjava:0.1.19",
	"reporter-config-base-3.0.3.jar":                   "+com.addthis.metrics:reporter-config-base:3.0.3",
	"reporter-config3-3.0.3.jar":                       "com.addthis.metrics:reporter-config3:3.0.3",
	"sigar-1.6.4.jar":                                  "org.fusesource:sigar:1.6.4",
	"sjk-cli-0.14.jar":                                 "org.gridkit.jvmtool:sjk-cli:0.14",
	"sjk-core-0.14.jar":                                "org.gridkit.jvmtool:sjk-core:0.14",
	"sjk-json-0.14.jar":                                "org.gridkit.jvmtool:sjk-json:0.14",
	"sjk-stacktrace-0.14.jar":                          "org.gridkit.jvmtool:sjk-stacktrace:0.14",
	"slf4j-api-1.7.25.jar":                             "org.slf4j:slf4j-api:1.7.25",
	"snakeyaml-1.26.jar":                               "org.yaml:snakeyaml:1.26",
	"snappy-java-1.1.2.6.jar":                          "+org.xerial.snappy:snappy-java:1.1.2.6",
	"snowball-stemmer-1.3.0.581.1.jar":                 "com.github.rholder:snowball-stemmer:1.3.0.581.1",
	"stream-2.5.2.jar":                                 "com.clearspring.analytics:stream:2.5.2",
	"zstd-jni-1.3.8-5.jar":                             "+com.github.luben:zstd-jni:1.3.8-5",
}

// TestRealManifests identifies the archives of a Cassandra installation by
// their name and manifest alone, and by their Maven descriptor.
func TestRealManifests(t *testing.T) {
	files := testdata.Open(t, "lockfiles/jar-manifests.tar.gz")
	manifests, descriptors := 0, 0
	for _, name := range testdata.Names(files) {
		base := strings.TrimSuffix(path.Base(name), ".want") // the same manifest, with its lines ended alike
		want, ok := realManifests[base]
		if !ok {
			t.Errorf("no coordinates for %s", base)
			continue
		}
		gav, told := strings.CutPrefix(want, "+")
		parts := strings.Split(gav, ":")
		if strings.Contains(name, "/properties/") {
			descriptors++
			got := extract(t, "app/renamed.jar", pack(t, member{"META-INF/maven/g/a/pom.properties", string(files[name])}))[0].Package
			if got.Name+":"+got.Version != gav {
				t.Errorf("%s: descriptor gives %s:%s, want %s", base, got.Name, got.Version, gav)
			}
			continue
		}
		manifests++
		got := extract(t, "lib/"+base, pack(t, member{"META-INF/MANIFEST.MF", string(files[name])}))[0].Package
		name := parts[1]
		if told {
			name = parts[0] + ":" + parts[1]
		}
		if got.Name != name || got.Version != parts[2] || got.PURL.IsZero() == told {
			t.Errorf("%s: found %s %s (%s), want %s %s", base, got.Name, got.Version, got.PURL, name, parts[2])
		}
	}
	if manifests < 60 || descriptors < 20 {
		t.Errorf("only %d manifests and %d descriptors", manifests, descriptors)
	}
}
