package config

import "time"

// The profiles.
const (
	Embedded    = "embedded"    // one machine, nothing installed
	Distributed = "distributed" // many processes over PostgreSQL, a queue and objects
	AirGap      = "airgap"      // embedded or not, and nothing outside is asked
)

// Systems are the names of those that a process may run.
var Systems = []string{"authority", "gateway", "scanner", "worker", "concelier", "excititor", "scheduler", "policy", "signer", "attestor", "notifier", "timeline", "exporter", "console"}

// Stores reports whether a system reaches store and objects: the gateway, and the console
// behind it, do not.
func Stores(system string) bool { return system != "gateway" && system != "console" }

// Config is what an operator chose. Make it with [Load].
//
// Tags: yaml is the key, default the default, min and max bound numbers, durations and
// sizes, oneof lists what a text may be, is names a check of check.go, keys what the names
// of a map are, for the systems that read it (inherited, and "all" without one).
type Config struct {
	Profile  string `yaml:"profile" default:"embedded" oneof:"embedded distributed airgap" doc:"What an installation is: on one machine, over servers, or closed. A closed one refuses to start with anything configured that lies outside of network.allow."`
	Data     string `yaml:"data" default:"./stella-data" doc:"Folder for the embedded store, objects and caches. It is made where it is missing, for this user alone."`
	Tenant   string `yaml:"tenant" default:"default" is:"name" doc:"Tenant of an embedded installation, which is made at its first start."`
	Instance string `yaml:"instance" is:"name" doc:"Name of this process, unique among all: leases are held under it. Default: host and process id."`
	Store    URL    `yaml:"store" is:"store" doc:"Relational store: sqlite:PATH or postgres://LOGIN@HOST/DATABASE. Default: stella.db in data."`
	Queue    URL    `yaml:"queue" is:"queue" doc:"Queue: valkey://, redis://, rediss://, nats://, tls:// or mem:. Default: the store's own."`
	Cache    URL    `yaml:"cache" is:"cache" doc:"Cache of nonces and rates: valkey://, redis://, rediss:// or mem:. Default: the store's own."`
	Bucket   URL    `yaml:"bucket" is:"bucket" doc:"Objects: file:FOLDER, s3://KEY:SECRET@BUCKET?endpoint=… or mem:. Default: artifacts in data."`
	Listen   string `yaml:"listen" default:"127.0.0.1:8443" is:"address" doc:"Where the API is served. Another address than loopback needs tls."`
	URL      string `yaml:"url" is:"origin" for:"gateway authority notifier" doc:"Origin under which clients reach the gateway, such as https://stella.example. Proofs and links are made for it."`

	Shutdown time.Duration `yaml:"shutdown" default:"10s" min:"1s" max:"5m" doc:"How long a stop may take: requests and messages in work end within it."`

	Management Management        `yaml:"management"`
	TLS        TLS               `yaml:"tls"`
	Log        Log               `yaml:"log"`
	Telemetry  Telemetry         `yaml:"telemetry"`
	Identity   Identity          `yaml:"identity"`
	Services   map[string]string `yaml:"services" keys:"system" is:"service" doc:"Where other systems are reached by this process, by name. Those that are missing run in this process, or are not asked."`
	Network    Network           `yaml:"network"`
	Authority  Authority         `yaml:"authority" for:"authority"`
	Gateway    Gateway           `yaml:"gateway" for:"gateway"`
	Scanner    Scanner           `yaml:"scanner" for:"scanner"`
	Worker     Worker            `yaml:"worker" for:"worker"`
	Concelier  Concelier         `yaml:"concelier" for:"concelier"`
	Excititor  Excititor         `yaml:"excititor" for:"excititor"`
	Scheduler  Scheduler         `yaml:"scheduler" for:"scheduler"`
	Policy     Policy            `yaml:"policy" for:"policy"`
	Signer     Signer            `yaml:"signer" for:"signer"`
	Attestor   Attestor          `yaml:"attestor" for:"attestor"`
	Notifier   Notifier          `yaml:"notifier" for:"notifier"`
	Timeline   Timeline          `yaml:"timeline" for:"timeline"`
	Exporter   Exporter          `yaml:"exporter" for:"exporter"`
	Console    Console           `yaml:"console" for:"console"`
	Retention  Retention         `yaml:"retention" for:"scheduler"`
	Migrate    Migrate           `yaml:"migrate" for:"migrate"`

	origins map[string]string
	secrets []string
}

// Management is the port for those who operate a process.
type Management struct {
	Listen string `yaml:"listen" default:"127.0.0.1:9443" is:"address" doc:"Where /healthz, /readyz and /metrics are served, without TLS and without tokens: keep it inside. Empty: nowhere."`
	Pprof  bool   `yaml:"pprof" default:"false" doc:"Serve /debug/pprof there as well. It shows memory, so it needs a loopback address."`
}

