package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Write prints the configuration in force as YAML, each value with where it
// came from. It can be read again by Load.
func (c *Config) Write(w io.Writer) error {
	var b strings.Builder
	line := func(indent int, key, value, path string) {
		text := strings.Repeat("  ", indent) + key + ": " + value
		if value == "" {
			text = "# " + strings.Repeat("  ", indent) + key + ":"
		}
		fmt.Fprintf(&b, "%-44s # %s\n", text, c.Origin(path))
	}
	data := ""
	if c.Data != "" {
		data = strconv.Quote(c.Data)
	}
	line(0, "data", data, "data")
	b.WriteString("own:\n")
	line(1, "domains", flow(c.Own.Domains), "own.domains")
	line(1, "networks", flow(c.Own.Networks), "own.networks")
	if g := c.Gateway; g != nil {
		b.WriteString("gateway:\n")
		line(1, "name", quote(g.Name), "gateway.name")
		line(1, "log_zone", zoneName(g.LogZone), "gateway.log_zone")
		line(1, "window", FormatDuration(g.Window), "gateway.window")
		b.WriteString("  sources:\n")
		for i := range g.Sources {
			fmt.Fprintf(&b, "%-44s # %s\n", "    - "+g.Sources[i].flow(), c.Origin(fmt.Sprintf("gateway.sources[%d].%s", i, g.Sources[i].kind())))
		}
		if e := g.Export; e != nil {
			b.WriteString("  export:\n")
			line(2, "listen", quote(e.Listen), "gateway.export.listen")
			line(2, "user", e.User, "gateway.export.user")
			line(2, "hold", FormatDuration(e.Hold), "gateway.export.hold")
			line(2, "stale", FormatDuration(e.Stale), "gateway.export.stale")
			line(2, "quota", FormatSize(e.Quota), "gateway.export.quota")
			line(2, "exclusive", strconv.FormatBool(e.Exclusive), "gateway.export.exclusive")
			line(2, "allow_unread", strconv.FormatBool(e.AllowUnread), "gateway.export.allow_unread")
			line(2, "require_sandbox", strconv.FormatBool(e.RequireSandbox), "gateway.export.require_sandbox")
		}
	}
	m := &c.Manager
	b.WriteString("manager:\n")
	line(1, "listen", quote(m.Listen), "manager.listen")
	line(1, "poll", FormatDuration(m.Poll), "manager.poll")
	line(1, "connections", strconv.Itoa(m.Connections), "manager.connections")
	line(1, "bandwidth", FormatSize(m.Bandwidth), "manager.bandwidth")
	line(1, "queues", strconv.Itoa(m.Queues), "manager.queues")
	if len(c.Manager.Gateways) == 0 {
		line(1, "gateways", "[]", "manager.gateways")
	} else {
		b.WriteString("  gateways:\n")
	}
	for i, g := range c.Manager.Gateways {
		// A name may have a colon in it (an IPv6 address), so it is quoted.
		f := flowMap{}
		f.add("name", strconv.Quote(g.Name))
		f.add("address", quote(g.Address))
		f.add("host_key", quote(g.HostKey))
		f.add("user", g.User)
		f.add("directory", quote(g.Directory))
		f.add("log_zone", zoneName(g.LogZone))
		fmt.Fprintf(&b, "%-44s # %s\n", "    - "+f.String(), c.Origin(fmt.Sprintf("manager.gateways[%d].name", i)))
	}
	b.WriteString("  store:\n    sqlite:\n")
	line(3, "retention", FormatDuration(c.Manager.Store.SQLite.Retention), "manager.store.sqlite.retention")
	line(3, "max_size", FormatSize(c.Manager.Store.SQLite.MaxSize), "manager.store.sqlite.max_size")
	_, err := io.WriteString(w, b.String())
	return err
}

// flowMap is a mapping on one line, without the keys that have no value.
type flowMap []string

func (f *flowMap) add(key, value string) {
	if value != "" && value != "[]" && value != "0" && value != "false" {
		*f = append(*f, key+": "+value)
	}
}

func (f flowMap) String() string { return "{" + strings.Join(f, ", ") + "}" }

