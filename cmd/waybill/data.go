package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"waybill/internal/config"
)

// systemData is where a service keeps its data.
const systemData = "/var/lib/waybill"

// dataDir chooses the data directory: the flag, WAYBILL_DATA and the
// configuration (config has laid the one over the other), the system's own
// where it may be written to, else the user's.
func (p *program) dataDir(flag string, c *config.Config) (string, error) {
	switch {
	case flag != "":
		return filepath.Abs(flag)
	case c.Data != "":
		return c.Data, nil
	case os.Geteuid() == 0 || unix.Access(systemData, unix.W_OK) == nil:
		return systemData, nil
	}
	if dir, _ := p.env("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill"), nil
	}
	if home, _ := p.env("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "waybill"), nil
	}
	return "", usage("waybill ... --data DIR", "no data directory: neither --data nor WAYBILL_DATA is set, and there is no home directory")
}