// TLS is how the API is served.
type TLS struct {
	Cert       string `yaml:"cert" is:"file" doc:"PEM file with the certificate and its intermediates. It is read again when it changes."`
	Key        string `yaml:"key" is:"key" doc:"PEM file with its private key, which others must not be able to read."`
	ClientCA   string `yaml:"client_ca" is:"file" doc:"PEM file with the authorities of client certificates. When it is set each client must have one."`
	MinVersion string `yaml:"min_version" default:"1.3" oneof:"1.2 1.3" doc:"Oldest version of TLS."`
	Off        bool   `yaml:"off" default:"false" doc:"Serve without TLS at an address that is not loopback: something in front does TLS, and nobody else reaches this port."`
}

// Log is what a process says.
type Log struct {
	Level    string `yaml:"level" default:"info" oneof:"debug info warn error" doc:"What is logged, on standard error."`
	Format   string `yaml:"format" default:"json" oneof:"json text" doc:"How."`
	Requests bool   `yaml:"requests" default:"false" doc:"Log every request, not only those that failed here."`
}

// Telemetry is where traces go.
type Telemetry struct {
	OTLPEndpoint  string `yaml:"otlp_endpoint" is:"outward" doc:"Collector of traces, by OTLP over HTTP, such as http://127.0.0.1:4318. Empty: no traces."`
	SamplePercent int    `yaml:"sample_percent" default:"100" min:"0" max:"100" unit:"percent" doc:"How many traces are kept. Every process decides alike about one scan."`
}

// Identity is who a process is to others.
type Identity struct {
	Key   string `yaml:"key" is:"ed25519 key" doc:"PEM file (PKCS #8) with the Ed25519 key by which this process says to others who it is: the gateway, and who asks services."`
	Trust string `yaml:"trust" is:"trust folder" doc:"Folder with NAME.pem, the public keys of the processes that are believed by those who serve: gateway, worker, export-center, scanner-web."`
}

// Network is what this process may reach.
type Network struct {
	Allow      []string   `yaml:"allow" is:"host" doc:"Hosts, *.domains and prefixes that may be reached beside public addresses; in a closed installation, all that may be reached."`
	PlainHTTP  []string   `yaml:"plain_http" is:"host" doc:"Hosts that systems and mirrors are asked at over http. Loopback need not be listed."`
	Registries []Registry `yaml:"registries" for:"worker scheduler excititor exporter" doc:"Credentials and peculiarities of registries."`
}

// Registry is how one registry is reached.
type Registry struct {
	Host      string `yaml:"host" is:"host" required:"true" doc:"Host, with its port where that is not 443."`
	Tenant    string `yaml:"tenant" is:"name" doc:"For scans of this tenant alone. Empty: of all."`
	Username  string `yaml:"username" doc:"Who logs in."`
	Password  Secret `yaml:"password" doc:"Password or token."`
	PlainHTTP bool   `yaml:"plain_http" default:"false" doc:"Ask it over http."`
	CA        string `yaml:"ca" is:"file" doc:"PEM file with authorities that are believed beside the system's."`
}

// Authority makes tokens.
type Authority struct {
	Issuer     string        `yaml:"issuer" is:"origin" doc:"Issuer of tokens. Default: url."`
	TokenTTL   time.Duration `yaml:"token_ttl" default:"5m" min:"30s" max:"15m" doc:"How long an access token is good."`
	SealKey    Secret        `yaml:"seal_key" is:"key256" doc:"Key that seals signing keys in the store: 32 bytes in base64 or hex. Required where the authority runs over servers; an embedded one makes its own in data."`
	SealBefore Secret        `yaml:"seal_key_before" is:"key256" doc:"The seal_key before this one, until every signing key that it sealed has ended: a month after the change, or stella authority rotate --now."`
	Federation []Issuer      `yaml:"federation" doc:"Issuers of other organisations whose tokens can be exchanged for ours."`
}

// Issuer is an OpenID provider that is believed.
type Issuer struct {
	Name     string   `yaml:"name" is:"name" required:"true" doc:"Its name here, which begins the subjects of our tokens."`
	Issuer   string   `yaml:"issuer" is:"outward" required:"true" doc:"Its issuer."`
	Keys     string   `yaml:"keys" is:"outward" required:"true" doc:"Where its public keys are (jwks_uri)."`
	Audience string   `yaml:"audience" required:"true" doc:"Audience that its tokens must have: one that is for this installation alone."`
	Subject  string   `yaml:"subject" required:"true" doc:"Pattern of the subjects that are let in: * stands for what has neither : nor /, ** for what has no colon."`
	Tenant   string   `yaml:"tenant" is:"name" required:"true" doc:"Tenant that they belong to."`
	Scopes   []string `yaml:"scopes" doc:"Rights that they may have."`
}