// kind is the key that the source has.
func (s *Source) kind() string {
	switch {
	case s.File != "":
		return "file"
	case s.Journal != nil:
		return "journal"
	case s.Syslog != nil:
		return "syslog"
	}
	return "stdin"
}

// flow is the source on one line.
func (s *Source) flow() string {
	f := flowMap{}
	switch {
	case s.File != "":
		return "{file: " + strconv.Quote(s.File) + "}"
	case s.Stdin:
		return "{stdin: true}"
	case s.Journal != nil:
		f.add("units", flow(s.Journal.Units))
		f.add("identifiers", flow(s.Journal.Identifiers))
	default:
		l := s.Syslog
		f.add("listen", quote(l.Listen))
		f.add("protocol", l.Protocol)
		f.add("allow", flow(l.Allow))
		f.add("rate", strconv.Itoa(l.Rate))
		f.add("certificate", quote(l.Certificate))
		f.add("key", quote(l.Key))
		f.add("client_ca", quote(l.ClientCA))
		f.add("each_host", strconv.FormatBool(l.EachHost))
		hosts := make([]string, len(l.Gateways))
		for i, g := range l.Gateways {
			hosts[i] = fmt.Sprintf("{address: %q, name: %q}", g.Address, g.Name)
		}
		f.add("gateways", "["+strings.Join(hosts, ", ")+"]")
	}
	return "{" + s.kind() + ": " + f.String() + "}"
}

func quote(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(s)
}

func zoneName(z *time.Location) string {
	if z == nil {
		return ""
	}
	return z.String()
}

func flow[T any](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprintf("%q", fmt.Sprint(v))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// Template is what `waybill config init` writes: every key, with what it does
// and what it is when it is left out.
const Template = `# Waybill configuration. Check it with: waybill config check
# Every key may be left out; what stands behind a # is an example.

# Where everything is kept. A flag --data or WAYBILL_DATA wins over it.
data: /var/lib/waybill

# What is yours. It tells incoming from outgoing mail; without it messages have
# no direction.
own:
  domains: []            # [example.com, .example.org]; with a dot in front: subdomains too
  networks: []           # [192.0.2.0/24, 2001:db8::/32]

# A mail server's side: waybill gateway. It cuts the log into tracking files.
# gateway:
#   name: mx-a                      # the name of this host
#   log_zone: Europe/Amsterdam      # of time stamps that name none; this host's
#   window: 3m                      # that one tracking file covers: 1s to 1h
#   sources:                        # as many as there are
#     - {file: /var/log/mail.log}   # a path or a glob; rotation is followed
#     - {journal: {units: [postfix@-.service]}}
#     - {syslog: {listen: "192.0.2.64:5514", protocol: udp, allow: [192.0.2.0/24]}}
#   export:                         # leave it out, and this host searches by itself
#     listen: "0.0.0.0:2222"        # an SSH server for collectors
#     user: smaduser                # that they log in as
#     hold: 72h                     # files stay so long after every required one has them
#     stale: 7d                     # silence after which one is not waited for
#     quota: 10GB                   # files take no more than this; 0 sets no limit
#     exclusive: false              # true: who removes a file first has it alone
#     allow_unread: false           # true: what was never read may be removed
#     require_sandbox: false        # true: no server where the kernel cannot confine it

# The side that collects and answers: waybill manager.
manager:
  listen: "127.0.0.1:8025"          # the pages
  poll: 1m                          # how often a gateway is asked for new files
  connections: 50                   # gateways that are talked to at one time
  bandwidth: 0                      # bytes a second, all gateways together; 0 sets no limit
  queues: 2                         # incoming queues that are read side by side
  # Gateways, if they were not added with waybill gateways add: those that are
  # collected from, with an address, and those whose logs need help. log_zone is
  # the zone of time stamps that name none; without it they are read in the zone
  # of this host.
  gateways: []           # - {name: mx-a, address: "192.0.2.64:2222", log_zone: Europe/Amsterdam}

  store:
    sqlite:
      # What exceeds either limit is dropped by whole days, the oldest first.
      retention: 0       # 90d; 0 keeps everything
      max_size: 0        # 50GB; 0 sets no limit
`
