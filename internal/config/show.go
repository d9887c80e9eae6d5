package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
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
	b.WriteString("manager:\n")
	if len(c.Manager.Gateways) == 0 {
		line(1, "gateways", "[]", "manager.gateways")
	} else {
		b.WriteString("  gateways:\n")
	}
	for i, g := range c.Manager.Gateways {
		zone := ""
		if g.LogZone != nil {
			zone = ", log_zone: " + g.LogZone.String()
		}
		// A name may have a colon in it (an IPv6 address), so it is quoted.
		fmt.Fprintf(&b, "%-44s # %s\n", fmt.Sprintf("    - {name: %q%s}", g.Name, zone), c.Origin(fmt.Sprintf("manager.gateways[%d].name", i)))
	}
	b.WriteString("  store:\n    sqlite:\n")
	line(3, "retention", FormatDuration(c.Manager.Store.SQLite.Retention), "manager.store.sqlite.retention")
	line(3, "max_size", FormatSize(c.Manager.Store.SQLite.MaxSize), "manager.store.sqlite.max_size")
	_, err := io.WriteString(w, b.String())
	return err
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

manager:
  # Gateways whose logs need help. log_zone is the zone of time stamps that
  # name none; without it they are read in the zone of this host.
  gateways: []           # - {name: mx-a, log_zone: Europe/Amsterdam}

  store:
    sqlite:
      # What exceeds either limit is dropped by whole days, the oldest first.
      retention: 0       # 90d; 0 keeps everything
      max_size: 0        # 50GB; 0 sets no limit
`
