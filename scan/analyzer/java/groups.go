package java

import (
	"strconv"
	"strings"
)

// known is a rule for archives that their builds give neither a Maven
// descriptor nor a telling manifest, mostly those made by Gradle and Ant. The
// archive must also hold the folder of the classes, so that a stranger with
// the same file name is not taken for it.
type known struct {
	artifact string // exact, or the start where it ends in '*'
	group    string
	folder   string // of classes; empty means the group's own
	from, to int    // versions, inclusive, as by release; 0 means no bound
}

// knownGroup returns the group of a well-known artifact, or "".
func knownGroup(artifact, version string, inside folders) string {
	for i := range knownGroups {
		k := &knownGroups[i]
		if prefix, ok := strings.CutSuffix(k.artifact, "*"); ok && !strings.HasPrefix(artifact, prefix) || !ok && artifact != k.artifact {
			continue
		}
		if k.from|k.to != 0 {
			r := release(version)
			if r == 0 || r < k.from || k.to != 0 && r > k.to {
				continue
			}
		}
		folder := k.folder
		if folder == "" {
			folder = folderOf(k.group)
		}
		if inside.has(folder) {
			return k.group
		}
	}
	return ""
}

// release returns the first three numbers of a version as one: 1.7.2 is 10702.
// It returns 0 where there are none.
func release(version string) int {
	n := 0
	for range 3 {
		digits := version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
		part, _ := strconv.Atoi(digits)
		n = n*100 + min(part, 99)
		version = strings.TrimPrefix(version[len(digits):], ".")
	}
	return n
}

