package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds what is read of a file that somebody calls a configuration.
const maxFile = 4 << 20

// Env looks up a variable, as os.LookupEnv does.
type Env func(name string) (string, bool)

// Load reads the file at path, "" for none, and then the variables. All
// mistakes of both come back together as Faults.
func Load(path string, env Env) (*Config, error) {
	text := ""
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if len(b) > maxFile {
			return nil, Faults{{Source: path, Text: "larger than 4 MiB, which no configuration is"}}
		}
		text = string(b)
	}
	return Parse(path, text, env)
}

// Parse is Load with the text of the file at hand.
func Parse(source, text string, env Env) (*Config, error) {
	c := Default()
	d := &decoder{source: source, origins: c.origins}
	if root := d.parse(text); root != nil {
		c.decode(d, root)
	}
	faults := append(d.faults, c.environment(env)...)
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	return c, nil
}

// decode is the table of keys. It is the only place that names them.
func (c *Config) decode(d *decoder, root *yaml.Node) {
	d.mapping(root, "", map[string]field{
		"data": scalar(d, &c.Data, parseDir),
		"own": func(n *yaml.Node, path string) {
			d.mapping(n, path, map[string]field{
				"domains":  scalars(d, &c.Own.Domains, parseDomain),
				"networks": scalars(d, &c.Own.Networks, parseNetwork),
			})
		},
		"gateway": c.gatewayRole(d),
		"manager": func(n *yaml.Node, path string) {
			m := &c.Manager
			d.mapping(n, path, map[string]field{
				"listen":      scalar(d, &m.Listen, parseListen),
				"poll":        scalar(d, &m.Poll, parseSome),
				"connections": scalar(d, &m.Connections, parsePositive),
				"bandwidth":   scalar(d, &m.Bandwidth, ParseSize),
				"queues":      scalar(d, &m.Queues, parsePositive),
				"gateways":    func(n *yaml.Node, path string) { d.list(n, path, c.known(d)) },
				"store": func(n *yaml.Node, path string) {
					d.mapping(n, path, map[string]field{"sqlite": c.sqlite(d)})
				},
			})
		},
	})
}

func (c *Config) sqlite(d *decoder) field {
	to := &c.Manager.Store.SQLite
	return func(n *yaml.Node, path string) {
		d.mapping(n, path, map[string]field{
			"retention": scalar(d, &to.Retention, ParseDuration),
			"max_size":  scalar(d, &to.MaxSize, ParseSize),
		})
	}
}

func (c *Config) known(d *decoder) field {
	return func(n *yaml.Node, path string) {
		var g Known
		before := len(d.faults)
		d.mapping(n, path, map[string]field{
			"name":      scalar(d, &g.Name, ParseGatewayName),
			"address":   scalar(d, &g.Address, parseAddress),
			"host_key":  scalar(d, &g.HostKey, parseFingerprint),
			"user":      scalar(d, &g.User, parseUser),
			"directory": scalar(d, &g.Directory, parseDir),
			"log_zone":  scalar(d, &g.LogZone, parseZone),
		})
		if g.Name == "" && len(d.faults) == before {
			d.fault(n, path, "", "a gateway needs a name")
		}
		for _, other := range c.Manager.Gateways {
			if g.Name != "" && other.Name == g.Name {
				d.fault(n, path, "", "gateway %q is listed twice", g.Name)
			}
		}
		c.Manager.Gateways = append(c.Manager.Gateways, g)
	}
}

// variables maps each variable to its key and to what it sets.
func (c *Config) variables() []struct {
	name, key string
	set       func(string) error
} {
	return []struct {
		name, key string
		set       func(string) error
	}{
		{"WAYBILL_DATA", "data", set(&c.Data, filepath.Abs)},
		{"WAYBILL_OWN_DOMAINS", "own.domains", setList(&c.Own.Domains, parseDomain)},
		{"WAYBILL_OWN_NETWORKS", "own.networks", setList(&c.Own.Networks, parseNetwork)},
		{"WAYBILL_RETENTION", "manager.store.sqlite.retention", set(&c.Manager.Store.SQLite.Retention, ParseDuration)},
		{"WAYBILL_MAX_SIZE", "manager.store.sqlite.max_size", set(&c.Manager.Store.SQLite.MaxSize, ParseSize)},
	}
}

func (c *Config) environment(env Env) Faults {
	var faults Faults
	for _, v := range c.variables() {
		text, ok := env(v.name)
		if !ok || text == "" {
			continue
		}
		if err := v.set(text); err != nil {
			faults = append(faults, Fault{Source: v.name, Text: err.Error()})
			continue
		}
		c.origins[v.key] = v.name
	}
	return faults
}

func set[T any](to *T, read func(string) (T, error)) func(string) error {
	return func(text string) error {
		v, err := read(text)
		if err == nil {
			*to = v
		}
		return err
	}
}

// setList replaces the list: a variable that could only add to the file could
// never take anything away.
func setList[T any](to *[]T, read func(string) (T, error)) func(string) error {
	return func(text string) error {
		var list []T
		for word := range strings.SplitSeq(text, ",") {
			v, err := read(strings.TrimSpace(word))
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		*to = list
		return nil
	}
}

// Find returns the file to read when none was named on the command line: the
// one in WAYBILL_CONFIG, else the first that exists of Paths, else "".
func Find(env Env) (string, error) {
	if p, ok := env("WAYBILL_CONFIG"); ok && p != "" {
		return p, nil
	}
	for _, p := range Paths(env) {
		_, err := os.Stat(p)
		if err == nil {
			return p, nil
		}
		if errors.Is(err, fs.ErrPermission) && foreignHome(env, p) {
			continue
		}
		// One that is there and cannot be seen must not be passed over in silence.
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for the configuration: %w", err)
		}
	}
	return "", nil
}

// foreignHome tells whether path lies in a home that this process may not even
// enter: runuser and setpriv leave HOME as it was, and that home is another's.
func foreignHome(env Env, path string) bool {
	home, ok := env("HOME")
	if !ok || !filepath.IsAbs(home) || !strings.HasPrefix(path, filepath.Clean(home)+string(filepath.Separator)) {
		return false
	}
	_, err := os.Stat(home + "/.")
	return errors.Is(err, fs.ErrPermission)
}

// Paths are the places where a configuration is looked for, in their order.
func Paths(env Env) []string {
	var out []string
	if dir, ok := env("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
		out = append(out, filepath.Join(dir, "waybill", "config.yaml"))
	} else if home, ok := env("HOME"); ok && filepath.IsAbs(home) {
		out = append(out, filepath.Join(home, ".config", "waybill", "config.yaml"))
	}
	return append(out, "/etc/waybill/waybill.yaml")
}
