package netguard

import "strconv"

// webPort refuses the ports of other services, which would read a request as commands of
// their own, or trust whoever reaches them. Below 1024 they are all of other services
// but those of the web.
func webPort(port int) string {
	name := services[port]
	if port < 1024 && port != 80 && port != 443 {
		name = "another service"
	}
	if name == "" {
		return ""
	}
	return "port " + strconv.Itoa(port) + " is that of " + name + ": only an entry with the port opens it"
}

// mailPort refuses all ports but those of mail (RFC 5321, 6409, 8314) and the usual other
// one of submission.
func mailPort(port int) string {
	switch port {
	case 25, 465, 587, 2525:
		return ""
	}
	return "port " + strconv.Itoa(port) + " is not one of mail (25, 465, 587, 2525): only an entry with the port opens it"
}

// services are ports from 1024 on: those that browsers refuse (Fetch, section 2.9), and
// those of stores, queues and controls that answer whoever reaches them.
var services = map[int]string{
	1080: "SOCKS", 1433: "SQL Server", 1521: "Oracle", 1719: "H.323", 1720: "H.323", 1723: "PPTP", 1883: "MQTT",
	2049: "NFS", 2181: "ZooKeeper", 2375: "Docker", 2376: "Docker", 2379: "etcd", 2380: "etcd", 3128: "a proxy", 3306: "MySQL", 3389: "RDP", 3659: "SASL",
	4045: "NFS", 4190: "Sieve", 4222: "NATS", 5060: "SIP", 5061: "SIP", 5432: "PostgreSQL", 5672: "AMQP", 5900: "VNC", 5984: "CouchDB", 5985: "WinRM", 5986: "WinRM",
	6000: "X11", 6222: "NATS", 6379: "Redis", 6380: "Redis", 6443: "Kubernetes", 6566: "SANE", 6665: "IRC", 6666: "IRC", 6667: "IRC", 6668: "IRC", 6669: "IRC", 6679: "IRC", 6697: "IRC",
	8500: "Consul", 9000: "FastCGI", 9042: "Cassandra", 9092: "Kafka", 9100: "printers", 9200: "Elasticsearch", 9300: "Elasticsearch", 10080: "Amanda",
	10250: "a kubelet", 10255: "a kubelet", 11211: "Memcached", 15672: "RabbitMQ", 16379: "Redis", 26379: "Redis", 27017: "MongoDB", 27018: "MongoDB", 27019: "MongoDB",
}