// Gateway is the door for clients.
type Gateway struct {
	Upstreams  map[string][]string `yaml:"upstreams" keys:"system" is:"service" doc:"Where the gateway finds each system; several are used in turn. Those that are missing run in this process."`
	Rate       Rate                `yaml:"rate" doc:"Bounds of each tenant and each client."`
	Body       Size                `yaml:"body" default:"256MiB" min:"1KiB" max:"16GiB" doc:"Largest body of a request, where an operation does not take less."`
	Timeout    time.Duration       `yaml:"timeout" default:"30s" min:"100ms" max:"1h" doc:"How long an upstream may take to begin its answer."`
	Concurrent int                 `yaml:"concurrent" default:"1024" min:"1" max:"1000000" unit:"requests" doc:"Requests at a time; further ones are refused with 503."`
	Proxies    []string            `yaml:"proxies" is:"prefix" doc:"Addresses and prefixes of the proxies and load balancers in front of the gateway: whom they name in X-Forwarded-For is taken for the client. Without them everybody behind one shares a limit."`
	Bearer     bool                `yaml:"bearer" default:"false" doc:"Take tokens that are not bound to a key. Who steals one can use it."`
}

// Rate is a token bucket.
type Rate struct {
	PerSecond int `yaml:"per_second" default:"200" min:"1" max:"1000000" unit:"requests" doc:"Requests that a tenant, or a client, may send in a second."`
	Burst     int `yaml:"burst" default:"400" min:"1" max:"10000000" unit:"requests" doc:"Requests that it may send at once. At least per_second."`
}

// Scanner takes scans.
type Scanner struct {
	Formats     []string `yaml:"formats" default:"spdx,cyclonedx" is:"sbom format" doc:"Documents that are kept of a scan that asks for none."`
	StoreLayers bool     `yaml:"store_layers" default:"false" doc:"Keep the layers of each scanned image as image-layers.tar.gz."`
	Quota       Quota    `yaml:"quota" doc:"What a tenant may ask for."`
	PullKey     Secret   `yaml:"pull_key" is:"key256" for:"scanner worker" doc:"Key that seals what registries send with a request for a scan, until the worker asks them: 32 bytes in base64 or hex. Empty: such requests are refused."`
}

// Quota bounds what one tenant asks for.
type Quota struct {
	Queued int `yaml:"queued" default:"10000" min:"1" max:"10000000" unit:"scans" doc:"Scans of a tenant that have not ended."`
	PerDay int `yaml:"per_day" default:"100000" min:"1" max:"100000000" unit:"scans" doc:"Scans of a tenant in 24 hours."`
}

// Worker reads images.
type Worker struct {
	Parallel  int           `yaml:"parallel" default:"2" min:"1" max:"256" unit:"scans" doc:"Scans at a time."`
	Lease     time.Duration `yaml:"lease" default:"15s" min:"1s" max:"1h" for:"worker scanner policy" doc:"How long a job is held between heartbeats, which come after a quarter of it."`
	Callbacks bool          `yaml:"callbacks" default:"false" doc:"Claim jobs and report on them over services.scanner, not in the store."`
	Temp      string        `yaml:"temp" is:"folder" doc:"Folder for what does not fit into memory. Default: the system's."`
}

// Concelier reads advisories.
type Concelier struct {
	Role    string                   `yaml:"role" default:"all" oneof:"web worker all" doc:"Serve and read sources (web), find out whom news concern (worker), or both."`
	Sources map[string]time.Duration `yaml:"sources" keys:"source" min:"1m" max:"720h" doc:"Sources and how often each is read. stella db update lists their names."`
	Mirror  string                   `yaml:"mirror" is:"outward or folder" doc:"Mirror that is asked before publishers: a folder or an URL. In a closed installation it is the only one that is asked."`
}

// Excititor reads what suppliers say.
type Excititor struct {
	Role     string        `yaml:"role" default:"all" oneof:"web worker all" doc:"Serve, read sources and decide, or both."`
	Sources  []string      `yaml:"sources" is:"vex source" doc:"Sources as stella vex update takes them: vexhub, rancher, redhat, suse, repository:URL, csaf:URL, image:REFERENCE."`
	Interval time.Duration `yaml:"interval" default:"1h" min:"1m" max:"720h" doc:"How often each source is read."`
	Trust    string        `yaml:"trust" is:"file" doc:"Trust document: whom to believe. Without one no statement counts, so sources need it."`
}

// Scheduler has scans evaluated again.
type Scheduler struct {
	Tick    time.Duration `yaml:"tick" default:"5s" min:"100ms" max:"10m" doc:"How often it is looked for what is due."`
	Collect time.Duration `yaml:"collect" default:"24h" min:"1m" max:"720h" doc:"How often what retention no longer needs is deleted."`
}