// knownGroups are the coordinates as the projects themselves publish them in
// Maven repositories. The first rule that fits decides: exact names and longer
// prefixes come first.
var knownGroups = [...]known{
	{"spring-boot*", "org.springframework.boot", "", 0, 0},
	{"spring-security-*", "org.springframework.security", "", 0, 0},
	{"spring-data-*", "org.springframework.data", "", 0, 0},
	{"spring-integration-*", "org.springframework.integration", "", 0, 0},
	{"spring-session-*", "org.springframework.session", "", 0, 0},
	{"spring-batch-*", "org.springframework.batch", "", 0, 0},
	{"spring-cloud-*", "org.springframework.cloud", "", 0, 0},
	{"spring-kafka*", "org.springframework.kafka", "", 0, 0},
	{"spring-amqp", "org.springframework.amqp", "", 0, 0},
	{"spring-rabbit", "org.springframework.amqp", "org/springframework/amqp/rabbit/", 0, 0},
	{"spring-retry", "org.springframework.retry", "org/springframework/retry/", 0, 0},
	{"spring-plugin-core", "org.springframework.plugin", "", 0, 0},
	{"spring-hateoas", "org.springframework.hateoas", "", 0, 0},
	{"spring-ws-core", "org.springframework.ws", "", 0, 0},
	{"spring-jcl", "org.springframework", "org/apache/commons/logging/", 0, 0},
	{"spring-core", "org.springframework", "", 0, 0},
	{"spring-beans", "org.springframework", "", 0, 0},
	{"spring-context*", "org.springframework", "", 0, 0},
	{"spring-aop", "org.springframework", "", 0, 0},
	{"spring-aspects", "org.springframework", "", 0, 0},
	{"spring-expression", "org.springframework", "", 0, 0},
	{"spring-instrument", "org.springframework", "", 0, 0},
	{"spring-jdbc", "org.springframework", "", 0, 0},
	{"spring-jms", "org.springframework", "", 0, 0},
	{"spring-messaging", "org.springframework", "", 0, 0},
	{"spring-orm", "org.springframework", "", 0, 0},
	{"spring-oxm", "org.springframework", "", 0, 0},
	{"spring-r2dbc", "org.springframework", "", 0, 0},
	{"spring-test", "org.springframework", "", 0, 0},
	{"spring-tx", "org.springframework", "", 0, 0},
	{"spring-web", "org.springframework", "", 0, 0},
	{"spring-webflux", "org.springframework", "", 0, 0},
	{"spring-webmvc", "org.springframework", "", 0, 0},
	{"spring-websocket", "org.springframework", "", 0, 0},

	{"tomcat-embed-*", "org.apache.tomcat.embed", "org/apache/", 0, 0},
	{"tomcat-annotations-api", "org.apache.tomcat", "javax/annotation/", 0, 0},
	{"tomcat-jdbc", "org.apache.tomcat", "org/apache/tomcat/jdbc/", 0, 0},
	{"tomcat-juli", "org.apache.tomcat", "org/apache/juli/", 0, 0},

	{"slf4j-*", "org.slf4j", "", 0, 0},
	{"jcl-over-slf4j", "org.slf4j", "org/apache/commons/logging/", 0, 0},
	{"jul-to-slf4j", "org.slf4j", "", 0, 0},
	{"log4j-over-slf4j", "org.slf4j", "org/apache/log4j/", 0, 0},
	{"log4j", "log4j", "org/apache/log4j/", 10000, 19999},
	{"log4j-1.2-api", "org.apache.logging.log4j", "org/apache/log4j/", 0, 0},
	{"log4j-*", "org.apache.logging.log4j", "", 0, 0},
	{"logback-core", "ch.qos.logback", "", 0, 0},
	{"logback-classic", "ch.qos.logback", "", 0, 0},
	{"logback-access", "ch.qos.logback", "", 0, 0},

	{"commons-beanutils", "commons-beanutils", "org/apache/commons/beanutils/", 0, 0},
	{"commons-cli", "commons-cli", "org/apache/commons/cli/", 0, 0},
	{"commons-codec", "commons-codec", "org/apache/commons/codec/", 0, 0},
	{"commons-collections", "commons-collections", "org/apache/commons/collections/", 0, 0},
	{"commons-configuration", "commons-configuration", "org/apache/commons/configuration/", 0, 0},
	{"commons-daemon", "commons-daemon", "org/apache/commons/daemon/", 0, 0},
	{"commons-dbcp", "commons-dbcp", "org/apache/commons/dbcp/", 0, 0},
	{"commons-digester", "commons-digester", "org/apache/commons/digester/", 0, 0},
	{"commons-el", "commons-el", "org/apache/commons/el/", 0, 0},
	{"commons-fileupload", "commons-fileupload", "org/apache/commons/fileupload/", 0, 0},
	{"commons-httpclient", "commons-httpclient", "org/apache/commons/httpclient/", 0, 0},
	{"commons-io", "commons-io", "org/apache/commons/io/", 0, 0},
	{"commons-jxpath", "commons-jxpath", "org/apache/commons/jxpath/", 0, 0},
	{"commons-lang", "commons-lang", "org/apache/commons/lang/", 0, 0},
	{"commons-logging*", "commons-logging", "org/apache/commons/logging/", 0, 0},
	{"commons-net", "commons-net", "org/apache/commons/net/", 0, 0},
	{"commons-pool", "commons-pool", "org/apache/commons/pool/", 0, 0},
	{"commons-validator", "commons-validator", "org/apache/commons/validator/", 0, 0},
	{"commons-collections4", "org.apache.commons", "", 0, 0},
	{"commons-compress", "org.apache.commons", "", 0, 0},
	{"commons-csv", "org.apache.commons", "", 0, 0},
	{"commons-exec", "org.apache.commons", "", 0, 0},
	{"commons-lang3", "org.apache.commons", "", 0, 0},
	{"commons-math3", "org.apache.commons", "", 0, 0},
	{"commons-text", "org.apache.commons", "", 0, 0},
	{"httpclient*", "org.apache.httpcomponents", "org/apache/http/", 40000, 49999},
	{"httpcore*", "org.apache.httpcomponents", "org/apache/http/", 40000, 49999},
	{"fluent-hc", "org.apache.httpcomponents", "org/apache/http/", 40000, 49999},
	{"lucene-*", "org.apache.lucene", "", 0, 0},
	{"kafka-clients", "org.apache.kafka", "", 0, 0},
	{"kafka_*", "org.apache.kafka", "kafka/", 0, 0},
	{"xercesImpl", "xerces", "org/apache/xerces/", 0, 0},
	{"xalan", "xalan", "org/apache/xalan/", 0, 0},
	{"serializer", "xalan", "org/apache/xml/serializer/", 0, 0},
	{"xml-apis", "xml-apis", "org/w3c/dom/", 0, 0},
	{"xml-apis-ext", "xml-apis", "org/w3c/dom/", 0, 0},
	{"ant", "ant", "org/apache/tools/ant/", 1, 10699},
	{"ant*", "org.apache.ant", "org/apache/tools/ant/", 10700, 0},
	{"batik-*", "org.apache.xmlgraphics", "org/apache/batik/", 10700, 0},
	{"fop", "org.apache.xmlgraphics", "org/apache/fop/", 0, 0},
	{"xmlgraphics-commons", "org.apache.xmlgraphics", "", 0, 0},
	{"bsf", "bsf", "org/apache/bsf/", 20000, 29999},
	{"ivy", "org.apache.ivy", "", 20000, 0},

	{"jackson-core", "com.fasterxml.jackson.core", "", 20000, 29999},
	{"jackson-databind", "com.fasterxml.jackson.core", "com/fasterxml/jackson/databind/", 20000, 29999},
	{"jackson-annotations", "com.fasterxml.jackson.core", "com/fasterxml/jackson/annotation/", 20000, 29999},
	{"gson", "com.google.code.gson", "com/google/gson/", 0, 0},
	{"guava", "com.google.guava", "com/google/common/", 0, 0},
	{"guice", "com.google.inject", "", 0, 0},
	{"guice-assistedinject", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-grapher", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-jmx", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-jndi", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-multibindings", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-persist", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-servlet", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-spring", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-struts2", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"guice-throwingproviders", "com.google.inject.extensions", "com/google/inject/", 0, 0},
	{"protobuf-java*", "com.google.protobuf", "", 0, 0},
	{"jsr305", "com.google.code.findbugs", "javax/annotation/", 0, 0},
	{"error_prone_annotations", "com.google.errorprone", "", 0, 0},
	{"checker-qual", "org.checkerframework", "", 0, 0},
	{"lombok", "org.projectlombok", "lombok/", 0, 0},
	{"caffeine", "com.github.ben-manes.caffeine", "com/github/benmanes/caffeine/", 0, 0},

	{"grpc-*", "io.grpc", "", 0, 0},
	{"netty-tcnative*", "io.netty", "", 0, 0},
	{"netty-*", "io.netty", "", 40000, 0},
	{"micrometer-*", "io.micrometer", "", 0, 0},
	{"opentelemetry-api", "io.opentelemetry", "", 0, 0},
	{"opentelemetry-context", "io.opentelemetry", "", 0, 0},
	{"opentelemetry-sdk*", "io.opentelemetry", "", 0, 0},
	{"opentelemetry-exporter-*", "io.opentelemetry", "", 0, 0},
	{"reactor-core", "io.projectreactor", "reactor/core/", 0, 0},
	{"reactor-netty*", "io.projectreactor.netty", "reactor/netty/", 10000, 0},
	{"reactive-streams", "org.reactivestreams", "", 0, 0},
	{"rxjava", "io.reactivex", "rx/", 10000, 19999},
	{"rxjava", "io.reactivex.rxjava2", "io/reactivex/", 20000, 29999},
	{"rxjava", "io.reactivex.rxjava3", "", 30000, 39999},
	{"okhttp", "com.squareup.okhttp", "", 20000, 29999},
	{"okhttp", "com.squareup.okhttp3", "okhttp3/", 30000, 0},
	{"okhttp-*", "com.squareup.okhttp3", "okhttp3/", 30000, 0},
	{"okio*", "com.squareup.okio", "okio/", 0, 0},
	{"retrofit", "com.squareup.retrofit2", "retrofit2/", 20000, 0},
	{"kotlin-*", "org.jetbrains.kotlin", "kotlin/", 0, 0},
	{"kotlinx-*", "org.jetbrains.kotlinx", "kotlinx/", 0, 0},
	{"annotations", "org.jetbrains", "org/jetbrains/annotations/", 0, 0},
	{"groovy*", "org.apache.groovy", "org/codehaus/groovy/", 40000, 0},
	{"groovy*", "org.apache.groovy", "org/apache/groovy/", 40000, 0},
	{"groovy*", "org.codehaus.groovy", "", 1, 39999},
	{"groovy*", "org.codehaus.groovy", "groovy/", 1, 39999},
	{"jooq", "org.jooq", "", 0, 0},
	{"flyway-core", "org.flywaydb", "", 0, 0},
	{"liquibase-core", "org.liquibase", "liquibase/", 0, 0},
	{"resilience4j-*", "io.github.resilience4j", "", 0, 0},
	{"jjwt-*", "io.jsonwebtoken", "", 0, 0},
	{"snakeyaml", "org.yaml", "org/yaml/snakeyaml/", 0, 0},
	{"graphql-java", "com.graphql-java", "graphql/", 0, 0},
	{"zipkin", "io.zipkin.zipkin2", "zipkin2/", 0, 0},
	{"brave", "io.zipkin.brave", "brave/", 0, 0},

	{"elasticsearch-rest-*", "org.elasticsearch.client", "", 0, 0},
	{"elasticsearch*", "org.elasticsearch", "", 0, 0},
	{"opensearch-rest-*", "org.opensearch.client", "", 0, 0},
	{"opensearch-java", "org.opensearch.client", "", 0, 0},
	{"opensearch*", "org.opensearch", "", 0, 0},
	{"hibernate-core", "org.hibernate", "", 30000, 59999},
	{"hibernate-core", "org.hibernate.orm", "org/hibernate/", 60000, 0},
	{"hibernate-entitymanager", "org.hibernate", "", 1, 59999},
	{"hibernate-validator", "org.hibernate.validator", "", 60000, 0},
	{"postgresql", "org.postgresql", "", 0, 0},
	{"mysql-connector-java", "mysql", "com/mysql/", 0, 0},
	{"mysql-connector-j", "com.mysql", "", 0, 0},
	{"mariadb-java-client", "org.mariadb.jdbc", "", 0, 0},
	{"mssql-jdbc", "com.microsoft.sqlserver", "", 0, 0},
	{"sqlite-jdbc", "org.xerial", "org/sqlite/", 0, 0},
	{"h2", "com.h2database", "org/h2/", 0, 0},
	{"HikariCP", "com.zaxxer", "com/zaxxer/hikari/", 0, 0},
	{"c3p0", "c3p0", "com/mchange/v2/c3p0/", 1, 901},
	{"c3p0", "com.mchange", "com/mchange/v2/c3p0/", 902, 0},
	{"mongo-java-driver", "org.mongodb", "com/mongodb/", 0, 0},
	{"mongodb-driver*", "org.mongodb", "com/mongodb/", 0, 0},
	{"bson", "org.mongodb", "org/bson/", 0, 0},

	{"bcprov-*", "org.bouncycastle", "", 0, 0},
	{"bcpkix-*", "org.bouncycastle", "", 0, 0},
	{"bcutil-*", "org.bouncycastle", "", 0, 0},
	{"bcmail-*", "org.bouncycastle", "", 0, 0},
	{"bcpg-*", "org.bouncycastle", "", 0, 0},
	{"bctls-*", "org.bouncycastle", "", 0, 0},

	{"aopalliance", "aopalliance", "org/aopalliance/", 0, 0},
	{"javax.inject", "javax.inject", "", 0, 0},
	{"antlr", "antlr", "antlr/", 20000, 29999},
	{"asm", "asm", "org/objectweb/asm/", 10000, 39999},
	{"asm", "org.ow2.asm", "org/objectweb/asm/", 40000, 0},
	{"asm-*", "org.ow2.asm", "org/objectweb/asm/", 40000, 0},
	{"aspectj*", "org.aspectj", "", 0, 0},
	{"byte-buddy*", "net.bytebuddy", "", 0, 0},
	{"cglib*", "cglib", "net/sf/cglib/", 0, 0},
	{"dom4j", "dom4j", "org/dom4j/", 10000, 19999},
	{"dom4j", "org.dom4j", "", 20000, 0},
	{"jdom", "jdom", "org/jdom/", 10000, 19999},
	{"jdom2", "org.jdom", "org/jdom2/", 0, 0},
	{"hamcrest*", "org.hamcrest", "", 0, 0},
	{"junit", "junit", "org/junit/", 40000, 49999},
	{"junit", "junit", "junit/framework/", 30000, 39999},
	{"junit-jupiter*", "org.junit.jupiter", "", 0, 0},
	{"junit-platform-*", "org.junit.platform", "", 0, 0},
	{"junit-vintage-engine", "org.junit.vintage", "", 0, 0},
	{"apiguardian-api", "org.apiguardian", "", 0, 0},
	{"opentest4j", "org.opentest4j", "", 0, 0},
	{"mockito-core", "org.mockito", "", 0, 0},
	{"mockito-all", "org.mockito", "", 0, 0},
	{"mockito-junit-jupiter", "org.mockito", "", 0, 0},
	{"objenesis", "org.objenesis", "", 0, 0},
	{"testng", "org.testng", "", 0, 0},
	{"picocli*", "info.picocli", "picocli/", 0, 0},
	{"jsoup", "org.jsoup", "", 0, 0},
	{"jna", "net.java.dev.jna", "com/sun/jna/", 0, 0},
	{"jna-platform", "net.java.dev.jna", "com/sun/jna/", 0, 0},
	{"jsch", "com.jcraft", "com/jcraft/jsch/", 0, 0},
	{"oro", "oro", "org/apache/oro/", 20000, 29999},
	{"xpp3", "xpp3", "org/xmlpull/", 0, 0},
	{"xpp3_min", "xpp3", "org/xmlpull/", 0, 0},
	{"xstream", "com.thoughtworks.xstream", "", 0, 0},
	{"quartz", "org.quartz-scheduler", "org/quartz/", 20000, 0},
	{"joda-time", "joda-time", "org/joda/time/", 0, 0},
}