// Policy decides.
type Policy struct {
	Role string `yaml:"role" default:"all" oneof:"web worker all" doc:"Serve, decide again when something changed, or both."`
}

// Signer has keys.
type Signer struct {
	Keys    []SigningKey `yaml:"keys" doc:"Keys that sign for tenants."`
	Default string       `yaml:"default" is:"name" doc:"Name of the key for tenants that have none of their own. Empty: nothing is signed for them."`
}

// SigningKey is one key.
type SigningKey struct {
	Name     string   `yaml:"name" is:"name" required:"true" doc:"Its name here."`
	Ref      string   `yaml:"ref" is:"key reference" required:"true" doc:"The key as stella attest takes it: a file, agent:… or NAME://…."`
	Password Secret   `yaml:"password" doc:"Password of an encrypted file."`
	Tenants  []string `yaml:"tenants" is:"name" doc:"Tenants that it signs for."`
}

// Attestor proves when something was signed.
type Attestor struct {
	Log       string `yaml:"log" is:"log" doc:"Transparency log: store, whose head is in the store and whose tiles are among the objects, a folder of tiles, or the URL of one (Rekor). Empty: none."`
	LogKey    string `yaml:"log_key" is:"key" doc:"PEM file with the key of a log of one's own. Only the process that enters into it needs it."`
	LogOrigin string `yaml:"log_origin" doc:"Origin of a log of one's own, such as log.example. It is for ever."`
	Timestamp string `yaml:"timestamp" is:"outward" doc:"Timestamp authority (RFC 3161). Empty: none."`
	Roots     string `yaml:"roots" is:"file" doc:"Trust root: the keys, logs and authorities that are believed. What a log or an authority answers is verified against it, so these need it."`
}

// Notifier tells people.
type Notifier struct {
	Role     string   `yaml:"role" default:"all" oneof:"web worker all" doc:"Serve, decide and deliver, or both."`
	BaseURL  string   `yaml:"base_url" is:"origin" doc:"Origin of links in messages. Default: url."`
	Secrets  string   `yaml:"secrets" is:"folder" for:"notifier exporter" doc:"Folder with TENANT/NAME, the secrets that settings of tenants refer to as file:NAME."`
	Allow    []string `yaml:"allow" is:"host" doc:"Hosts of the own network that may be told, such as a mail server."`
	AckKey   Secret   `yaml:"ack_key" is:"key256" doc:"Key of the links by which somebody takes note: 32 bytes in base64 or hex. Empty: messages have none."`
	Parallel int      `yaml:"parallel" default:"32" min:"1" max:"1024" unit:"deliveries" doc:"Deliveries at a time."`

	Lease time.Duration `yaml:"lease" default:"1m" min:"2s" max:"1h" doc:"After how long somebody else sends what a process had in hand that died. An attempt may take half of it."`
}

// Timeline keeps what happened.
type Timeline struct {
	Checkpoints string        `yaml:"checkpoints" is:"folder" doc:"Folder of signed checkpoints, which the owner of the database should not be able to write. Empty: none are made."`
	Key         string        `yaml:"key" is:"key" doc:"PEM file with the key that signs them."`
	Every       time.Duration `yaml:"every" default:"1s" min:"100ms" max:"1h" doc:"How often one is made while something happens."`
}

// Exporter makes exports.
type Exporter struct {
	Formats  []string `yaml:"formats" default:"spdx,cyclonedx,sarif" is:"export format" doc:"Exports of each completed scan, for tenants that have no settings."`
	Parallel int      `yaml:"parallel" default:"4" min:"1" max:"256" unit:"exports" doc:"Exports at a time."`
}

// Console makes pages for browsers.
type Console struct {
	CA string `yaml:"ca" is:"file" doc:"PEM file with authorities that are believed, beside the system's, for the certificate of the gateway that the console asks: the one of services.gateway, or else url."`
}

// Retention is how long what ended is kept.
type Retention struct {
	Scans   time.Duration `yaml:"scans" default:"90d" min:"1h" max:"36500d" doc:"Ended scans, with their documents and findings."`
	Keys    time.Duration `yaml:"keys" default:"24h" min:"1h" max:"365d" doc:"Idempotency keys."`
	Events  time.Duration `yaml:"events" default:"7d" min:"1h" max:"365d" doc:"Events that everybody consumed."`
	Notices time.Duration `yaml:"notices" default:"90d" min:"1h" max:"36500d" doc:"Deliveries that ended."`
	Samples time.Duration `yaml:"samples" default:"400d" min:"1d" max:"36500d" doc:"What held about all images, by the hour."`
}

// Migrate is for stella migrate alone.
type Migrate struct {
	Store URL `yaml:"store" is:"owner" doc:"PostgreSQL as the owner of the database, who may create roles. The login of store may use it afterwards."`
}
